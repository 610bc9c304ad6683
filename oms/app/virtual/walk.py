"""One seed: a phase up the whole ladder of its policy, moved by the real controller, in virtual time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from oms.app.injection import Faults
from oms.app.virtual.clock import VirtualClock
from oms.app.virtual.service import PHASE, VirtualService
from oms.app.virtual.world import World
from oms.domain.split import parse_wish
from oms.flagging.files import FlagFiles
from oms.journal.guard_counts import open_counts
from oms.rollout.audit import Audit
from oms.rollout.flip import flip
from oms.rollout.guard.controller import Controller, PhaseLook
from oms.rollout.guard.facts import Sources
from oms.rollout.guard.latches import Latches, Order, Tripped
from oms.rollout.guard.policy import StepRule
from oms.rollout.guard.policy_file import FILE, Policy, Standing, read_policy
from oms.rollout.switchboard import Mandate, Switchboard
from oms.seams import PHASES

PROFILE = "rehearsal"
"""What READY takes; the guards are those of every profile."""

TICK_S = 120.0
"""Virtual seconds between two looks of the controller. Each reads the whole journal, so they are most of what a seed takes."""

INJECTED_TICK_S = 30.0
"""The same once an injection has begun, so that it is known how soon it was found."""

_BY_HAND = ("dualwrite", "shadow")
_MANDATE = Mandate(who="oms rehearse", why="virtual rehearsal")
_STEPS = tuple(
    StepRule(weight, min_time_s, min_calls)
    for weight, min_time_s, min_calls in (
        (100, 300.0, 10),
        (500, 300.0, 25),
        (2_500, 600.0, 100),
        (5_000, 900.0, 250),
        (9_500, 1_200.0, 1_000),
    )
)
"""The ladder of the default policy with a twentieth of its calls, and about half of its times but for the last, which is a day there."""

_INJECT_AT = 5_000
_LONGEST_TICKS = 600


@dataclass(slots=True)
class SeedResult:
    """What one seed came to.

    Attributes:
        calls: Calls in all.
        caller_errors: Calls that failed for the caller by an injected fault; the world's own errors are nobody's.
        steps: Where the phase stood, in order.
        tripped: The trip that stands at the end, None if there is none.
        calls_to_trip: Calls from the beginning of the injection until the look that saw the trip, None without both.
        trip_s: The same in virtual seconds.
        hours: How long it took, in virtual hours.
        holds: What kept the phase from going on at the last look.
    """

    seed: int
    faults: Faults
    calls: int = 0
    caller_errors: int = 0
    steps: list[str] = field(default_factory=list)
    tripped: Tripped | None = None
    calls_to_trip: int | None = None
    trip_s: float | None = None
    hours: float = 0.0
    holds: tuple[str, ...] = ()

    @property
    def top(self) -> str:
        """The last step of the ladder, as a split reads."""
        return "live=95"

    def as_json(self) -> dict[str, object]:
        """Return what ``--json`` says of it."""
        tripped = self.tripped
        return {
            "seed": self.seed,
            "calls": self.calls,
            "hours": round(self.hours, 2),
            "caller_errors": self.caller_errors,
            "steps": self.steps,
            "trip": None
            if tripped is None
            else {
                "guard": tripped.guard,
                "operation": tripped.operation,
                "from": tripped.before,
                "to": tripped.to,
                "calls_to_trip": self.calls_to_trip,
                "seconds": self.trip_s,
            },
            "good": self.is_good,
        }

    @property
    def is_good(self) -> bool:
        """True if a phase with nothing wrong came to the top and stayed there, or one with a fault was taken back."""
        if self.faults.is_none:
            return self.tripped is None and bool(self.steps) and self.steps[-1] == self.top
        return self.tripped is not None and self.tripped.done


class Walk:
    """One seed in a *folder* with ``flags/``, its policy among them."""

    def __init__(self, folder: Path, *, seed: int, faults: Faults) -> None:
        self._folder = folder
        self._clock = VirtualClock()
        self._service = VirtualService(folder, World(seed, self._clock.now_s), self._clock, faults=faults)
        self._latches = Latches(folder / "var" / "rollout.json")
        self._board = self._switchboard()
        self._controller = Controller(self._sources(), wait_s=1.0, steady=self._clock)
        self._began: tuple[int, float] | None = None
        self.result = SeedResult(seed, faults)

    def go(self) -> SeedResult:
        """Walk to the top, or until the controller has taken the phase back; then stay for a while."""
        began_s, result = self._clock.now_s, self.result
        try:
            for look in self._looks():
                self._note(look)
                if result.tripped is not None:
                    break
        finally:
            self._service.stop()
        result.calls, result.hours = self._service.calls, (self._clock.now_s - began_s) / 3_600
        result.caller_errors = self._service.injected_errors
        return result

    def _looks(self) -> Iterator[PhaseLook]:
        """Let time pass, look by look, until the phase has stood at the top for as long as that step asks for."""
        for stage in _BY_HAND:
            self._service.drive(TICK_S)
            flip(self._board, PHASE, parse_wish(stage, writes=True), _MANDATE, wait_s=1.0)
            self.result.steps.append(stage)
        at_top = 0
        for _ in range(_LONGEST_TICKS):
            self._service.drive(TICK_S if self._began is None else INJECTED_TICK_S)
            yield self._controller.look([PHASE]).phases[0]
            at_top += self.result.steps[-1] == self.result.top
            if at_top * TICK_S > _STEPS[-1].min_time_s:
                return

    def _note(self, look: PhaseLook) -> None:
        result, facts = self.result, look.assessment.facts
        result.holds = look.assessment.next.holds
        if look.report is not None:
            result.steps.append(look.report.move.after)
            self._begin_injection()
        result.tripped = self._latches.read().of(PHASE.name).tripped
        if result.tripped is not None and self._began is not None:
            calls, at_s = self._began
            result.calls_to_trip, result.trip_s = self._service.calls - calls, facts.now_s - at_s

    def _begin_injection(self) -> None:
        """Begin at half of the traffic, and see to it that the phase stays there until a guard trips."""
        if self.result.faults.is_none or self.result.steps[-1] != f"live={_INJECT_AT // 100}":
            return
        order = Order(who=_MANDATE.who, why="an injection has begun", at_s=self._clock.now_s)
        self._latches.change(PHASE.name, lambda latch: replace(latch, frozen=order))
        self._service.injection.is_on = True
        self._began = (self._service.calls, self._clock.now_s)

    def _switchboard(self) -> Switchboard:
        folder = self._folder
        return Switchboard(
            phases=PHASES,
            flags=FlagFiles(folder / "flags", PHASES),
            last_good=FlagFiles(folder / "var" / "last-good", PHASES),
            processes=self._service.processes,
            audit=Audit(folder / "var" / "audit.jsonl"),
            lock=folder / "var" / "flags.lock",
            standstill=lambda phase: self._latches.read().standstill(phase, now_s=self._clock.now_s),
            clock=self._clock,
        )

    def _sources(self) -> Sources:
        path = self._folder / "flags" / FILE
        return Sources(
            board=self._board,
            counts=partial(open_counts, self._folder / "var" / "journal.db"),
            policy=lambda: _whole_ladder(read_policy(path, PHASES, profile=PROFILE)),
            latches=self._latches,
        )


def _whole_ladder(policy: Policy) -> Policy:
    def climbing(standing: Standing) -> Standing:
        return replace(standing, policy=replace(standing.policy, steps=_STEPS, expires=dt.date.max))

    return replace(policy, phases={name: climbing(standing) for name, standing in policy.phases.items()})
