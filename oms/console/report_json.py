"""The report as one JSON object, for scripts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from oms.console.report_data import SCHEMA, GroupReport, Move, OperationReport, PhaseReport, ReportData
from oms.domain.record import Repair
from oms.journal.reader import ProcessEntry


def render_json(data: ReportData) -> str:
    """Return the report as one JSON object on one line; times are Unix times in seconds, durations nanoseconds."""
    return json.dumps(report_object(data), ensure_ascii=False) + "\n"


def report_object(data: ReportData) -> dict[str, Any]:
    """Return what ``render_json`` writes."""
    return {
        "schema": SCHEMA,
        "journal": data.journal,
        "command": data.command,
        "made_at": data.made_at,
        "since": data.since,
        "until": data.until,
        "phases": {phase.name: _phase(phase) for phase in data.phases},
        "moves": [_move(move) for move in data.moves],
        "repairs": [_repair(pid, repair) for pid, repair in data.repairs],
        "processes": [_process(process) for process in data.processes],
        "lost": data.lost,
        "gaps": [asdict(gap) for gap in data.gaps],
    }


def _phase(phase: PhaseReport) -> dict[str, Any]:
    return {
        "finding": phase.finding.value,
        "headline": phase.headline,
        "operations": [_operation(operation) for operation in phase.operations],
        "divergences": [_group(report) for report in phase.divergences],
    }


def _operation(operation: OperationReport) -> dict[str, Any]:
    evidence = operation.evidence
    return {
        "seam": operation.seam,
        "operation": operation.operation,
        "finding": evidence.finding.value,
        "stages": dict(operation.stages),
        "calls": evidence.calls,
        "compared": evidence.compared,
        "not_compared": dict(evidence.not_compared),
        "matched": evidence.matched,
        "reasonable": evidence.reasonable,
        "ignored": evidence.ignored,
        "mismatched": evidence.mismatched,
        "empty": evidence.empty,
        "events": dict(evidence.events),
        "unaccounted": evidence.unaccounted,
        "latencies": [asdict(latency) for latency in operation.latencies],
    }


def _group(report: GroupReport) -> dict[str, Any]:
    group = report.group
    return {
        "fingerprint": group.fingerprint,
        "known": group.known,
        "seam": group.seam,
        "operation": group.operation,
        "stages": list(group.stages),
        "kind": group.kind,
        "path": group.path,
        "types": {"legacy": group.types[0], "unified": group.types[1]},
        "count": group.count,
        "share": report.share,
        "takes_too_much": report.takes_too_much,
        "still_happening": report.still_happening,
        "first_seen": group.first_seen,
        "last_seen": group.last_seen,
        "samples": [{"seen_at": seen_at, **sample} for seen_at, sample in group.samples],
    }


def _move(move: Move) -> dict[str, Any]:
    return {
        "kind": "trip" if move.is_trip else "flip",
        "at": move.at,
        "phase": move.phase,
        "from": move.source,
        "to": move.target,
        "by": move.by,
        "why": move.why,
        "forced": move.forced,
    }


def _repair(pid: int, repair: Repair) -> dict[str, Any]:
    return {"pid": pid, **{name: value for name, value in asdict(repair).items() if name not in ("id", "closed_at")}}


def _process(process: ProcessEntry) -> dict[str, Any]:
    return asdict(process)
