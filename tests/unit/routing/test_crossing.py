"""Writes that cross: two of one key at once, one across a flip, jumps between stages. No side keeps an older value than the last."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from oms.domain.decision import DecisionTable
from oms.domain.scope import EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Side, Stage, is_legal_mix
from oms.seams.cache import TYPES
from tests.unit.routing.probe import AMPLE, counts
from tests.unit.routing.sides import Held, MapSide, run, runtime_with, table

DUAL = [Stage.DUALWRITE, Stage.SHADOW, Stage.LIVE, Stage.RAMPDOWN]


class Scene:
    """Two sides, a runtime, the facade; writes may be held at a side before or after its own part."""

    def __init__(self, stage: Stage) -> None:
        self.legacy, self.unified = MapSide(), MapSide()
        self.runtime = runtime_with(self.legacy, self.unified, stage, AMPLE)
        self.cache: Any = self.runtime.facade(TYPES)

    def flip(self, *stages: Stage) -> None:
        """Publish each of *stages* in turn."""
        for stage in stages:
            self.runtime.publish(table(stage))

    def read_at(self, stage: Stage, key: str = "k") -> object:
        """Flip to *stage* and read."""
        self.flip(stage)
        return self.cache.get(key)

    def hold(self, side: MapSide, moment: str, call: Any) -> Held:
        """Begin *call* in a thread that stops at *side*, ``before`` or ``after`` its part."""
        held = Held(call)

        def hook(name: str, key: str | None) -> None:
            if name in ("set", "delete", "clear"):
                held.hook(name, key)

        setattr(side, moment, hook)
        held.start()
        return held


@pytest.mark.parametrize("stage", DUAL)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("where", ["legacy", "unified"])
def test_two_writes_of_one_key(stage: Stage, where: str, moment: str) -> None:
    """Two writes of one key overlap, held at any of the four places: the sides never end up with different values."""
    scene = Scene(stage)
    held = scene.hold(getattr(scene, where), moment, lambda: scene.cache.set("k", "slow"))
    scene.cache.set("k", "quick")
    held.finish()
    answering, other = scene.legacy, scene.unified
    if stage in (Stage.LIVE, Stage.RAMPDOWN):
        answering, other = other, answering

    assert "k" not in other.values
    assert answering.values["k"] in ("slow", "quick")
    assert answering.values["k"] == scene.cache.get("k")


def test_writes_of_two_keys_do_not_cross() -> None:
    """Writes of different keys leave each other alone."""
    scene = Scene(Stage.DUALWRITE)
    held = scene.hold(scene.legacy, "after", lambda: scene.cache.set("a", 1))
    scene.cache.set("b", 2)
    held.finish()

    assert {"a": 1, "b": 2} == scene.legacy.values == scene.unified.values


@pytest.mark.parametrize("stage", DUAL)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("where", ["legacy", "unified"])
@pytest.mark.parametrize("is_clear_held", [False, True])
def test_clear_crosses_set(stage: Stage, where: str, moment: str, is_clear_held: bool) -> None:
    """A clear crosses every write in flight: no side keeps what the other one lost."""
    scene = Scene(stage)
    scene.cache.set("old", 1)
    calls = [lambda: scene.cache.set("k", 1), scene.cache.clear]
    slow, quick = reversed(calls) if is_clear_held else calls
    held = scene.hold(getattr(scene, where), moment, slow)
    quick()
    held.finish()
    answering, other = scene.legacy, scene.unified
    if stage in (Stage.LIVE, Stage.RAMPDOWN):
        answering, other = other, answering

    assert set(other.values) <= set(answering.values)
    assert "old" not in answering.values


@pytest.mark.parametrize("authority", ["legacy", "unified"])
def test_two_authorities(authority: str) -> None:
    """Where one write is answered by legacy and the other by unified, nobody has the last word: both sides forget."""
    scene = Scene(Stage.DUALWRITE if authority == "legacy" else Stage.LIVE)
    held = scene.hold(getattr(scene, authority), "after", lambda: scene.cache.set("k", "slow"))
    scene.flip(*((Stage.SHADOW, Stage.LIVE) if authority == "legacy" else (Stage.SHADOW,)))
    scene.cache.set("k", "quick")
    held.finish()

    assert None is scene.cache.get("k")
    assert {} == scene.legacy.values == scene.unified.values


def test_async_writes_cross() -> None:
    """The same on one loop: two tasks write one key, the first is overtaken between its two sides."""
    scene = Scene(Stage.DUALWRITE)
    go, reached = asyncio.Event(), asyncio.Event()

    async def slow(name: str) -> None:
        if scene.legacy.values["k"] == "slow":
            scene.unified.await_in = None
            reached.set()
            await go.wait()

    async def work() -> None:
        scene.unified.await_in = slow
        task = asyncio.ensure_future(scene.cache.aset("k", "slow"))
        await reached.wait()
        await scene.cache.aset("k", "quick")
        go.set()
        await task

    run(work())

    assert ("quick", None) == (scene.legacy.values["k"], scene.unified.values.get("k"))


# -- across a flip


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("on", [[Stage.SHADOW, Stage.LIVE], [Stage.SHADOW, Stage.LIVE, Stage.RAMPDOWN, Stage.COMPLETE]])
def test_direct_write_across_a_flip(moment: str, on: list[Stage]) -> None:
    """A direct write is in flight while the phase leaves off; a later write overtakes it. When unified answers, it is not older."""
    scene = Scene(Stage.OFF)
    held = scene.hold(scene.legacy, moment, lambda: scene.cache.set("k", "slow"))
    scene.flip(Stage.DUALWRITE)
    in_flight = scene.runtime.standing()["cache"].in_flight
    scene.cache.set("k", "quick")
    held.finish()
    now = scene.cache.get("k")
    after = scene.runtime.standing()["cache"].in_flight
    scene.flip(*on)

    assert (1, 0) == (in_flight, after)
    assert now == ("slow" if moment == "before" else "quick")
    assert scene.cache.get("k") in (None, now)
    assert "k" not in scene.unified.values


def test_direct_write_across_a_flip_held_by_its_frame_alone() -> None:
    """A call that has taken its plan and nothing else yet counts as in flight: the frame keeps the plan alive."""
    scene = Scene(Stage.OFF)
    plan = scene.cache._plan
    scene.flip(Stage.DUALWRITE)
    scene.cache.set("k", "quick")
    owed = dict(scene.runtime._bound["cache", "types"].state.keys.owed_by[Side.UNIFIED])
    plan.set("k", "slow")
    del plan

    assert "k" in owed
    scene.flip(Stage.SHADOW, Stage.LIVE)
    assert scene.cache.get("k") in (None, "slow")


def test_async_direct_write_across_a_flip() -> None:
    """The same for a coroutine that waits within its direct write."""
    scene = Scene(Stage.OFF)
    go, reached = asyncio.Event(), asyncio.Event()

    async def slow(name: str) -> None:
        scene.legacy.await_in = None
        reached.set()
        await go.wait()

    async def work() -> None:
        scene.legacy.await_in = slow
        task = asyncio.ensure_future(scene.cache.aset("k", "slow"))
        await reached.wait()
        scene.flip(Stage.DUALWRITE)
        await scene.cache.aset("k", "quick")
        go.set()
        await task

    run(work())
    scene.flip(Stage.SHADOW)

    assert "slow" == run(scene.cache.aget("k"))
    scene.flip(Stage.LIVE)
    assert run(scene.cache.aget("k")) in (None, "slow")


def test_calm_again_after_a_flip() -> None:
    """Once nothing runs on the older plan, writes stay on both sides: nothing is forgotten for ever."""
    scene = Scene(Stage.OFF)
    scene.cache.set("k", 1)
    scene.flip(Stage.DUALWRITE)
    scene.cache.set("k", 2)
    scene.cache.set("j", 2)

    assert {"k": 2, "j": 2} == scene.unified.values
    assert 2 == scene.read_at(Stage.LIVE)


# -- jumps


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(Stage, 2)))
def test_jump(one: Stage, other: Stage) -> None:
    """Between any two stages, there and back, forced or not: a read gives the last write or nothing."""
    scene = Scene(one)
    for number, stage in enumerate((one, other, one, other)):
        scene.flip(stage)

        assert scene.cache.get("k") in (None, number)
        scene.cache.set("k", number + 1)
        assert number + 1 == scene.cache.get("k")
        assert number + 1 == run(scene.runtime.afacade(TYPES).aget("k"))
    scene.runtime.stop(5)


class Cohorts:
    """The first stage for key ``a``, the second for everybody else."""

    digest = "cohorts"
    by_operation = False
    split: Split | None = None

    def __init__(self, first: Stage, second: Stage) -> None:
        self._first, self.default = first, second
        self.stages = frozenset({first, second})

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the cohort's stage."""
        return self._first if context.targeting_key == "a" else self.default


