"""What comes next for a phase: a pure answer over its facts and what its guards say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from oms.domain.evidence import Evidence, total
from oms.domain.readiness import OperationVerdict, PhaseVerdict, Readiness, judge, loss_hold, phase_verdict
from oms.domain.split import Wish
from oms.domain.stage import Stage, rollback_target
from oms.rollout.guard.duration import duration_text
from oms.rollout.guard.facts import Facts
from oms.rollout.guard.policy import OnTrip, StepRule
from oms.rollout.guard.steps import MINUTE_S
from oms.rollout.guard.verdicts import Ground, GuardVerdict, verdicts
from oms.rollout.rules import objections
from oms.rollout.wording import clock_text

FRESH_S = 15.0
"""A process that has written nothing to the journal for this long sends no counts; an idle one writes every five seconds."""

HALF = 0.5
"""Nothing is promoted while a guard has gone more than this part of the way to its trip line."""

_RATE_WINDOW_S = 600.0


class Action(StrEnum):
    """What comes next."""

    ROLLBACK = "rollback"
    LATCH = "latch"
    """A guard tripped where there is nothing to take back."""
    PAUSE = "pause"
    FREEZE = "freeze"
    PROMOTE = "promote"
    HOLD = "hold"
    BY_HAND = "by hand"
    """The policy says nothing of the way from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What comes next, and why not more.

    Attributes:
        wish: Where it would go, for promote and hold.
        to: Where it has to go back to.
        cause: The guard that asks for it.
        holds: What is missing, a clause each, what only time will bring last.
        wait_s: Seconds until it is promoted if nothing goes wrong, None when nobody knows.
    """

    action: Action
    wish: Wish | None = None
    to: Stage | None = None
    cause: GuardVerdict | None = None
    holds: tuple[str, ...] = ()
    wait_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One phase: facts, verdicts, and what comes next."""

    facts: Facts
    guards: tuple[GuardVerdict, ...]
    readiness: PhaseVerdict | None
    next: Next


def assess(facts: Facts, *, more_holds: Sequence[str] = ()) -> Assessment:
    """Return what the guards say and what follows from it; *more_holds* is what the controller itself knows."""
    ground = Ground(
        policy=facts.standing.policy,
        tracks=facts.tracks,
        steps=facts.steps,
        trips=facts.trips,
        processes=_have_counted(facts),
        now_s=facts.now_s,
    )
    guards = verdicts(ground)
    readiness = ready(facts) if facts.now.stands_at(Stage.SHADOW) else None
    return Assessment(facts=facts, guards=guards, readiness=readiness, next=_next(facts, guards, readiness, more_holds))


def _have_counted(facts: Facts) -> int:
    """Return how many processes may have counted a key in the present step: one that was started anew counts it once more."""
    return max(len(facts.live), sum(at_s >= facts.step.began_s for at_s in facts.heard.values()))


def ready(facts: Facts) -> PhaseVerdict:
    """Return whether the evidence lets the phase move on to live: the worst of its operations."""
    policy = facts.standing.policy
    names = {track.operation for track in facts.tracks.tracks} | (
        set(facts.operations) if policy.unseen_holds else set()
    )
    return phase_verdict(_operation(facts, name) for name in sorted(names - set(policy.waived)))


def _operation(facts: Facts, name: str) -> OperationVerdict:
    policy = facts.standing.policy
    tracks = [track for track in facts.tracks.tracks if track.operation == name]
    even_since_s = facts.latched.even_since_s
    evidence = total(Evidence.of(track.counts, first_at_s=_later(track.first_at_s, even_since_s)) for track in tracks)
    if not policy.cap_per_request:
        evidence = evidence.uncapped
    lately = [part for track in tracks for part in track.parts if part.slice.at_s >= facts.now_s - _RATE_WINDOW_S]
    trials = total(Evidence.of(part.slice.counts) for part in lately).trials
    seconds = facts.now_s - min((part.slice.at_s for part in lately), default=facts.now_s)
    per_s = trials / max(seconds, 1.0)
    diverging: dict[str, int] = {}
    for track in tracks:
        for what, count in facts.diverging.get((name, track.version), {}).items():
            diverging[what] = diverging.get(what, 0) + count
    return judge(
        f"{facts.phase.name}.{name}", evidence, policy.ready, now_s=facts.now_s, per_s=per_s, diverging=diverging
    )


def _later(at_s: float | None, even_since_s: float) -> float | None:
    """Return when evidence began; before the clock was set nobody knows how long ago that is."""
    return None if at_s is None else max(at_s, even_since_s)


def _next(
    facts: Facts, guards: Sequence[GuardVerdict], readiness: PhaseVerdict | None, more_holds: Sequence[str]
) -> Next:
    return (
        _back(facts, guards)
        or _order(facts, guards)
        or _forward(facts, guards, readiness, more_holds)
        or Next(action=Action.BY_HAND, holds=tuple(_standing_still(facts)))
    )


def _back(facts: Facts, guards: Sequence[GuardVerdict]) -> Next | None:
    latched = facts.latch.tripped
    if latched is not None and not latched.done:
        # Somebody began to take it back and was ended in between.
        to = Stage(latched.to) if latched.to in list(Stage) else None
        return Next(action=Action.ROLLBACK if to and facts.now.most_advanced.rank > to.rank else Action.LATCH, to=to)
    for cause in guards:
        if cause.tripped and cause.on_trip is OnTrip.ROLLBACK:
            to = _target(facts, cause)
            if to is not None:
                return Next(action=Action.ROLLBACK, to=to, cause=cause)
            if latched is None:
                return Next(action=Action.LATCH, cause=cause)
    return None


