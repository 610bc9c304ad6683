"""What replaying an effect costs: the lane, and the caller whose call is written down."""

from __future__ import annotations

import asyncio
import gc
import logging
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench.results import Line, within
from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.observation import Disposition
from oms.domain.stage import Stage
from oms.legacy_adapters.resilience import RetryStrategyAdapter
from oms.routing import Runtime
from oms.seams.resilience import RETRY, living_in
from oms.testing import VirtualTime
from oms.unified.resilience import DependencyRetries

CALLS = 300
ROUNDS = 15
BUDGET_US = 200.0
"""Of lane time, for the replay of a three-attempt call."""


class Shelf:
    """A lane that keeps what is put into it, so that it can be worked off here and timed."""

    def __init__(self) -> None:
        self.reels: list[Any] = []

    def refuses(self) -> Disposition | None:
        """Take everything."""
        return None

    def put(self, reel: Any) -> None:
        """Keep *reel*."""
        self.reels.append(reel)


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
    for failures, attempts in ((0, "one attempt"), (2, "three attempts")):
        lane, caller, direct = _rounds(stage, failures)
        what = f"replay of a call of {attempts}, the twin is {candidate}: lane time"
        peer = f"best round {min(lane):.0f} us"
        value = statistics.median(lane)
        lines.append(within(what, value, "us", BUDGET_US, peer) if failures else Line(what, value, "us", peer=peer))
        lines.append(
            Line(
                f"a call of {attempts} at {stage}: what writing it down adds for the caller",
                statistics.median(caller) - statistics.median(direct),
                "us",
                peer=f"the call itself {statistics.median(direct):.1f} us; best rounds {min(caller) - min(direct):.1f} us",
            )
        )
    return lines


def _rounds(stage: Stage, failures: int) -> tuple[list[float], list[float], list[float]]:
    """Return microseconds a call, a round each: of the lane, of the caller when recorded, and when nothing is."""
    clock = VirtualTime()
    recorded, shelf = _runtime(stage, clock)
    plain, _ = _runtime(Stage.OFF if stage is Stage.SHADOW else Stage.COMPLETE, clock)
    lane, caller, direct = [], [], []
    gc.collect()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            direct.append(_timed(lambda: _calls(plain, clock, failures)))
            caller.append(_timed(lambda: _calls(recorded, clock, failures)))
            lane.append(_timed(lambda: _work_off(shelf)))
            gc.collect()
    finally:
        gc.enable()
    return lane, caller, direct


def _runtime(stage: Stage, clock: VirtualTime) -> tuple[Any, Shelf]:
    runtime, shelf = Runtime(), Shelf()
    runtime.bind(RETRY, legacy=RetryStrategyAdapter(prefix=f"bench {stage} {id(shelf)} "), unified=DependencyRetries())
    runtime._bound["resilience", "retry"].state.lane = shelf  # the lane's thread would disturb what is timed
    runtime.publish(DecisionTable.of(resilience=FixedDecision(stage, digest=stage)))
    return runtime.facade(RETRY), shelf


def _calls(retry: Any, clock: VirtualTime, failures: int) -> None:
    async def everything() -> None:
        for number in range(CALLS):
            left = failures

            async def function() -> int:
                nonlocal left
                left -= 1
                if left >= 0:
                    raise ConnectionError
                return 1

            try:
                await retry.acall(function, operation=f"operation {number % 10}", policy="database")
            except Exception:  # legacy's budget is soon spent: its call ends early then
                continue
            finally:
                clock.advance(70)  # windows and budgets begin anew

    with living_in(clock.source):
        asyncio.run(everything())


def _work_off(shelf: Shelf) -> None:
    for reel in shelf.reels:
        reel.conclude()
    shelf.reels.clear()


def _timed(work: Callable[[], None]) -> float:
    began = time.thread_time()
    work()
    return (time.thread_time() - began) / CALLS * 1e6
