"""One operation of the report: its slices added up by version, and the newest version judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from oms.console.report_data import (
    Errors,
    LatencyReport,
    Noise,
    OperationReport,
    Percentiles,
    VersionReport,
    Wanted,
)
from oms.domain.evidence import Evidence
from oms.domain.histogram import merged, quantile_ns
from oms.domain.observation import Outcome
from oms.domain.readiness import judge
from oms.domain.record import Place, Slice
from oms.domain.stage import Side, Stage
from oms.journal.entries import Window
from oms.journal.reader import JournalReader

_EVENTS = ("rescued", "unscoped", "delayed", "beside_failed", "beside_cut")
_NOISE = "noise"
_LATE_S = 900.0
_STILL_SERVED_S = 120.0
_MINUTE_S = 60.0

Spans = Mapping[Place, tuple[float, float]]
"""By place, when the first and the last minute with something began, Unix times in seconds."""


class Counted:
    """What was counted of one operation, by version.

    Attributes:
        wholes: One slice a place, with durations.
        late: The same of the last quarter of an hour.
        version: The one that was counted last, and of two that were, the one that began later.
    """

    def __init__(self, wholes: Sequence[Slice], late: Sequence[Slice], spans: Spans, compared: Spans) -> None:
        self.place = wholes[0].place
        self.wholes, self.late = wholes, late
        begun = {one.place.version: (one.at_s, one.at_s) for one in wholes}
        self._spans, self._compared = {**begun, **_by_version(wholes, spans)}, _by_version(wholes, compared)
        by_end = sorted(self._spans, key=lambda version: self._spans[version][::-1], reverse=True)
        self.version, self.older = by_end[0], by_end[1:]

    @property
    def name(self) -> str:
        """``cache.types.get``."""
        return name_of(self.place)

    @property
    def phase(self) -> str:
        """Of which phase it is."""
        return self.place.phase

    @property
    def key(self) -> tuple[str, str]:
        """``types.get`` and the version that is judged."""
        return f"{self.place.seam}.{self.place.operation}", self.version

    @property
    def is_mixed(self) -> bool:
        """True if an older version was counted just as lately: some process still runs it."""
        last = self._spans[self.version][1]
        return any(last - self._spans[version][1] < _STILL_SERVED_S for version in self.older)

    @property
    def began_at_s(self) -> float:
        """When the first call was counted with the version that is judged, Unix time in seconds."""
        return self._spans[self.version][0]

    def of(self, version: str) -> list[Slice]:
        """Return the wholes of *version*."""
        return [one for one in self.wholes if one.place.version == version]

    def evidence(self, version: str) -> Evidence:
        """Return what was counted with *version*; it began when something was first to be compared."""
        began, _ = self._compared.get(version, self._spans[version])
        return Evidence.of(summed(self.of(version)), first_at_s=began)

    def report(self, version: str) -> VersionReport:
        """Return what is told of *version* once it is not judged any more."""
        first, last = self._spans[version]
        return VersionReport(version, self.evidence(version), first, last + _MINUTE_S)

    def per_s(self, now_s: float, *, capped: bool) -> float | None:
        """Return how many comparisons a second came in of late that are evidence: in the last quarter of an hour."""
        evidence = Evidence.of(summed(one for one in self.late if one.place.version == self.version))
        late = (evidence if capped else evidence.uncapped).trials
        return late / min(_LATE_S, max(_MINUTE_S, now_s - self.began_at_s)) if late else None


def count(reader: JournalReader, phase: str | None, *, since: float | None, now_s: float) -> dict[str, Counted]:
    """Return by full name what was counted of each operation of *phase*, or of all, since *since* (Unix time in seconds)."""
    window = Window(since)
    spans, compared = reader.spans("calls", window), reader.spans("shadowed", window)
    late: dict[str, list[Slice]] = {}
    for one in reader.slices(phase, since_s=max(since or 0.0, now_s - _LATE_S), by_minute=False):
        late.setdefault(name_of(one.place), []).append(one)
    wholes: dict[str, list[Slice]] = {}
    for one in reader.slices(phase, since_s=since or 0.0, by_minute=False):
        wholes.setdefault(name_of(one.place), []).append(one)
    return {name: Counted(rows, late.get(name, ()), spans, compared) for name, rows in wholes.items()}


def name_of(place: Place) -> str:
    """Return the full name of the operation at *place*: ``cache.types.get``."""
    return f"{place.phase}.{place.seam}.{place.operation}"


def _by_version(wholes: Iterable[Slice], spans: Spans) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for one in wholes:
        if one.place in spans:
            first, last = spans[one.place]
            known = found.get(one.place.version, (first, last))
            found[one.place.version] = min(first, known[0]), max(last, known[1])
    return found


def operation_report(
    counted: Counted, wanted: Wanted, *, now_s: float, diverging: Mapping[str, int], holds: Sequence[str] = ()
) -> OperationReport:
    """Return the report on one operation, with the verdict on its newest version at *now_s*, Unix time in seconds.

    *holds* is what speaks against every operation of the phase.
    """
    rows, evidence = counted.of(counted.version), counted.evidence(counted.version)
    per_s = counted.per_s(now_s, capped=wanted.cap_per_request)
    if not wanted.cap_per_request:
        evidence = evidence.uncapped
    if counted.is_mixed:
        holds = [*holds, "it is served in more than one version"]
    counts = summed(rows)
    stages: dict[str, int] = {}
    for one in rows:
        if calls := one.counts.get("calls", 0):
            stages[one.place.stage] = stages.get(one.place.stage, 0) + calls
    return OperationReport(
        phase=counted.place.phase,
        seam=counted.place.seam,
        operation=counted.place.operation,
        version=counted.version,
        verdict=judge(
            counted.name, evidence, wanted.demand, now_s=now_s, per_s=per_s, diverging=diverging, holds=holds
        ),
        per_s=per_s,
        stages={stage: stages[stage] for stage in sorted(stages, key=rank)},
        events={name.replace("_", " "): counts[name] for name in _EVENTS if counts.get(name)},
        errors=Errors(*(counts.get(f"errors.{who}", 0) for who in ("none", "legacy", "unified", "both"))),
        noise=Noise(
            counts.get(_NOISE, 0),
            {name.removeprefix(f"{_NOISE}."): count for name, count in counts.items() if name.startswith(f"{_NOISE}.")},
        ),
        latencies=_latencies(rows),
        older=tuple(counted.report(version) for version in counted.older),
    )


def summed(slices: Iterable[Slice]) -> dict[str, int]:
    """Return the counts of all *slices* by name."""
    sums: dict[str, int] = {}
    for one in slices:
        for name, count in one.counts.items():
            sums[name] = sums.get(name, 0) + count
    return sums


def rank(stage: str) -> int:
    """Return where *stage* stands in its order; one that only a newer version knows stands last."""
    return Stage(stage).rank if stage in tuple(Stage) else len(Stage)


def _latencies(rows: Iterable[Slice]) -> tuple[LatencyReport, ...]:
    by_stage: dict[str, list[Slice]] = {}
    for one in rows:
        by_stage.setdefault(one.place.stage, []).append(one)
    found = []
    for stage in sorted(by_stage, key=rank):
        mine = by_stage[stage]
        legacy, unified = (
            _percentiles(merged(one.durations[side] for one in mine if side in one.durations)) for side in Side
        )
        counts = summed(mine)
        unmeasured = counts.get(Outcome.DROPPED, 0) + counts.get(Outcome.TIMED_OUT, 0)
        if legacy or unified:
            found.append(LatencyReport(stage, legacy, unified, unmeasured))
    return tuple(found)


def _percentiles(buckets: Mapping[int, int]) -> Percentiles | None:
    if not buckets:
        return None
    p50, p90, p99, p999 = (quantile_ns(buckets, q) or 0 for q in (0.5, 0.9, 0.99, 0.999))
    return Percentiles(sum(buckets.values()), p50, p90, p99, p999, buckets)
