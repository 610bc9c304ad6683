"""The findings as text, for the end of ``make run``."""

from __future__ import annotations

from collections.abc import Iterator

from oms.app.pace import PACE
from oms.app.rehearsal.findings import Findings, Found, PhaseFindings

_SHOWN = 12


def text_of(findings: Findings) -> str:
    """Return the summary, one fact a line."""
    return "\n".join(_lines(findings)) + "\n"


def _lines(findings: Findings) -> Iterator[str]:
    requests = findings.requests
    yield (
        f"{requests.sent:,} requests in {findings.seconds:.1f} s, seed {findings.seed};"
        f" half answered within {requests.quantile_ms(0.5):.1f} ms, 99 % within {requests.quantile_ms(0.99):.1f} ms"
    )
    for name, phase in findings.phases.items():
        yield from _phase_lines(name, phase)
    yield ""
    yield f"caller errors  {findings.caller_errors}"
    yield from (f"  {example}" for example in requests.examples[:5])
    yield from (f"problem: {each}" for each in findings.problems)
    yield f"report         {findings.report}"


def _phase_lines(name: str, phase: PhaseFindings) -> Iterator[str]:
    yield ""
    yield f"phase {name}: {' > '.join(phase.walked.stages)}"
    yield f"  calls        {phase.calls:,} routed, {phase.shadowed:,} shadowed, {phase.rescued:,} rescued"
    outcomes = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in phase.outcomes.items())
    yield f"  outcomes     {outcomes}"
    known = [each for each in phase.divergences if each.known]
    unknown = [each for each in phase.divergences if not each.known]
    yield f"  divergences  {len(phase.known)} known quirks: {' '.join(phase.known) or 'none'}; {len(unknown)} unexplained"
    yield from (f"    {_divergence_line(each)}" for each in (*unknown, *known)[:_SHOWN])
    if len(phase.divergences) > _SHOWN:
        yield f"    ... and {len(phase.divergences) - _SHOWN} more in the report"
    yield from (
        f"  tripped      pid {pid}: {trip.guard}, {trip.from_stage} > {trip.to_stage}: {trip.reason}"
        for pid, trip in phase.trips
    )
    if phase.upstream is not None:
        reached = phase.upstream
        yield f"  upstream     received {reached.received:,} requests, the callers made {reached.made:,}; its clock ran {PACE} times as fast"
    yield f"  rollback     {_rollback_line(phase)}"


def _divergence_line(each: Found) -> str:
    return f"{each.known or 'UNKNOWN':8} {each.count:>7,}  {each.fingerprint}  {each.what}"


def _rollback_line(phase: PhaseFindings) -> str:
    report = phase.walked.rollback
    if report is None:
        return "none"
    end = report.acknowledgement
    return (
        f"{report.move.before} > {report.move.after}: {end.acknowledged} of {end.processes} processes"
        f" acknowledged in {end.seconds:.3f} s"
    )
