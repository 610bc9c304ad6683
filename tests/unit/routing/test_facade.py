"""What callers hold is the port itself to every eye, and transparent in every stage."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pydoc
import sys
import traceback
import typing
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.phase import Phase, reads
from oms.domain.stage import Stage, stages_of
from oms.routing import Runtime
from oms.seams.cache import TYPES, AsyncCache, Cache
from tests.unit.routing.probe import Answers, Refused, at, probe, raising
from tests.unit.routing.sides import MapSide, run, runtime_with, table

SENTINEL = object()
STAGES = stages_of(writes=False)


class Shapes(Protocol):
    """Every shape that a method can have."""

    @reads
    def defaults(self, one: int, two: object = SENTINEL, *, three: str = "3", four: int) -> tuple[Any, ...]:
        """Keywords after a star."""

    @reads
    def only(self, one: int, two: int = 2, /, three: int = 3) -> tuple[Any, ...]:
        """Positional only."""

    @reads
    def rest(self, one: int, *args: int, key: str = "k", **kwargs: int) -> tuple[Any, ...]:
        """Whatever is left."""

    @reads
    def nothing(self) -> tuple[Any, ...]:
        """No parameters."""

    @reads
    def plan(self, plan: str, self_: int = 1, args: int = 2) -> tuple[Any, ...]:
        """Names that a generated method might want for itself."""

    @reads
    def generator(self, upto: int) -> Iterator[int]:
        """Lazy."""
        ...

    @reads
    def agenerator(self, upto: int) -> AsyncIterator[int]:
        """Lazy, awaited."""
        ...

    @reads
    async def acall(self, one: int, *, two: int = 2) -> tuple[Any, ...]:
        """Awaited."""


SHAPES = Phase("probe").seam("shapes", port=Shapes)


class Shaped:
    """A side of every shape; tells what it was given."""

    def __init__(self) -> None:
        self.began: list[str] = []

    def defaults(self, one: int, two: object = SENTINEL, *, three: str = "3", four: int) -> tuple[Any, ...]:
        return one, two, three, four

    def only(self, one: int, two: int = 2, /, three: int = 3) -> tuple[Any, ...]:
        return one, two, three

    def rest(self, one: int, *args: int, key: str = "k", **kwargs: int) -> tuple[Any, ...]:
        return one, args, key, kwargs

    def nothing(self) -> tuple[Any, ...]:
        return ()

    def plan(self, plan: str, self_: int = 1, args: int = 2) -> tuple[Any, ...]:
        return plan, self_, args

    def generator(self, upto: int) -> Iterator[int]:
        self.began.append("generator")
        yield from range(upto)

    async def agenerator(self, upto: int) -> AsyncIterator[int]:
        self.began.append("agenerator")
        for number in range(upto):
            yield number

    async def acall(self, one: int, *, two: int = 2) -> tuple[Any, ...]:
        return one, two


def shapes(stage: Stage) -> tuple[Runtime, Any, Shaped, Shaped]:
    """Return a runtime at *stage* with the facade and both sides."""
    legacy, unified = Shaped(), Shaped()
    runtime, facade = probe(legacy, unified, stage, seam=SHAPES)
    return runtime, facade, legacy, unified


def test_signatures() -> None:
    """Each method has the port's own signature, defaults and annotations included."""
    _, facade, _, _ = shapes(Stage.OFF)
    for name in SHAPES.operations():
        port = inspect.signature(getattr(Shapes, name))
        bound = port.replace(parameters=list(port.parameters.values())[1:])

        assert bound == inspect.signature(getattr(facade, name))
        assert getattr(Shapes, name).__annotations__ == getattr(facade, name).__annotations__


def test_type_hints_resolve() -> None:
    """The annotations can be resolved, as frameworks do, although they were written as strings."""
    facade = runtime_with(MapSide(), MapSide()).facade(TYPES)

    assert typing.get_type_hints(Cache.get) == typing.get_type_hints(type(facade).get)
    assert inspect.signature(Cache.set, eval_str=True) == inspect.signature(type(facade).set, eval_str=True)


def test_docstrings_and_help() -> None:
    """Class and methods carry the port's docstrings, and help() shows them."""
    facade = runtime_with(MapSide(), MapSide()).facade(TYPES)
    shown = pydoc.render_doc(facade, renderer=pydoc.plaintext)

    assert Cache.__doc__ == type(facade).__doc__
    assert Cache.get.__doc__ == type(facade).get.__doc__
    assert "get(self, key: 'str') -> 'Value | None'" in shown
    assert "Return the value under *key*, or None if absent or expired." in shown
    assert ("CacheFacade.get", "oms.seams.cache") == (type(facade).get.__qualname__, type(facade).get.__module__)


