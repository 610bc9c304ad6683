"""What the guards say: pure functions over tracks, each guard apart, so that one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from oms.domain.guardrails import RateAlarm, RatioGuard, Reading, ShareCheck
from oms.domain.record import Trip
from oms.domain.stage import Stage
from oms.rollout.guard.events import Event, Restarts, failed_units, pairs, slow_lines, slow_units
from oms.rollout.guard.policy import OnTrip, PhasePolicy, RatioPolicy, SlowPolicy
from oms.rollout.guard.steps import Step
from oms.rollout.guard.tracks import Part, Track, Tracks

UNITS = "units"
"""Tally of the keys that were seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardVerdict:
    """One guard over one operation.

    Attributes:
        guard: Its name in the policy.
        operation: ``types.get``; empty for the phase as a whole.
        version: Of the operation's sides and comparison.
        reading: What it says, None if it could not.
        on_trip: What it does when it trips.
        problem: Why it could not say anything; that holds the phase.
        calls: Routed calls of the operation in the present step.
        to: Where a trip inside a process has put the phase there.
    """

    guard: str
    operation: str = ""
    version: str = ""
    reading: Reading | None = None
    on_trip: OnTrip
    problem: str = ""
    calls: int = 0
    to: Stage | None = None

    @property
    def tripped(self) -> bool:
        """True if it asks for its action."""
        return self.reading is not None and self.reading.tripped

    @property
    def progress(self) -> float:
        """How far the way to the trip line is gone, 0 to 1 and above."""
        return 0.0 if self.reading is None else self.reading.progress

    @property
    def name(self) -> str:
        """``errors types.get``, or ``budget``."""
        return f"{self.guard} {self.operation}".rstrip()

    @property
    def why(self) -> str:
        """One sentence with counts."""
        return self.problem or (self.reading.why if self.reading else "nothing to say")

    def as_json(self) -> dict[str, object]:
        """Return what ``--json`` says of it."""
        return {
            "guard": self.guard,
            "operation": self.operation,
            "version": self.version,
            "progress": round(self.progress, 4),
            "tripped": self.tripped,
            "on_trip": self.on_trip.value,
            "why": self.why,
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the guards of one phase look at.

    Attributes:
        steps: Every step of the phase, the present one last.
        trips: What guards inside processes have done since the present step began.
        processes: How many live processes there are.
        now_s: Unix time in seconds.
    """

    policy: PhasePolicy
    tracks: Tracks
    steps: Sequence[Step]
    trips: Sequence[Trip] = ()
    processes: int = 1
    now_s: float = 0.0


TrackGuard = Callable[[Ground, Track], GuardVerdict | None]
PhaseGuard = Callable[[Ground], Iterable[GuardVerdict]]


def verdicts(
    ground: Ground,
    *,
    of_track: Mapping[str, TrackGuard] | None = None,
    of_phase: Mapping[str, PhaseGuard] | None = None,
) -> tuple[GuardVerdict, ...]:
    """Return what every guard says, the nearest to its trip line first. A guard that raises says so, and holds the phase."""
    found: list[GuardVerdict] = []
    for name, whole in (OF_PHASE if of_phase is None else of_phase).items():
        found += _apart(name, None, partial(whole, ground))
    for name, one in (OF_TRACK if of_track is None else of_track).items():
        for track in ground.tracks.tracks:
            found += _apart(name, track, partial(_listed, one, ground, track))
    return tuple(sorted(found, key=_worst_first))


def _listed(guard: TrackGuard, ground: Ground, track: Track) -> list[GuardVerdict]:
    verdict = guard(ground, track)
    return [] if verdict is None else [verdict]


def _worst_first(verdict: GuardVerdict) -> tuple[bool, bool, bool, float, str]:
    # Of several that tripped the one that says most of what is wrong; how far beyond its line each is says nothing of that.
    says_least = verdict.tripped and verdict.guard == "mismatch"
    return not verdict.problem, not verdict.tripped, says_least, -verdict.progress, verdict.name


def _apart(name: str, track: Track | None, say: Callable[[], Iterable[GuardVerdict]]) -> list[GuardVerdict]:
    try:
        return list(say())
    except Exception as error:  # whatever a guard does, the others go on
        problem = f"raised {type(error).__name__}: the phase holds"
        operation, version = (track.operation, track.version) if track else ("", "")
        return [GuardVerdict(guard=name, operation=operation, version=version, on_trip=OnTrip.HOLD, problem=problem)]


# -- one operation


def errors(ground: Ground, track: Track) -> GuardVerdict | None:
    """Does unified fail more often? By pairs, wherever both sides ran the call.

    A failure of unified alone is a mismatch, too, of which far fewer are tolerated; where such failures alone trip that guard, it is
    this one's business, and both have tripped. It is never so without the other: of the same comparisons these are some of the mismatches.
    """
    guards = ground.policy.guards
    alone = _failed_alone(ground, track) if guards.mismatch.on_trip is guards.errors.on_trip else None
    if alone is not None and alone.tripped:
        return _verdict(track, "errors", guards.errors.on_trip, alone)
    counts = track.counts
    if not counts.get("errors.unified", 0) and not counts.get("errors.legacy", 0):
        # Nobody failed alone, as in most operations: no event to be fed, whatever bets are laid.
        calm = RatioGuard.begun(ground.policy.ratio_rule(guards.errors)).read("errors")
        seen = counts.get("errors.none", 0) or counts.get("errors.both", 0)
        return _verdict(track, "errors", guards.errors.on_trip, calm) if seen else None
    return _ratio(ground, track, "errors", guards.errors, events=pairs(track), what="errors")


def unit_errors(ground: Ground, track: Track) -> GuardVerdict | None:
    """Do more keys fail in rampdown than in live? There only one side runs, so it goes by the share."""
    policy = ground.policy.guards.unit_errors
    return _ratio(ground, track, "unit_errors", policy, events=failed_units(track), what="failed units")


def slow(name: str, quantile: float) -> TrackGuard:
    """Return the guard over units slower than legacy's *quantile* before the step."""

    def guard(ground: Ground, track: Track) -> GuardVerdict | None:
        policy: SlowPolicy = getattr(ground.policy.guards, name)
        lines = slow_lines(track, quantile, policy)
        events = list(slow_units(track, lines))
        if not events:
            return None
        line = next((line for step in sorted(lines, reverse=True) if (line := lines[step]) is not None), None)
        what = f"units slower than {line.line_ns / 1e6:.3g} ms" if line else "slow units"
        return _ratio(ground, track, name, policy, events=events, what=what)

    return guard


def mismatch(ground: Ground, track: Track) -> GuardVerdict | None:
    """Do the sides differ more often than the limit, wherever both run?"""
    on_trip = ground.policy.guards.mismatch.on_trip
    if track.counts.get("mismatched", 0):
        return _verdict(track, "mismatch", on_trip, _alarm(ground, track, _mismatched).read())
    # However many bets are laid on it, what never mismatched comes to nothing; most operations are so.
    clean = _clean(track.counts)
    alarm = RateAlarm.begun(ground.policy.mismatch_rule).after(compared=clean, mismatched=0)
    return _verdict(track, "mismatch", on_trip, alarm.read()) if clean else None


def share(ground: Ground, track: Track) -> GuardVerdict | None:
    """Did the advanced stage get the share of units that the present step plans?

    A key that several processes serve is counted in each, always on the same side, so less is known by as many times.
    """
    canary, last = ground.steps[-1].canary, len(ground.steps) - 1
    if canary is None:
        return None
    seen = {stage.value: 0 for stage in (canary.advanced, canary.rest)}
    for part in track.parts:
        if part.step == last and part.stage in seen:
            seen[part.stage] += part.count(UNITS)
    units = sum(seen.values())
    if not units:
        return None
    policy = ground.policy.guards.share
    times = max(1, ground.processes)
    check = ShareCheck(share=canary.share, alpha=policy.alpha)
    reading = check.read(units=units // times, unified=seen[canary.advanced.value] // times)
    return _verdict(track, "share", policy.on_trip, reading)


# -- the whole phase


def hard_fail(ground: Ground) -> Iterator[GuardVerdict]:
    """Has a guard inside a process taken the phase back there?"""
    for trip in {(trip.seam, trip.operation, trip.guard): trip for trip in ground.trips}.values():
        yield GuardVerdict(
            guard=trip.guard,
            operation=f"{trip.seam}.{trip.operation}".strip("."),
            reading=Reading(
                True, 1.0, f"a process went from {trip.from_stage} to {trip.to_stage} by itself: {trip.reason}"
            ),
            on_trip=ground.policy.guards.hard_fail.on_trip,
            to=Stage(trip.to_stage),
        )


def budget(ground: Ground) -> Iterator[GuardVerdict]:
    """Do both sides fail so often that nobody should move anything?"""
    policy = ground.policy.guards.budget
    since_s = ground.now_s - policy.window_s
    pairs = unified = legacy = 0
    for track in ground.tracks.tracks:
        for part in track.parts:
            if part.slice.at_s > since_s:
                both = part.count("errors.both")
                only_unified, only_legacy = part.count("errors.unified"), part.count("errors.legacy")
                unified, legacy = unified + both + only_unified, legacy + both + only_legacy
                pairs += both + only_unified + only_legacy + part.count("errors.none")
    if pairs < policy.min_calls:
        return
    rate = min(unified, legacy) / pairs
    burn = rate / (1 - policy.slo)
    why = f"both sides fail: unified {unified:,}, legacy {legacy:,} of {pairs:,} in {policy.window_s / 60:g} min, {burn:.1f} times the budget"
    yield GuardVerdict(
        guard="budget", reading=Reading(burn >= policy.burn, burn / policy.burn, why), on_trip=policy.on_trip
    )


OF_TRACK: Mapping[str, TrackGuard] = {
    "errors": errors,
    "unit_errors": unit_errors,
    "slow_p99": slow("slow_p99", 0.99),
    "slow_p90": slow("slow_p90", 0.90),
    "mismatch": mismatch,
    "share": share,
}
OF_PHASE: Mapping[str, PhaseGuard] = {"hard_fail": hard_fail, "budget": budget}


# -- what they share


def _clean(counts: Mapping[str, int]) -> int:
    return max(0, counts.get("matched", 0) + counts.get("reasonable", 0) - counts.get("empty", 0))


def _mismatched(part: Part) -> int:
    return part.count("mismatched")


def _alone(part: Part) -> int:
    """Return how many of the mismatches were failures of unified alone, at least as far as counts tell."""
    return min(part.count("errors.unified"), _mismatched(part))


def _failed_alone(ground: Ground, track: Track) -> Reading | None:
    """Return what the mismatch alarm says of unified's own failures, None if there are too few to trip it."""
    if track.counts.get("errors.unified", 0) < ground.policy.guards.mismatch.min_bad:
        return None
    alarm = _alarm(ground, track, _alone)
    limit = f"limit {alarm.rule.limit:g}"
    return replace(alarm.read(), why=f"unified alone failed {alarm.mismatched:,} of {alarm.compared:,} calls, {limit}")


def _alarm(ground: Ground, track: Track, bad: Callable[[Part], int]) -> RateAlarm:
    """Return the alarm over all comparisons of *track*, fed with those that are *bad*."""
    restart, alarm = Restarts(ground.policy.restart), RateAlarm.begun(ground.policy.mismatch_rule)
    for part in track.parts:
        if restart.due(part):
            alarm = alarm.restarted()
        alarm = alarm.after(compared=_clean(part.slice.counts) + _mismatched(part), mismatched=bad(part))
    return alarm


def _ratio(
    ground: Ground, track: Track, name: str, policy: RatioPolicy, *, events: Iterable[Event], what: str
) -> GuardVerdict | None:
    restart = Restarts(ground.policy.restart)
    guard = RatioGuard.begun(ground.policy.ratio_rule(policy))
    fed, bad_at = False, (0, 0)
    for event in events:
        fed = True
        # Before the first bad event, and until the next one, a further bet would be the same bet once more.
        if restart.due(event.part) and (guard.unified, guard.legacy) != bad_at:
            guard, bad_at = guard.restarted(), (guard.unified, guard.legacy)
        if event.unified or event.legacy:
            guard = guard.after(share=event.share, unified=event.unified, legacy=event.legacy)
    return _verdict(track, name, policy.on_trip, guard.read(what)) if fed else None


def _verdict(track: Track, name: str, on_trip: OnTrip, reading: Reading) -> GuardVerdict:
    return GuardVerdict(
        guard=name,
        operation=track.operation,
        version=track.version,
        reading=reading,
        on_trip=on_trip,
        calls=track.calls,
    )
