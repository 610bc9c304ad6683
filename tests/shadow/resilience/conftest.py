"""A hall with every resilience seam bound, at a stage that compares, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from sides.patience import AMPLE, patient
from sides.resilience import SteppingTime, end_of, make_sides, scripted

from oms.domain.observation import Outcome
from oms.domain.stage import Stage
from oms.routing import Runtime
from oms.seams.known import load_known
from oms.seams.resilience import BACKOFF, BREAKER, RESILIENCE, RETRY, Backoff, Breaker, Retry, living_in
from oms.testing import MemoryJournal, fixed_stage

SEAMS = (RETRY, BACKOFF, BREAKER)


@dataclass
class Hall:
    """The facades of the three ports, the time they live in, and what the hall has seen.

    Attributes:
        calls: Times that the user's functions were called.
    """

    runtime: Runtime
    time: SteppingTime
    journal: MemoryJournal
    retry: Retry
    backoff: Backoff
    breaker: Breaker
    calls: int = field(default=0)

    def live(self, story: Callable[[Hall], Awaitable[Any]]) -> None:
        """Run *story* to its end and wait until every shadowed call has come to an outcome."""

        async def tell() -> None:
            await story(self)

        asyncio.run(tell())
        self.runtime.stop(limit_s=10.0)
        self.journal.collect()

    async def tried(self, *script: Any, operation: str = "op", policy: str = "standard") -> Any:
        """Return how a retried call ends whose function does as *script* says."""
        function = scripted(*script)
        end = await end_of(self.retry.acall(function, operation=operation, policy=policy))
        self.calls += function.calls
        return end

    async def broken(self, *script: Any, name: str = "a") -> Any:
        """Return how a call through a breaker ends whose function does as *script* says."""
        function = scripted(*script)
        end = await end_of(self.breaker.acall(function, name=name))
        self.calls += function.calls
        return end

    async def earn(self, calls: int, *, operation: str = "op", policy: str = "standard") -> None:
        """Let *calls* retried calls succeed: legacy's budget counts them."""
        for _ in range(calls):
            await self.tried("well", operation=operation, policy=policy)

    def outcomes(self) -> dict[str, int]:
        """Return how often each outcome but ``matched`` was reached."""
        counts = {
            outcome.value: self.journal.count(outcome.value) for outcome in Outcome if outcome is not Outcome.MATCHED
        }
        return {name: count for name, count in counts.items() if count}

    def found(self) -> set[tuple[str | None, str, str]]:
        """Return the id, the kind and the path of every divergence."""
        return {(each.known, each.kind, each.path) for each in self.journal.divergences}


@pytest.fixture(autouse=True)
def time() -> Iterator[SteppingTime]:
    """The time that the test lives in: a sleep moves its clock and takes none."""
    virtual = SteppingTime()
    with living_in(virtual.source):
        yield virtual


@pytest.fixture
def make_hall(time: SteppingTime) -> Iterator[Callable[..., Hall]]:
    """Makes a hall at a stage, with another unified side for a seam if one is given by its name."""
    with ExitStack() as stack:

        def make(stage: Stage, **unified: Any) -> Hall:
            runtime = Runtime(rules=load_known("resilience"), hash_key=b"test", limits=AMPLE)
            stack.callback(runtime.stop, limit_s=10.0)
            runtime.publish(fixed_stage(stage, RESILIENCE))
            for seam in SEAMS:
                both = make_sides(seam)
                runtime.bind(patient(seam), legacy=both.legacy, unified=unified.get(seam.name, both.unified))
            facades = runtime.facade(RETRY), runtime.facade(BACKOFF), runtime.facade(BREAKER)
            return Hall(runtime, time, MemoryJournal(runtime.drain), *facades)

        yield make
