"""The report as Markdown for a pull request: the verdict first, tables, everything else folded away."""

from __future__ import annotations

from collections.abc import Iterator

from oms.console.numbers import described, duration, percent, ratio, utc
from oms.console.report_data import OperationReport, PhaseReport, ReportData
from oms.console.report_groups import GroupReport, RuleReport
from oms.console.report_text import before_words, divergence_words, noise_words, verdict_words
from oms.domain.readiness import Readiness

_MARKS = {
    Readiness.NO: "\N{CROSS MARK}",
    Readiness.NOT_YET: "\N{HOURGLASS WITH FLOWING SAND}",
    Readiness.READY: "\N{WHITE HEAVY CHECK MARK}",
}
_GROUPS = 5
_OPERATIONS = 12


def render_markdown(data: ReportData) -> str:
    """Return the report in GitHub's Markdown; what the journal holds is shown as text, never as markup."""
    return "\n".join(_lines(data)) + "\n"


def _lines(data: ReportData) -> Iterator[str]:
    yield f"## oms report: {_MARKS[data.readiness]} {data.readiness.value}"
    yield ""
    if not data.phases:
        yield "Nothing was counted: no routed call in this time."
        yield ""
    for phase in data.phases:
        yield from _phase(phase)
    span = "" if data.since is None else f"{utc(data.since)} to {utc(data.until)}, "
    trouble = [
        f"{len(data.killed)} of {len(data.processes)} processes killed on {len(data.hosts)} host(s)",
        f"{len(data.repairs)} open repairs",
        f"{data.lost:,} lost",
    ]
    yield f"<sub>{span}{', '.join(trouble)}. Again: {_code(data.command)}</sub>"


def _phase(phase: PhaseReport) -> Iterator[str]:
    yield f"### {_MARKS[phase.readiness]} {phase.name}: {phase.readiness.value}"
    yield ""
    yield f"{_text(phase.headline)}."
    yield ""
    yield "| operation | verdict | compared | mismatched | ignored | proved, and what is missing or diverges |"
    yield "| --- | --- | ---: | ---: | ---: | --- |"
    for operation in phase.operations[:_OPERATIONS]:
        yield _operation(operation)
    if len(phase.operations) > _OPERATIONS:
        yield f"| {len(phase.operations) - _OPERATIONS} more, none worse | | | | | |"
    yield ""
    if phase.waived:
        yield f"Waived by the policy: {', '.join(_code(name) for name in phase.waived)}."
        yield ""
    if phase.never_seen:
        yield f"Never seen: {', '.join(_code(name) for name in phase.never_seen)}."
        yield ""
    unexplained = [report for report in phase.divergences if report.group.known is None]
    if unexplained:
        yield from _folded(f"{_many(len(unexplained), 'unexplained divergence')}", _divergences(unexplained))
    if phase.older:
        yield (
            f"Seen with older versions only, no part of the verdict: "
            f"{', '.join(_code(one.group.fingerprint) for one in phase.older[:_GROUPS])}{_more(len(phase.older) - _GROUPS)}."
        )
        yield ""
    if rules := [rule for rule in phase.rules if rule.is_told]:
        yield from _folded(
            f"{_many(len(rules), 'known divergence')} with hits or a warning",
            [
                "| rule | hits | at most | owner | expires | |",
                "| --- | ---: | ---: | --- | --- | --- |",
                *map(_rule, rules),
            ],
        )
    if latencies := list(_latencies(phase)):
        yield from _folded(
            "Latency",
            ["| operation | stage | legacy p50, p99 | unified p50, p99 | ratio |", "| --- | --- | --- | --- | --- |", *latencies],
        )  # fmt: skip


def _operation(operation: OperationReport) -> str:
    it, verdict = operation.evidence, operation.verdict
    word = "waived" if operation.waived else f"{_MARKS[verdict.readiness]} {verdict.readiness.value}"
    return (
        f"| {_code(f'{operation.seam}.{operation.operation}')} | {word} | {it.compared:,} "
        f"| {it.mismatched:,} | {it.ignored:,} | {_text(verdict_words(operation))} |"
    )


def _rule(rule: RuleReport) -> str:
    share = percent(rule.share) if rule.hits else "-"
    return (
        f"| {_text(rule.id)} | {rule.hits:,} | {share} | {_text(rule.owner)} | {rule.expires or '-'} | {rule.warning} |"
    )


def _divergences(groups: list[GroupReport]) -> Iterator[str]:
    for report in groups[:_GROUPS]:
        group = report.group
        # In code, nobody is mentioned by an @ and nothing becomes a link.
        what = _code(divergence_words(report))
        often = f"{group.count:,} times ({percent(report.share)}){before_words(report)}"
        yield f"- {_code(group.fingerprint)} {_code(report.name)} {what}, {often}"
        if report.noise is not None:
            yield f"  - {_text(noise_words(report))}"
        if group.samples:
            yield f"  - {_code(described(group.samples[-1][1]))}"
    if len(groups) > _GROUPS:
        yield f"- and {len(groups) - _GROUPS} more"


def _latencies(phase: PhaseReport) -> Iterator[str]:
    for operation in phase.operations:
        for row in operation.latencies:
            if row.legacy and row.unified and row.ratios:
                legacy, unified = (
                    f"{duration(side.p50_ns)}, {duration(side.p99_ns)}" for side in (row.legacy, row.unified)
                )
                ratios = ", ".join(map(ratio, row.ratios))
                yield f"| {_code(f'{operation.seam}.{operation.operation}')} | {row.stage} | {legacy} | {unified} | {ratios} |"


def _folded(title: str, lines: Iterator[str] | list[str]) -> Iterator[str]:
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _text(text: str) -> str:
    """Return *text* without anything that Markdown or HTML would act on; paths and reasons are other people's."""
    plain = "".join(character if character.isprintable() else "?" for character in text)
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{character}" if character in "\\`*_[]|~@#!" else character for character in plain)


def _code(text: str) -> str:
    plain = "".join(character if character.isprintable() else "?" for character in text)
    return f"`{plain.replace('`', chr(39))}`"
