"""The seven outcomes of a shadowed call, and each reason for which one could not be compared."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oms.domain.observation import Facts, Observation
from oms.domain.stage import Stage
from oms.routing import LaneLimits
from oms.seams.cache import TYPES
from tests.unit.routing.probe import (
    AMPLE,
    ASK,
    HASTY,
    PROBE,
    Answers,
    Ask,
    Refused,
    assert_sums,
    counts,
    hung,
    outcome_of_one,
    outcomes,
    probe,
    raising,
    until,
    until_too_late,
)
from tests.unit.routing.sides import MapSide, run, runtime_with


def returning(value: Any) -> Answers:
    """Return a side that always returns *value*."""
    return Answers(lambda _: value)


def near(legacy: Observation, unified: Observation, facts: Facts) -> str | None:
    """Tolerate whatever this is asked about."""
    return "near enough"


NEAR = PROBE.seam("ask", port=Ask, reasonable=near)


@pytest.mark.parametrize(
    ("legacy", "unified", "expected"),
    [
        (returning(1), returning(1), "matched"),
        (returning({"a": [1, {"b": None}]}), returning({"a": [1, {"b": None}]}), "matched"),
        (returning(float("nan")), returning(float("nan")), "matched"),
        (returning(1), returning(2), "mismatched"),
        (returning(1), returning(True), "mismatched"),
        (returning(1), returning(1.0), "mismatched"),
        (returning([1]), returning((1,)), "mismatched"),
        (returning(None), returning(1), "mismatched"),
        (returning({"a": 1}), returning({}), "mismatched"),
        (Answers(raising(Refused(1))), Answers(raising(Refused(1))), "matched"),
        (Answers(raising(Refused(1))), Answers(raising(Refused(2))), "mismatched"),
        (Answers(raising(KeyError("a"))), Answers(raising(KeyError("b"))), "matched"),
        (Answers(raising(KeyError)), Answers(raising(ValueError)), "mismatched"),
        (Answers(raising(KeyError)), returning(1), "mismatched"),
        (returning(1), Answers(raising(KeyError)), "mismatched"),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_async", [False, True])
def test_compared(legacy: Answers, unified: Answers, expected: str, is_async: bool) -> None:
    """Values are compared strictly, exceptions like values: by class and declared fields, in all four cells."""
    runtime, facade = probe(legacy, unified)

    async def ask() -> None:
        with contextlib.suppress(KeyError, Refused):
            await facade.aask(1)
        await runtime.adrain(60)

    if is_async:
        run(ask())
    else:
        with contextlib.suppress(KeyError, Refused):
            facade.ask(1)

    assert {expected: 1} == outcome_of_one(runtime)
    runtime.stop(60)
    assert_sums(runtime, 1)


@pytest.mark.parametrize(
    ("legacy", "unified", "empty"), [(None, None, 1), ([], [], 1), ("", "", 1), (0, 0, 0), (1, 1, 0)]
)
def test_empty_matches(legacy: Any, unified: Any, empty: int) -> None:
    """Two empty answers match and are counted as no evidence."""
    runtime, facade = probe(returning(legacy), returning(unified))
    facade.ask(1)

    assert {"matched": 1} == outcome_of_one(runtime)
    assert empty == counts(runtime)["empty"]
    runtime.stop(60)


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_reasonable(stage: Stage) -> None:
    """What the port tolerates is counted apart, and leaves no divergence."""
    runtime, facade = probe(returning(1), returning(2), stage, seam=NEAR)
    facade.ask(1)

    assert {"reasonable": 1} == outcome_of_one(runtime)
    assert [] == runtime.drain().divergences
    runtime.stop(60)


def test_legacy_and_unified_keep_their_names() -> None:
    """Whoever is the control: the comparison is told which observation is legacy's and which is unified's."""
    seen: list[tuple[Any, Any, str]] = []

    def note(legacy: Observation, unified: Observation, facts: Facts) -> str | None:
        seen.append((legacy, unified, str(facts.control)))
        return None

    seam = PROBE.seam("ask", port=Ask, reasonable=note)
    for stage in (Stage.SHADOW, Stage.LIVE):
        runtime, facade = probe(returning("l"), returning("u"), stage, seam=seam)
        facade.ask(1)
        outcome_of_one(runtime)
        runtime.stop(60)

    assert [("l", "u", "legacy"), ("l", "u", "unified")] == [(one.value, other.value, who) for one, other, who in seen]


# -- uncomparable


class Locked:
    """Holds what cannot be copied."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class BadReduce:
    """Cannot be pickled, and says so in its own way."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error


class BadSetState:
    """Can be pickled and not loaded."""

    error: type[BaseException] = ValueError

    def __getstate__(self) -> Any:
        return {"a": 1}

    def __setstate__(self, state: Any) -> None:
        raise self.error


class BadSetStateExit(BadSetState):
    """The same, worse."""

    error = SystemExit


class LazyProxy:
    """Loads itself when asked for its class, which fails outside of its place."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("working outside of context")

    def __reduce__(self) -> Any:
        raise TypeError


