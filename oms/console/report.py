"""The shadow report as data: what the journal says about each operation, judged, ready to be shown in any format."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from oms.console.report_data import Moment, Move, OperationReport, PhaseReport, ReportData, Wanted
from oms.console.report_groups import GroupReport, RuleReport
from oms.console.report_operation import Counted, count, operation_report
from oms.console.timeline import COUNTED, moments
from oms.domain.evidence import Evidence
from oms.domain.known import KnownDivergence
from oms.domain.readiness import TOO_MUCH_IGNORED, judge, loss_hold, phase_verdict
from oms.journal.entries import DivergenceGroup, Gap, Window
from oms.journal.guard_counts import diverging
from oms.journal.reader import JournalReader
from oms.seams import PHASES
from oms.seams.known import load_known

__all__ = ["Demands", "ReportData", "Wanted", "build_report"]

_STILL_S = 300.0

Demands = Callable[[str], Wanted]
"""What the policy wants of the phase of that name."""


def build_report(
    reader: JournalReader,
    *,
    demands: Demands,
    bound: Mapping[str, Collection[str]],
    made_at: float,
    command: str,
    phase: str | None = None,
    since: float | None = None,
) -> ReportData:
    """Return the report over what was counted since *since* for *phase*, or for every phase that the journal knows.

    Args:
        demands: What is to be proved.
        bound: By phase, the full name of each operation that callers may use: ``cache.types.get``.
        made_at: Now, Unix time in seconds.
        command: What to type to get the same again.
        since: Unix time in seconds, rounded down to its minute (its hour, of what is old); None for all there is.

    Raises:
        CouldNot: if the journal cannot be read.
        BadInput: if a file of known divergences is not usable.
    """
    window = Window(since)
    groups = [group for group in reader.divergences(window) if phase in (None, group.phase)]
    first, until = reader.span() or (None, None)
    counted = count(reader, phase, since=since, now_s=made_at)
    minutes = reader.by_minute(COUNTED, window)
    names = {one.phase for one in counted.values()} | {group.phase for group in groups}
    gaps = tuple(reader.gaps(window))
    phases = [
        _phase(
            name,
            {key: one for key, one in counted.items() if one.phase == name},
            [group for group in groups if group.phase == name],
            moments([row[1:] for row in minutes if row[0] == name]),
            bound=bound.get(name, ()),
            wanted=demands(name),
            gaps=gaps,
            now_s=made_at,
            until=until or made_at,
        )
        for name in sorted(names)
    ]
    return ReportData(
        journal=str(reader.path),
        command=command,
        made_at=made_at,
        since=first if since is None else since,
        until=until if until is None or since is None else max(since, until),
        phases=tuple(phases),
        silent=tuple(sorted(name for name in bound if name not in names and phase in (None, name))),
        moves=tuple(move for move in _moves(reader, window) if phase in (None, move.phase)),
        repairs=tuple((pid, repair) for pid, repair in reader.open_repairs() if phase in (None, repair.phase)),
        processes=tuple(reader.processes()),
        gaps=gaps,
    )


def _phase(
    name: str,
    counted: Mapping[str, Counted],
    groups: Sequence[DivergenceGroup],
    over_time: tuple[Moment, ...],
    *,
    bound: Collection[str],
    wanted: Wanted,
    gaps: Sequence[Gap],
    now_s: float,
    until: float,
) -> PhaseReport:
    loss = loss_hold(gaps, now_s=min(now_s, until), quiet_s=wanted.quiet_s)
    words = diverging(groups)
    operations = [
        operation_report(one, wanted, now_s=now_s, diverging=words.get(one.key, {}), holds=[loss] if loss else [])
        for one in counted.values()
    ]
    waived = {f"{name}.{one}" for one in wanted.waived}
    unseen = sorted(one for one in bound if one not in counted and one not in waived)
    never = [judge(one, Evidence(), wanted.demand, now_s=now_s) for one in unseen if wanted.unseen_holds]
    order = {one.name: place for place, one in enumerate(phase_verdict(one.verdict for one in operations).operations)}
    operations = [replace(one, waived=one.name in waived) for one in operations]
    operations.sort(key=lambda one: (one.waived, order[one.name]))
    judged = [operation.verdict for operation in operations if operation.name not in waived]
    by_name = {operation.name: operation for operation in operations}
    current, older = _by_age(
        [_group(group, by_name.get(f"{name}.{group.seam}.{group.operation}"), until) for group in groups],
        {key: operation.version for key, operation in by_name.items()},
    )
    verdict = phase_verdict([*judged, *never])
    wholes = sorted((one for each in counted.values() for one in each.wholes), key=lambda one: one.at_s)
    return PhaseReport(
        name=name,
        verdict=verdict,
        operations=tuple(operations),
        never_seen=tuple(unseen),
        waived=tuple(sorted(waived & counted.keys())),
        divergences=current,
        older=older,
        rules=_rules(load_known(name) if name in PHASES else [], current, by_name, now_s),
        moments=over_time,
        digests=tuple(dict.fromkeys(one.place.plan for one in wholes if one.place.plan)),
        due_at=now_s + verdict.wait_s if verdict.wait_s else None,
    )


def _by_age(
    reports: Iterable[GroupReport], judged: Mapping[str, str]
) -> tuple[tuple[GroupReport, ...], tuple[GroupReport, ...]]:
    """Return the divergences of the versions in *judged*, by operation, and those that were seen with older versions only."""
    in_order = sorted(reports, key=lambda one: (one.group.known is not None, -one.group.count, one.group.fingerprint))
    current: dict[tuple[str, str | None], GroupReport] = {}
    older: dict[tuple[str, str | None], list[GroupReport]] = {}
    for report in in_order:
        key = report.group.fingerprint, report.group.known
        if report.group.version == judged.get(report.name, report.group.version):
            current[key] = report
        else:
            older.setdefault(key, []).append(report)
    return (
        tuple(
            replace(report, before=sum(one.group.count for one in older.pop(key, ())))
            for key, report in current.items()
        ),
        tuple(report for reports in older.values() for report in reports),
    )


def _group(group: DivergenceGroup, operation: OperationReport | None, until: float) -> GroupReport:
    compared = operation.compared_with(group.version) if operation else 0
    noise = operation.noise if operation else None
    return GroupReport(
        group,
        group.count / compared if compared else 0.0,
        until - group.last_seen <= _STILL_S,
        (noise.paths.get(group.path, 0), noise.reads) if noise is not None and noise.reads else None,
    )


def _rules(
    known: Sequence[KnownDivergence],
    groups: Iterable[GroupReport],
    operations: Mapping[str, OperationReport],
    now_s: float,
) -> tuple[RuleReport, ...]:
    today = dt.datetime.fromtimestamp(now_s, dt.UTC).date()
    hits: dict[str, int] = {}
    shares: dict[str, dict[str, float]] = {}
    for report in groups:
        if (rule := report.group.known) is not None:
            hits[rule] = hits.get(rule, 0) + report.group.count
            there = shares.setdefault(rule, {})
            # A comparison that differs in several places is several hits, and still one comparison.
            most = operations[report.name].differing_share if report.name in operations else 1.0
            there[report.name] = min(most, there.get(report.name, 0.0) + report.share)
    first: dict[str, KnownDivergence] = {}
    for one in known:
        if one.id not in first or one.expires < first[one.id].expires:
            first[one.id] = one
    found = []
    for name in (*first, *(name for name in hits if name not in first)):
        share, told = max(shares.get(name, {}).values(), default=0.0), first.get(name)
        too_much = share > TOO_MUCH_IGNORED
        if told is None:
            found.append(RuleReport(name, "", "", "", None, hits[name], share, too_much, None, is_gone=True))
        else:
            days_left = (told.expires - today).days
            found.append(
                RuleReport(
                    name, told.klass.value, told.owner, told.reason, told.expires, hits.get(name, 0), share, too_much, days_left
                )
            )  # fmt: skip
    return tuple(sorted(found, key=lambda rule: (-rule.hits, rule.id)))


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
