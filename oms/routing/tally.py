"""Counting what happened, exactly, from many threads, for the journal to collect."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace

from oms.domain.divergence import Divergence
from oms.domain.histogram import bucket_of, quantile_ns
from oms.domain.observation import Disposition, Outcome
from oms.domain.record import Batch, Latency, Place, Repair, Tally, Trip, Units
from oms.domain.stage import Side
from oms.routing.units import UnitBook

MAX_DIVERGENCES = 5_000
"""Divergences kept between two drains; what is over is counted as lost."""

MAX_CELLS = 500
"""Above this many cells those that nobody holds are let go."""

_LINES_EVERY_S = 1.0
_LINE_AT = 0.8
_LINE_NEEDS = 200
_HELD_BY_LEDGER = 3
"""References to a cell that only the ledger knows: the ledger's, that of the cell's own book of units, and the one of asking."""

_CALLS = "calls"
_SHADOWED = Disposition.SHADOWED.value

Durations = tuple[tuple[Side, int], ...]


class Cell:
    """The counts of one place. Every method may be called from any thread.

    A routed call that ends without a comparison only leaves its duration, in one atomic append; whoever reads the counts
    folds those in.
    """

    __slots__ = ("_buckets", "_counts", "_drained_buckets", "_drained_counts", "_lock", "_raw", "place", "units")

    def __init__(self, place: Place, *, clock: Callable[[], float] = time.time) -> None:
        """Count at *place*; units are told apart by the slots of *clock*, Unix time in seconds."""
        self.place = place
        self.units = UnitBook(self.count, clock=clock)
        self._raw: dict[tuple[Disposition, Side], deque[int]] = {}
        self.forget()

    def forget(self) -> None:
        """Start from nothing with a new lock: a forked child must not report its parent's counts again."""
        self._lock = threading.Lock()
        self.units.forget()
        for raw in self._raw.values():
            raw.clear()
        self._counts: Counter[str] = Counter()
        self._drained_counts: Counter[str] = Counter()
        self._buckets: dict[str, Counter[int]] = {side.value: Counter() for side in Side}
        self._drained_buckets: dict[str, Counter[int]] = {side.value: Counter() for side in Side}

    def count(self, *names: str) -> None:
        """Add one to each of *names*."""
        with self._lock:
            for name in names:
                self._counts[name] += 1

    def add(self, name: str, number: int) -> None:
        """Add *number* to *name*."""
        with self._lock:
            self._counts[name] += number

    def call(self, disposition: Disposition, side: Side) -> Callable[[int], None]:
        """Return what counts a routed call that ends without a comparison, given the nanoseconds that *side* took for it.

        It is the append of a list that somebody has to fold in (``fold``) many times a second: the watchdog does.
        """
        with self._lock:
            return self._raw.setdefault((disposition, side), deque()).append

    def fold(self) -> None:
        """Turn the durations that calls have left into counts."""
        if any(self._raw.values()):
            with self._lock:
                self._fold_locked()

    def shadowed(self, outcome: Outcome, reason: str | None, durations_ns: Durations, *also: str) -> None:
        """Count a shadowed call with its outcome, the reason if it was uncomparable, and the time of each side that ran.

        *also* are names of what else is to be counted of it.
        """
        with self._lock:
            counts = self._counts
            counts[_CALLS] += 1
            counts[_SHADOWED] += 1
            counts[outcome] += 1
            if reason is not None:
                counts[f"{outcome}.{reason}"] += 1
            for name in also:
                counts[name] += 1
            for side, duration_ns in durations_ns:
                self._buckets[side][bucket_of(duration_ns)] += 1

    def totals(self) -> list[Tally]:
        """Return every count since the process began."""
        with self._lock:
            self._fold_locked()
            return [Tally(self.place, str(name), count) for name, count in self._counts.items()]

    def drain_into(self, batch: Batch) -> None:
        """Add to *batch* what was counted since the last drain."""
        with self._lock:
            self._fold_locked()
            for name, count in (self._counts - self._drained_counts).items():
                batch.tallies.append(Tally(self.place, str(name), count))
            for side, buckets in self._buckets.items():
                if fresh := buckets - self._drained_buckets[side]:
                    batch.latencies.append(Latency(self.place, side, dict(fresh)))
                    self._drained_buckets[side] = buckets.copy()
            self._drained_counts = self._counts.copy()
        if units := self.units.drain():
            batch.units.append(Units(self.place, units))

    def add_answers(self, side: Side, into: Counter[int]) -> None:
        """Add the durations of *side* to *into*, by bucket."""
        with self._lock:
            into.update(self._buckets[side])

    def retire(self) -> Counter[str] | None:
        """Return all counts if every one of them was drained, so that the cell can go; None if not."""
        with self._lock:
            self._fold_locked()
            return self._counts if self._counts == self._drained_counts else None

    def _fold_locked(self) -> None:
        for (disposition, side), raw in self._raw.items():
            count = len(raw)
            if count:
                self._buckets[side].update([bucket_of(raw.popleft()) for _ in range(count)])
                self._counts[_CALLS] += count
                self._counts[disposition] += count


