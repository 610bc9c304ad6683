"""The report for a terminal: at most 100 columns, readable without colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oms.console.lines import WIDTH, cut, painted, wrapped
from oms.console.numbers import bound_text, described, duration, percent, ratio, utc
from oms.console.report_data import LatencyReport, OperationReport, Percentiles, PhaseReport, ReportData
from oms.console.report_groups import GroupReport, RuleReport
from oms.domain.readiness import Readiness

_MARKS = {Readiness.NO: "x", Readiness.NOT_YET: "!", Readiness.READY: "ok"}
_COLOURS = {Readiness.NO: "31;1", Readiness.NOT_YET: "33", Readiness.READY: "32"}
_SAMPLES = 2
_GROUPS = 20
_KILLED = 5
_GAPS = 10
_INDENT = "     "


def render_text(data: ReportData, *, colour: bool = False) -> str:
    """Return the report as text. *colour* adds ANSI colours to words that say the same without them."""
    return "\n".join(line.rstrip() for line in _lines(data, colour)) + "\n"


def _lines(data: ReportData, colour: bool) -> Iterator[str]:
    yield "oms report" if data.since is None else f"oms report  {utc(data.since)} to {utc(data.until)}"
    yield from wrapped(f"journal {data.journal}, read {utc(data.made_at)}", "  ")
    if not data.phases:
        yield "  nothing was counted: no routed call in this time"
    elif data.silent:
        yield from wrapped(f"nothing was counted of {', '.join(data.silent)}", "  ")
    for phase in data.phases:
        yield ""
        yield from _phase(phase, colour)
    yield from _moves(data)
    yield from _trouble(data)
    yield ""
    yield from wrapped(f"again: {data.command}", "")


def _phase(phase: PhaseReport, colour: bool) -> Iterator[str]:
    word = painted(phase.readiness.value, _COLOURS[phase.readiness], colour)
    lead = f"{_MARKS[phase.readiness]:<2} {word}  "
    yield from wrapped(f"{phase.name.upper()}  {phase.headline}", _INDENT, first=lead)
    yield ""
    yield (
        f"{'operation':<28}{'seen':>11}{'sampled':>11}{'compared':>11}{'matched':>11}{'reason.':>8}{'ignored':>9}{'mismatch':>9}"
    )
    for operation in phase.operations:
        yield from _operation(operation)
    if phase.waived:
        yield from wrapped(
            f"waived by the policy, no part of the verdict: {', '.join(phase.waived)}", _INDENT, first="   "
        )
    if phase.never_seen:
        yield from wrapped(f"never seen: {', '.join(phase.never_seen)}", _INDENT, first="!  ")
    latencies = [line for operation in phase.operations for line in _latencies(operation)]
    if latencies:
        yield ""
        yield f"{'latency p50 / p90 / p99':<34}{'legacy':<27}{'unified':<27}{'p50, p99':>12}"
        yield from latencies
    for is_known, title in ((False, "unexplained divergences"), (True, "known divergences")):
        groups = [report for report in phase.divergences if (report.group.known is not None) is is_known]
        if groups:
            yield ""
            yield title
            for report in groups[:_GROUPS]:
                yield from _group(report)
            if len(groups) > _GROUPS:
                yield f"  and {len(groups) - _GROUPS} more, none more frequent; --json has all"
    if phase.older:
        yield ""
        yield "seen with older versions only, they do not count"
        for report in phase.older[:_GROUPS]:
            yield from _older(report)
        if len(phase.older) > _GROUPS:
            yield f"  and {len(phase.older) - _GROUPS} more; --json has all"
    yield from _rules(phase.rules)


def _operation(operation: OperationReport) -> Iterator[str]:
    it, verdict = operation.evidence, operation.verdict
    mark = "-" if operation.waived else _MARKS[verdict.readiness]
    yield (
        f"{cut(f'{mark:<2} {operation.name}', 28):<28}{it.seen:>11,}{it.sampled:>11,}{it.compared:>11,}"
        f"{it.matched:>11,}{it.reasonable:>8,}{it.ignored:>9,}{it.mismatched:>9,}"
    )
    lead = "waived" if operation.waived else verdict.readiness.value
    yield from wrapped(f"{lead}: {verdict_words(operation)}", _INDENT)
    yield from _counts("at", operation.stages)
    yield from _counts("not compared:", {name.replace("_", " "): count for name, count in it.not_compared.items()})
    yield from _counts("of these", operation.events)
    if operation.errors.legacy or operation.errors.unified or operation.errors.both:
        errors = operation.errors
        raised = {
            "legacy alone": errors.legacy,
            "unified alone": errors.unified,
            "both": errors.both,
            "neither": errors.neither,
        }
        yield from _counts("raised:", raised)  # fmt: skip
    if operation.noise.reads:
        differed = sum(operation.noise.paths.values())
        yield from wrapped(
            f"noise: {operation.noise.reads:,} reads done twice by legacy, {differed:,} differences", _INDENT
        )
    for note in verdict.notes:
        yield from wrapped(f"note: {note}", _INDENT)
    for older in operation.older:
        yield from wrapped(
            f"older version {older.version or '(unnamed)'}: {older.evidence.compared:,} compared,"
            f" {older.evidence.mismatched:,} mismatched, until {utc(older.last_at_s)}; does not count",
            _INDENT,
        )


def verdict_words(operation: OperationReport) -> str:
    """Return what is proved and what is missing or diverges, after the verdict itself."""
    verdict = operation.verdict
    clauses = verdict.diverging if verdict.readiness is Readiness.NO else verdict.missing
    what = f"; {', '.join(clauses)}" if clauses else ""
    demand = verdict.demand
    plural = "comparison" if verdict.evidence.trials == 1 else "comparisons"
    proved = bound_text(verdict.bound, demand.confidence)
    return f"{proved} by {verdict.evidence.trials:,} {plural}, limit {demand.limit:g}{what}"


def _counts(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    if counts:
        yield from wrapped(f"{title} " + ", ".join(f"{name} {count:,}" for name, count in counts.items()), _INDENT)


def _latencies(operation: OperationReport) -> Iterator[str]:
    for row in operation.latencies:
        ratios = ", ".join(map(ratio, row.ratios or ()))
        name = cut(f"{operation.seam}.{operation.operation} {row.stage}", 33)
        yield f"{name:<34}{_quantiles(row.legacy):<27}{_quantiles(row.unified):<27}{ratios:>12}"
        yield from wrapped(_unmeasured(row), _INDENT)


def _unmeasured(row: LatencyReport) -> str:
    return (
        f"{row.unmeasured:,} more were dropped or timed out: the slow end is missing from these" if row.cuts_p99 else ""
    )


def _quantiles(side: Percentiles | None) -> str:
    if side is None:
        return "did not run"
    return " / ".join(duration(ns).replace(" ", "") for ns in (side.p50_ns, side.p90_ns, side.p99_ns))


def _group(report: GroupReport) -> Iterator[str]:
    group = report.group
    known = f"{group.known}  " if group.known else ""
    what = f"{known}{report.name} {divergence_words(report)}"
    yield from wrapped(what, _INDENT, first=f"  {group.fingerprint}  ")
    often = f"{group.count:,} times ({percent(report.share)} of the compared){before_words(report)}, at {', '.join(group.stages)}"
    when = f"first {utc(group.first_seen)}, last {utc(group.last_seen)}{', still happening' if report.still_happening else ''}"
    yield from wrapped(f"{often}; {when}", _INDENT)
    if report.noise is not None and (group.known is None or report.noise[0]):
        yield from wrapped(f"noise: {noise_words(report)}", _INDENT)
    if group.known is None:
        for _, sample in group.samples[:_SAMPLES]:
            yield from wrapped(f"sample {described(sample)}", _INDENT)
        yield from wrapped(f"pin it: oms pin {group.fingerprint}", _INDENT)


def _older(report: GroupReport) -> Iterator[str]:
    group = report.group
    known = f"{group.known}  " if group.known else ""
    seen = f"{group.count:,} times with {group.version or '(unnamed)'}, last {utc(group.last_seen)}"
    yield from wrapped(
        f"{known}{report.name} {divergence_words(report)}; {seen}", _INDENT, first=f"  {group.fingerprint}  "
    )


def divergence_words(report: GroupReport) -> str:
    """Return kind, path and types of a group; what two replayed sides did is of no type that tells anything."""
    group = report.group
    what = f"{group.kind} at {group.path or '(the whole answer)'}"
    return what if group.is_replayed else f"{what}: {group.types[0]} / {group.types[1]}"


def before_words(report: GroupReport) -> str:
    """Return how often the same was seen with older versions, empty if it never was."""
    return f" and {report.before:,} more with older versions" if report.before else ""


def noise_words(report: GroupReport) -> str:
    """Return how often legacy differed from itself at the place of a group."""
    differed, reads = report.noise or (0, 0)
    told = f"legacy differed from itself there in {differed:,} of {reads:,} reads ({percent(differed / max(1, reads))})"
    return f"{told}: the comparison cannot tell" if report.is_noisy else told


def _rules(rules: tuple[RuleReport, ...]) -> Iterator[str]:
    shown = [rule for rule in rules if rule.is_told]
    if not rules:
        return
    yield ""
    if shown:
        yield f"{'rule':<10}{'hits':>9}{'at most':>10}  {'class':<9}{'expires':<12}owner"
    for rule in shown:
        share = percent(rule.share) if rule.hits else "-"
        yield f"{cut(rule.id, 9):<10}{rule.hits:>9,}{share:>10}  {rule.klass:<9}{rule.expires or '-'!s:<12}{rule.owner}"[
            :WIDTH
        ]
        yield from wrapped(f"! {rule.warning}" if rule.warning else "", _INDENT)
        yield from wrapped(rule.reason, _INDENT)
    if unused := [rule.id for rule in rules if rule not in shown]:
        yield from wrapped(f"rules without a hit: {', '.join(unused)}", _INDENT, first="")


def _moves(data: ReportData) -> Iterator[str]:
    if data.moves:
        yield ""
        yield "moves"
    for move in data.moves:
        kind = "TRIP" if move.is_trip else "forced flip" if move.forced else "flip"
        text = f"{kind} {move.phase} {move.source} > {move.target} by {move.by}: {move.why or 'no reason given'}"
        yield from wrapped(text, " " * 24, first=f"  {utc(move.at)}  ")


def _trouble(data: ReportData) -> Iterator[str]:
    yield ""
    endings = {word: sum(1 for process in data.processes if process.ending == word) for word in ("running", "clean")}
    hosts = f" on {len(data.hosts)} {'host' if len(data.hosts) == 1 else 'hosts'}" if data.hosts else ""
    yield f"processes: {endings['running']} running, {endings['clean']} ended, {len(data.killed)} killed{hosts}"
    for process in data.killed[-_KILLED:]:
        yield f"  x  pid {process.pid} on {cut(process.host, 40)} ended without a word, last seen {utc(process.seen_at)}"
    if len(data.killed) > _KILLED:
        yield f"     and {len(data.killed) - _KILLED} before"
    yield f"open repairs: {len(data.repairs)}"
    for pid, repair in data.repairs[:5]:
        what = (
            f"{repair.phase}.{repair.seam}, {repair.side}, {repair.key or 'every key'}, since {utc(repair.opened_at)}"
        )
        yield from wrapped(f"pid {pid}, {what}", "  ")
    yield f"lost: {data.lost:,}"
    for gap in data.gaps[-_GAPS:]:
        yield from wrapped(
            f"pid {gap.pid}, {utc(gap.since)} to {utc(gap.until)}, lost {gap.lost:,}: {gap.reason}", _INDENT, first="  "
        )
    if len(data.gaps) > _GAPS:
        yield f"     and {len(data.gaps) - _GAPS} gaps before"
