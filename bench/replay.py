"""What replaying an effect costs: the lane, and the caller whose call is written down."""

from __future__ import annotations

import asyncio
import gc
import logging
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.results import Line, within
from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.observation import Disposition
from oms.domain.phase import Seam
from oms.domain.stage import Stage
from oms.legacy.utils.retry_strategy import RetryConfig
from oms.legacy_adapters.resilience import ProtectionBreakerAdapter, RetryStrategyAdapter
from oms.routing import LaneLimits, Runtime
from oms.routing.lane import Waiting
from oms.seams.resilience import BREAKER, RETRY, TimeSource, living_in
from oms.unified.resilience import DependencyBreakers, DependencyRetries

CALLS = 300
ROUNDS = 25
BUDGET_US = 200.0
"""Of lane time, for the replay of a three-attempt call."""


AMPLE = RetryConfig(
    max_attempts=4, initial_delay=1.0, max_delay=10.0, circuit_breaker_threshold=10**9, retry_budget_percent=1e9
)
"""Legacy with the numbers of unified's ``standard`` and a budget that is never spent: else its calls end early, and three attempts are none."""


class Shelf(Waiting):
    """A lane that keeps what is put into it, so that it can be worked off here and timed."""

    def __init__(self) -> None:
        super().__init__(LaneLimits(jobs=CALLS))

    def refuses(self) -> Disposition | None:
        """Take everything."""
        return None

    def all(self) -> list[Any]:
        """Take everything out."""
        return [self.take() for _ in range(len(self))]


def measure() -> list[Line]:
    """Return the lines of this section."""
    logging.disable(logging.CRITICAL)
    try:
        return [line for stage in (Stage.SHADOW, Stage.LIVE) for line in _stage(stage)]
    finally:
        logging.disable(logging.NOTSET)


def _stage(stage: Stage) -> list[Line]:
    candidate = "unified" if stage is Stage.SHADOW else "legacy"
    lines = []
    for seam, failures, words in (
        (RETRY, 0, "a retried call of one attempt"),
        (RETRY, 2, "a retried call of three attempts"),
        (BREAKER, 0, "a call through a breaker"),
    ):
        lane, caller, direct = _rounds(seam, stage, failures)
        what = f"replay of {words}, the twin is {candidate}: lane time"
        peer = f"best round {min(lane):.0f} us"
        value = statistics.median(lane)
        lines.append(within(what, value, "us", BUDGET_US, peer) if failures else Line(what, value, "us", peer=peer))
        lines.append(
            Line(
                f"{words} at {stage}: what writing it down adds for the caller",
                statistics.median(caller) - statistics.median(direct),
                "us",
                peer=f"the call itself {statistics.median(direct):.1f} us; best rounds {min(caller) - min(direct):.1f} us",
            )
        )
    return lines


def _rounds(seam: Seam[Any, Any], stage: Stage, failures: int) -> tuple[list[float], list[float], list[float]]:
    """Return microseconds a call, a round each: of the lane, of the caller when recorded, and when nothing is."""
    clock = _Ahead()
    recorded, shelf = _runtime(seam, stage)
    plain, _ = _runtime(seam, Stage.OFF if stage is Stage.SHADOW else Stage.COMPLETE)
    lane, caller, direct = [], [], []
    gc.collect()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            clock.ahead_s += 1_000  # windows and budgets begin anew
            direct.append(_timed(lambda: _calls(seam, plain, clock, failures)))
            caller.append(_timed(lambda: _calls(seam, recorded, clock, failures)))
            reels = shelf.all()
            lane.append(_timed(partial(_work_off, reels)))
            reels.clear()
            gc.collect()
    finally:
        gc.enable()
    return lane, caller, direct


class _Ahead:
    """The real clocks, but ahead by as much as one likes; nobody sleeps."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.source = TimeSource(
            monotonic=lambda: time.monotonic() + self.ahead_s,
            wall=lambda: time.time() + self.ahead_s,
            asleep=self._asleep,
        )

    async def _asleep(self, seconds: float) -> None:
        return


def _runtime(seam: Seam[Any, Any], stage: Stage) -> tuple[Any, Shelf]:
    runtime, shelf = Runtime(), Shelf()
    if seam is RETRY:
        legacy: Any = RetryStrategyAdapter({"standard": AMPLE}, prefix=f"bench {stage} {id(shelf)} ")
        runtime.bind(seam, legacy=legacy, unified=DependencyRetries())
    else:
        runtime.bind(seam, legacy=ProtectionBreakerAdapter(), unified=DependencyBreakers())
    runtime._bound["resilience", seam.name].state.lane = shelf  # the lane's thread would disturb what is timed
    runtime.publish(DecisionTable.of(resilience=FixedDecision(stage, digest=stage)))
    return runtime.facade(seam), shelf


def _calls(seam: Seam[Any, Any], facade: Any, clock: _Ahead, failures: int) -> None:
    async def everything() -> None:
        for number in range(CALLS):
            left = failures

            async def function() -> int:
                nonlocal left
                left -= 1
                if left >= 0:
                    raise ConnectionError
                return 1

            name = f"operation {number % 10}"
            given = {"operation": name, "policy": "standard"} if seam is RETRY else {"name": name}
            await facade.acall(function, **given)

    with living_in(clock.source):
        asyncio.run(everything())


def _work_off(reels: list[Any]) -> None:
    for reel in reels:
        reel.conclude()


def _timed(work: Callable[[], None]) -> float:
    began = time.thread_time()
    work()
    return (time.thread_time() - began) / CALLS * 1e6
