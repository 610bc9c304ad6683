"""A bound seam at work: its state, its lanes, the facade that callers hold and the plan behind it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence

from oms.domain.known import KnownDivergence
from oms.domain.stage import Effect, Side, Stage, course_for, written_sides
from oms.routing.allowance import CpuAllowance
from oms.routing.async_lane import AsyncLanes
from oms.routing.binding import Binding
from oms.routing.epoch import Epoch, effective_stages
from oms.routing.facade import facade_class
from oms.routing.guard import HardFail
from oms.routing.judge import Judge
from oms.routing.keys import EVERYTHING, KeyBook
from oms.routing.lane import LaneLimits, SyncLane
from oms.routing.plan import build_plan, plan_class
from oms.routing.repairs import Repairs
from oms.routing.replay.circuits import hand_over
from oms.routing.replay.desk import Desk
from oms.routing.replay.effects import recorded_sides
from oms.routing.scopes import Epochs
from oms.routing.state import Hall, SeamState
from oms.routing.tally import Ledger
from oms.routing.version import version_of


class Bound:
    """One seam between its two sides and its callers.

    Attributes:
        facade: What callers hold, of both ports.
    """

    def __init__(
        self,
        binding: Binding,
        *,
        hall: Hall,
        ledger: Ledger,
        rules: Sequence[KnownDivergence],
        hash_key: bytes,
        limits: LaneLimits,
        allowance: CpuAllowance,
        clock_ns: Callable[[], int],
        lane: type[SyncLane],
    ) -> None:
        keys, seam, sides = KeyBook(), binding.seam, binding.sides
        self.lane = lane(seam.full_name, limits, allowance)
        self.async_lanes = AsyncLanes(limits, allowance)
        self.state = SeamState(
            binding=binding,
            hall=hall,
            ledger=ledger,
            keys=keys,
            repairs=Repairs(binding, keys, ledger, self._debts_changed),
            judge=Judge(binding.seam, rules, ledger, hash_key),
            guard=HardFail(),
            lane=self.lane,
            async_lanes=self.async_lanes,
            clock_ns=clock_ns,
            version=version_of(seam, legacy=sides[Side.LEGACY], unified=sides[Side.UNIFIED], rules=rules).digest,
        )
        if any(operation.effect is Effect.EFFECTS for operation in binding.operations.values()):
            self.state.desks.update({side: Desk(self.state, side) for side in Side})
        self.facade = facade_class(binding.seam, binding.operations)()
        self._plan_class = plan_class(binding.operations)
        self._lock = threading.RLock()
        self._epochs: Epochs | None = None
        self._covered: frozenset[Side] = frozenset()

    def plan(self, epochs: Epochs, oldest: Epoch) -> None:
        """Put the plan for the tables from *oldest* to the current one in force, unless it is in force already."""
        with self._lock:
            self._epochs = epochs
            state, phase = self.state, self.state.binding.seam.phase
            possible = effective_stages(phase, oldest)
            is_by_operation = any(epoch.decision(phase).by_operation for epoch in oldest.since())
            state.is_split = any(len(epoch.decision(phase).stages) > 1 for epoch in oldest.since())
            self._owe_what_was_missed(possible, epochs.current.decision(phase).stages)
            self._hand_over(possible)
            digest = epochs.current.decision(phase).digest
            is_same = (possible, is_by_operation, digest) == (state.possible, state.is_by_operation, state.digest)
            if is_same and state.owes_as_planned():
                return
            state.possible, state.is_by_operation, state.digest = possible, is_by_operation, digest
            self._store_locked(epochs)

    def begin_anew(self) -> None:
        """Take the next plan as the first one: what stood before it was only a declared default."""
        self.state.possible = frozenset()

    def stop(self, limit_s: float) -> int:
        """Work off the sync lane for at most *limit_s* seconds; return how many comparisons of all lanes were lost."""
        lost = self.lane.stop(limit_s) + self.async_lanes.stop()
        self.state.requests.settle()
        return lost

    def reset_after_fork(self, allowance: CpuAllowance) -> None:
        """In a forked child: no thread and no lock of the parent is left."""
        self._lock = threading.RLock()
        self.state.keys.reset_locks()
        self.state.repairs.reset_locks()
        self.state.guard.reset()
        self.state.requests.reset()
        self.state.judge.noise_paths.reset_lock()
        self.state.older_plans.clear()
        for desk in self.state.desks.values():
            desk.reset_after_fork()
        self.lane.reset(allowance)
        self.async_lanes.reset(allowance)

    def _store_locked(self, epochs: Epochs) -> None:
        self.state.is_checked = self.state.answering_side_owes()
        old = getattr(self.facade, "_plan", None)
        self.facade._plan = build_plan(self._plan_class, self.state, epochs)
        if old is not None:
            self.state.older_plans.append(weakref.ref(old))

    def _hand_over(self, possible: frozenset[Stage]) -> None:
        """A side that begins to answer adopts the breakers that are open in the other; a side that begins to be replayed does so anew."""
        if not self.state.desks:
            return
        before, after = _answering(self.state.possible), _answering(possible)
        for side in after - before:
            if side.other in before:
                hand_over(self.state.binding.sides[side.other], self.state.binding.sides[side])
        if self.state.possible:
            for control in recorded_sides(possible) - recorded_sides(self.state.possible):
                self.state.desks[control].begin_anew()

    def _debts_changed(self, side: Side) -> None:
        """A direct call would bypass what its side owes to forget, and a checked one costs more than it need: plan again."""
        if self._epochs is not None and not self.state.owes_as_planned():
            with self._lock:
                self._store_locked(self._epochs)

    def _owe_what_was_missed(self, possible: frozenset[Stage], present: frozenset[Stage]) -> None:
        """A side that writes passed by forgets everything before it is used again: when it comes into use, and when none passes it by."""
        binding = self.state.binding
        if not binding.has_keys:
            return
        covered, used = _covered(possible, present), _used(possible)
        if before := self.state.possible:
            missed = (covered - self._covered) | (used - _used(before))
        else:
            # At start what a process holds is empty. What is shared may be of a time when it was left out.
            is_first_write = present == {Stage.DUALWRITE}
            missed = frozenset(side for side in covered if is_first_write and not binding.is_process_local(side))
        for side in missed:
            self.state.keys.owe(side, EVERYTHING)
        self._covered = covered


def _answering(possible: frozenset[Stage]) -> frozenset[Side]:
    """Return the sides that answer the effects of some cohort."""
    return frozenset(course_for(stage, Effect.EFFECTS).answers for stage in possible)


def _used(possible: frozenset[Stage]) -> frozenset[Side]:
    """Return the sides that some write reaches, and some read may: untracked writes pass by the others."""
    return frozenset(side for stage in possible for side in written_sides(stage))


def _covered(possible: frozenset[Stage], present: frozenset[Stage]) -> frozenset[Side]:
    """Return the sides that every write reaches: it goes to those of its scope's stage and of what the table says now."""
    return frozenset(
        side
        for side in Side
        if all(side in written_sides(stage) | written_sides(now) for stage in possible for now in present)
    )
