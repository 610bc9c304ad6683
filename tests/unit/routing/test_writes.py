"""Writes: the side that answers first, then the other one; what fails there is contained, counted and repaired. Sync and async alike."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.phase import Phase, reads, writes
from oms.domain.record import Repair
from oms.domain.stage import Stage
from oms.routing import Runtime
from oms.seams.cache import TYPES
from tests.unit.routing.probe import AMPLE, assert_sums, counts, until
from tests.unit.routing.sides import MapSide, run, runtime_with, table

LEGACY_FIRST = [Stage.DUALWRITE, Stage.SHADOW]
UNIFIED_FIRST = [Stage.LIVE, Stage.RAMPDOWN]
BOTH = pytest.mark.parametrize("stage", [*LEGACY_FIRST, *UNIFIED_FIRST])
IS_ASYNC = pytest.mark.parametrize("is_async", [False, True])


class Broken(Exception):
    """A side fails."""


class Scene:
    """Two sides at a stage; *first* answers writes, *second* follows."""

    def __init__(self, stage: Stage, is_async: bool = False) -> None:
        self.legacy, self.unified = MapSide(), MapSide()
        self.first, self.second = (self.legacy, self.unified) if stage in LEGACY_FIRST else (self.unified, self.legacy)
        self.runtime = runtime_with(self.legacy, self.unified, stage, AMPLE)
        self.cache: Any = self.runtime.facade(TYPES)
        self.is_async = is_async

    def do(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Do *name* on the facade, on a loop of its own where the port is async."""
        if not self.is_async:
            return getattr(self.cache, name)(*arguments, **keywords)

        async def work() -> Any:
            try:
                return await getattr(self.cache, f"a{name}")(*arguments, **keywords)
            finally:
                await self.runtime.adrain(60)

        return run(work())

    def repairs(self) -> list[Repair]:
        """Return what was opened and closed since the last time, in order."""
        return self.runtime.drain().repairs

    def counted(self, name: str) -> dict[str, int]:
        """Return the counts of an operation."""
        return dict(counts(self.runtime, f"a{name}" if self.is_async else name))


def failing(side: MapSide, *names: str, error: BaseException | type[BaseException] = Broken) -> None:
    """Have *side* raise before its operations *names*, of either port."""

    def before(name: str, key: str | None) -> None:
        if name in names or name.removeprefix("a") in names:
            raise error

    side.before = before


@BOTH
@IS_ASYNC
def test_both_are_written(stage: Stage, is_async: bool) -> None:
    """When the call returns both sides have the value, and equal answers have been counted as matched."""
    scene = Scene(stage, is_async)
    scene.do("set", "k", [1], ttl=5)

    assert ([1], [1]) == (scene.legacy.values["k"], scene.unified.values["k"])
    assert scene.legacy.values["k"] is not scene.unified.values["k"]
    assert {"calls": 1, "shadowed": 1, "matched": 1} == scene.counted("set")
    assert scene.do("delete", "k") is True
    assert ({}, {}) == (scene.legacy.values, scene.unified.values)


@BOTH
@IS_ASYNC
def test_answers_that_differ(stage: Stage, is_async: bool) -> None:
    """The caller gets the first side's answer; that the second one's differs is written down."""
    scene = Scene(stage, is_async)
    scene.second.values["k"] = 1

    assert scene.do("delete", "k") is False
    until(lambda: scene.counted("delete"))
    assert {"calls": 1, "shadowed": 1, "mismatched": 1} == scene.counted("delete")
    (divergence,) = scene.runtime.drain().divergences
    assert (stage.value, "value", ("bool", "bool")) == (divergence.stage, divergence.kind, divergence.types)
    scene.runtime.stop(5)


