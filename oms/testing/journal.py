"""A journal in memory, for tests that ask what a runtime has seen."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from oms.domain.divergence import Divergence
from oms.domain.record import Batch, Repair, Trip


class MemoryJournal:
    """Takes what a runtime drains and keeps all of it.

    Args:
        drain: ``runtime.drain``.

    Attributes:
        divergences, repairs, trips: Everything so far, oldest first.
    """

    def __init__(self, drain: Callable[[], Batch]) -> None:
        self._drain = drain
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self.divergences: list[Divergence] = []
        self.repairs: list[Repair] = []
        self.trips: list[Trip] = []

    def collect(self) -> None:
        """Take what the runtime has seen since the last time."""
        batch = self._drain()
        self.divergences += batch.divergences
        self.repairs += batch.repairs
        self.trips += batch.trips
        for tally in batch.tallies:
            self._counts[tally.place.seam, tally.place.operation, tally.name] += tally.count

    def count(self, name: str, *, seam: str = "*", operation: str = "*") -> int:
        """Return how often *name* (an outcome, a disposition, ``calls`` ...) was tallied; ``*`` stands for all."""
        self.collect()
        return sum(
            count
            for (at, what, tallied), count in self._counts.items()
            if tallied == name and seam in ("*", at) and operation in ("*", what)
        )

    def known(self) -> set[str]:
        """Return the ids of the known divergences found so far."""
        self.collect()
        return {divergence.known for divergence in self.divergences if divergence.known is not None}

    def unknown(self) -> list[Divergence]:
        """Return the divergences that no rule covers."""
        self.collect()
        return [divergence for divergence in self.divergences if divergence.known is None]

    def wait_for(self, condition: Callable[[MemoryJournal], bool], *, limit_s: float = 30.0) -> None:
        """Collect until *condition* holds.

        Raises:
            TimeoutError: if it does not within *limit_s*.
        """
        deadline = time.monotonic() + limit_s
        while not condition(self):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"journal: the condition did not hold within {limit_s:g} s; tallied: {dict(self._counts)}"
                )
            time.sleep(0.001)
            self.collect()
