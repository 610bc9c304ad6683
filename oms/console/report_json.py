"""The report as one JSON object, for scripts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from oms.console.report_data import (
    SCHEMA,
    LatencyReport,
    Move,
    OperationReport,
    Percentiles,
    PhaseReport,
    ReportData,
    VersionReport,
)
from oms.console.report_groups import GroupReport, RuleReport
from oms.domain.evidence import Evidence
from oms.domain.record import Repair
from oms.journal.entries import ProcessEntry


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
        "verdict": data.readiness.value,
        "phases": {phase.name: _phase(phase) for phase in data.phases},
        "silent": list(data.silent),
        "moves": [_move(move) for move in data.moves],
        "repairs": [_repair(pid, repair) for pid, repair in data.repairs],
        "processes": [_process(process) for process in data.processes],
        "lost": data.lost,
        "gaps": [asdict(gap) for gap in data.gaps],
    }


def _phase(phase: PhaseReport) -> dict[str, Any]:
    return {
        "verdict": phase.readiness.value,
        "headline": phase.headline,
        "wait_s": phase.verdict.wait_s,
        "digests": list(phase.digests),
        "operations": [_operation(operation) for operation in phase.operations],
        "never_seen": list(phase.never_seen),
        "waived": list(phase.waived),
        "due_at": phase.due_at,
        "divergences": [_group(report) for report in phase.divergences],
        "older_divergences": [_group(report) for report in phase.older],
        "rules": [_rule(rule) for rule in phase.rules],
    }


def _operation(operation: OperationReport) -> dict[str, Any]:
    verdict = operation.verdict
    return {
        "seam": operation.seam,
        "operation": operation.operation,
        "version": operation.version,
        "verdict": verdict.readiness.value,
        "bound": verdict.bound,
        "limit": verdict.demand.limit,
        "confidence": verdict.demand.confidence,
        "more": verdict.more,
        "wait_s": verdict.wait_s,
        "per_s": operation.per_s,
        "missing": list(verdict.missing),
        "diverging": list(verdict.diverging),
        "notes": list(verdict.notes),
        "stages": dict(operation.stages),
        **_evidence(operation.evidence),
        "events": dict(operation.events),
        "errors": asdict(operation.errors),
        "noise": {"reads": operation.noise.reads, "paths": dict(operation.noise.paths)},
        "latencies": [_latency(latency) for latency in operation.latencies],
        "older": [_version(older) for older in operation.older],
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "calls": evidence.seen,
        "sampled": evidence.sampled,
        "compared": evidence.compared,
        "not_compared": dict(evidence.not_compared),
        "matched": evidence.matched,
        "reasonable": evidence.reasonable,
        "ignored": evidence.ignored,
        "mismatched": evidence.mismatched,
        "trials": evidence.trials,
        "empty": evidence.empty,
        "repeated": evidence.repeated,
        "unaccounted": evidence.not_compared.get("unaccounted", 0),
        "surplus": evidence.surplus,
    }


def _version(older: VersionReport) -> dict[str, Any]:
    span = {"version": older.version, "first_at": older.first_at_s, "last_at": older.last_at_s}
    return {**span, **_evidence(older.evidence)}


def _latency(latency: LatencyReport) -> dict[str, Any]:
    return {
        "stage": latency.stage,
        "legacy": _percentiles(latency.legacy),
        "unified": _percentiles(latency.unified),
        "unmeasured": latency.unmeasured,
    }


def _percentiles(side: Percentiles | None) -> dict[str, int] | None:
    if side is None:
        return None
    return {name: getattr(side, name) for name in ("count", "p50_ns", "p90_ns", "p99_ns", "p999_ns")}


def _group(report: GroupReport) -> dict[str, Any]:
    group = report.group
    return {
        "fingerprint": group.fingerprint,
        "known": group.known,
        "version": group.version,
        "before": report.before,
        "seam": group.seam,
        "operation": group.operation,
        "stages": list(group.stages),
        "kind": group.kind,
        "path": group.path,
        "types": {"legacy": group.types[0], "unified": group.types[1]},
        "count": group.count,
        "share": report.share,
        "noise": None if report.noise is None else {"differed": report.noise[0], "reads": report.noise[1]},
        "still_happening": report.still_happening,
        "first_seen": group.first_seen,
        "last_seen": group.last_seen,
        "samples": [{"seen_at": seen_at, **sample} for seen_at, sample in group.samples],
    }


def _rule(rule: RuleReport) -> dict[str, Any]:
    return {
        "id": rule.id,
        "class": rule.klass,
        "owner": rule.owner,
        "reason": rule.reason,
        "expires": None if rule.expires is None else rule.expires.isoformat(),
        "days_left": rule.days_left,
        "hits": rule.hits,
        "share": rule.share,
        "takes_too_much": rule.takes_too_much,
        "warning": rule.warning,
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
