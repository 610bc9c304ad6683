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
    *("empty", "repeated", "unit_errors", "noise", "rescued", "delayed"),
    *(f"errors.{who}" for who in ("none", "legacy", "unified", "both")),
)
"""Tallies that are given minute by minute; of the others a sum is enough."""


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
        parts = self.setdefault((place, minute if self._by_minute else 0), _Parts(minute))
        parts.minute = min(parts.minute, minute)
        return parts


def read_slices(
    connection: sqlite3.Connection, phase: str | None, *, since_s: float, plan: str | None, by_minute: bool
) -> list[Slice]:
    """See :meth:`~oms.journal.reader.JournalReader.slices`."""
    places, slices = _places(connection, phase, plan), _Slices(by_minute=by_minute)
    minute, group = ("minute", ", minute") if by_minute else ("min(minute)", "")
    where = "minute >= ? AND place IN (SELECT value FROM json_each(?))"
    parameters = (int(since_s // 60), json.dumps(list(places)))
    names, named = (f" AND name IN ({', '.join('?' * len(_FOR_GUARDS))})", _FOR_GUARDS) if by_minute else ("", ())
    for place, begun, name, count in connection.execute(
        f"SELECT place, {minute}, name, sum(count) FROM tally WHERE {where}{names} GROUP BY place, name{group}",
        (*parameters, *named),
    ):
        slices.at(place, begun).counts[name] = count
    if not by_minute:
        for place, begun, side, texts in connection.execute(
            f"SELECT place, {minute}, side, group_concat(buckets) FROM latency WHERE {where} GROUP BY place, side",
            parameters,
        ):
            slices.at(place, begun).durations[side] = _sum(texts)
    for place, begun, texts in connection.execute(
        f"SELECT place, {minute}, group_concat(buckets) FROM unit WHERE {where} GROUP BY place{group}", parameters
    ):
        slices.at(place, begun).units = _sum(texts)
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


def _sum(texts: str) -> dict[int, int]:
    """Add up histograms, JSON objects with commas between them."""
    total: dict[str, int] = {}
    # All of them in one go: the parser is fast, calling it is not.
    for buckets in json.loads(f"[{texts}]"):
        for bucket, count in buckets.items():
            total[bucket] = total.get(bucket, 0) + count
    return {int(bucket): count for bucket, count in total.items() if count}


def _order(place: Place) -> tuple[str, ...]:
    return place.phase, place.seam, place.operation, place.stage, place.plan, place.version
