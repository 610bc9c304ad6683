"""Scopes: one unit of work, one decision; forward flips wait for the next one, flips back do not."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.decision import DecisionTable
from oms.domain.errors import OmsError
from oms.domain.scope import EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.compilation import decision_of
from oms.flagging.validation import parse
from oms.routing import Runtime, ScopeMiddleware
from tests.unit.routing.probe import ASK, PROBE, Answers, at, counts, probe, until
from tests.unit.routing.sides import run

ANSWERS = {Stage.OFF: "legacy", Stage.SHADOW: "legacy", Stage.LIVE: "unified", Stage.COMPLETE: "unified"}


def probe_at(stage: Stage) -> tuple[Runtime, Callable[[], str]]:
    """Return a runtime at *stage* and a call that tells who answers."""
    runtime, facade = probe(Answers(lambda value: "legacy"), Answers(lambda value: "unified"), stage)
    return runtime, lambda: facade.ask(1)


def stage_served(runtime: Runtime) -> str:
    """Make a call and return the stage it was counted under; ``direct`` if nothing decides and nothing counts."""
    facade: Any = runtime.facade(ASK)
    if inspect.ismethod(facade._plan.ask) and isinstance(facade._plan.ask.__self__, Answers):
        return "direct"
    before = stages_counted(runtime)
    facade.ask(1)
    until(lambda: stages_counted(runtime) != before)
    (grown,) = stages_counted(runtime) - before
    return grown


def stages_counted(runtime: Runtime) -> Counter[str]:
    """Return the number of calls counted so far by stage."""
    return Counter({tally.place.stage: tally.count for tally in runtime.totals() if tally.name == "calls"})


def test_flip_forward_waits_for_the_next_scope() -> None:
    """A scope keeps the table it began with; one that begins later has the new one."""
    runtime, ask = probe_at(Stage.OFF)
    with runtime.scope():
        before = ask()
        runtime.publish(at(Stage.COMPLETE))
        after = ask()
        with runtime.scope():
            within = ask()
        again = ask()
    with runtime.scope():
        later = ask()

    assert ("legacy", "legacy", "unified", "legacy", "unified") == (before, after, within, again, later)


def test_flip_back_reaches_the_very_next_call() -> None:
    """A rollback does not wait for the end of a scope."""
    runtime, ask = probe_at(Stage.COMPLETE)
    with runtime.scope():
        before = ask()
        runtime.publish(at(Stage.OFF))

        assert ("unified", "legacy") == (before, ask())


def test_a_scope_never_rises_again() -> None:
    """Its stage is the lowest of every table since it began: back and forth again is back."""
    runtime, ask = probe_at(Stage.COMPLETE)
    with runtime.scope():
        ask()
        runtime.publish(at(Stage.OFF))
        runtime.publish(at(Stage.COMPLETE))

        assert "legacy" == ask()
    assert "unified" == ask()


def test_a_table_that_no_call_saw_counts_too() -> None:
    """The lowest of all tables holds even if the scope made no call under some of them."""
    runtime, ask = probe_at(Stage.COMPLETE)
    with runtime.scope():
        runtime.publish(at(Stage.OFF))
        runtime.publish(at(Stage.LIVE))
        runtime.publish(at(Stage.COMPLETE))

        assert "legacy" == ask()


@settings(max_examples=150, deadline=None)
@given(tables=st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=6), began=st.integers(0, 5))
def test_lowest_of(tables: list[Stage], began: int) -> None:
    """For any course of flips: inside a scope the lowest stage since it began answers, outside the present one."""
    began = min(began, len(tables) - 1)
    runtime, ask = probe_at(tables[0])
    for stage in tables[1 : began + 1]:
        runtime.publish(at(stage))
    with runtime.scope():
        for stage in tables[began + 1 :]:
            runtime.publish(at(stage))
        lowest = min(tables[began:], key=lambda stage: stage.rank)

        assert ANSWERS[lowest] == ask()
    assert ANSWERS[tables[-1]] == ask()
    runtime.stop(5)


def test_carried_without_being_entered() -> None:
    """A scope that is only carried begins with the table of the moment when it was."""
    runtime, ask = probe_at(Stage.OFF)
    carried = runtime.scope().carry(ask)
    runtime.publish(at(Stage.COMPLETE))

    assert ("unified", "legacy", "legacy") == (ask(), in_thread(carried), carried())


def test_used_again() -> None:
    """A scope object that is used for a second unit of work begins with the table of then, whatever the first one had pinned."""
    runtime, ask = probe_at(Stage.OFF)
    scope = runtime.scope()
    with scope:
        runtime.publish(at(Stage.LIVE))
        first = ask()
    with scope:
        runtime.publish(at(Stage.COMPLETE))

        assert ("legacy", "unified") == (first, ask())
    runtime.stop(5)


def test_entered_twice() -> None:
    """One scope is one unit of work at a time."""
    runtime, _ = probe_at(Stage.OFF)
    scope = runtime.scope()
    with scope, pytest.raises(OmsError, match="entered twice"):
        scope.__enter__()


def test_ends_with_an_exception() -> None:
    """An exception leaves the scope and passes."""
    runtime, ask = probe_at(Stage.OFF)
    scope = runtime.scope()

    def fail() -> None:
        with scope:
            runtime.publish(at(Stage.COMPLETE))
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert "unified" == ask()


def test_decorator() -> None:
    """As a decorator it opens a scope for each call, sync or async, and keeps the function's own name."""
    runtime, ask = probe_at(Stage.OFF)

    @runtime.scope(targeting_key="job")
    def work(target: Stage) -> str:
        runtime.publish(at(target))
        return ask()

    @runtime.scope(targeting_key="job")
    async def awork(target: Stage) -> str:
        runtime.publish(at(target))
        await asyncio.sleep(0)
        return ask()

    assert ("work", "awork") == (work.__name__, awork.__name__)
    assert "legacy" == work(Stage.COMPLETE)
    assert "unified" == work(Stage.COMPLETE)
    assert "legacy" == run(awork(Stage.OFF))
    assert "legacy" == run(awork(Stage.COMPLETE))
    assert "unified" == ask()


