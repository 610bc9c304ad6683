"""The controller: looks at each phase, moves it on one step when every condition holds, and takes it back at once when a guard trips.

Everything it goes by is read anew at each look, from flags, audit, journal, process files and latches, so it may be killed at any instant.
What it does is done in an order that leaves something to go on from: a trip is latched first, then taken back, then marked as done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from oms.domain.errors import BadInput, CouldNot, FlipRefused
from oms.domain.phase import Phase
from oms.domain.record import Flip
from oms.domain.stage import Stage
from oms.rollout.audit import AuditOutcome
from oms.rollout.flip import flip
from oms.rollout.flip_report import FlipReport
from oms.rollout.guard.clock import ClockWatch
from oms.rollout.guard.facts import Facts, Sources, gather
from oms.rollout.guard.latches import WHO, Latched, Order, PhaseLatch, StepMark, Tripped
from oms.rollout.guard.leader import Alone, Leader
from oms.rollout.guard.policy_file import Policy
from oms.rollout.guard.ramp import Action, Assessment, assess
from oms.rollout.rollback import rollback
from oms.rollout.switchboard import Mandate

FREEZE_S = 3_600.0
"""How long a freeze of the budget guard lasts; while the budget burns it is renewed."""

T = TypeVar("T", PhaseLatch, Latched)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseLook:
    """One look at one phase.

    Attributes:
        assessment: What was found.
        done: What the controller did about it, one sentence; empty if nothing.
        report: Of the flip or rollback, None if there was none.
        warnings: What went wrong without stopping it.
    """

    assessment: Assessment
    done: str = ""
    report: FlipReport | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """One look at every phase.

    Attributes:
        leads: False if another controller does; then nothing was done.
        failed: Phases that could not be looked at at all, each with why.
    """

    at_s: float
    leads: bool
    phases: tuple[PhaseLook, ...]
    failed: tuple[tuple[str, str], ...] = ()


class Controller:
    """Looks when it is told to.

    Args:
        sources: Where facts come from; its board's clock is the controller's.
        leader: Whether this one may act; alone if not given.
        promote: False only watches and takes back.
        wait_s: How long to wait for an acknowledgement, in seconds.
        steady: A clock that nobody sets, to notice when the other one is set; a simulation gives the same twice.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        leader: Leader | None = None,
        promote: bool = True,
        wait_s: float = 5.0,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sources, self._board, self._latches = sources, sources.board, sources.latches
        self._leader = leader or Alone()
        self._promote, self._wait_s, self._steady = promote, wait_s, steady
        self._watch = ClockWatch(self._board.clock, steady)
        self._unwritten: dict[str, Tripped] = {}

    def look(self, phases: Iterable[Phase]) -> Look:
        """Look at *phases* once and do what follows. Nothing that goes wrong with one of them keeps the others from being looked at."""
        leads = self._leader.lead()
        stepped_s, policy = self._clock_step(leads=leads), self._sources.policy()
        looks: list[PhaseLook] = []
        failed: list[tuple[str, str]] = []
        for phase in phases:
            try:
                looks.append(self._look_at(phase, policy, leads=leads, stepped_s=stepped_s))
            except Exception as error:  # whatever it is, the other phases must be looked at
                failed.append((phase.name, f"{type(error).__name__}: {error}"))
        return Look(self._board.clock(), leads, tuple(looks), tuple(failed))

    def _look_at(self, phase: Phase, policy: Policy, *, leads: bool, stepped_s: float) -> PhaseLook:
        facts = self._with_unwritten(gather(self._sources, phase, policy))
        holds = [f"the clock was set by {stepped_s:+.0f} s"] if stepped_s else []
        assessment = assess(facts, more_holds=holds)
        if not leads:
            return PhaseLook(assessment=assessment)
        try:
            self._leader.fence()
            warnings = self._mark(facts)
            found = self._act(assessment)
        except (FlipRefused, CouldNot, BadInput, OSError) as error:
            return PhaseLook(assessment=assessment, warnings=(str(error),))
        return replace(found, warnings=(*warnings, *found.warnings))

    def _act(self, found: Assessment) -> PhaseLook:
        acts = {
            Action.ROLLBACK: self._take_back,
            Action.LATCH: self._latch,
            Action.PAUSE: self._pause,
            Action.FREEZE: self._freeze,
            Action.PROMOTE: self._move_on,
        }
        act = acts.get(found.next.action)
        return PhaseLook(assessment=found) if act is None else act(found)

    # -- forward

    def _move_on(self, found: Assessment) -> PhaseLook:
        facts, wish = found.facts, found.next.wish
        if wish is None or not self._promote:
            return PhaseLook(assessment=found)
        mandate = self._mandate(f"{facts.now.text} is clean: {self._clean(found)}")
        report = flip(self._board, facts.phase, wish, mandate, wait_s=self._wait_s, based_on=facts.now.digest)
        return PhaseLook(assessment=found, done=_moved(report), report=report, warnings=report.warnings)

    def _clean(self, found: Assessment) -> str:
        worst = max((verdict.progress for verdict in found.guards), default=0.0)
        return f"{len(found.guards)} guards, the worst at {worst:.0%} of its line"

    # -- back

    def _take_back(self, found: Assessment) -> PhaseLook:
        facts, to = found.facts, found.next.to or Stage.SHADOW
        began = self._steady()
        latch, warnings = self._latch_trip(found, to.value)
        if latch is None:
            return PhaseLook(assessment=found)
        report = rollback(self._board, facts.phase, self._mandate(_because(latch)), to=to, wait_s=self._wait_s)
        seconds = self._steady() - began if report.confirmed else None
        warnings += self._done(facts.phase, replace(latch, done=True, seconds=seconds))
        return PhaseLook(
            assessment=found,
            done=f"{_moved(report)}: {_because(latch)}",
            report=report,
            warnings=(*warnings, *report.warnings),
        )

    def _latch(self, found: Assessment) -> PhaseLook:
        """A trip with nothing to take back, or one that was taken back before it could be marked as done."""
        latch, warnings = self._latch_trip(found, found.facts.now.text)
        if latch is None:
            return PhaseLook(assessment=found)
        warnings += self._done(found.facts.phase, replace(latch, done=True))
        warnings += self._note(found.facts, f"tripped: {_because(latch)}")
        return PhaseLook(
            assessment=found, done=f"tripped at {found.facts.now.text}: {_because(latch)}", warnings=warnings
        )

    def _latch_trip(self, found: Assessment, to: str) -> tuple[Tripped | None, tuple[str, ...]]:
        """Latch the trip before anything is done about it; None if somebody has resumed the phase since we looked."""
        facts, cause = found.facts, found.next.cause
        if cause is None:
            return facts.latch.tripped, ()
        tripped = Tripped(
            guard=cause.guard,
            operation=cause.operation,
            version=cause.version,
            why=cause.why,
            # Not when the look began: what it found may have come since, as a process that trips by itself meanwhile.
            at_s=self._board.clock(),
            before=facts.now.text,
            to=to,
            calls=cause.calls,
            also=_also(found),
        )
        seen_s = facts.latch.since_s
        try:
            latch = self._change(
                facts.phase, lambda latch: replace(latch, tripped=tripped) if latch.since_s == seen_s else latch
            )
        except (CouldNot, OSError) as error:
            # It goes back all the same; until the file can be written the trip is kept here.
            self._unwritten[facts.phase.name] = tripped
            return tripped, (f"not latched: {error}",)
        return (tripped, ()) if latch.since_s == seen_s else (None, ())

    def _done(self, phase: Phase, tripped: Tripped) -> tuple[str, ...]:
        if phase.name in self._unwritten:
            self._unwritten[phase.name] = tripped
        try:
            self._change(
                phase,
                lambda latch: (
                    replace(latch, tripped=tripped) if latch.tripped or phase.name in self._unwritten else latch
                ),
            )
        except (CouldNot, OSError) as error:
            return (f"not latched: {error}",)
        self._unwritten.pop(phase.name, None)
        return ()

    # -- orders

    def _pause(self, found: Assessment) -> PhaseLook:
        order = Order(who=WHO, why=_guard_says(found), at_s=found.facts.now_s)
        self._change(found.facts.phase, lambda latch: replace(latch, paused=latch.paused or order))
        return PhaseLook(
            assessment=found, done=f"paused: {order.why}", warnings=self._note(found.facts, f"paused: {order.why}")
        )

    def _freeze(self, found: Assessment) -> PhaseLook:
        now_s = found.facts.now_s
        order = Order(who=WHO, why=_guard_says(found), at_s=now_s, until_s=now_s + FREEZE_S)

        def frozen(latch: PhaseLatch) -> PhaseLatch:
            stands = latch.frozen is not None and latch.frozen.holds_at(now_s)
            return latch if stands else replace(latch, frozen=order)

        self._change(found.facts.phase, frozen)
        return PhaseLook(
            assessment=found, done=f"frozen: {order.why}", warnings=self._note(found.facts, f"frozen: {order.why}")
        )

    # -- what it remembers

    def _mark(self, facts: Facts) -> tuple[str, ...]:
        """Remember the policy that a step begins with. What cannot be remembered is told, for a phase may have to go back in the same look."""
        mark = facts.latch.step
        if facts.now.problem or facts.standing.problem or (mark is not None and mark.plan == facts.now.digest):
            return ()
        mark = StepMark(plan=facts.now.digest, policy=facts.standing.policy.digest)
        try:
            self._change(facts.phase, lambda latch: replace(latch, step=mark))
        except (CouldNot, OSError) as error:
            return (f"the step is not marked: {error}",)
        return ()

    def _change(self, phase: Phase, change: Callable[[PhaseLatch], PhaseLatch]) -> PhaseLatch:
        return self._latches.change(phase.name, lambda latch: change(self._fenced(latch)))

    def _fenced(self, latch: T) -> T:
        """Return *latch* if this one still leads. Asked under the lock of the latches."""
        self._leader.fence()
        return latch

    def _with_unwritten(self, facts: Facts) -> Facts:
        tripped = self._unwritten.get(facts.phase.name)
        if tripped is None or facts.latch.tripped is not None:
            return facts
        latch = replace(facts.latch, tripped=tripped)
        return replace(facts, latched=replace(facts.latched, phases={**facts.latched.phases, facts.phase.name: latch}))

    def _note(self, facts: Facts, note: str) -> tuple[str, ...]:
        flip_ = Flip(facts.phase.name, facts.now.text, facts.now.text, facts.now.digest, WHO, note, self._board.clock())
        try:
            self._board.audit.append(flip_, AuditOutcome.ORDER, note=note)
        except CouldNot as error:
            return (f"not in the audit: {error}",)
        return ()

    def _mandate(self, why: str) -> Mandate:
        return Mandate(who=WHO, why=why, fence=self._leader.fence)

    def _clock_step(self, *, leads: bool) -> float:
        """Return by how many seconds the clock was set since a leader last looked, 0 if it runs as it should.

        The leader remembers it for all controllers to come. Where that fails it is found again at the next look, and where the latches
        cannot be read nothing is moved on anyway.
        """
        stepped_s = 0.0
        try:
            known = self._latches.read().clock
            stepped_s, seen = self._watch.look(known)
            if leads and seen != known:
                self._latches.change_all(lambda latched: self._fenced(replace(latched, clock=seen)))
        except (CouldNot, FlipRefused, OSError):
            return stepped_s
        return stepped_s


def _also(found: Assessment) -> tuple[str, ...]:
    """Return the guards of the same operation that had tripped as well."""
    cause = found.next.cause
    others = (one for one in found.guards if cause is not None and one.tripped and one.operation == cause.operation)
    return tuple(one.name for one in others if one is not cause)


def _because(latch: Tripped) -> str:
    return f"{'guards' if latch.also else 'guard'} {latch.names} tripped: {latch.why}"


def _guard_says(found: Assessment) -> str:
    cause = found.next.cause
    return f"guard {cause.name}: {cause.why}" if cause else "a guard tripped"


def _moved(report: FlipReport) -> str:
    end = report.acknowledgement
    return f"{report.move.before} -> {report.move.after}, {end.acknowledged} of {end.processes} processes in {end.seconds:.2f} s"