MIXES = [mix for mix in itertools.permutations(Stage, 2) if is_legal_mix(mix, writes=True)]


@pytest.mark.parametrize(("one", "other"), MIXES)
def test_two_cohorts(one: Stage, other: Stage) -> None:
    """In every legal mix what one cohort wrote is what the other one reads, or a miss, never something older."""
    scene = Scene(one)
    scene.runtime.publish(DecisionTable.of(cache=Cohorts(one, other)))
    for number, (writer, reader) in enumerate(itertools.product("ab", repeat=2)):
        with scene.runtime.scope(targeting_key=writer):
            scene.cache.set("k", number)
        with scene.runtime.scope(targeting_key=reader):
            assert scene.cache.get("k") in (None, number)
        with scene.runtime.scope(targeting_key=writer):
            scene.cache.delete("k")
        with scene.runtime.scope(targeting_key=reader):
            assert None is scene.cache.get("k")
    scene.runtime.stop(5)


def test_single_sided_write_in_a_mix() -> None:
    """A write that passes by a side which another cohort's writes reach makes that side forget the key before its next use."""
    scene = Scene(Stage.DUALWRITE)
    scene.runtime.publish(DecisionTable.of(cache=Cohorts(Stage.OFF, Stage.SHADOW)))
    scene.cache.set("k", "both")
    with scene.runtime.scope(targeting_key="a"):
        scene.cache.set("k", "legacy only")
    scene.cache.get("k")
    scene.runtime.stop(5)

    assert "k" not in scene.unified.values
    assert ("forget", "k") in scene.unified.calls
    assert 1 == counts(scene.runtime, "get")["mismatched"] + counts(scene.runtime, "get")["reasonable"]