def test_sync_stays_sync() -> None:
    """A coroutine function is one on the facade, and nothing else is."""
    _, facade, _, _ = shapes(Stage.OFF)

    assert {"acall"} == {name for name in SHAPES.operations() if inspect.iscoroutinefunction(getattr(facade, name))}


def test_both_ports_in_one_object() -> None:
    """A seam's second port is routed over the same state."""
    legacy = MapSide()
    runtime = runtime_with(legacy, MapSide())
    runtime.facade(TYPES).set("k", 1)

    assert 1 == run(runtime.afacade(TYPES).aget("k"))
    assert {"get", "set", "delete", "clear"} <= set(vars(Cache))
    assert all(hasattr(runtime.afacade(TYPES), name) for name in vars(AsyncCache) if not name.startswith("_"))


@pytest.mark.parametrize("stage", STAGES)
def test_arguments(stage: Stage) -> None:
    """Defaults, keywords and the rest arrive as they were given."""
    runtime, facade, _, _ = shapes(stage)

    assert (1, SENTINEL, "3", 4) == facade.defaults(1, four=4)
    assert (1, 2, "x", 4) == facade.defaults(four=4, three="x", two=2, one=1)
    assert (1, 2, 5) == facade.only(1, three=5)
    assert (1, (2, 3), "q", {"more": 4}) == facade.rest(1, 2, 3, key="q", more=4)
    assert () == facade.nothing()
    assert ("p", 7, 2) == facade.plan("p", self_=7)
    assert (1, 9) == run(facade.acall(1, two=9))
    runtime.stop(5)


@pytest.mark.parametrize(
    "call", ["f.defaults(1)", "f.only(one=1)", "f.nothing(1)", "f.defaults(1, 2, 3, four=4)", "f.acall()"]
)
def test_wrong_arguments(call: str) -> None:
    """What the port does not take is a TypeError at once, as from the port's own method."""
    _, facade, _, _ = shapes(Stage.OFF)

    with pytest.raises(TypeError, match="Facade"):
        eval(call, {"f": facade})


@pytest.mark.parametrize("stage", STAGES)
def test_generators_stay_lazy(stage: Stage) -> None:
    """Nothing of a generator runs before it is asked for its first item, on either side, and it is the control's own."""
    runtime, facade, legacy, unified = shapes(stage)
    held = facade.generator(3)

    async def drained() -> list[int]:
        return [number async for number in facade.agenerator(2)]

    assert inspect.isgenerator(held)
    assert ([], []) == (legacy.began, unified.began)
    assert [0, 1, 2] == list(held)
    assert [0, 1] == run(drained())
    runtime.stop(5)
    assert 2 == len(legacy.began + unified.began)


@pytest.mark.parametrize("stage", STAGES)
def test_same_value_object(stage: Stage) -> None:
    """The caller gets the control's very object, not a copy."""
    answer = [1]
    runtime, facade = probe(Answers(lambda value: answer), Answers(lambda value: answer), stage)

    assert facade.ask(1) is answer
    assert run(facade.aask(1)) is answer
    runtime.stop(5)


def test_bound_method_follows_a_flip() -> None:
    """A method that a caller took before a flip answers as the flip says."""
    runtime, facade = probe(Answers(lambda value: "legacy"), Answers(lambda value: "unified"), Stage.OFF)
    held = facade.ask
    before = held(1)
    runtime.publish(at(Stage.COMPLETE))

    assert ("legacy", "unified") == (before, held(1))


def test_operations_change_together() -> None:
    """One store changes what every operation does: the plan is one object."""
    runtime = runtime_with(MapSide(), MapSide())
    facade: Any = runtime.facade(TYPES)
    old = facade._plan
    runtime.publish(table(Stage.COMPLETE))

    assert old is not facade._plan
    assert all(getattr(old, name) != getattr(facade._plan, name) for name in TYPES.operations())


class OwnError(Exception):
    """An error with everything an error can carry."""


