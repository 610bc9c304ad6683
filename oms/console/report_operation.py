"""One operation of the report: its slices added up by version, and the newest version judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from oms.console.report_data import Errors, LatencyReport, Noise, OperationReport, Percentiles, VersionReport
from oms.domain.evidence import Evidence
from oms.domain.histogram import merged, quantile_ns
from oms.domain.observation import Outcome
from oms.domain.readiness import Demand, judge
from oms.domain.record import Slice
from oms.domain.stage import Side, Stage

_EVENTS = ("rescued", "unscoped", "delayed", "beside_failed", "beside_cut")
_NOISE = "noise"
_LATE_S = 900.0
_MINUTE_S = 60.0


class Counted:
    """What was counted of one operation, by version.

    Attributes:
        wholes: One slice a place, with durations.
        minutes: The same minute by minute, without.
        version: The one that was counted last, and of two that were, the one that began later.
    """

    def __init__(self, name: str, wholes: Sequence[Slice], minutes: Sequence[Slice]) -> None:
        self.name = name
        self.place = wholes[0].place
        self.wholes, self.minutes = wholes, minutes
        self._spans: dict[str, tuple[float, float]] = {}
        for one in (*wholes, *minutes):
            first, last = self._spans.get(one.place.version, (one.at_s, one.at_s))
            self._spans[one.place.version] = min(first, one.at_s), max(last, one.at_s)
        by_end = sorted(self._spans, key=lambda version: self._spans[version][::-1], reverse=True)
        self.version, self.older = by_end[0], by_end[1:]

    @property
    def phase(self) -> str:
        """Of which phase it is."""
        return self.place.phase

    @property
    def began_at_s(self) -> float:
        """When the first call was counted with the version that is judged, Unix time in seconds."""
        return self._spans[self.version][0]

    def of(self, version: str) -> list[Slice]:
        """Return the wholes of *version*."""
        return [one for one in self.wholes if one.place.version == version]

    def evidence(self, version: str) -> Evidence:
        """Return what was counted with *version*; it began when something was first compared."""
        compared = [one.at_s for one in self.minutes if one.place.version == version and one.counts.get("shadowed")]
        return Evidence.of(summed(self.of(version)), first_at_s=min(compared, default=self._spans[version][0]))

    def report(self, version: str) -> VersionReport:
        """Return what is told of *version* once it is not judged any more."""
        first, last = self._spans[version]
        return VersionReport(version, self.evidence(version), first, last + _MINUTE_S)

    def per_s(self, now_s: float) -> float | None:
        """Return how many comparisons a second came in of late that are evidence: in the last quarter of an hour."""
        mine = [one for one in self.minutes if one.place.version == self.version]
        late = Evidence.of(summed(one for one in mine if one.at_s >= now_s - _LATE_S)).trials
        span_s = min(_LATE_S, max(_MINUTE_S, now_s - min((one.at_s for one in mine), default=now_s)))
        return late / span_s if late else None


def operation_report(
    counted: Counted, demand: Demand, *, now_s: float, diverging: Mapping[str, int]
) -> OperationReport:
    """Return the report on one operation, with the verdict on its newest version at *now_s*, Unix time in seconds."""
    rows, evidence, per_s = counted.of(counted.version), counted.evidence(counted.version), counted.per_s(now_s)
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
        verdict=judge(counted.name, evidence, demand, now_s=now_s, per_s=per_s, diverging=diverging),
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
