"""Whatever the candidate does, the caller sees nothing of it: arguments, answers, exceptions, context."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from typing import Any

import pytest

from oms.domain.stage import Stage
from oms.routing.contain import INSIDE
from tests.unit.routing.probe import (
    Answers,
    Refused,
    assert_sums,
    counts,
    outcome_of_one,
    outcomes,
    probe,
    raising,
    until,
)
from tests.unit.routing.sides import run

TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="unset")
IS_ASYNC = pytest.mark.parametrize("is_async", [False, True])
BESIDE = pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])


def call(runtime: Any, facade: Any, is_async: bool, value: Any = 1) -> Any:
    """Ask, and wait until the candidate has run."""

    async def ask() -> Any:
        answer = await facade.aask(value)
        await runtime.adrain(60)
        return answer

    before = counts(runtime)["shadowed"]
    answer = run(ask()) if is_async else facade.ask(value)
    until(lambda: counts(runtime)["shadowed"] > before)
    return answer


def sides_of(stage: Stage, control: Answers, beside: Answers) -> tuple[Answers, Answers]:
    """Return legacy and unified, so that *control* answers at *stage*."""
    return (control, beside) if stage is Stage.SHADOW else (beside, control)


@IS_ASYNC
@BESIDE
def test_argument_is_not_shared(is_async: bool, stage: Stage) -> None:
    """Both sides change their argument in place: each sees the original, the caller sees the control's change only."""

    def adding(number: int) -> Any:
        def add(value: dict[str, int]) -> int:
            value["n"] += number
            return value["n"]

        return add

    control, beside = Answers(adding(1)), Answers(adding(100))
    runtime, facade = probe(*sides_of(stage, control, beside), stage)
    argument = {"n": 0}

    assert 1 == call(runtime, facade, is_async, argument)
    assert ({"n": 1}, {"n": 100}) == (argument, beside.asked[0])
    assert {"mismatched": 1} == outcomes(runtime)
    assert control.asked[0] is argument
    runtime.stop(5)


@IS_ASYNC
def test_one_object_from_both_sides(is_async: bool) -> None:
    """Both sides return one shared object and change it before they do: a real difference is seen all the same."""
    shared: dict[str, int] = {}

    def put(number: int) -> Any:
        def do(value: Any) -> dict[str, int]:
            shared["n"] = number
            return shared

        return do

    runtime, facade = probe(Answers(put(1)), Answers(put(2)))
    call(runtime, facade, is_async)

    assert {"mismatched": 1} == outcomes(runtime)
    runtime.stop(5)


@IS_ASYNC
def test_answer_is_the_callers_to_change(is_async: bool) -> None:
    """The caller changes the answer at once: what is compared is what the control returned."""
    runtime, facade = probe(Answers(lambda value: [1, 2]), Answers(lambda value: [1, 2]))

    async def ask() -> None:
        (await facade.aask(1)).clear()
        await runtime.adrain(60)

    if is_async:
        run(ask())
    else:
        facade.ask(1).clear()

    assert {"matched": 1} == outcome_of_one(runtime)
    runtime.stop(5)


@IS_ASYNC
@BESIDE
@pytest.mark.parametrize(
    "error", [SystemExit, asyncio.CancelledError, GeneratorExit, RecursionError, StopIteration, Refused]
)
def test_candidate_raises(error: type[BaseException], is_async: bool, stage: Stage) -> None:
    """Nothing that a candidate raises reaches the caller or ends the lane; it is compared."""
    beside = Answers(lambda value: value)
    runtime, facade = probe(*sides_of(stage, Answers(), beside), stage)
    beside.does = raising(error)

    assert 1 == call(runtime, facade, is_async)
    assert {"mismatched": 1} == outcomes(runtime)
    beside.does = lambda value: value

    assert 2 == call(runtime, facade, is_async, 2)
    assert {"mismatched": 1, "matched": 1} == outcomes(runtime)
    runtime.stop(5)
    assert_sums(runtime, 2)


@BESIDE
def test_candidate_raises_keyboard_interrupt(stage: Stage) -> None:
    """In the lane's own thread not even KeyboardInterrupt is meant for anybody."""
    beside = Answers(raising(KeyboardInterrupt))
    runtime, facade = probe(*sides_of(stage, Answers(), beside), stage)

    assert (1, 2) == (call(runtime, facade, False), call(runtime, facade, False, 2))
    assert {"mismatched": 2} == outcomes(runtime)
    runtime.stop(5)


def test_control_exception_is_not_kept() -> None:
    """What waits in a lane is a stand-in: the caller's exception object and its frames are free once the caller drops them."""
    runtime, facade = probe(Answers(raising(Refused)), Answers(raising(Refused)))
    with pytest.raises(Refused) as caught:
        facade.ask(1)
    reference = weakref.ref(caught.value)
    outcome_of_one(runtime)
    del caught
    gc.collect()

    assert reference() is None
    runtime.stop(5)


@IS_ASYNC
@BESIDE
def test_context_is_copied(is_async: bool, stage: Stage) -> None:
    """Both sides see the caller's context variables; what the candidate sets stays with it, what the control sets is the caller's."""
    seen: list[str] = []

    def set_to(name: str) -> Any:
        def do(value: Any) -> None:
            seen.append(f"{name} sees {TENANT.get()}")
            TENANT.set(name)

        return do

    runtime, facade = probe(*sides_of(stage, Answers(set_to("control")), Answers(set_to("candidate"))), stage)

    async def ask() -> str:
        await facade.aask(1)
        await runtime.adrain(60)
        return TENANT.get()

    def work() -> str:
        TENANT.set("acme")
        if is_async:
            return run(ask())
        facade.ask(1)
        outcome_of_one(runtime)
        return TENANT.get()

    assert "control" == contextvars.Context().run(work)
    assert ["control sees acme", "candidate sees acme"] == seen
    assert not INSIDE.get()
    runtime.stop(5)


@IS_ASYNC
def test_facade_within_a_candidate(is_async: bool) -> None:
    """A facade that a candidate calls passes straight through to the side that answers: no shadow of a shadow."""
    depth: list[int] = []

    def deeper(value: Any) -> Any:
        depth.append(value)
        return facade.ask(value - 1) if value else "bottom"

    async def adeeper(value: Any) -> Any:
        depth.append(value)
        return await facade.aask(value - 1) if value else "bottom"

    runtime, facade = probe(Answers(lambda value: "bottom"), Answers(deeper, adeeper if is_async else None))

    assert "bottom" == call(runtime, facade, is_async, 6)
    assert {"matched": 1} == outcomes(runtime)
    runtime.stop(5)
    assert [6] == depth
    assert 1 == counts(runtime)["nested"]
    assert_sums(runtime, 2)


def test_facade_within_the_control() -> None:
    """A control that calls the facade is no candidate: each call is one of its own."""
    runtime, facade = probe(Answers(lambda value: facade.ask(value - 1) if value else 0), Answers(lambda value: 0))
    facade.ask(2)
    runtime.stop(5)

    assert {"matched": 3} == outcomes(runtime)
