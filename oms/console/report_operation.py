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
_LEAST_S = 60.0


class Counted:
    """The slices of one operation, by version.

    Attributes:
        version: The one that was counted last, and of two that were, the one that began later.
    """

    def __init__(self, name: str, slices: Sequence[Slice]) -> None:
        self.name = name
        self.slices = slices
        self.place = slices[0].place
        self.by_version: dict[str, list[Slice]] = {}
        for one in slices:
            self.by_version.setdefault(one.place.version, []).append(one)
        spans = {version: (max(map(_at, rows)), min(map(_at, rows))) for version, rows in self.by_version.items()}
        self.newest_first = sorted(spans, key=lambda version: spans[version], reverse=True)
        self.version = self.newest_first[0]

    @property
    def phase(self) -> str:
        """Of which phase it is."""
        return self.place.phase

    @property
    def began_at_s(self) -> float:
        """When the first call was counted with the version that is judged, Unix time in seconds."""
        return min(map(_at, self.by_version[self.version]))

    def evidence(self, version: str) -> Evidence:
        """Return what was counted with *version*; it began when something was first compared."""
        rows = self.by_version[version]
        began = [one.at_s for one in rows if one.counts.get("shadowed")] or [one.at_s for one in rows]
        return Evidence.of(summed(rows), first_at_s=min(began))


def operation_report(counted: Counted, demand: Demand, *, now_s: float, diverging: Mapping[str, int]) -> OperationReport:
    """Return the report on one operation, with the verdict on its newest version at *now_s*, Unix time in seconds."""
    rows, evidence = counted.by_version[counted.version], counted.evidence(counted.version)
    counts = summed(rows)
    per_s = _per_s(rows, evidence, now_s)
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
        older=tuple(_older(counted, version) for version in counted.newest_first[1:]),
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


def _at(one: Slice) -> float:
    return one.at_s


def _older(counted: Counted, version: str) -> VersionReport:
    rows = counted.by_version[version]
    return VersionReport(version, counted.evidence(version), min(map(_at, rows)), max(map(_at, rows)) + 60.0)


def _per_s(rows: Iterable[Slice], evidence: Evidence, now_s: float) -> float | None:
    """Return how many comparisons a second came in of late that are evidence: in the last quarter of an hour."""
    late = Evidence.of(summed(one for one in rows if one.at_s >= now_s - _LATE_S))
    if not late.trials or evidence.first_at_s is None:
        return None
    return late.trials / min(_LATE_S, max(_LEAST_S, now_s - evidence.first_at_s))


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
