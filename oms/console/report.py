"""The shadow report as data: what the journal says about each operation, judged, ready to be shown in any format."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from oms.console.report_data import (
    GroupReport,
    Moment,
    Move,
    OperationReport,
    PhaseReport,
    ReportData,
    RuleReport,
    Wanted,
)
from oms.console.report_operation import Counted, count, operation_report
from oms.console.timeline import COUNTED, moments
from oms.domain.evidence import Evidence
from oms.domain.known import KnownDivergence
from oms.domain.readiness import TOO_MUCH_IGNORED, judge, phase_verdict
from oms.journal.entries import DivergenceGroup, Window
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
    phases = [
        _phase(
            name,
            {key: one for key, one in counted.items() if one.phase == name},
            [group for group in groups if group.phase == name],
            moments([row[1:] for row in minutes if row[0] == name]),
            bound=bound.get(name, ()),
            wanted=demands(name),
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
        until=until,
        phases=tuple(phases),
        silent=tuple(sorted(name for name in bound if name not in names and phase in (None, name))),
        moves=tuple(move for move in _moves(reader, window) if phase in (None, move.phase)),
        repairs=tuple((pid, repair) for pid, repair in reader.open_repairs() if phase in (None, repair.phase)),
        processes=tuple(reader.processes()),
        gaps=tuple(reader.gaps(window)),
    )


def _phase(
    name: str,
    counted: Mapping[str, Counted],
    groups: Sequence[DivergenceGroup],
    over_time: tuple[Moment, ...],
    *,
    bound: Collection[str],
    wanted: Wanted,
    now_s: float,
    until: float,
) -> PhaseReport:
    operations = [
        operation_report(one, wanted.demand, now_s=now_s, diverging=_diverging(one, groups)) for one in counted.values()
    ]
    waived = {f"{name}.{one}" for one in wanted.waived}
    unseen = sorted(one for one in bound if one not in counted and one not in waived)
    never = [judge(one, Evidence(), wanted.demand, now_s=now_s) for one in unseen if wanted.unseen_holds]
    order = {one.name: place for place, one in enumerate(phase_verdict(one.verdict for one in operations).operations)}
    operations.sort(key=lambda operation: order[operation.name])
    judged = [operation.verdict for operation in operations if operation.name not in waived]
    by_name = {operation.name: operation for operation in operations}
    reports = [_group(group, by_name.get(f"{name}.{group.seam}.{group.operation}"), until) for group in groups]
    reports.sort(key=lambda report: (report.group.known is not None, -report.group.count, report.group.fingerprint))
    wholes = sorted((one for each in counted.values() for one in each.wholes), key=lambda one: one.at_s)
    return PhaseReport(
        name=name,
        verdict=phase_verdict([*judged, *never]),
        operations=tuple(operations),
        never_seen=tuple(unseen),
        waived=tuple(sorted(waived & counted.keys())),
        divergences=tuple(reports),
        rules=_rules(load_known(name) if name in PHASES else [], reports, now_s),
        moments=over_time,
        digests=tuple(dict.fromkeys(one.place.plan for one in wholes if one.place.plan)),
    )


def _diverging(counted: Counted, groups: Iterable[DivergenceGroup]) -> dict[str, int]:
    """Return what no rule covers and was seen since the judged version began, with counts."""
    found: dict[str, int] = {}
    for group in groups:
        is_its = (group.seam, group.operation) == (counted.place.seam, counted.place.operation)
        if is_its and group.known is None and group.last_seen >= counted.began_at_s:
            what = f"{group.kind.replace('_', ' ')} at {group.path or 'the whole answer'}"
            found[what] = found.get(what, 0) + group.count
    return found


def _group(group: DivergenceGroup, operation: OperationReport | None, until: float) -> GroupReport:
    # A group is counted over all versions, and so must be what it is a share of.
    compared = sum(one.compared for one in operation.all_evidence) if operation else 0
    noise = operation.noise if operation else None
    return GroupReport(
        group,
        group.count / compared if compared else 0.0,
        until - group.last_seen <= _STILL_S,
        (noise.paths.get(group.path, 0), noise.reads) if noise is not None and noise.reads else None,
    )


def _rules(known: Sequence[KnownDivergence], groups: Iterable[GroupReport], now_s: float) -> tuple[RuleReport, ...]:
    today = dt.datetime.fromtimestamp(now_s, dt.UTC).date()
    hits: dict[str, int] = {}
    shares: dict[str, dict[str, float]] = {}
    for report in groups:
        if (rule := report.group.known) is not None:
            hits[rule] = hits.get(rule, 0) + report.group.count
            there = shares.setdefault(rule, {})
            there[report.name] = there.get(report.name, 0.0) + report.share
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
