"""What waits in memory to be written: merged by key, so that the bound is on keys and not on calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oms.domain.divergence import Divergence
from oms.domain.record import Batch, Place, Repair, Tally, Trip
from oms.journal.limits import JournalLimits
from oms.journal.samples import Sample, add_buckets, keep

CountKey = tuple[int, Place, str]
"""Minute (Unix time / 60), place, and the tally's name, the latency's side, or nothing for units."""

GroupKey = tuple[str, str, Place]
"""Fingerprint, id of the known-divergence rule or empty, where it was seen."""

_PER_HOUR = 60


@dataclass(slots=True)
class Group:
    """Divergences of one fingerprint, one rule and one place.

    Attributes:
        example: One of them, for the fields that all share.
        counts: How many per minute.
    """

    example: Divergence
    first_seen: float
    last_seen: float
    samples: list[Sample] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Loss:
    """Something that did not come to the file.

    Attributes:
        since, until: Unix time in seconds.
        count: Divergences, repairs, trips and counted events that are gone; 0 for a delay without a loss.
    """

    since: float
    until: float
    count: int
    reason: str


class Pending:
    """Everything that is not in the file yet.

    Attributes:
        lost: What did not fit the bounds since the start, counted.
    """

    def __init__(self, limits: JournalLimits) -> None:
        self._limits = limits
        self.counts: dict[CountKey, int] = {}
        self.latencies: dict[CountKey, dict[int, int]] = {}
        self.units: dict[CountKey, dict[int, int]] = {}
        self.groups: dict[GroupKey, Group] = {}
        self.repairs: dict[int, Repair] = {}
        self.trips: list[Trip] = []
        self.losses: dict[tuple[int, str], Loss] = {}
        self.lost = 0

    def __bool__(self) -> bool:
        return any(self._parts())

    def clear(self) -> None:
        """Forget what was written; the count of what was lost stays."""
        for part in self._parts():
            part.clear()

    def _parts(self) -> tuple[dict[Any, Any] | list[Trip], ...]:
        return (self.counts, self.latencies, self.units, self.groups, self.repairs, self.trips, self.losses)

    def drop(self, now: float, reason: str) -> None:
        """Give up what waits and count it as lost."""
        divergences = sum(sum(group.counts.values()) for group in self.groups.values())
        latencies = sum(sum(buckets.values()) for buckets in self.latencies.values())
        units = sum(map(_many, self.units.values()))
        count = sum(self.counts.values()) + latencies + units + divergences + len(self.repairs) + len(self.trips)
        self.clear()
        self.lose(count, now, reason)

    def add(self, batch: Batch, now: float) -> None:
        """Merge *batch*, drained at *now* (Unix time in seconds)."""
        minute = int(now // 60)
        for tally in batch.tallies:
            self._add_tally(minute, tally, now)
        for latency in batch.latencies:
            self._add_buckets(self.latencies, (minute, latency.place, latency.side), latency.buckets, now)
        for units in batch.units:
            self._add_buckets(self.units, (minute, units.place, ""), units.buckets, now)
        for divergence in batch.divergences:
            self._add_divergence(divergence, now)
        for repair in batch.repairs:
            self._add_repair(repair, now)
        for trip in batch.trips:
            self._add_trip(trip, now)
        if batch.lost_divergences:
            self.lose(batch.lost_divergences, now, "more divergences than a process keeps between two drains")

    def lose(self, count: int, now: float, reason: str) -> None:
        """Count *count* things as lost."""
        self.lost += count
        self.note(Loss(now, now, count, reason))

    def note(self, loss: Loss) -> None:
        """Remember *loss* for the report, one entry a minute and reason; beyond the bound the newest entry takes it."""
        key = (int(loss.since // 60), loss.reason)
        if key not in self.losses and len(self.losses) >= self._limits.pending_events:
            key = next(reversed(self.losses))
        known = self.losses.setdefault(key, Loss(loss.since, loss.until, 0, loss.reason))
        known.count += loss.count
        known.until = max(known.until, loss.until)

    def _add_tally(self, minute: int, tally: Tally, now: float) -> None:
        key = self._key(self.counts, minute, tally.place, tally.name)
        if key is not None:
            self.counts[key] = self.counts.get(key, 0) + tally.count
        else:
            self.lose(tally.count, now, _TOO_MANY_COUNTERS)

    def _add_buckets(
        self, part: dict[CountKey, dict[int, int]], wanted: CountKey, buckets: Mapping[int, int], now: float
    ) -> None:
        key = self._key(part, *wanted)
        if key is not None:
            add_buckets(part.setdefault(key, {}), buckets)
        else:
            self.lose(_many(buckets), now, _TOO_MANY_COUNTERS)

    def _key(self, part: Mapping[CountKey, object], minute: int, place: Place, name: str) -> CountKey | None:
        """Return the key to count under: of the minute, of the hour once there is no room for minutes, None without room for a new one."""
        key = (minute, place, name)
        if key in part or self._has_room():
            return key
        self._fold()
        hour = (minute - minute % _PER_HOUR, place, name)
        return hour if hour in part or self._has_room() else None

    def _has_room(self) -> bool:
        return len(self.counts) + len(self.latencies) + len(self.units) < self._limits.pending_counts

    def _fold(self) -> None:
        counts = dict(self.counts)
        self.counts.clear()
        for (minute, place, name), count in counts.items():
            key = (minute - minute % _PER_HOUR, place, name)
            self.counts[key] = self.counts.get(key, 0) + count
        for part in (self.latencies, self.units):
            histograms = dict(part)
            part.clear()
            for (minute, place, side), buckets in histograms.items():
                add_buckets(part.setdefault((minute - minute % _PER_HOUR, place, side), {}), buckets)

    def _add_divergence(self, divergence: Divergence, now: float) -> None:
        key = (divergence.fingerprint, divergence.known or "", place_of(divergence))
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) >= self._limits.pending_divergences:
                self.lose(1, now, "more distinct divergences than fit in memory")
                return
            group = self.groups[key] = Group(divergence, divergence.seen_at, divergence.seen_at)
        group.first_seen = min(group.first_seen, divergence.seen_at)
        group.last_seen = max(group.last_seen, divergence.seen_at)
        minute = self._minute_of(group, divergence)
        group.counts[minute] = group.counts.get(minute, 0) + 1
        group.samples.append((divergence.seen_at, divergence.sample))
        if len(group.samples) > 4 * (self._limits.samples_first + self._limits.samples_newest):
            self._trim(group)

    def _minute_of(self, group: Group, divergence: Divergence) -> int:
        """Return the minute to count under: once a group waits for more than an hour, whole hours."""
        minute = int(divergence.seen_at // 60)
        return minute if minute in group.counts or len(group.counts) < _PER_HOUR else minute - minute % _PER_HOUR

    def _trim(self, group: Group) -> None:
        group.samples = keep(group.samples, first=self._limits.samples_first, newest=self._limits.samples_newest)

    def _add_repair(self, repair: Repair, now: float) -> None:
        if repair.id in self.repairs or len(self.repairs) < self._limits.pending_events:
            self.repairs[repair.id] = repair
        else:
            self.lose(1, now, "more repairs than fit in memory")

    def _add_trip(self, trip: Trip, now: float) -> None:
        if len(self.trips) < self._limits.pending_events:
            self.trips.append(trip)
        else:
            self.lose(1, now, "more trips than fit in memory")


def place_of(divergence: Divergence) -> Place:
    """Return where *divergence* is counted."""
    it = divergence
    return Place(it.phase, it.seam, it.operation, it.stage, it.plan, it.version)


def _many(buckets: Mapping[int, int]) -> int:
    """Return how many there are; what was taken out of a bucket stands in another one."""
    return max(0, sum(buckets.values()))


_TOO_MANY_COUNTERS = "more counters than fit in memory"
