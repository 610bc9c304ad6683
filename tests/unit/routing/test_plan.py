"""Who is called in each stage, in which order; and that a phase at rest is a direct call."""

from __future__ import annotations

from typing import Any

import pytest

from oms.domain.stage import Effect, Side, Stage, course_for, stages_of
from oms.routing import Runtime
from oms.seams.cache import TYPES
from tests.unit.routing.probe import AMPLE, Answers, assert_sums, counts, probe, until
from tests.unit.routing.sides import MapSide, run, runtime_with, table

L, U = "legacy", "unified"


class Called:
    """Both sides write down who was called, in order."""

    def __init__(self, stage: Stage) -> None:
        self.order: list[tuple[str, str]] = []
        self.legacy, self.unified = MapSide(), MapSide()
        self.legacy.before = lambda name, key: self.order.append((L, name))
        self.unified.before = lambda name, key: self.order.append((U, name))
        self.runtime = runtime_with(self.legacy, self.unified, stage, AMPLE)
        self.cache: Any = self.runtime.facade(TYPES)
        self.order.clear()


READS = {
    Stage.OFF: [L],
    Stage.DUALWRITE: [L],
    Stage.SHADOW: [L, U],
    Stage.LIVE: [U, L],
    Stage.RAMPDOWN: [U],
    Stage.COMPLETE: [U],
}
WRITES = {
    Stage.OFF: [L],
    Stage.DUALWRITE: [L, U],
    Stage.SHADOW: [L, U],
    Stage.LIVE: [U, L],
    Stage.RAMPDOWN: [U, L],
    Stage.COMPLETE: [U],
}


@pytest.mark.parametrize("stage", Stage)
def test_reads(stage: Stage) -> None:
    """A read is answered by one side; the other one runs after it, in shadow and live only."""
    called = Called(stage)
    called.legacy.values["k"], called.unified.values["k"] = L, U

    assert READS[stage][0] == called.cache.get("k")
    called.runtime.stop(5)
    assert [(side, "get") for side in READS[stage]] == called.order


@pytest.mark.parametrize("stage", Stage)
def test_async_reads(stage: Stage) -> None:
    """The same for the async port."""
    called = Called(stage)
    called.legacy.values["k"], called.unified.values["k"] = L, U

    async def read() -> object:
        answer = await called.cache.aget("k")
        await called.runtime.adrain(60)
        return answer

    assert READS[stage][0] == run(read())
    assert [(side, "aget") for side in READS[stage]] == called.order


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize(("name", "arguments"), [("set", ("k", 1)), ("delete", ("k",)), ("clear", ())])
def test_writes(stage: Stage, name: str, arguments: tuple[Any, ...]) -> None:
    """A write goes to the side that answers first; both have been asked when it returns."""
    called = Called(stage)
    getattr(called.cache, name)(*arguments)

    assert [(side, name) for side in WRITES[stage]] == called.order


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize(("name", "arguments"), [("aset", ("k", 1)), ("adelete", ("k",)), ("aclear", ())])
def test_async_writes(stage: Stage, name: str, arguments: tuple[Any, ...]) -> None:
    """The same for the async port."""
    called = Called(stage)
    run(getattr(called.cache, name)(*arguments))

    assert [(side, name) for side in WRITES[stage]] == called.order


def test_tables_of_this_file() -> None:
    """What stands above is what the domain says, for every stage."""
    for effect, expected in ((Effect.READS, READS), (Effect.WRITES, WRITES)):
        for stage in Stage:
            course = course_for(stage, effect)

            assert expected[stage] == [str(side) for side in (course.answers, course.beside) if side]


@pytest.mark.parametrize(("stage", "side"), [(Stage.OFF, Side.LEGACY), (Stage.COMPLETE, Side.UNIFIED)])
def test_direct_call(stage: Stage, side: Side) -> None:
    """At off and complete the plan holds the side's own bound methods, and nothing is counted."""
    legacy, unified = MapSide(), MapSide()
    runtime = runtime_with(legacy, unified, stage)
    plan: Any = runtime.facade(TYPES)._plan  # the facade's own slot
    own = {Side.LEGACY: legacy, Side.UNIFIED: unified}[side]
    runtime.facade(TYPES).get("k")

    assert all(getattr(plan, name) == getattr(own, name) for name in TYPES.operations())
    assert {} == counts(runtime)


def test_direct_call_after_scopes() -> None:
    """When the last scope with an older table ends, the call is direct again."""
    legacy, unified = MapSide(), MapSide()
    runtime = runtime_with(legacy, unified, Stage.OFF)
    facade: Any = runtime.facade(TYPES)
    with runtime.scope():
        runtime.publish(table(Stage.COMPLETE))
        inside = facade._plan.get
    facade.clear()

    assert inside not in (legacy.get, unified.get)
    assert unified.get == facade._plan.get


@pytest.mark.parametrize("stage", stages_of(writes=False))
def test_calls_are_counted(stage: Stage) -> None:
    """What is routed is counted under the stage that decided; a direct call is not."""
    runtime, facade = probe(Answers(), Answers(), stage)
    for value in range(3):
        facade.ask(value)
    runtime.stop(10)
    is_routed = stage in (Stage.SHADOW, Stage.LIVE)

    assert_sums(runtime, 3 if is_routed else 0)
    assert ({stage.value} if is_routed else set()) == {tally.place.stage for tally in runtime.totals()}


def test_unshadowed_calls_are_counted() -> None:
    """Where stages are mixed, a read that nothing is compared with is counted and timed."""
    runtime = runtime_with(MapSide(), MapSide(), Stage.OFF)
    with runtime.scope():
        runtime.publish(table(Stage.DUALWRITE))
        runtime.facade(TYPES).get("k")
        run(runtime.afacade(TYPES).aget("k"))
    timed = {(row.place.operation, row.side) for row in runtime.drain().latencies}
    runtime.stop(5)

    assert (2, 2) == (counts(runtime)["unshadowed"], counts(runtime)["calls"])
    assert {("get", "legacy"), ("aget", "legacy")} == timed


def test_drain_gives_each_count_once() -> None:
    """Draining hands over what came since the last time; the totals stay."""
    runtime: Runtime
    runtime, facade = probe(Answers(), Answers())
    facade.ask(1)
    until(lambda: counts(runtime)["matched"])
    first = {tally.name: tally.count for tally in runtime.drain().tallies}
    facade.ask(2)
    until(lambda: 2 == counts(runtime)["matched"])
    second = {tally.name: tally.count for tally in runtime.drain().tallies}
    third = runtime.drain()

    assert {"calls": 1, "shadowed": 1, "matched": 1, "errors.none": 1} == first == second
    assert ([], []) == (third.tallies, third.latencies)
    assert 2 == counts(runtime)["calls"]
    runtime.stop(5)