@BOTH
@IS_ASYNC
@pytest.mark.parametrize("error", [Broken, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_second_side_fails(stage: Stage, is_async: bool, error: type[BaseException]) -> None:
    """What the second side raises is contained; it forgets the key, so that it holds no older value; the repair opens and closes."""
    scene = Scene(stage, is_async)
    scene.do("set", "k", "old")
    failing(scene.second, "set", error=error)
    scene.do("set", "k", "new")
    opened, closed = scene.repairs()

    assert ("new", None) == (scene.first.values["k"], scene.second.values.get("k"))
    assert (opened.id, "k", True) == (closed.id, closed.key, closed.closed_at is not None)
    assert ("types", "cache", opened.opened_at) == (closed.seam, closed.phase, closed.opened_at)
    until(lambda: 2 == scene.counted("set").get("shadowed"))
    assert 1 == scene.counted("set")["beside_failed"]
    assert 1 == scene.counted("set")["mismatched"]
    scene.runtime.stop(5)


@BOTH
@IS_ASYNC
def test_first_side_fails(stage: Stage, is_async: bool) -> None:
    """If the side that answers fails, the other one is not attempted; the caller has the exception; the key is forgotten on the first."""
    scene = Scene(stage, is_async)
    scene.do("set", "k", "old")
    error = Broken()
    failing(scene.first, "set", error=error)
    calls = len(scene.second.calls)
    with pytest.raises(Broken) as caught:
        scene.do("set", "k", "new")

    assert caught.value is error
    assert error.__context__ is None
    assert calls == len(scene.second.calls)
    assert "old" == scene.second.values["k"]
    assert 1 == scene.counted("set")["uncomparable.not_attempted"]
    scene.first.before = lambda name, key: None
    assert None is scene.do("get", "k")
    assert ["k", "k"] == [repair.key for repair in scene.repairs()]
    assert 0 == scene.runtime.standing()["cache"].repairs
    scene.runtime.stop(5)


@BOTH
@IS_ASYNC
def test_forget_fails(stage: Stage, is_async: bool) -> None:
    """A side that cannot forget is not used for the key; it forgets before the next read that it can."""
    scene = Scene(stage, is_async)
    scene.do("set", "k", "old")
    failing(scene.second, "set", "forget")
    scene.do("set", "k", "new")

    assert 1 == scene.runtime.standing()["cache"].repairs
    assert "old" == scene.second.values["k"]
    assert "new" == scene.do("get", "k")
    # Were the other side to answer now, it could not: the one that answered before stands in.
    scene.runtime.publish(table(Stage.LIVE if stage in LEGACY_FIRST else Stage.SHADOW))
    assert "new" == scene.do("get", "k")
    assert 1 == scene.counted("get")["rescued"]
    scene.second.before = lambda name, key: None
    assert None is scene.do("get", "k")
    assert 0 == scene.runtime.standing()["cache"].repairs
    scene.runtime.stop(5)


@IS_ASYNC
def test_repair_before_the_next_write(is_async: bool) -> None:
    """A key that is owed is forgotten before it is written again: what is set then stays."""
    scene = Scene(Stage.DUALWRITE, is_async)
    failing(scene.second, "set", "forget")
    scene.do("set", "k", 1)
    scene.second.before = lambda name, key: None
    scene.do("set", "k", 2)

    assert (2, 2) == (scene.first.values["k"], scene.second.values["k"])
    assert 0 == scene.runtime.standing()["cache"].repairs


@BOTH
@IS_ASYNC
def test_clear_fails(stage: Stage, is_async: bool) -> None:
    """A clear that failed on one side leaves a repair for everything there."""
    scene = Scene(stage, is_async)
    scene.do("set", "a", 1)
    failing(scene.second, "clear", "forget")
    scene.do("clear")

    assert [None] == [repair.key for repair in scene.repairs()]
    scene.second.before = lambda name, key: None
    scene.runtime.publish(table(Stage.LIVE if stage in LEGACY_FIRST else Stage.SHADOW))
    assert None is scene.do("get", "a")
    assert {} == scene.second.values
    scene.runtime.stop(5)


@BOTH
@IS_ASYNC
def test_arguments_are_not_shared(stage: Stage, is_async: bool) -> None:
    """The first side keeps and changes its value: the second one has what the caller gave."""
    scene = Scene(stage, is_async)
    scene.first.after = lambda name, key: scene.first.values["k"].append("changed") if name.endswith("set") else None
    value = [1]
    scene.do("set", "k", value)

    assert ([1, "changed"], [1]) == (scene.first.values["k"], scene.second.values["k"])
    assert scene.first.values["k"] is value


@BOTH
@IS_ASYNC
def test_arguments_that_cannot_be_copied(stage: Stage, is_async: bool) -> None:
    """Where the arguments cannot be copied the second side is not shown them: a miss there, uncomparable, repaired."""
    scene = Scene(stage, is_async)
    scene.do("set", "k", "old")
    scene.do("set", "k", threading.Lock())
    until(lambda: scene.counted("set").get("uncomparable"))

    assert 1 == scene.counted("set")["uncomparable.not_snapshottable"]
    assert "k" in scene.first.values
    assert "k" not in scene.second.values
    scene.runtime.stop(5)


# -- async only


@pytest.mark.parametrize("stage", [Stage.DUALWRITE, Stage.LIVE])
def test_async_second_side_hangs(stage: Stage) -> None:
    """The second side is cut at its deadline; the write returns, censored, and the key is forgotten there."""
    scene = Scene(stage, is_async=True)

    async def hang(name: str) -> None:
        await asyncio.Event().wait()

    scene.do("set", "k", "old")
    scene.second.await_in = hang
    began = time.perf_counter()
    scene.do("set", "k", "new")
    took = time.perf_counter() - began

    assert took >= 1.0
    assert ("new", None) == (scene.first.values["k"], scene.second.values.get("k"))
    assert (1, 1) == (scene.counted("set")["beside_cut"], scene.counted("set")["uncomparable.censored"])
    scene.runtime.stop(5)


def test_async_second_side_times_out_by_itself() -> None:
    """A TimeoutError of its own is no cut of ours: it is a failure like any other, and compared."""
    scene = Scene(Stage.DUALWRITE, is_async=True)
    failing(scene.second, "set", error=TimeoutError)
    scene.do("set", "k", 1)

    found = scene.counted("set")
    assert (1, 1, None) == (found["beside_failed"], found["mismatched"], found.get("beside_cut"))
    scene.runtime.stop(5)


@BOTH
@pytest.mark.parametrize("where", ["first", "second"])
def test_async_writer_is_cancelled(stage: Stage, where: str) -> None:
    """A cancelled writer is cancelled at once and counted so; neither side holds an older value for it."""
    scene = Scene(stage, is_async=True)
    scene.do("set", "k", "old")
    reached = []

    async def hang(name: str) -> None:
        reached.append(name)
        await asyncio.Event().wait()

    async def work() -> None:
        getattr(scene, where).await_in = hang
        task = asyncio.ensure_future(scene.cache.aset("k", "new"))
        while not reached:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        getattr(scene, where).await_in = None

        assert await scene.cache.aget("k") in ((None,) if where == "first" else ("new",))

    run(work())
    scene.runtime.publish(table(Stage.RAMPDOWN if stage in LEGACY_FIRST else Stage.DUALWRITE))

    assert scene.do("get", "k") in (("old",) if where == "first" else (None,))
    assert 1 == scene.counted("set")["cancelled"]
    scene.runtime.stop(5)
    assert scene.counted("set")["calls"] == 2


@BOTH
def test_writer_is_interrupted(stage: Stage) -> None:
    """KeyboardInterrupt during the second write is the caller's: it passes, counted, and the key is repaired."""
    scene = Scene(stage)
    scene.do("set", "k", "old")
    failing(scene.second, "set", error=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        scene.do("set", "k", "new")

    assert 1 == scene.counted("set")["cancelled"]
    scene.second.before = lambda name, key: None
    scene.runtime.publish(table(Stage.RAMPDOWN if stage in LEGACY_FIRST else Stage.DUALWRITE))
    assert None is scene.do("get", "k")


# -- writes without keys, within candidates


class Sink(Protocol):
    """A port that only counts."""

    @writes
    def count(self, name: str) -> None:
        """Count."""


SINK = Phase("metrics", writes=True).seam("sink", port=Sink)


class Counting:
    """A side of it; it can forget nothing."""

    def __init__(self, does: Callable[[str], None] = lambda name: None) -> None:
        self.does = does
        self.names: list[str] = []

    def count(self, name: str) -> None:
        """Count."""
        self.does(name)
        self.names.append(name)


def test_port_without_keys() -> None:
    """A port without keys needs no forget; a second side that fails is contained and counted, and can be called again."""

    def fail(name: str) -> None:
        raise Broken

    legacy, unified = Counting(), Counting(fail)
    runtime = Runtime(limits=AMPLE)
    runtime.publish(DecisionTable.of(metrics=FixedDecision(Stage.DUALWRITE, "d")))
    runtime.bind(SINK, legacy=legacy, unified=unified)
    runtime.facade(SINK).count("a")
    unified.does = lambda name: None
    runtime.facade(SINK).count("b")
    runtime.publish(DecisionTable.of(metrics=FixedDecision(Stage.RAMPDOWN, "r")))
    runtime.facade(SINK).count("c")
    runtime.stop(5)

    assert (["a", "b", "c"], ["b", "c"]) == (legacy.names, unified.names)
    assert 1 == counts(runtime)["beside_failed"]


class Nosy(Protocol):
    """A port whose reads may write."""

    @reads(deadline_s=5)
    def get(self, key: str) -> object:
        """Read."""

    @writes(key="key")
    def put(self, key: str) -> None:
        """Write."""


NOSY = Phase("nosy", writes=True).seam("nosy", port=Nosy)


class Noting:
    """A side of it; *within* is called in each read."""

    def __init__(self) -> None:
        self.put_keys: list[str] = []
        self.forgot: list[str | None] = []
        self.within: Callable[[], object] = lambda: None

    def get(self, key: str) -> object:
        """Read."""
        self.within()
        return 1

    def put(self, key: str) -> None:
        """Write."""
        self.put_keys.append(key)

    def forget(self, key: str | None) -> None:
        """Forget."""
        self.forgot.append(key)


def test_write_within_a_candidate() -> None:
    """A facade's write in a candidate goes to the side that answers, once; the other one forgets the key before its next use."""
    legacy, unified = Noting(), Noting()
    runtime = Runtime(limits=AMPLE)
    runtime.publish(DecisionTable.of(nosy=FixedDecision(Stage.SHADOW, "s")))
    runtime.bind(NOSY, legacy=legacy, unified=unified)
    facade = runtime.facade(NOSY)
    unified.within = lambda: facade.put("k")
    facade.get("x")
    until(lambda: counts(runtime, "get")["matched"])
    unified.within = lambda: None
    facade.get("k")
    runtime.stop(5)

    assert (["k"], []) == (legacy.put_keys, unified.put_keys)
    assert ["k"] == unified.forgot
    assert 1 == counts(runtime, "put")["nested"]
    assert_sums(runtime, 3)


@IS_ASYNC
def test_stand_in_forgets_too(is_async: bool) -> None:
    """A side that stands in for one that cannot forget has itself forgotten what it owes."""
    scene = Scene(Stage.DUALWRITE, is_async)
    scene.do("set", "k", "old")
    failing(scene.unified, "set", "forget")
    scene.do("set", "k", "newer")
    failing(scene.legacy, "set", "forget")
    with pytest.raises(Broken):
        scene.do("set", "k", "newest")
    scene.legacy.before = lambda name, key: None
    scene.runtime.publish(table(Stage.RAMPDOWN))

    assert None is scene.do("get", "k")
    assert "k" not in scene.legacy.values