def failure() -> OwnError:
    """Return an error with cause, context, notes and arguments."""
    error = OwnError("no", 7)
    error.__cause__, error.__context__ = ValueError("cause"), KeyError("context")
    error.add_note("a note")
    return error


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("is_async", [False, True])
def test_same_exception_object(stage: Stage, is_async: bool) -> None:
    """The control's exception arrives as it is: same object, cause, context and notes, traceback down to the side that raised."""
    error, other = failure(), OwnError("the other one")
    cause, context = error.__cause__, error.__context__
    control, beside = Answers(raising(error)), Answers(raising(other))
    sides = (control, beside) if stage in (Stage.OFF, Stage.SHADOW) else (beside, control)
    runtime, facade = probe(*sides, stage)

    with pytest.raises(OwnError) as caught:
        run(facade.aask(1)) if is_async else facade.ask(1)

    assert caught.value is error
    assert (cause, context, ["a note"]) == (error.__cause__, error.__context__, error.__notes__)
    assert "fail" == traceback.extract_tb(error.__traceback__)[-1].name
    runtime.stop(5)
    assert caught.value.args == ("no", 7)


def test_traceback_shows_generated_lines() -> None:
    """A traceback through the facade shows its source line."""
    _, facade = probe(Answers(raising(Refused())), Answers(), Stage.OFF)
    with pytest.raises(Refused) as caught:
        facade.ask(1)

    assert "return plan.ask(value)" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("stage", STAGES)
def test_kept_exception_is_no_call_in_flight(stage: Stage) -> None:
    """A caller that keeps an exception keeps no plan: the call has ended."""
    runtime, facade = probe(Answers(raising(Refused())), Answers(raising(Refused())), stage)
    with pytest.raises(Refused) as caught:
        facade.ask(1)
    with pytest.raises(Refused) as acaught:
        run(facade.aask(1))
    runtime.publish(at(Stage.OFF if stage is not Stage.OFF else Stage.COMPLETE))

    assert 0 == runtime.standing()["probe"].in_flight
    assert caught.value.__traceback__ is not None
    assert acaught.value.__traceback__ is not None
    runtime.stop(5)


@pytest.mark.parametrize("stage", STAGES)
def test_cancellation_passes(stage: Stage) -> None:
    """A cancelled caller is cancelled at once; the control sees it, and it is counted as what it is."""
    seen: list[str] = []

    async def slow(value: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def cancel() -> None:
        task = asyncio.ensure_future(facade.aask(1))
        while not (legacy.asked or unified.asked):
            await asyncio.sleep(0)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task

    legacy, unified = Answers(adoes=slow), Answers(adoes=slow)
    runtime, facade = probe(legacy, unified, stage)
    run(cancel())

    assert ["cancelled"] == seen
    runtime.stop(5)


def test_a_runtime_without_references_goes_away() -> None:
    """Nothing global keeps a runtime that never started a thread."""
    runtime, facade = probe(Answers(), Answers(), Stage.OFF)
    reference = weakref.ref(runtime)
    del runtime, facade
    gc.collect()

    assert reference() is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.tuples(inner)
    ),
    max_leaves=6,
)


@settings(max_examples=120, deadline=None)
@given(
    stage=st.sampled_from(STAGES),
    argument=VALUES,
    answers=st.tuples(VALUES, VALUES),
    fails=st.tuples(st.booleans(), st.booleans()),
    is_async=st.booleans(),
)
def test_transparent(
    stage: Stage, argument: Any, answers: tuple[Any, Any], fails: tuple[bool, bool], is_async: bool
) -> None:
    """In every stage the caller gets what calling the control alone would give: the same object or the same exception."""
    errors = OwnError("legacy"), OwnError("unified")
    sides = [
        Answers(raising(error)) if fails_ else Answers(lambda value, answer=answer: answer)
        for error, fails_, answer in zip(errors, fails, answers, strict=True)
    ]
    runtime, facade = probe(*sides, stage)
    control = 0 if stage in (Stage.OFF, Stage.SHADOW) else 1
    is_rescued = stage is Stage.LIVE and fails[1] and not fails[0]
    expected = answers[0] if is_rescued else errors[control] if fails[control] else answers[control]
    try:
        got = run(facade.aask(argument)) if is_async else facade.ask(argument)
    except OwnError as error:
        got = error

    assert got is expected
    assert sides[control].asked[0] is argument
    runtime.stop(5)


def test_argument_nested_too_deep() -> None:
    """An argument nested too deep to look into is an argument all the same."""
    deep: tuple[Any, ...] = ()
    for _ in range(sys.getrecursionlimit() * 3):
        deep = (deep,)
    runtime, facade = probe(Answers(lambda value: "ok"), Answers(lambda value: "ok"))

    assert "ok" == facade.ask(deep)
    runtime.stop(5)
    while deep:
        (deep,) = deep