def test_side_that_comes_into_use() -> None:
    """At complete legacy misses every write. If a mix brings it back as the one that rescues, it has forgotten everything before."""
    scene = Scene(Stage.DUALWRITE)
    scene.cache.set("k", "old")
    scene.flip(Stage.COMPLETE)
    scene.cache.set("k", "new")
    scene.runtime.publish(DecisionTable.of(cache=Cohorts(Stage.LIVE, Stage.COMPLETE)))

    def fail(name: str, key: str | None) -> None:
        if name == "get":
            raise ConnectionError

    scene.unified.before = fail
    with scene.runtime.scope(targeting_key="a"):
        assert None is scene.cache.get("k")
    scene.runtime.stop(5)


def test_scope_over_several_flips() -> None:
    """A scope that began at off goes on over flips to complete: it reads its own writes, and everybody else does."""
    scene = Scene(Stage.OFF)
    with scene.runtime.scope(targeting_key="a"):
        for number, stage in enumerate(
            (Stage.OFF, Stage.DUALWRITE, Stage.SHADOW, Stage.LIVE, Stage.RAMPDOWN, Stage.COMPLETE)
        ):
            scene.flip(stage)
            scene.cache.set("k", number)
            inside = scene.cache.get("k")
            with scene.runtime.scope(targeting_key="b"):
                outside = scene.cache.get("k")

            assert inside == number
            assert outside in (None, number)
    assert scene.cache.get("k") in (None, 5)
    scene.runtime.stop(5)


@pytest.mark.parametrize(
    ("began", "now", "order"),
    [
        (Stage.OFF, Stage.DUALWRITE, ["legacy", "unified"]),
        (Stage.OFF, Stage.COMPLETE, ["legacy", "unified"]),
        (Stage.SHADOW, Stage.COMPLETE, ["legacy", "unified"]),
        (Stage.RAMPDOWN, Stage.COMPLETE, ["unified", "legacy"]),
    ],
)
def test_write_in_an_older_scope(began: Stage, now: Stage, order: list[str]) -> None:
    """A write inside a scope goes to the sides of its pinned stage and of the current one; the pinned stage says who answers."""
    scene = Scene(began)
    called: list[str] = []
    with scene.runtime.scope(targeting_key="a"):
        scene.flip(now)
        scene.legacy.before = lambda name, key: called.append("legacy") if name == "set" else None
        scene.unified.before = lambda name, key: called.append("unified") if name == "set" else None
        scene.cache.set("k", 1)

    assert order == called
    assert {"k": 1} == scene.legacy.values == scene.unified.values
    scene.runtime.stop(5)