def test_async_with() -> None:
    """``async with`` is the same."""
    runtime, ask = probe_at(Stage.OFF)

    async def work() -> str:
        async with runtime.scope():
            runtime.publish(at(Stage.COMPLETE))
            await asyncio.sleep(0)
            return ask()

    assert "legacy" == run(work())
    assert "unified" == ask()


def test_tasks() -> None:
    """A task is within the scope that was open when it was made; two tasks' own scopes do not meet."""
    runtime, ask = probe_at(Stage.OFF)

    async def answer() -> str:
        await asyncio.sleep(0)
        return ask()

    async def unit() -> str:
        async with runtime.scope():
            return await answer()

    async def work() -> list[str]:
        async with runtime.scope():
            child = asyncio.ensure_future(answer())
            runtime.publish(at(Stage.COMPLETE))
            return [*await asyncio.gather(child, asyncio.ensure_future(answer()), unit()), ask()]

    assert ["legacy", "legacy", "unified", "legacy"] == run(work())


def in_thread(function: Callable[[], Any]) -> Any:
    """Return what *function* returns in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(60)


def test_threads_only_when_carried() -> None:
    """A scope does not cross threads by itself; carry() takes it along, and gives it back."""
    runtime, ask = probe_at(Stage.OFF)
    with runtime.scope():
        runtime.publish(at(Stage.COMPLETE))
        carried = runtime.carry(ask)

        assert ("unified", "legacy") == (in_thread(ask), in_thread(carried))
        assert ("unified", "legacy") == in_thread(lambda: (ask(), carried()))
    assert runtime.carry(ask) is ask


def test_carried_beyond_the_end() -> None:
    """Work that is carried on after its scope has ended still belongs to it: the table it began with holds, and is held."""
    runtime, ask = probe_at(Stage.OFF)
    with runtime.scope():
        carried = runtime.carry(lambda: (ask(), runtime.standing()["probe"].oldest_scope_at))
    runtime.publish(at(Stage.COMPLETE))
    outside = ask()
    within, held_since = in_thread(carried)

    assert ("unified", "legacy") == (outside, within)
    assert held_since is not None
    assert runtime.standing()["probe"].oldest_scope_at is None
    assert "unified" == ask()


def test_carried_between_two_held_tables() -> None:
    """The same while an older scope is still open, and one that is younger."""
    runtime, _ = probe_at(Stage.OFF)
    with runtime.scope():
        runtime.publish(at(Stage.SHADOW))
        with runtime.scope():
            carried = runtime.carry(lambda: stage_served(runtime))
        runtime.publish(at(Stage.LIVE))
        with runtime.scope():
            runtime.publish(at(Stage.COMPLETE))

            assert "shadow" == in_thread(carried)
            assert "live" == stage_served(runtime)
        assert "off" == stage_served(runtime)
    assert "direct" == stage_served(runtime)
    runtime.stop(5)


def test_oldest_scope_is_told() -> None:
    """While a scope holds an older table, the standing says since when; after it nothing does."""
    runtime, _ = probe_at(Stage.OFF)
    with runtime.scope():
        same = runtime.standing()["probe"].oldest_scope_at
        runtime.publish(at(Stage.SHADOW))
        held = runtime.standing()["probe"]

    assert same is None
    assert ("shadow", True) == (held.digest, held.oldest_scope_at is not None)
    assert runtime.standing()["probe"].oldest_scope_at is None


class Cohorts:
    """One stage for each targeting key, or for each operation."""

    digest = "cohorts"
    split: Split | None = None

    def __init__(self, by_key: dict[str | None, Stage], by_operation: dict[str, Stage] | None = None) -> None:
        self._by_key, self._by_operation = by_key, by_operation or {}
        self.by_operation = bool(by_operation)
        self.default = Stage.OFF
        self.stages = frozenset({self.default, *by_key.values(), *self._by_operation.values()})
        self.asked: list[EvaluationContext] = []

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the stage of the operation, or of the key."""
        self.asked.append(context)
        return self._by_operation.get(operation) or self._by_key.get(context.targeting_key, self.default)


