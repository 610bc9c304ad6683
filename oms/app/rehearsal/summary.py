"""The findings as text, for the end of ``make run``."""

from __future__ import annotations

from collections.abc import Iterator

from oms.app.pace import PACE
from oms.app.rehearsal.findings import Findings, Found, PhaseFindings
from oms.app.rehearsal.incident import ROLLBACK_S

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
    if findings.reads_inside:
        yield f"{findings.reads_inside:,} further reads inside the workers, each for a targeting key of its own"
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
    yield from _incident_lines(phase)
    if phase.upstream is not None:
        reached = phase.upstream
        yield f"  upstream     received {reached.received:,} requests, the callers made {reached.made:,}; its clock ran {PACE} times as fast"
    yield f"  rollback     {_rollback_line(phase)}"


def _incident_lines(phase: PhaseFindings) -> Iterator[str]:
    """Tell what happened, in its order."""
    incident = phase.walked.incident
    if incident is None:
        yield from (
            f"  tripped      pid {trip.pid}: {trip.guard}, {trip.before} > {trip.after}: {trip.why}"
            for trip in phase.all_trips
        )
        return
    inside = f", {incident.reads_inside:,} of them reads inside the workers" if incident.reads_inside else ""
    yield f"  injection    {incident.faults} at {incident.at}; {incident.calls:,} calls from then on{inside}"
    yield f"  +  0.00 s    {incident.faults} begins"
    for trip in incident.trips:
        who = "oms guard" if trip.pid is None else f"pid {trip.pid} by itself"
        calls = "" if trip.calls_to_trip is None else f" after {trip.calls_to_trip:,} calls"
        where = f"{trip.seam}.{trip.operation}".strip(".")
        yield f"  +{trip.seconds or 0.0:6.2f} s    {trip.guard} tripped at {where}{calls}: {trip.why}"
        yield f"               {who}: {trip.before} > {trip.after}"
    if not incident.trips:
        yield "               no guard tripped"
    elif (end := incident.rolled_back) is not None:
        at_s = (incident.trips[-1].seconds or 0.0) + end.seconds
        yield f"  +{at_s:6.2f} s    {end.acknowledged} of {end.processes} processes are back"
    if phase.delayed:
        yield f"  delayed      {phase.delayed:,} callers waited longer than the port allows"


def _divergence_line(each: Found) -> str:
    return f"{each.known or 'UNKNOWN':8} {each.count:>7,}  {each.fingerprint}  {each.what}"


def _rollback_line(phase: PhaseFindings) -> str:
    end, report = phase.way_back, phase.walked.rollback
    if end is None:
        return "none by a guard" if phase.walked.incident else "none"
    moved = f"{report.move.before} > {report.move.after}: " if report else "by a guard: "
    late = f", more than the {ROLLBACK_S:g} s that it should take" if end.seconds > ROLLBACK_S else ""
    return f"{moved}{end.acknowledged} of {end.processes} processes acknowledged in {end.seconds:.3f} s{late}"
