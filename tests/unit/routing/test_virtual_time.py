"""A runtime by clocks of its own: durations and trips are told by them, and the inline lane compares before the answer is given."""

from __future__ import annotations

import time

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.histogram import bucket_of
from oms.domain.observation import Outcome
from oms.domain.stage import Stage
from oms.routing import Runtime
from oms.seams.cache import TYPES
from oms.testing.clock import FakeClock
from oms.testing.inline_lane import InlineLane
from tests.unit.app.conftest import MemoryCache
from tests.unit.routing.probe import HASTY, Answers, outcomes, probe, until_too_late


class Slow(MemoryCache):
    """Each read takes some virtual time."""

    clock: FakeClock
    seconds: float

    def get(self, key: str) -> object:
        self.clock.advance(self.seconds)
        return self.values.get(key)

    def forget(self, key: str | None) -> None:
        """Nothing is stale here."""

    async def aforget(self, key: str | None) -> None:
        """Nothing is stale here."""


def slow(clock: FakeClock, seconds: float) -> Slow:
    """Return a side."""
    side = Slow({"known": 1})
    side.clock, side.seconds = clock, seconds
    return side


def test_durations_and_comparisons() -> None:
    """Control and candidate are timed by the given clock, and compared when the caller has the answer."""
    clock = FakeClock()
    runtime = Runtime(clock=clock, clock_ns=lambda: round(clock.now_s * 1e9), lane=InlineLane)
    runtime.bind(TYPES, legacy=slow(clock, 2.0), unified=slow(clock, 3.0))
    runtime.publish(DecisionTable.of(cache=FixedDecision(Stage.SHADOW)))
    began = clock.now_s
    try:
        assert 1 == runtime.facade(TYPES).get("known")
        assert 5.0 == clock.now_s - began
        batch = runtime.drain()
        assert ["matched"] == [tally.name for tally in batch.tallies if tally.name in list(Outcome)]
        assert {"legacy": {bucket_of(2_000_000_000): 1}, "unified": {bucket_of(3_000_000_000): 1}} == {
            each.side: each.buckets for each in batch.latencies
        }
    finally:
        runtime.stop()


def test_real_time_is_none_of_its() -> None:
    """A candidate that really takes longer than its deadline is compared all the same: a busy machine must not show."""
    runtime, facade = probe(Answers(), Answers(lambda value: until_too_late() or value), seam=HASTY, lane=InlineLane)
    facade.ask(1)

    assert {"matched": 1} == outcomes(runtime)
    runtime.stop()


def test_trips() -> None:
    """A trip is written down at the clock's second."""
    clock = FakeClock(1_000.0)
    runtime = Runtime(clock=clock)
    runtime.bind(TYPES, legacy=slow(clock, 0.0), unified=slow(clock, 0.0))
    runtime.publish(DecisionTable.of(cache=FixedDecision(Stage.LIVE)))
    runtime.trip(TYPES.phase, Stage.SHADOW, seam="types", operation="get", guard="watchdog", reason="test")
    (trip,) = runtime.drain().trips
    runtime.stop()

    assert 1_000.0 == trip.at
    assert trip.at < time.time()
