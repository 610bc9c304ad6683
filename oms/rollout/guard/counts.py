"""What the controller reads of the journal, as a port: rollout judges counts without knowing how they are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from oms.domain.record import Slice, Trip


@dataclass(frozen=True, slots=True)
class Loss:
    """Counts that did not reach the journal. *until* is Unix time in seconds, *lost* how many, *reason* why."""

    pid: int
    until: float
    lost: int
    reason: str


Diverging = Mapping[tuple[str, str], Mapping[str, int]]
"""By operation (``types.get``) and version, what differs and no rule covers, in words, and how often."""


class Counts(Protocol):
    """What was counted. Every method may raise ``CouldNot``."""

    def slices(
        self, phase: str, *, since_s: float = 0.0, plan: str | None = None, by_minute: bool = True, slow: bool = True
    ) -> Sequence[Slice]:
        """Return what was counted for *phase* since *since_s*, under *plan* or under all.

        By minute: a slice for each place and minute (hour, of what is old) with counts and units. Else one for each place with all
        durations, at its first minute. Without *slow* nothing is said of durations and units.
        """
        ...

    def trips(self, since_s: float) -> Sequence[Trip]:
        """Return what guards inside processes took back by themselves since *since_s*."""
        ...

    def losses(self, since_s: float) -> Sequence[Loss]:
        """Return what was lost since *since_s*."""
        ...

    def diverging(self, phase: str) -> Diverging:
        """Return what differs in *phase*, over all that is kept."""
        ...

    def heard(self) -> Mapping[int, float]:
        """Return when each process wrote to the journal last, by pid, Unix time in seconds. An idle one writes every five seconds."""
        ...


OpenCounts = Callable[[], AbstractContextManager[Counts]]
"""Opens the counts for one look."""