def numbers() -> Iterator[int]:
    """Return something that is consumed by reading it."""
    yield from (1, 2)


UNCOPYABLE = [
    Locked,
    lambda: BadReduce(ValueError()),
    lambda: BadReduce(SystemExit()),
    lambda: BadReduce(asyncio.CancelledError()),
    BadSetState,
    BadSetStateExit,
    LazyProxy,
    numbers,
    lambda: lambda: 1,
]


@pytest.mark.parametrize("make", UNCOPYABLE)
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("where", ["argument", "answer"])
@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_not_snapshottable(make: Callable[[], Any], is_async: bool, where: str, stage: Stage) -> None:
    """What cannot be copied makes the call uncomparable, whoever it is, and the caller gets the very object."""
    thing = make()
    control, beside = Answers(lambda value: thing if where == "answer" else 1), returning(1)
    sides = (control, beside) if stage is Stage.SHADOW else (beside, control)
    runtime, facade = probe(*sides, stage)
    argument = thing if where == "argument" else 1

    async def ask() -> Any:
        answer = await facade.aask(argument)
        await runtime.adrain(60)
        return answer

    got = run(ask()) if is_async else facade.ask(argument)

    assert {"uncomparable": 1, "uncomparable.not_snapshottable": 1} == outcome_of_one(runtime)
    assert got is (thing if where == "answer" else 1)
    assert control.asked[0] is argument
    assert 0 == runtime.stop(60)
    assert_sums(runtime, 1)


class BadEqual:
    """Compares by raising."""

    error: BaseException = ValueError("the truth value of an array is ambiguous")

    def __eq__(self, other: object) -> bool:
        raise self.error

    __hash__ = None  # as classes with __eq__ have it


class ExitEqual(BadEqual):
    """Compares by leaving."""

    error = SystemExit()


class CancelEqual(BadEqual):
    """Compares by cancelling."""

    error = asyncio.CancelledError()


class Ambiguous:
    """Answers ``==`` with something that has no truth value, as arrays do."""

    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")

    __hash__ = None  # as classes with __eq__ have it


class BadLength(list[int]):
    """Has no length when somebody asks."""

    def __len__(self) -> int:
        raise RuntimeError


@pytest.mark.parametrize("kind", [BadEqual, ExitEqual, CancelEqual, Ambiguous])
@pytest.mark.parametrize("is_async", [False, True])
def test_comparator_failed(kind: type[Any], is_async: bool) -> None:
    """Values that cannot be compared make the call uncomparable; the lane lives on."""
    runtime, facade = probe(
        Answers(lambda value: kind() if value else 1), Answers(lambda value: kind() if value else 1)
    )

    async def ask() -> None:
        await facade.aask(1)
        await runtime.adrain(60)
        await facade.aask(0)
        await runtime.adrain(60)

    if is_async:
        run(ask())
    else:
        facade.ask(1)
        outcome_of_one(runtime)
        facade.ask(0)
    until(lambda: 2 == counts(runtime)["shadowed"])

    assert {"uncomparable": 1, "uncomparable.comparator_failed": 1, "matched": 1} == outcomes(runtime)
    runtime.stop(60)


def test_tolerance_that_raises() -> None:
    """A tolerance that fails is a comparator that failed."""

    def broken(legacy: Observation, unified: Observation, facts: Facts) -> str | None:
        raise LookupError

    runtime, facade = probe(returning(1), returning(2), seam=PROBE.seam("ask", port=Ask, reasonable=broken))
    facade.ask(1)

    assert {"uncomparable": 1, "uncomparable.comparator_failed": 1} == outcome_of_one(runtime)
    runtime.stop(60)


class BadRepr:
    """Cannot be shown; equal to nothing."""

    def __repr__(self) -> str:
        raise RuntimeError("detached")


def test_repr_that_raises() -> None:
    """A value that cannot be shown is described without being shown."""
    runtime, facade = probe(returning(1), Answers(lambda value: BadRepr()))
    facade.ask(1)

    assert {"mismatched": 1} == outcome_of_one(runtime)
    assert "BadRepr" == runtime.drain().divergences[0].sample["unified"]["type"]
    runtime.stop(60)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("during", ["set", "clear"])
