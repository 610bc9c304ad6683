"""What the guard controller asks of the journal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from oms.domain.record import Slice, Trip
from oms.journal.reader import JournalReader, Window
from oms.rollout.guard.counts import Loss


@dataclass(frozen=True, slots=True)
class JournalCounts:
    """The port :class:`~oms.rollout.guard.counts.Counts` over an open journal."""

    reader: JournalReader

    def slices(self, phase: str, *, since_s: float = 0.0) -> Sequence[Slice]:
        """Return counts and units by minute, and with the first slice of each place all its durations."""
        slices = self.reader.slices(phase, since_s=since_s)
        durations = {one.place: one.durations for one in self.reader.slices(phase, since_s=since_s, by_minute=False)}
        return [replace(one, durations=durations.pop(one.place, {})) for one in slices]

    def trips(self, since_s: float) -> Sequence[Trip]:
        """Return the trips since."""
        return [trip for _, trip in self.reader.trips(Window(since=since_s))]

    def losses(self, since_s: float) -> Sequence[Loss]:
        """Return the losses since."""
        return [Loss(gap.pid, gap.until, gap.lost, gap.reason) for gap in self.reader.gaps(Window(since=since_s))]

    def heard(self) -> Mapping[int, float]:
        """Return when each process of this host wrote last."""
        host = os.uname().nodename
        return {each.pid: each.seen_at for each in self.reader.processes() if each.host == host}


@contextmanager
def open_counts(path: Path) -> Iterator[JournalCounts]:
    """Open the journal at *path* for one look.

    Raises:
        CouldNot: if there is none, or it cannot be read.
    """
    with JournalReader(path) as reader:
        yield JournalCounts(reader)
