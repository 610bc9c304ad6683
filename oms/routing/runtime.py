"""The runtime: bindings, facades, the present decision table, and what every process needs to tell about itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from oms.domain.decision import DecisionTable
from oms.domain.errors import BindingError
from oms.domain.known import KnownDivergence
from oms.domain.phase import Operation, Phase, Seam
from oms.domain.record import Batch, Tally, Trip
from oms.domain.stage import Effect, Side, Stage, rollback_target
from oms.domain.standing import PhaseStanding
from oms.routing.allowance import CpuAllowance
from oms.routing.binding import bind
from oms.routing.bound import Bound
from oms.routing.capped import Caps, highest
from oms.routing.epoch import Epoch
from oms.routing.fork import reset_in_child
from oms.routing.lane import LaneLimits, SyncLane
from oms.routing.scopes import CURRENT, Scope
from oms.routing.state import SeamState
from oms.routing.tally import Cell, Ledger
from oms.routing.watchdog import InFlight, Watchdog

P = TypeVar("P")
A = TypeVar("A")
Q = ParamSpec("Q")
R = TypeVar("R")

_LOG = logging.getLogger("oms.routing")
_DRAIN_POLL_S = 0.005


class Runtime:
    """Routes the calls of every bound seam. One per process; safe to use from any thread.

    Until the first table is published every phase stands at its declared default.
    """

    def __init__(
        self,
        *,
        rules: Sequence[KnownDivergence] = (),
        hash_key: bytes | None = None,
        limits: LaneLimits | None = None,
        clock: Callable[[], float] = time.time,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        lane: type[SyncLane] = SyncLane,
    ) -> None:
        """Make a runtime without bindings.

        Args:
            rules: Known divergences of every phase.
            hash_key: Key of the hashes in divergence samples; the same in every process that shares a journal. A
            fresh one if None.
            limits: Bounds of the lanes.
            clock: Unix time in seconds, of trips and of units.
            clock_ns: What the durations of reads are taken by, in nanoseconds.
            lane: What sync callers leave their comparisons to.
        """
        self._clock, self._clock_ns, self._lane = clock, clock_ns, lane
        self._rules = rules
        self._hash_key = hash_key or secrets.token_bytes(32)
        self._limits = limits or LaneLimits()
        self._ledger = Ledger(clock=clock)
        self._allowance = CpuAllowance(self._limits.cpu_share)
        self._lock = threading.RLock()
        self._bound: dict[tuple[str, str], Bound] = {}
        self._published = DecisionTable.of()
        self._is_published = False
        self.current = Epoch(self._published)
        self._held: list[Epoch] = []
        self._applied: dict[str, tuple[str, float]] = {}
        self._caps = Caps()
        self._on_trip: list[Callable[[Trip], None]] = []
        self._watchdog = Watchdog(self._hung, self._each_tick)
        reset_in_child(self._after_fork)

    # -- wiring

    def bind(self, seam: Seam[Any, Any], *, legacy: object, unified: object) -> None:
        """Bind both sides to *seam*.

        Raises:
            BindingError: if a side does not fit, naming phase, seam, side, method and parameter; or if the seam is
            bound already.
        """
        binding = bind(seam, legacy=legacy, unified=unified)
        with self._lock:
            if (seam.phase.name, seam.name) in self._bound:
                raise seam.fault("is bound already, wanted one binding for each seam")
            bound = Bound(
                binding,
                hall=self,
                ledger=self._ledger,
                rules=self._rules,
                hash_key=self._hash_key,
                limits=self._limits,
                allowance=self._allowance,
                clock_ns=self._clock_ns,
                lane=self._lane,
            )
            self._bound[seam.phase.name, seam.name] = bound
            self._note_applied(seam.phase)
            bound.plan(self, self._oldest())

    def facade(self, seam: Seam[P, A]) -> P:
        """Return what callers hold: *seam*'s port, routed. The same object each time; its methods follow every flip.

        Raises:
            BindingError: if the seam is not bound.
        """
        port: P = self._get(seam).facade
        return port

    def afacade(self, seam: Seam[P, A]) -> A:
        """Return *seam*'s async port, routed, over the same state as ``facade``.

        Raises:
            BindingError: if the seam is not bound or has no second port.
        """
        if seam.aport is None:
            raise seam.fault("has no async port beside its port, wanted aport=")
        port: A = self._get(seam).facade
        return port

    def phases(self) -> dict[str, Phase]:
        """Return the phases with at least one bound seam, by name."""
        return {bound.state.binding.seam.phase.name: bound.state.binding.seam.phase for bound in self._bound.values()}

    # -- decisions

    def publish(self, table: DecisionTable) -> None:
        """Put *table* in force: new scopes and calls outside scopes use it from the very next call on."""
        with self._lock:
            is_first = not self._is_published
            if is_first:
                self._is_published = True
                for bound in self._bound.values():
                    bound.begin_anew()
            self._published = table
            for phase in self._caps.let_go(table, self.phases().values()):
                self._reset_guards(phase)
            self._put_in_force(is_first=is_first)

    def scope(self, *, targeting_key: str | None = None, attributes: Mapping[str, object] | None = None) -> Scope:
        """Return one unit of work: a context manager (also async) and a decorator, with its decisions pinned.

        Args:
            targeting_key: What canaries are sticky on.
            attributes: Further facts for the flag's targeting.
        """
        return Scope(self, targeting_key, attributes)

    def carry(self, function: Callable[Q, R]) -> Callable[Q, R]:
        """Return *function* to be called in another thread within the scope that is open here; itself if none is."""
        scope = CURRENT.get()
        return function if scope is None else scope.carry(function)

    def trip(self, phase: Phase, cap: Stage, *, seam: str, operation: str, guard: str, reason: str) -> None:
        """Take *phase* back to *cap* in this process, at once, until its flag stands there too. Does nothing if it is that low already."""
        with self._lock:
            served = highest(self.current.decision(phase))
            if served.rank <= cap.rank:
                return
            trip = Trip(phase.name, seam, operation, guard, served.value, cap.value, reason, self._clock())
            self._caps.hold(phase, cap, f"{guard} at {seam}.{operation}: {reason}")
            self._ledger.trip(trip)
            told = "phase %s: %s tripped at %s, this process serves %s: %s"
            _LOG.error(told, phase.name, guard, served.value, cap.value, reason)
            self._put_in_force()
        # Without the lock: a listener may have one of its own, which another thread holds while it asks where the phases stand.
        for tell in self._on_trip:
            with contextlib.suppress(Exception):  # the caller whose call tripped the guard has nothing to do with it
                tell(trip)

    def listen(self, on_trip: Callable[[Trip], None]) -> None:
        """Have *on_trip* called at each trip, once it is in force, in the thread that tripped: it must neither wait nor raise."""
        self._on_trip.append(on_trip)

    # -- what the journal and the process file ask for

    def drain(self) -> Batch:
        """Return everything since the last drain."""
        return self._ledger.drain()

    def totals(self) -> list[Tally]:
        """Return every count since the process began."""
        return self._ledger.totals()

    def standing(self) -> dict[str, PhaseStanding]:
        """Return where each bound phase stands in this process."""
        with self._lock:
            return {name: self._standing(phase) for name, phase in self.phases().items()}

    def stop(self, limit_s: float = 5.0) -> int:
        """Work off the lanes for at most *limit_s* seconds in all and end every thread. Return how many comparisons were lost."""
        until = time.perf_counter() + limit_s
        lost = 0
        for bound in list(self._bound.values()):
            lost += bound.stop(max(0.0, until - time.perf_counter()))
        self._watchdog.stop()
        return lost

    async def adrain(self, limit_s: float = 5.0) -> None:
        """Wait until the async lanes have nothing left to do, for at most *limit_s* seconds: before the loop ends."""
        until = time.perf_counter() + limit_s
        while time.perf_counter() < until and not all(bound.async_lanes.is_idle for bound in self._bound.values()):
            await asyncio.sleep(_DRAIN_POLL_S)

    # -- what scopes and calls ask for (scopes.Epochs, state.Hall)

    def scope_closed(self, epoch: Epoch) -> None:
        """React to the end of the last scope that held *epoch*."""
        with self._lock:
            self._replan_all()

    def scope_rejoined(self, epoch: Epoch) -> None:
        """React to work that is carried on within a scope of *epoch*, which nobody may have held in between."""
        with self._lock:
            oldest = self._oldest()
            first = epoch if any(later is oldest for later in epoch.since()) else oldest
            self._held = [held for held in first.since() if held is not self.current]
            self._replan_all()

    def enter(self, state: SeamState, operation: Operation, cell: Cell, side: Side) -> InFlight:
        """A sync call into *side*, which can't be cut, begins."""
        call = InFlight(state, operation, cell, side)
        self._watchdog.enter(call)
        return call

    def leave(self, token: InFlight) -> None:
        """That call has ended."""
        self._watchdog.leave(token)

    def watch(self) -> None:
        """See to it that the watchdog runs: a forked child begins without one."""
        self._watchdog.start()

    def hard_failed(self, state: SeamState, operation: Operation) -> None:
        """Unified failed alone too often: live > shadow in this process."""
        seam, reason = state.binding.seam, "unified raised where legacy answers"
        self.trip(seam.phase, Stage.SHADOW, seam=seam.name, operation=operation.name, guard="hard_fail", reason=reason)

    # -- inside

    def _hung(self, call: InFlight) -> None:
        seam, operation = call.state.binding.seam, call.operation
        reason = f"{call.side} {operation.name}() has not returned within {operation.deadline_s:g} s"
        if call.side is Side.LEGACY:
            _LOG.error("%s: %s, and there is no way back from legacy", seam.full_name, reason)
            return
        # From where the call was made, not from what is served: of several that hang the first may have tripped it already.
        at = Stage(call.cell.place.stage)
        cap = rollback_target(at, writes=seam.phase.writes) or at
        if operation.effect is Effect.WRITES:
            # Every stage above off would still write to the side that hangs; legacy has taken every write so far.
            cap = Stage.OFF
        self.trip(seam.phase, cap, seam=seam.name, operation=operation.name, guard="watchdog", reason=reason)

    def _each_tick(self, now_s: float) -> None:
        if self._allowance.is_spent:
            self._allowance.refill()
        self._ledger.fold()
        for bound in list(self._bound.values()):
            bound.lane.check(now_s)
            bound.async_lanes.check()
            bound.state.requests.settle()

    def _states(self) -> list[SeamState]:
        return [bound.state for bound in list(self._bound.values())]

    def _get(self, seam: Seam[Any, Any]) -> Bound:
        bound = self._bound.get((seam.phase.name, seam.name))
        if bound is None:
            raise BindingError("is not bound, wanted runtime.bind() first", phase=seam.phase.name, seam=seam.name)
        return bound

    def _put_in_force(self, *, is_first: bool = False) -> None:
        """Publish an epoch of the published table under the caps of this process."""
        epoch, previous = Epoch(self._caps.over(self._published, self.phases().values())), self.current
        previous.next = epoch
        self._held.append(previous)
        if not is_first:
            # Plans that know both tables come before the first scope that begins with the new one, else its first calls would
            # still go by the old table alone.
            self._replan_all(but_keep=previous)
        self.current = epoch
        for phase in self.phases().values():
            self._note_applied(phase)
        self._replan_all()

    def _note_applied(self, phase: Phase) -> None:
        digest = self.current.decision(phase).digest
        if self._applied.get(phase.name, (None, 0.0))[0] != digest:
            self._applied[phase.name] = (digest, time.time())

    def _replan_all(self, *, but_keep: Epoch | None = None) -> None:
        self._held = [epoch for epoch in self._held if epoch.scopes or epoch is but_keep]
        for bound in self._bound.values():
            bound.plan(self, self._oldest())
        if any(not bound.state.possible <= {Stage.OFF, Stage.COMPLETE} for bound in self._bound.values()):
            self._watchdog.start()

    def _oldest(self) -> Epoch:
        return self._held[0] if self._held else self.current

    def _standing(self, phase: Phase) -> PhaseStanding:
        digest, applied_at = self._applied[phase.name]
        states = [state for state in self._states() if state.binding.seam.phase is phase]
        older = [epoch for epoch in self._held if epoch.decision(phase).digest != digest]
        began = [at for epoch in older for at in list(epoch.scopes.values())]
        cap = self._caps.get(phase)
        return PhaseStanding(
            digest=digest,
            applied_at=applied_at,
            oldest_scope_at=min(began, default=None),
            in_flight=sum(len(state.plans_in_flight()) for state in states),
            tripped=cap.value if cap else None,
            tripped_by=self._caps.why(phase),
            repairs=sum(state.repairs.open_count for state in states),
        )

    def _reset_guards(self, phase: Phase) -> None:
        for state in self._states():
            if state.binding.seam.phase is phase:
                state.guard.reset()

    def _after_fork(self) -> None:
        """In the child: no thread, no lock and no count of the parent is left."""
        self._lock = threading.RLock()
        self._ledger.forget()
        self._allowance = CpuAllowance(self._limits.cpu_share)
        self._watchdog.reset()
        own = CURRENT.get()
        for epoch in [*self._held, self.current]:
            epoch.scopes = {member: at for member, at in epoch.scopes.items() if own is not None and member == id(own)}
        for bound in self._bound.values():
            bound.reset_after_fork(self._allowance)