def test_raced(is_async: bool, during: str) -> None:
    """A key that is written between the control's read and the comparison makes it uncomparable; another key does not."""
    legacy, unified = MapSide(), MapSide()
    runtime = runtime_with(legacy, unified, Stage.SHADOW, AMPLE)
    cache: Any = runtime.facade(TYPES)

    def write(name: str, key: str | None) -> None:
        if name in ("get", "aget") and key == "k":
            legacy.before = lambda name, key: None
            cache.set("k", 2) if during == "set" else cache.clear()

    async def read() -> None:
        for key in ("other", "k"):
            await cache.aget(key)
            await runtime.adrain(60)

    cache.set("k", 1)
    cache.set("other", 1)
    legacy.before = write
    if is_async:
        run(read())
    else:
        for key in ("other", "k"):
            cache.get(key)
            until(lambda: settled(runtime))
    runtime.stop(60)
    found = counts(runtime, "aget" if is_async else "get")

    assert (1, 1, 2) == (found["uncomparable.raced"], found["matched"], found["shadowed"])


def settled(runtime: Any) -> bool:
    """Tell whether no read waits for its outcome."""
    found = counts(runtime, "get")
    return found["shadowed"] == found["calls"] > 0


def test_not_attempted() -> None:
    """Where the side beside can't be brought to forget what it missed, it is not asked."""
    legacy, unified = MapSide(), MapSide()
    runtime = runtime_with(legacy, unified, Stage.SHADOW, AMPLE)
    cache = runtime.facade(TYPES)
    unified.before = fail_in("set", "forget")
    cache.set("k", 1)
    cache.get("k")
    runtime.stop(60)

    assert 1 == counts(runtime, "get")["uncomparable.not_attempted"]
    assert ("get", "k") not in unified.calls


def fail_in(*names: str) -> Callable[[str, str | None], None]:
    """Return a hook that raises in the operations *names*."""

    def hook(name: str, key: str | None) -> None:
        if name in names:
            raise ConnectionError(name)

    return hook


def test_censored() -> None:
    """An async unified read in live that was cut has no answer to compare; one that times out by itself has."""

    async def time_out(value: Any) -> Any:
        await asyncio.sleep(0)
        raise TimeoutError("redis")

    async def hang(value: Any) -> Any:
        await asyncio.Event().wait()

    async def ask(runtime: Any, facade: Any) -> Any:
        answer = await facade.aask(1)
        await runtime.adrain(60)
        return answer

    for seam, unified, expected in (
        (HASTY, Answers(adoes=hang), {"uncomparable": 1, "uncomparable.censored": 1}),
        (ASK, Answers(raising(TimeoutError("redis"))), {"mismatched": 1}),
        (ASK, Answers(adoes=time_out), {"mismatched": 1}),
    ):
        runtime, facade = probe(returning("legacy"), unified, Stage.LIVE, seam=seam)

        assert "legacy" == run(ask(runtime, facade))
        assert expected == outcome_of_one(runtime)
        assert 1 == counts(runtime)["rescued"]
        runtime.stop(60)


def test_dropped() -> None:
    """What does not fit the lane is dropped and counted, by count and by bytes; the caller does not wait."""
    go, began = threading.Event(), threading.Event()

    def wait(value: Any) -> Any:
        began.set()
        go.wait(60)
        return value

    for limits, arguments in (
        (LaneLimits(jobs=2, cpu_share=50), [1] * 5),
        (LaneLimits(size=3_000, cpu_share=50), ["x" * 1_000, b"y" * 1_000] + ["z" * 1_000] * 3),
        (
            LaneLimits(size=3_000, cpu_share=50),
            [["x" * 1_000], ("y" * 1_000,), ["z" * 1_000], ("z" * 1_000,), {"z" * 1_000}],
        ),
    ):
        go.clear()
        began.clear()
        runtime, facade = probe(returning(1), Answers(wait), limits=limits)
        facade.ask(0)
        assert began.wait(60)
        for argument in arguments:
            facade.ask(argument)

        assert 3 == counts(runtime)["dropped"]
        go.set()
        runtime.stop(60)
        assert_sums(runtime, 6)


def test_timed_out() -> None:
    """A candidate past its deadline is timed out, and one that waited for longer than that is not begun."""
    runtime, _, gate, unified = hung(1)
    until(lambda: counts(runtime)["timed_out"])
    until_too_late()
    gate.go.set()
    until(lambda: 2 == counts(runtime)["timed_out"])
    runtime.stop(60)

    assert [0] == unified.asked
    assert {"timed_out": 2} == outcomes(runtime)
