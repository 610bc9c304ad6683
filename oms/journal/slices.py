"""Counts by place and minute, added up by the database: what guards and verdicts are made of."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from oms.domain.observation import Outcome
from oms.domain.record import Place, Slice

_FOR_GUARDS = (
    "calls",
    "shadowed",
    *(outcome.value for outcome in Outcome),
    *("empty", "repeated", "units", "unit_errors", "noise", "rescued", "delayed"),
    *(f"errors.{who}" for who in ("none", "legacy", "unified", "both")),
)
"""Tallies that are given minute by minute; of the others a sum is enough."""

_BARE = str.maketrans("", "", '{}"')


@dataclass(slots=True)
class _Parts:
    """What one slice is put together from."""

    minute: int
    counts: dict[str, int] = field(default_factory=dict)
    durations: dict[str, dict[int, int]] = field(default_factory=dict)
    units: dict[int, int] = field(default_factory=dict)


class _Slices(dict[tuple[int, int], _Parts]):
    """By number of the place and minute; minute 0 where all of them are one."""

    def __init__(self, *, by_minute: bool) -> None:
        super().__init__()
        self._by_minute = by_minute

    def at(self, place: int, minute: int) -> _Parts:
        """Return the parts of that slice, which begins at *minute* at the latest."""
        key = place, minute if self._by_minute else 0
        parts = self.get(key)
        if parts is None:
            parts = self[key] = _Parts(minute)
        elif minute < parts.minute:
            parts.minute = minute
        return parts


def read_slices(
    connection: sqlite3.Connection,
    phase: str | None,
    *,
    since_s: float,
    plan: str | None,
    by_minute: bool,
    durations: bool,
    units: bool = True,
) -> list[Slice]:
    """See :meth:`~oms.journal.reader.JournalReader.slices`."""
    places, slices = _places(connection, phase, plan), _Slices(by_minute=by_minute)
    histograms = _Histograms()
    minute, group = ("minute", ", minute") if by_minute else ("min(minute)", "")
    where = "minute >= ? AND place IN (SELECT value FROM json_each(?))"
    parameters = (int(since_s // 60), json.dumps(list(places)))
    names, named = (f" AND name IN ({', '.join('?' * len(_FOR_GUARDS))})", _FOR_GUARDS) if by_minute else ("", ())
    # A minute of a place stands in one row a name, so there is nothing to add up.
    what, each = ("count", "") if by_minute else ("sum(count)", " GROUP BY place, name")
    for place, begun, name, count in connection.execute(
        f"SELECT place, {minute}, name, {what} FROM tally WHERE {where}{names}{each}", (*parameters, *named)
    ):
        slices.at(place, begun).counts[name] = count
    if durations and not by_minute:
        for place, begun, side, texts in connection.execute(
            f"SELECT place, {minute}, side, group_concat(buckets) FROM latency WHERE {where} GROUP BY place, side",
            parameters,
        ):
            slices.at(place, begun).durations[side] = histograms.sum(texts)
    if units:
        for place, begun, texts in connection.execute(
            f"SELECT place, {minute}, group_concat(buckets) FROM unit WHERE {where} GROUP BY place{group}", parameters
        ):
            slices.at(place, begun).units = histograms.sum(texts)
    found = [
        Slice(places[place], parts.minute * 60.0, parts.counts, parts.durations, parts.units)
        for (place, _), parts in slices.items()
    ]
    return sorted(found, key=lambda one: (one.at_s, _order(one.place)))


def _places(connection: sqlite3.Connection, phase: str | None, plan: str | None) -> dict[int, Place]:
    rows: Iterable[tuple[int, str, str, str, str, str, str]] = connection.execute(
        "SELECT id, phase, seam, operation, stage, plan, version FROM place"
    )
    places = {row[0]: Place(*row[1:]) for row in rows}
    return {
        number: place for number, place in places.items() if phase in (None, place.phase) and plan in (None, place.plan)
    }


class _Histograms(dict[str, tuple[int, int]]):
    """Adds up histograms. A million entries are a few thousand distinct texts: each is read as numbers once, and looked up from then on."""

    def __missing__(self, entry: str) -> tuple[int, int]:
        bucket, _, count = entry.partition(":")
        self[entry] = known = (int(bucket or 0), int(count or 0))
        return known

    def sum(self, texts: str) -> dict[int, int]:
        """Add up *texts*: JSON objects with commas between them, as the database puts them together."""
        sums: dict[int, int] = {}
        for entry in texts.translate(_BARE).split(","):
            bucket, count = self[entry]
            sums[bucket] = sums.get(bucket, 0) + count
        return {bucket: count for bucket, count in sums.items() if count}


def _order(place: Place) -> tuple[str, ...]:
    return place.phase, place.seam, place.operation, place.stage, place.plan, place.version
