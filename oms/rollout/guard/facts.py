"""Everything that is known of one phase at one moment, gathered in one look that changes nothing."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from oms.domain.errors import CouldNot, OmsError
from oms.domain.phase import Phase
from oms.domain.record import Trip
from oms.domain.stage import Stage
from oms.domain.standing import ProcessStanding
from oms.rollout.acknowledgement import follows
from oms.rollout.audit import AuditTrail
from oms.rollout.guard.counts import Counts, Diverging, Loss, OpenCounts
from oms.rollout.guard.latches import Latched, Latches, PhaseLatch
from oms.rollout.guard.policy_file import Policy, Standing
from oms.rollout.guard.steps import MINUTE_S, Step, put_in_order, steps_of
from oms.rollout.guard.tracks import Tracks, tracks_of
from oms.rollout.present import Present, present
from oms.rollout.switchboard import Switchboard

_TOLD = re.compile(r"(\S+) at (\S+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where facts come from.

    Attributes:
        board: Flags, processes, audit, and the clock.
        counts: The journal.
        policy: Returns the policy as it stands now.
        latches: What is latched.
        operations: Every operation of a phase, ``types.get``, whether it was seen or not.
    """

    board: Switchboard
    counts: OpenCounts
    policy: Callable[[], Policy]
    latches: Latches
    operations: Callable[[str], Sequence[str]] = field(default=lambda phase: ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One phase at one moment.

    Attributes:
        now_s: That moment, Unix time in seconds.
        steps: Every step, the present one last.
        since_s: Counts before it are not looked at.
        trips: Of guards inside processes, in the present step.
        losses: Of counts.
        diverging: What differs and no rule covers, with counts, by operation (``types.get``) and version; only where readiness is asked for.
        heard: When each process wrote to the journal last, by pid.
        live: The live processes that follow the phase.
        operations: Those it declares.
        unaccepted: What speaks against live in a phase that legacy cannot rescue, one sentence each; asked for in shadow only.
        problems: What could not be read.
    """

    phase: Phase
    now_s: float
    now: Present
    steps: tuple[Step, ...]
    standing: Standing
    latched: Latched
    since_s: float = 0.0
    tracks: Tracks = field(default_factory=lambda: Tracks(()))
    trips: tuple[Trip, ...] = ()
    losses: tuple[Loss, ...] = ()
    diverging: Diverging = field(default_factory=dict)
    heard: Mapping[int, float] = field(default_factory=dict)
    live: tuple[ProcessStanding, ...] = ()
    operations: tuple[str, ...] = ()
    unaccepted: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def step(self) -> Step:
        """The present step."""
        return self.steps[-1]

    @property
    def latch(self) -> PhaseLatch:
        """What is latched for the phase."""
        return self.latched.of(self.phase.name)

    @property
    def newest_s(self) -> float:
        """When the newest of the counts was made, Unix time in seconds; 0 without any."""
        return max((part.slice.at_s for track in self.tracks.tracks for part in track.parts), default=0.0)


def gather(sources: Sources, phase: Phase, policy: Policy) -> Facts:
    """Look at everything once. What cannot be read is a problem that holds the phase, never an error."""
    board = sources.board
    problems: list[str] = []
    now_s, now = board.clock(), present(board, phase)
    latched = _latched(sources, problems)
    live = _live(board, phase, problems)
    known = steps_of(_trail(board, problems), phase, present=_present_step(board, phase, now, now_s))
    steps = put_in_order(known, no_later_than_s=_latest(latched.even_since_s, now_s))
    since_s = _since(latched.of(phase.name), steps)
    facts = Facts(
        phase=phase,
        now_s=now_s,
        now=now,
        steps=steps,
        standing=policy.of(phase.name, today=dt.datetime.fromtimestamp(now_s, dt.UTC).date()),
        latched=latched,
        since_s=since_s,
        live=live,
        operations=tuple(sources.operations(phase.name)),
        unaccepted=_unaccepted(board, phase, now, problems),
    )
    return _counted(sources, facts, problems)


def _counted(sources: Sources, facts: Facts, problems: list[str]) -> Facts:
    name, began_s = facts.phase.name, facts.step.began_s
    trips: list[Trip] = []
    try:
        with sources.counts() as counts:
            facts = replace(
                facts,
                tracks=_tracks(counts, facts),
                losses=tuple(counts.losses(facts.since_s)),
                diverging=counts.diverging(name) if facts.now.stands_at(Stage.SHADOW) else {},
                heard=counts.heard(),
            )
            trips += [one for one in counts.trips(max(began_s, facts.latch.since_s)) if one.phase == name]
    except (CouldNot, OSError) as error:
        problems.append(str(error))
    trips += _standing_trips(facts)
    above = tuple(one for one in trips if _is_above(facts.now, one.to_stage))
    return replace(facts, trips=above, problems=tuple(problems))


def _tracks(counts: Counts, facts: Facts) -> Tracks:
    """Read the present flag's counts by the minute, and of each flag before it the sum: guards lay a new bet at each step anyway."""
    name, plan, since_s = facts.phase.name, facts.step.plan, facts.since_s
    # Where there never were two cohorts side by side nothing is ever slow.
    slow = any(step.canary for step in facts.steps)
    sums = counts.slices(name, by_minute=False, slow=slow)
    earlier = counts.slices(name, since_s=since_s, by_minute=False, slow=slow) if since_s else sums
    minutes = counts.slices(name, since_s=since_s, plan=plan, slow=slow)
    parts = [*(one for one in earlier if one.place.plan != plan), *minutes]
    ahead_s = facts.latch.ahead_s
    if ahead_s > facts.now_s:
        # In a sum nobody could tell them from the others.
        every = counts.slices(name, since_s=since_s, slow=slow)
        parts = [one for one in every if not facts.now_s + MINUTE_S < one.at_s <= ahead_s]
    # Legacy's own durations before a resume still tell what slow is.
    return tracks_of(parts, sums, facts.steps, since_s=since_s)


def _standing_trips(facts: Facts) -> list[Trip]:
    """Return what processes say of themselves: that is there while the journal is not."""
    found = []
    for process in facts.live:
        standing = process.phases.get(facts.phase.name)
        if standing is not None and standing.tripped and standing.digest == facts.now.digest:
            guard, place, reason = _told(standing.tripped_by)
            seam, _, operation = place.partition(".")
            served, reason = facts.now.most_advanced.value, f"{reason} (pid {process.pid})".lstrip()
            found.append(Trip(facts.phase.name, seam, operation, guard, served, standing.tripped, reason, facts.now_s))
    return found


def _told(tripped_by: str | None) -> tuple[str, str, str]:
    """Return guard, place and reason of a process's own words: ``hard_fail at types.get: 15 of the last 20 calls failed``."""
    told = _TOLD.fullmatch(tripped_by or "")
    return (told[1], told[2], told[3]) if told else ("hard_fail", "", tripped_by or "it did not say why")


def _is_above(now: Present, stage: str) -> bool:
    """Tell whether the phase stands above *stage*; a word of another version is no stage to go to, and its process holds the phase anyway."""
    return stage in list(Stage) and now.most_advanced.rank > Stage(stage).rank


def _latest(even_since_s: float, now_s: float) -> float:
    """Return when the present step began at the latest: when the clock was set back it began before that."""
    return even_since_s if 0.0 < even_since_s <= now_s else now_s


def _since(latch: PhaseLatch, steps: Sequence[Step]) -> float:
    """A resume begins anew, and so does somebody who forces a tripped phase on: else the old counts would take it back at once.

    Counts are kept by the minute; the one in which that happened is left out.
    """
    since_s = latch.since_s
    if latch.tripped is not None:
        since_s = max([since_s, *(step.began_s for step in steps if step.forced and step.began_s > latch.tripped.at_s)])
    return (since_s // MINUTE_S + 1) * MINUTE_S if since_s else 0.0


def _present_step(board: Switchboard, phase: Phase, now: Present, now_s: float) -> Step:
    changed_at = board.changed_at(phase.name) if now.origin == "file" else None
    return Step(now.digest, now.state.split if now.state else None, now_s if changed_at is None else changed_at)


def _unaccepted(board: Switchboard, phase: Phase, now: Present, problems: list[str]) -> tuple[str, ...]:
    """Ask what a flip to live would be refused for, so that nobody asks for one again and again."""
    if phase.rescuable or not now.stands_at(Stage.SHADOW):
        return ()
    try:
        return tuple(board.unaccepted(phase.name))
    except (OmsError, OSError) as error:
        problems.append(str(error))
        return ()


def _latched(sources: Sources, problems: list[str]) -> Latched:
    try:
        return sources.latches.read()
    except CouldNot as error:
        problems.append(str(error))
        return Latched()


def _trail(board: Switchboard, problems: list[str]) -> AuditTrail:
    try:
        return board.audit.read()
    except CouldNot as error:
        problems.append(str(error))
        return AuditTrail((), ())


def _live(board: Switchboard, phase: Phase, problems: list[str]) -> tuple[ProcessStanding, ...]:
    try:
        return tuple(process for process in board.processes() if follows(process, phase.name))
    except (CouldNot, OSError) as error:
        problems.append(f"process files: {error}")
        return ()
