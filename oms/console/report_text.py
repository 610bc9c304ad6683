"""The report for a terminal: at most 100 columns, readable without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from oms.console.numbers import duration, pairs, percent, utc
from oms.console.report_data import (
    Finding,
    GroupReport,
    LatencyReport,
    OperationReport,
    Percentiles,
    PhaseReport,
    ReportData,
)

WIDTH = 100

_MARKS = {Finding.DIVERGES: "x", Finding.CLEAN: "ok", Finding.NOT_COMPARED: "-"}
_COLOURS = {Finding.DIVERGES: "31;1", Finding.CLEAN: "32", Finding.NOT_COMPARED: "33"}
_SAMPLES = 2


def render_text(data: ReportData, *, colour: bool = False) -> str:
    """Return the report as text. *colour* adds ANSI colours to words that say the same without them."""
    return "\n".join(line.rstrip() for line in _lines(data, colour)) + "\n"


def wants_colour(environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Tell whether to colour: on a terminal, unless NO_COLOR is set to anything (no-color.org)."""
    return is_terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def _lines(data: ReportData, colour: bool) -> Iterator[str]:
    yield "oms report" if data.since is None else f"oms report  {utc(data.since)} to {utc(data.until)}"
    yield from _wrapped(f"journal {data.journal}, read {utc(data.made_at)}", "  ")
    if not data.phases:
        yield "  nothing was counted: no routed call in this time"
    for phase in data.phases:
        yield ""
        yield from _phase(phase, colour)
    yield from _moves(data)
    yield from _trouble(data)
    yield ""
    yield from _wrapped(f"again: {data.command}", "")


def _phase(phase: PhaseReport, colour: bool) -> Iterator[str]:
    word = _painted(phase.finding.value.upper(), phase.finding, colour)
    yield from _wrapped(f"{phase.name.upper()}  {phase.headline}", "", first=f"{_MARKS[phase.finding]:<2} {word}  ")
    yield ""
    yield f"{'operation':<34}{'calls':>11}{'compared':>11}{'matched':>11}{'reason.':>9}{'ignored':>11}{'mismatched':>12}"
    for operation in phase.operations:
        yield from _operation(operation)
    latencies = [line for operation in phase.operations for line in _latencies(operation)]
    if latencies:
        yield ""
        yield f"{'latency p50 / p90 / p99':<34}{'legacy':<31}{'unified':<31}"
        yield from latencies
    for known, title in ((False, "unexplained divergences"), (True, "known divergences")):
        groups = [report for report in phase.divergences if (report.group.known is not None) is known]
        if groups:
            yield ""
            yield title
            for report in groups:
                yield from _group(report)


def _operation(operation: OperationReport) -> Iterator[str]:
    it = operation.evidence
    yield (
        f"{_cut(f'{_MARKS[it.finding]:<2} {operation.name}', 33):<34}{it.calls:>11,}{it.compared:>11,}{it.matched:>11,}{it.reasonable:>9,}"
        f"{it.ignored:>11,}{it.mismatched:>12,}"
    )
    yield from _counts("at", operation.stages)
    yield from _counts("not compared:", it.not_compared)
    notes = {**it.events, **({"matched on nothing (no evidence)": it.empty} if it.empty else {})}
    yield from _counts("of these", notes)
    if it.unaccounted:
        yield from _wrapped(f"{it.unaccounted:,} calls unaccounted for: part of the journal is missing", "     ")


