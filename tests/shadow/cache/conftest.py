"""A hall with every cache seam bound, at a stage that compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from sides.cache import make_sides
from sides.patience import AMPLE, patient

from oms.domain.observation import Outcome
from oms.domain.stage import Stage
from oms.routing import Runtime
from oms.seams.cache import CACHE, DOCUMENTS, TYPES, VALIDATION, AsyncCache, Cache
from oms.seams.known import load_known
from oms.testing import FakeClock, MemoryJournal, Sides, fixed_stage


@dataclass(frozen=True)
class Hall:
    """The facades of the three caches, the sides behind them by seam, and what the hall has seen."""

    runtime: Runtime
    sides: dict[str, Sides]
    journal: MemoryJournal
    types: Cache
    validation: Cache
    documents: AsyncCache

    def flip(self, stage: Stage) -> None:
        """Put everybody at *stage*."""
        self.runtime.publish(fixed_stage(stage, CACHE))

    def settle(self) -> None:
        """Wait until every shadowed call has come to an outcome."""
        self.runtime.stop(limit_s=10.0)
        self.journal.collect()

    def outcomes(self) -> dict[str, int]:
        """Return how often each outcome but ``matched`` was reached."""
        self.settle()
        counts = {
            outcome.value: self.journal.count(outcome.value) for outcome in Outcome if outcome is not Outcome.MATCHED
        }
        return {name: count for name, count in counts.items() if count}


@pytest.fixture
def make_hall(clock: FakeClock) -> Iterator[Callable[[Stage], Hall]]:
    """Makes a hall at a stage."""
    with ExitStack() as stack:

        def make(stage: Stage) -> Hall:
            runtime = Runtime(rules=load_known("cache"), hash_key=b"test", limits=AMPLE)
            stack.callback(runtime.stop, limit_s=10.0)
            runtime.publish(fixed_stage(stage, CACHE))
            sides = {seam.name: make_sides(seam, clock) for seam in (TYPES, VALIDATION, DOCUMENTS)}
            for seam in (TYPES, VALIDATION, DOCUMENTS):
                runtime.bind(patient(seam), legacy=sides[seam.name].legacy, unified=sides[seam.name].unified)
            facades = runtime.facade(TYPES), runtime.facade(VALIDATION), runtime.facade(DOCUMENTS)
            return Hall(runtime, sides, MemoryJournal(runtime.drain), *facades)

        yield make
