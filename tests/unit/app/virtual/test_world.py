"""The virtual world: what it does to calls, and that both sides live in the same one."""

from __future__ import annotations

import pytest

from oms.app.virtual.clock import VirtualClock
from oms.app.virtual.side import VirtualCache, key_of
from oms.app.virtual.world import Unavailable, World
from oms.domain.stage import Side

CALLS = 20_000


def failures(world: World, side: Side, at_s: float) -> set[int]:
    """Return the calls that fail on *side* if all of them come at *at_s*."""

    def fails(number: int) -> bool:
        try:
            world.meet(side, number, at_s, lambda seconds: None)
        except Unavailable:
            return True
        return False

    return {number for number in range(CALLS) if fails(number)}


def quiet(world: World) -> float:
    """Return a moment at the end of the day without an outage."""
    return max(world.begin_s + world.length_s, *(start + world.outage_s for start in world.outages))


def test_errors_are_common() -> None:
    """Both sides fail in the same calls but for a few of each one's own; another seed fails in others."""
    world = World(1, 1_000.0)
    legacy, unified = (failures(world, side, quiet(world)) for side in Side)

    assert 800 < len(legacy & unified) < 1_200
    assert 0 < len(legacy ^ unified) < 20
    assert legacy != failures(World(2, 1_000.0), Side.LEGACY, quiet(world))


def test_drift_and_outages() -> None:
    """Errors rise tenfold over the day, in an outage to a third; durations get half as long again."""
    world = World(1, 1_000.0)

    assert 0.3 == world.common_errors(world.outages[0])
    assert pytest.approx(0.05) == world.common_errors(quiet(world))
    assert world.errors[0] <= min(world.common_errors(1_000.0 + minute * 60.0) for minute in range(60)) < 0.006
    assert pytest.approx(1.5) == world.duration_s(Side.LEGACY, 7, quiet(world)) / world.duration_s(
        Side.LEGACY, 7, 1_000.0
    )


@pytest.mark.parametrize("side", list(Side))
def test_durations_are_lognormal(side: Side) -> None:
    """Half of the calls take less than the median, one in a hundred more than 6.4 times that, on either side."""
    world = World(3, 0.0)
    took = sorted(world.duration_s(side, number, 0.0) for number in range(CALLS))

    assert 0.0195 < took[CALLS // 2] < 0.0205
    assert 6.0 < took[CALLS * 99 // 100] / took[CALLS // 2] < 6.9


def test_sides_have_luck_of_their_own() -> None:
    """How long a call takes on one side says nothing about the other, nor one call about the next."""
    world = World(3, 0.0)

    def slow(side: Side) -> set[int]:
        return {number for number in range(CALLS) if world.duration_s(side, number, 0.0) > 0.040}

    legacy, unified = slow(Side.LEGACY), slow(Side.UNIFIED)
    share = len(legacy) / CALLS

    assert abs(len(legacy & unified) / len(unified) - share) < 0.03
    assert abs(sum(number + 1 in legacy for number in legacy) / len(legacy) - share) < 0.03


def test_a_side_tells_its_time() -> None:
    """A read takes the world's time on the clock of durations and none of the wall's, and answers the call that its key names."""
    clock, world = VirtualClock(), World(1, 1_750_000_000.0)
    side = VirtualCache(Side.LEGACY, world, clock, lambda number: clock.now_s)
    before = clock()

    assert "8" == side.get(key_of(8))
    assert before == clock()
    assert int(world.duration_s(Side.LEGACY, 8, before) * 1e9) == clock.elapsed_ns()