def _counts(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    if counts:
        yield from _wrapped(f"{title} " + ", ".join(f"{name} {count:,}" for name, count in counts.items()), "     ")


def _latencies(operation: OperationReport) -> Iterator[str]:
    for row in operation.latencies:
        yield f"{_cut(f'{operation.name} {row.stage}', 33):<34}{_quantiles(row.legacy):<31}{_quantiles(row.unified)}"
        yield from _wrapped(_unmeasured(row), "     ")


def _unmeasured(row: LatencyReport) -> str:
    return (
        f"{row.unmeasured:,} more were dropped or timed out: the slow end is missing from these"
        if row.unmeasured
        else ""
    )


def _quantiles(side: Percentiles | None) -> str:
    return "did not run" if side is None else " / ".join(map(duration, (side.p50_ns, side.p90_ns, side.p99_ns)))


def _group(report: GroupReport) -> Iterator[str]:
    group = report.group
    known = f"{group.known}  " if group.known else ""
    what = f"{known}{report.name} {group.kind} at {group.path or '(the whole answer)'}: {group.types[0]} / {group.types[1]}"
    yield from _wrapped(what, "     ", first=f"  {group.fingerprint}  ")
    often = f"{group.count:,} times ({percent(report.share)} of the compared), at {', '.join(group.stages)}"
    when = f"first {utc(group.first_seen)}, last {utc(group.last_seen)}{', still happening' if report.still_happening else ''}"
    yield from _wrapped(f"{often}; {when}", "     ")
    if report.takes_too_much:
        yield from _wrapped("! this rule takes more than 5 % of the operation: it may hide something else", "     ")
    for _, sample in group.samples[:_SAMPLES] if group.known is None else ():
        yield from _wrapped("sample " + " ".join(f"{name}={value}" for name, value in pairs(sample)), "     ")


def _moves(data: ReportData) -> Iterator[str]:
    if data.moves:
        yield ""
        yield "moves"
    for move in data.moves:
        kind = "TRIP" if move.is_trip else "forced flip" if move.forced else "flip"
        text = f"{kind} {move.phase} {move.source} > {move.target} by {move.by}: {move.why or 'no reason given'}"
        yield from _wrapped(text, " " * 24, first=f"  {utc(move.at)}  ")


def _trouble(data: ReportData) -> Iterator[str]:
    yield ""
    running = sum(1 for process in data.processes if process.ending == "running")
    clean = sum(1 for process in data.processes if process.ending == "clean")
    yield f"processes: {running} running, {clean} ended, {len(data.killed)} killed"
    for process in data.killed:
        yield f"  x  pid {process.pid} on {_cut(process.host, 40)} ended without a word, last seen {utc(process.seen_at)}"
    yield f"open repairs: {len(data.repairs)}"
    for pid, repair in data.repairs[:5]:
        what = (
            f"{repair.phase}.{repair.seam}, {repair.side}, {repair.key or 'every key'}, since {utc(repair.opened_at)}"
        )
        yield from _wrapped(f"pid {pid}, {what}", "  ")
    yield f"lost: {data.lost:,}"
    for gap in data.gaps:
        yield from _wrapped(
            f"pid {gap.pid}, {utc(gap.since)} to {utc(gap.until)}, lost {gap.lost:,}: {gap.reason}", "     ", first="  "
        )


def _wrapped(text: str, indent: str, *, first: str | None = None) -> Iterator[str]:
    text = _printable(text)
    if text:
        # The first line may hold colour, which takes no room: wrapped without it, then put in front.
        lead = indent if first is None else first
        room = len(_plain(lead))
        lines = textwrap.wrap(text, WIDTH, initial_indent=" " * room, subsequent_indent=indent, break_on_hyphens=False)
        yield lead + lines[0][room:]
        yield from lines[1:]


def _plain(text: str) -> str:
    parts = text.split("\x1b[")
    return parts[0] + "".join(part.partition("m")[2] for part in parts[1:])


def _painted(word: str, finding: Finding, colour: bool) -> str:
    return f"\x1b[{_COLOURS[finding]}m{word}\x1b[0m" if colour else word


def _printable(text: str) -> str:
    """Leave out what would steer the terminal: reasons and paths are other people's text."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)


def _cut(text: str, width: int) -> str:
    text = _printable(text)
    return text if len(text) <= width else text[: width - 1] + "…"