def _target(facts: Facts, cause: GuardVerdict) -> Stage | None:
    """Return where *cause* takes the phase: as low as a process went, else where evidence goes on; None if it stands there."""
    stands = facts.now.most_advanced
    if cause.to is not None:
        return cause.to if cause.to.rank < stands.rank and stands is not Stage.COMPLETE else None
    return rollback_target(stands, writes=facts.phase.writes) if stands in (Stage.LIVE, Stage.RAMPDOWN) else None


def _order(facts: Facts, guards: Sequence[GuardVerdict]) -> Next | None:
    latch = facts.latch
    for cause in guards:
        if cause.tripped and cause.on_trip is OnTrip.PAUSE and latch.paused is None and latch.tripped is None:
            return Next(action=Action.PAUSE, cause=cause)
        if (
            cause.tripped
            and cause.on_trip is OnTrip.FREEZE
            and (latch.frozen is None or not latch.frozen.holds_at(facts.now_s))
        ):
            return Next(action=Action.FREEZE, cause=cause)
    return None


def _forward(
    facts: Facts, guards: Sequence[GuardVerdict], readiness: PhaseVerdict | None, more_holds: Sequence[str]
) -> Next | None:
    rule = _next_step(facts)
    if rule is None:
        return None
    wish = Wish(Stage.LIVE, rule.weight)
    still = [*_standing_still(facts), *more_holds, *_data(facts), *_guards(guards), *facts.unaccepted]
    if readiness is not None:
        missing, wait_s = tuple(_not_ready(readiness)), readiness.wait_s
    else:
        missing, wait_s = _step_left(facts)
    holds = (*still, *missing)
    if not holds:
        return Next(action=Action.PROMOTE, wish=wish)
    return Next(action=Action.HOLD, wish=wish, holds=holds, wait_s=None if still else wait_s)


def _next_step(facts: Facts) -> StepRule | None:
    """Return the step that the policy has after where the phase stands; only from shadow, and within live."""
    if facts.step.split is None:
        # A share cannot be added to targeting that somebody wrote by hand.
        return None
    if facts.now.stands_at(Stage.SHADOW):
        return facts.standing.policy.steps[0]
    canary = facts.step.canary
    if canary is None or canary.advanced is not Stage.LIVE or facts.now.problem:
        return None
    return facts.standing.policy.step_after(facts.step.split.share(Stage.LIVE))


def _standing_still(facts: Facts) -> Iterator[str]:
    yield from facts.latched.standstill(facts.phase.name, now_s=facts.now_s)
    if facts.standing.problem:
        yield facts.standing.problem
    mark = facts.latch.step
    if mark is not None and mark.plan == facts.now.digest and mark.policy != facts.standing.policy.digest:
        yield f"the policy was changed in the middle of this step; oms resume {facts.phase.name} accepts it"


def _data(facts: Facts) -> Iterator[str]:
    """Missing data means hold."""
    yield from facts.problems
    if not facts.live:
        yield "no running process follows it"
    yield from objections(facts.live, facts.phase.name, facts.now.digest, now=facts.now_s)
    for process in facts.live:
        heard_at = facts.heard.get(process.pid)
        if heard_at is None or facts.now_s - heard_at > FRESH_S:
            age = "never" if heard_at is None else f"{facts.now_s - heard_at:.0f} s ago"
            yield f"pid {process.pid} wrote to the journal {age}"
    yield from (f"{seam} is served in more than one version" for seam in facts.tracks.mixed)
    if facts.newest_s > facts.now_s + MINUTE_S:
        until = clock_text(facts.newest_s)
        yield f"the clock is behind what was counted (until {until}); oms resume {facts.phase.name} leaves that out"
    if hold := loss_hold(facts.losses, now_s=facts.now_s, quiet_s=_rule(facts).min_time_s):
        yield hold


def _guards(guards: Sequence[GuardVerdict]) -> Iterator[str]:
    for verdict in guards:
        if verdict.problem:
            yield f"guard {verdict.name} {verdict.problem}"
        elif verdict.tripped or verdict.progress > HALF:
            yield f"guard {verdict.name} is at {verdict.progress:.0%} of its line"


def _not_ready(readiness: PhaseVerdict) -> Iterator[str]:
    if not readiness.operations:
        yield "nothing was compared yet"
    for one in readiness.operations:
        if one.readiness is Readiness.NOT_YET:
            yield f"{one.name}: {', '.join(one.missing)}"
        elif one.readiness is Readiness.NO:
            yield one.sentence


def _rule(facts: Facts) -> StepRule:
    weight = facts.step.split.share(Stage.LIVE) if facts.step.split else 0
    return facts.standing.policy.step_at(weight)


def _step_left(facts: Facts) -> tuple[tuple[str, ...], float | None]:
    """Return what the present step still lacks, and in how many seconds it has it."""
    rule, canary = _rule(facts), facts.step.canary
    age_s = max(0.0, facts.now_s - max(facts.step.began_s, facts.latched.even_since_s))
    calls = _canary_calls(facts, canary.advanced if canary else Stage.LIVE)
    time_left_s, calls_left = max(0.0, rule.min_time_s - age_s), max(0, rule.min_calls - calls)
    clauses = []
    if calls_left:
        clauses.append(f"{calls_left:,} calls to go")
    if time_left_s:
        clauses.append(f"{duration_text(time_left_s)} to go")
    if not calls_left:
        return tuple(clauses), time_left_s
    return tuple(clauses), max(time_left_s, calls_left * age_s / calls) if calls else None


def _canary_calls(facts: Facts, stage: Stage) -> int:
    """Return the calls that the advanced stage answered in the present step."""
    last = len(facts.steps) - 1
    parts = (part for track in facts.tracks.tracks for part in track.parts)
    return sum(part.count("calls") for part in parts if part.step == last and part.stage == stage.value)
