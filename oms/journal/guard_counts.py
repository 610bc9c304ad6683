"""The journal as the controller reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from oms.domain.record import Slice, Trip
from oms.journal.entries import DivergenceGroup, Window
from oms.journal.reader import JournalReader
from oms.rollout.guard.counts import Diverging, Loss


class GuardCounts:
    """What an open journal says, for :class:`oms.rollout.guard.counts.Counts`."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader

    def slices(
        self, phase: str, *, since_s: float = 0.0, plan: str | None = None, by_minute: bool = True, slow: bool = True
    ) -> Sequence[Slice]:
        """See the port."""
        return self._reader.slices(phase, since_s=since_s, plan=plan, by_minute=by_minute, durations=slow, units=slow)

    def trips(self, since_s: float) -> Sequence[Trip]:
        """See the port."""
        return [trip for _, trip in self._reader.trips(Window(since=since_s))]

    def losses(self, since_s: float) -> Sequence[Loss]:
        """See the port."""
        return [Loss(gap.pid, gap.until, gap.lost, gap.reason) for gap in self._reader.gaps(Window(since=since_s))]

    def diverging(self, phase: str) -> Diverging:
        """See the port."""
        return diverging([group for group in self._reader.divergences() if group.phase == phase])

    def heard(self) -> Mapping[int, float]:
        """See the port. Of several processes that had one pid the latest counts."""
        return {entry.pid: entry.seen_at for entry in self._reader.processes()}


def diverging(groups: Iterable[DivergenceGroup]) -> Diverging:
    """Return what no rule covers of *groups*, which are of one phase: each version has its own, so that a mended one is not blamed."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for group in groups:
        if group.known is None:
            what = f"{group.kind.replace('_', ' ')} at {group.path or 'the whole answer'}"
            own = found.setdefault((f"{group.seam}.{group.operation}", group.version), {})
            own[what] = own.get(what, 0) + group.count
    return found


@contextmanager
def open_counts(path: Path) -> Iterator[GuardCounts]:
    """Open the journal at *path* for one look.

    Raises:
        CouldNot: if it is missing or cannot be read.
    """
    with JournalReader(path) as reader:
        yield GuardCounts(reader)