def test_decided_once_for_each_scope() -> None:
    """The flag is asked once in a scope, with its targeting key and attributes, whatever the number of calls."""
    runtime, ask = probe_at(Stage.OFF)
    cohorts = Cohorts({"t-1": Stage.LIVE, "t-2": Stage.SHADOW})
    runtime.publish(DecisionTable.of(probe=cohorts))
    with runtime.scope(targeting_key="t-1", attributes={"plan": "gold"}):
        answers = {ask(), ask(), ask()}

    assert {"unified"} == answers
    assert [EvaluationContext("t-1", {"plan": "gold"})] == cohorts.asked
    runtime.stop(5)


def test_unscoped_calls() -> None:
    """Outside every scope the flag's default variant answers, and where cohorts are apart that is counted."""
    runtime, ask = probe_at(Stage.OFF)
    runtime.publish(DecisionTable.of(probe=Cohorts({"t-1": Stage.LIVE})))
    with runtime.scope(targeting_key="t-1"):
        inside = ask()

    assert ("unified", "legacy", "legacy") == (inside, ask(), ask())
    assert 2 == counts(runtime)["unscoped"]
    runtime.stop(5)


def test_by_operation() -> None:
    """Where targeting asks for the operation, one scope may hold several decisions."""
    runtime, facade = probe(Answers(lambda value: "legacy"), Answers(lambda value: "unified"), Stage.OFF)
    runtime.publish(DecisionTable.of(probe=Cohorts({}, {"ask": Stage.OFF, "aask": Stage.COMPLETE})))
    with runtime.scope(targeting_key="t-1"):
        inside = facade.ask(1), run(facade.aask(1))

    assert ("legacy", "unified") == inside
    assert ("legacy", "unified") == (facade.ask(1), run(facade.aask(1)))


def fractional(weight: int) -> DecisionTable:
    """Return a real decision of a flagd file: *weight* of 100 at live, the rest in shadow."""
    flag = {
        "state": "ENABLED",
        "variants": {
            stage.value: stage.value for stage in Stage if stage.value in ("off", "shadow", "live", "complete")
        },
        "defaultVariant": "shadow",
        "targeting": {"fractional": [["live", weight], ["shadow", 100 - weight]]},
    }
    raw = json.dumps({"flags": {PROBE.flag: flag}}).encode()
    return DecisionTable.of(probe=decision_of(parse(raw, file="probe.flagd.json", phase=PROBE)))


def test_a_growing_canary_demotes_nobody() -> None:
    """With a growing share everybody who had unified keeps it, through the facade; at the ends it is nobody and everybody."""
    runtime, ask = probe_at(Stage.SHADOW)
    keys = [f"tenant-{number}" for number in range(200)]
    served: list[set[str]] = []
    for weight in (1, 5, 20, 50, 80, 99):
        runtime.publish(fractional(weight))
        live = set()
        for key in keys:
            with runtime.scope(targeting_key=key):
                if ask() == "unified":
                    live.add(key)
        served.append(live)
    runtime.stop(10)

    assert all(before <= after for before, after in itertools.pairwise(served))
    assert 0 < len(served[2]) < len(served[4]) < 200
    assert 60 < len(served[3]) < 140


