"""The shadow report as data: what the journal says about each operation, ready to be shown in any format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from oms.console.report_data import (
    TOO_MUCH,
    Evidence,
    Finding,
    GroupReport,
    LatencyReport,
    Move,
    OperationReport,
    Percentiles,
    PhaseReport,
    ReportData,
)
from oms.domain.histogram import quantile_ns
from oms.domain.observation import Disposition, Outcome
from oms.domain.record import Latency, Place, Tally
from oms.domain.stage import Side, Stage
from oms.journal.reader import ALWAYS, DivergenceGroup, JournalReader, Window

__all__ = ["Finding", "ReportData", "build_report"]

_STILL_S = 300.0
_NOT_SHADOWED = tuple(disposition for disposition in Disposition if disposition is not Disposition.SHADOWED)
_EVENTS = ("rescued", "unscoped", "delayed", "beside_failed", "beside_cut")
_REASON = f"{Outcome.UNCOMPARABLE.value}."


def build_report(
    reader: JournalReader, *, phase: str | None = None, window: Window = ALWAYS, made_at: float, command: str
) -> ReportData:
    """Return the report over *window* for *phase*, or for every phase that the journal knows.

    Raises:
        CouldNot: if the journal cannot be read.
    """
    tallies = [tally for tally in reader.tallies(window) if phase in (None, tally.place.phase)]
    groups = [group for group in reader.divergences(window) if phase in (None, group.phase)]
    since, until = reader.span() or (None, None)
    return ReportData(
        journal=str(reader.path),
        command=command,
        made_at=made_at,
        since=since if window.since is None else window.since,
        until=until if window.until is None else window.until,
        phases=_phases(tallies, reader.latencies(window), groups, until or made_at),
        moves=tuple(move for move in _moves(reader, window) if phase in (None, move.phase)),
        repairs=tuple((pid, repair) for pid, repair in reader.open_repairs() if phase in (None, repair.phase)),
        processes=tuple(reader.processes()),
        gaps=tuple(reader.gaps(window)),
    )


def _phases(
    tallies: Iterable[Tally], latencies: list[Latency], groups: list[DivergenceGroup], until: float
) -> tuple[PhaseReport, ...]:
    by_operation: dict[tuple[str, str, str], list[Tally]] = {}
    for tally in tallies:
        by_operation.setdefault((tally.place.phase, tally.place.seam, tally.place.operation), []).append(tally)
    operations = [_operation(name, rows, latencies) for name, rows in by_operation.items()]
    names = sorted({operation.phase for operation in operations} | {group.phase for group in groups})
    return tuple(_phase(name, operations, groups, until) for name in names)


def _phase(name: str, operations: list[OperationReport], groups: list[DivergenceGroup], until: float) -> PhaseReport:
    order = list(Finding)
    mine = [operation for operation in operations if operation.phase == name]
    mine.sort(
        key=lambda operation: (order.index(operation.evidence.finding), -operation.evidence.calls, operation.name)
    )
    compared = {operation.name: operation.evidence.compared for operation in mine}
    reports = [_group(group, compared, until) for group in groups if group.phase == name]
    reports.sort(key=lambda report: (report.group.known is not None, -report.group.count, report.group.fingerprint))
    return PhaseReport(name, tuple(mine), tuple(reports))


def _group(group: DivergenceGroup, compared: Mapping[str, int], until: float) -> GroupReport:
    of = compared.get(f"{group.phase}.{group.seam}.{group.operation}", 0)
    share = group.count / of if of else 0.0
    return GroupReport(group, share, group.known is not None and share > TOO_MUCH, until - group.last_seen <= _STILL_S)


def _operation(name: tuple[str, str, str], tallies: list[Tally], latencies: list[Latency]) -> OperationReport:
    sums: dict[str, int] = {}
    stages: dict[str, int] = {}
    for tally in tallies:
        sums[tally.name] = sums.get(tally.name, 0) + tally.count
        if tally.name == "calls":
            stages[tally.place.stage] = stages.get(tally.place.stage, 0) + tally.count
    mine = [one for one in latencies if (one.place.phase, one.place.seam, one.place.operation) == name]
    in_order = {stage: stages[stage] for stage in sorted(stages, key=_rank)}
    return OperationReport(*name, in_order, _evidence(sums), _latencies(mine, tallies))


def _rank(stage: str) -> int:
    """Return where *stage* stands in its order; one that only a newer version knows stands last."""
    return Stage(stage).rank if stage in tuple(Stage) else len(Stage)


def _evidence(sums: Mapping[str, int]) -> Evidence:
    reasons = {name.removeprefix(_REASON): count for name, count in sums.items() if name.startswith(_REASON)}
    unexplained = sums.get(Outcome.UNCOMPARABLE, 0) - sum(reasons.values())
    not_compared = {
        **{_words(name): sums.get(name, 0) for name in (*_NOT_SHADOWED, Outcome.DROPPED, Outcome.TIMED_OUT)},
        **{f"uncomparable: {_words(reason)}": count for reason, count in sorted(reasons.items())},
        "uncomparable": unexplained,
    }
    return Evidence(
        calls=sums.get("calls", 0),
        matched=sums.get(Outcome.MATCHED, 0),
        reasonable=sums.get(Outcome.REASONABLE, 0),
        ignored=sums.get(Outcome.IGNORED, 0),
        mismatched=sums.get(Outcome.MISMATCHED, 0),
        not_compared={reason: count for reason, count in not_compared.items() if count},
        empty=sums.get("empty", 0),
        events={_words(name): sums[name] for name in _EVENTS if sums.get(name)},
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _latencies(latencies: list[Latency], tallies: list[Tally]) -> tuple[LatencyReport, ...]:
    unmeasured: dict[str, int] = {}
    for tally in tallies:
        if tally.name in (Outcome.DROPPED, Outcome.TIMED_OUT):
            unmeasured[tally.place.stage] = unmeasured.get(tally.place.stage, 0) + tally.count
    sides: dict[Place, dict[str, Percentiles | None]] = {}
    for latency in latencies:
        sides.setdefault(latency.place, {})[latency.side] = _percentiles(latency.buckets)
    return tuple(
        LatencyReport(place.stage, found.get(Side.LEGACY), found.get(Side.UNIFIED), unmeasured.get(place.stage, 0))
        for place, found in sorted(sides.items(), key=lambda entry: _rank(entry[0].stage))
    )


def _percentiles(buckets: Mapping[int, int]) -> Percentiles | None:
    quantiles = [quantile_ns(buckets, q) for q in (0.5, 0.9, 0.99, 0.999)]
    p50, p90, p99, p999 = (0 if quantile is None else quantile for quantile in quantiles)
    return Percentiles(sum(buckets.values()), p50, p90, p99, p999) if buckets else None


def _moves(reader: JournalReader, window: Window) -> list[Move]:
    flips = [
        Move(flip.at, flip.phase, flip.from_split, flip.to_split, flip.who, flip.why, flip.forced, is_trip=False)
        for flip in reader.flips(window)
    ]
    trips = [
        Move(
            trip.at,
            trip.phase,
            trip.from_stage,
            trip.to_stage,
            f"{trip.guard} in pid {pid}",
            trip.reason,
            forced=False,
            is_trip=True,
        )
        for pid, trip in reader.trips(window)
    ]
    return sorted([*flips, *trips], key=lambda move: move.at)