class Ledger:
    """What this process has seen and not yet handed to the journal. All bounded; what does not fit is counted."""

    def __init__(self, *, most_cells: int = MAX_CELLS, clock: Callable[[], float] = time.time) -> None:
        self._most_cells = most_cells
        self._clock = clock
        self._cells: dict[Place, Cell] = {}
        self.forget()

    def forget(self) -> None:
        """Start from nothing, as a forked child does."""
        self._lock = threading.Lock()
        self._divergences: list[Divergence] = []
        self._repairs: list[Repair] = []
        self._trips: list[Trip] = []
        self._lost = 0
        self._retired: Counter[tuple[Place, str]] = Counter()
        self._lines_at = 0.0
        for cell in self._cells.values():
            cell.forget()

    def cell(self, place: Place) -> Cell:
        """Return the one cell of *place*."""
        with self._lock:
            cell = self._cells.get(place)
            if cell is None:
                cell = self._cells[place] = Cell(place, clock=self._clock)
            return cell

    def divergence(self, divergence: Divergence) -> None:
        """Keep *divergence* until the next drain, unless too many wait already."""
        with self._lock:
            if len(self._divergences) < MAX_DIVERGENCES:
                self._divergences.append(divergence)
            else:
                self._lost += 1

    def repair(self, repair: Repair) -> None:
        """Note that a repair was opened or closed."""
        with self._lock:
            self._repairs.append(repair)
            del self._repairs[:-MAX_DIVERGENCES]

    def trip(self, trip: Trip) -> None:
        """Note that a guard took a phase back in this process."""
        with self._lock:
            self._trips.append(trip)

    def drain(self) -> Batch:
        """Return everything since the last drain."""
        batch = Batch()
        with self._lock:
            batch.divergences, self._divergences = self._divergences, []
            batch.repairs, self._repairs = self._repairs, []
            batch.trips, self._trips = self._trips, []
            batch.lost_divergences, self._lost = self._lost, 0
        self._drain_cells(batch)
        if len(self._cells) > self._most_cells:
            self._retire()
        return batch

    def fold(self) -> None:
        """Have every cell turn what calls have left into counts."""
        with self._lock:
            cells = list(self._cells.values())
        for cell in cells:
            cell.fold()
        now = time.monotonic()
        if now - self._lines_at >= _LINES_EVERY_S:
            self._lines_at = now
            _draw_lines(cells)

    def totals(self) -> list[Tally]:
        """Return every count since the process began."""
        with self._lock:
            cells = list(self._cells.values())
            retired = [Tally(place, name, count) for (place, name), count in self._retired.items()]
        return [*retired, *(tally for cell in cells for tally in cell.totals())]

    def _drain_cells(self, batch: Batch) -> None:
        with self._lock:
            cells = list(self._cells.values())
        for cell in cells:
            cell.drain_into(batch)

    def _retire(self) -> None:
        """Let go of the cells that no plan and no call holds any more: each flip has cells of its own. Their totals stay."""
        with self._lock:
            for place in list(self._cells):
                if (
                    sys.getrefcount(self._cells[place]) <= _HELD_BY_LEDGER
                    and (counts := self._cells[place].retire()) is not None
                ):
                    whole = replace(place, plan="", version="")
                    for name, count in counts.items():
                        self._retired[whole, str(name)] += count
                    del self._cells[place]


def _draw_lines(cells: list[Cell]) -> None:
    """Draw the line of every cell that counts units at about the 80th percentile of legacy's answers to that operation."""
    answers = {_operation(cell.place): Counter[int]() for cell in cells if cell.units.is_counting}
    for cell in cells if answers else ():
        if (known := answers.get(_operation(cell.place))) is not None:
            cell.add_answers(Side.LEGACY, known)
    for cell in cells if answers else ():
        if cell.units.is_counting:
            of_legacy = answers[_operation(cell.place)]
            line_ns = quantile_ns(of_legacy, _LINE_AT) if of_legacy.total() >= _LINE_NEEDS else None
            cell.units.line_ns = line_ns or 0


def _operation(place: Place) -> tuple[str, str, str]:
    return place.phase, place.seam, place.operation