def test_a_shrinking_canary_reaches_open_scopes() -> None:
    """A lower share is a rollback: those who lose unified lose it within their scopes."""
    runtime, ask = probe_at(Stage.SHADOW)
    runtime.publish(fractional(99))
    with runtime.scope(targeting_key="tenant-1"):
        before = ask()
        runtime.publish(fractional(1))

        assert ("unified", "legacy") == (before, ask())
    runtime.stop(5)


def test_middleware() -> None:
    """Each request and each websocket has a scope of its own; everything else passes without one."""
    runtime, ask = probe_at(Stage.OFF)
    runtime.publish(DecisionTable.of(probe=Cohorts({"acme": Stage.LIVE})))
    answers: list[tuple[str, str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        before = ask()
        await asyncio.sleep(0)
        if scope["type"] == "websocket":
            runtime.publish(at(Stage.COMPLETE))
        answers.append((before, ask()))

    async def nothing(*args: Any) -> Any: ...

    served = ScopeMiddleware(app, runtime=runtime, targeting_key=lambda scope: scope.get("tenant"))

    async def serve(*scopes: dict[str, Any]) -> None:
        await asyncio.gather(*(served(scope, nothing, nothing) for scope in scopes))

    run(serve({"type": "http", "tenant": "acme"}, {"type": "http"}, {"type": "lifespan", "tenant": "acme"}))
    run(serve({"type": "websocket"}))
    runtime.stop(5)

    assert [("unified", "unified"), ("legacy", "legacy"), ("legacy", "legacy"), ("legacy", "legacy")] == answers
    assert 2 == counts(runtime)["unscoped"]


def test_closed_elsewhere() -> None:
    """A scope that is closed in another context than it was opened in ends all the same."""
    runtime, ask = probe_at(Stage.OFF)

    async def opened() -> Any:
        with runtime.scope():
            yield ask()

    async def work() -> None:
        generator = opened()
        await asyncio.ensure_future(anext(generator))
        runtime.publish(at(Stage.COMPLETE))

        await generator.aclose()

    run(work())

    assert runtime.standing()["probe"].oldest_scope_at is None
    assert "unified" == ask()


class Watched:
    """A decision that calls back while its table is being put in force."""

    digest, split, by_operation, default = "watched", None, False, Stage.COMPLETE

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    @property
    def stages(self) -> frozenset[Stage]:
        """Everybody at complete."""
        self._callback()
        return frozenset({Stage.COMPLETE})

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the one stage."""
        return Stage.COMPLETE


def test_scope_that_begins_while_a_flip_is_put_in_force() -> None:
    """Whatever the moment at which a scope begins, its first calls go by the same table as its later ones."""
    runtime, ask = probe_at(Stage.OFF)
    scopes: list[tuple[contextvars.Context, str]] = []

    def begin() -> None:
        context = contextvars.Context()
        context.run(runtime.scope().__enter__)
        scopes.append((context, context.run(ask)))

    runtime.publish(at(Stage.OFF))
    runtime.publish(DecisionTable.of(probe=Watched(begin)))
    answers = {(first, context.run(ask)) for context, first in scopes}

    assert {("legacy", "legacy"), ("unified", "unified")} >= answers
    assert ("legacy", "legacy") in answers


def test_flips_while_scopes_open_and_close() -> None:
    """Scopes of several threads come and go while tables are published: no scope ever sees a stage rise."""
    runtime, ask = probe_at(Stage.OFF)
    done, wrong = threading.Event(), []

    def work() -> None:
        while not done.is_set():
            with runtime.scope():
                seen = [ask() for _ in range(20)]
            if "legacy" in seen and "unified" in seen[seen.index("legacy") :]:
                wrong.append(seen)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(400):
        runtime.publish(at((Stage.OFF, Stage.COMPLETE)[number % 2]))
    done.set()
    for thread in threads:
        thread.join(60)

    assert [] == wrong
    assert "unified" == ask()
    assert runtime.standing()["probe"].oldest_scope_at is None
