"""An assessment in words for people, and as JSON for scripts."""

from __future__ import annotations

from dataclasses import asdict

from oms.rollout.guard.controller import Look, PhaseLook
from oms.rollout.guard.duration import duration_text
from oms.rollout.guard.leader import Term
from oms.rollout.guard.ramp import HALF, Action, Assessment
from oms.rollout.guard.verdicts import GuardVerdict
from oms.rollout.wording import clock_text, wish_text


def guards_text(found: Assessment) -> str:
    """Return the worst guard in a few words: ``ok (max 12%)``, ``slow_p90 types.get 71% of its line``, ``no data``."""
    if not found.guards:
        return "no data"
    worst = found.guards[0]
    if worst.problem:
        return f"{worst.name} failed"
    if worst.tripped:
        return f"{worst.name} TRIPPED"
    if worst.progress > HALF:
        return f"{worst.name} {worst.progress:.0%} of its line"
    return f"ok (max {max(0.0, *(one.progress for one in found.guards)):.0%})"


def next_text(found: Assessment) -> str:
    """Return what comes next: ``-> live=25 in 3 min if clean``, ``hold: 600 calls to go``, ``by hand``."""
    coming = found.next
    if coming.action is Action.ROLLBACK:
        return f"-> back to {coming.to.value if coming.to else 'where it was'} now"
    if coming.action is Action.PROMOTE and coming.wish:
        return f"-> {wish_text(coming.wish)} now"
    if coming.action in (Action.LATCH, Action.PAUSE, Action.FREEZE):
        return f"{coming.action.value} now"
    if coming.action is Action.HOLD and coming.wish and coming.wait_s is not None:
        first = next((hold for hold in coming.holds if not hold.endswith("to go") or "calls" in hold), "")
        more = f" ({first})" if first else ""
        return f"-> {wish_text(coming.wish)} in {duration_text(coming.wait_s)} if clean{more}"
    held = coming.holds[0] if coming.holds else "by hand"
    more = f" (and {len(coming.holds) - 1} more)" if len(coming.holds) > 1 else ""
    return f"hold: {held}{more}" if coming.holds else held


def latches_text(found: Assessment) -> list[str]:
    """Return what is latched, a sentence each, with what to type."""
    name, latch, now_s = found.facts.phase.name, found.facts.latch, found.facts.now_s
    sentences = []
    if (tripped := latch.tripped) is not None:
        took = f" in {tripped.seconds:.1f} s" if tripped.seconds is not None else ""
        back = (
            f"taken back {tripped.before} -> {tripped.to}{took}"
            if tripped.before != tripped.to
            else f"it stood at {tripped.to}"
        )
        sentences.append(f"{name}: TRIPPED by {tripped.names}, {clock_text(tripped.at_s)}, {back}: {tripped.why}")
    if latch.paused is not None:
        sentences.append(f"{name}: PAUSED {latch.paused.text}")
    for frozen, what in ((latch.frozen, name), (found.facts.latched.frozen, "all phases")):
        if frozen is not None and frozen.holds_at(now_s):
            sentences.append(f"{what}: FROZEN {frozen.text}")
    return sentences


def controller_text(term: Term | None) -> str:
    """Return who leads: ``oms guard: pid 4711 leads (term 3)``, ``no controller``."""
    if term is None or not term.held:
        return "no controller"
    if not term.stands:
        return f"oms guard: pid {term.pid} leads but has not looked for {term.age_s:.0f} s"
    return f"oms guard: pid {term.pid} leads (term {term.number})"


def controller_json(term: Term | None) -> dict[str, object] | None:
    """Return what ``--json`` says of the leader, None without one."""
    if term is None or not term.held:
        return None
    return {"pid": term.pid, "term": term.number, "age_s": round(term.age_s, 1), "stands": term.stands}


def assessment_json(found: Assessment) -> dict[str, object]:
    """Return what ``--json`` says of one phase."""
    facts, coming = found.facts, found.next
    frozen = [
        one for one in (facts.latch.frozen, facts.latched.frozen) if one is not None and one.holds_at(facts.now_s)
    ]
    return {
        "stands": facts.now.text,
        "guards": [verdict.as_json() for verdict in found.guards],
        "readiness": None if found.readiness is None else found.readiness.readiness.value,
        "next": {
            "action": coming.action.value,
            "to": wish_text(coming.wish) if coming.wish else coming.to.value if coming.to else None,
            "holds": list(coming.holds),
            "wait_s": None if coming.wait_s is None else round(coming.wait_s, 1),
        },
        "tripped": None if facts.latch.tripped is None else asdict(facts.latch.tripped),
        "paused": None if facts.latch.paused is None else asdict(facts.latch.paused),
        "frozen": [asdict(one) for one in frozen],
    }


def look_json(look: Look, term: Term | None) -> dict[str, object]:
    """Return the object that ``oms guard --json`` prints, without the events."""
    return {
        "schema": 1,
        "leads": look.leads,
        "controller": controller_json(term),
        "phases": {one.assessment.facts.phase.name: assessment_json(one.assessment) for one in look.phases},
        "failed": dict(look.failed),
    }


def event_json(look: PhaseLook) -> dict[str, object] | None:
    """Return what the controller did about one phase, None if nothing."""
    facts, coming = look.assessment.facts, look.assessment.next
    if not look.done:
        return None
    cause: GuardVerdict | None = coming.cause
    return {
        "at": facts.now_s,
        "phase": facts.phase.name,
        "action": coming.action.value,
        "from": facts.now.text,
        "to": look.report.move.after if look.report else facts.now.text,
        "guard": cause.guard if cause else None,
        "operation": cause.operation if cause else None,
        "calls": cause.calls if cause else None,
        "why": cause.why if cause else look.done,
        "seconds": round(look.report.acknowledgement.seconds, 3) if look.report else None,
    }
