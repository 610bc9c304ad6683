"""What the hall keeps for one bound seam."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from oms.domain.observation import Disposition
from oms.domain.phase import Operation
from oms.domain.record import Place
from oms.domain.stage import Side, Stage, authorities, written_sides
from oms.routing.binding import Binding
from oms.routing.guard import HardFail
from oms.routing.judge import Judge
from oms.routing.keys import KeyBook
from oms.routing.repairs import Repairs
from oms.routing.requests import Requests
from oms.routing.tally import Cell, Ledger


class Hall(Protocol):
    """What a call needs of the runtime beyond its own seam."""

    def enter(self, state: SeamState, operation: Operation, cell: Cell, side: Side) -> Any:
        """A call into *side* that can't be cut begins; return a token for ``leave``."""

    def leave(self, token: Any) -> None:
        """That call has ended."""

    def watch(self) -> None:
        """Something may hang from now on: see to it that somebody watches, in this process."""

    def hard_failed(self, state: SeamState, operation: Operation) -> None:
        """The hard-fail guard of *state* tripped."""


class Lane(Protocol):
    """Where a call leaves what is to be compared."""

    def refuses(self) -> Disposition | None:
        """Return why a read is not shadowed now, None if it is."""

    def put(self, job: Any) -> None:
        """Leave *job*. Never waits."""


class LanesByLoop(Protocol):
    """The lanes of one seam, one for each event loop."""

    def here(self) -> Lane:
        """Return the lane of the running loop."""
        ...


@dataclass(slots=True, kw_only=True)
class SeamState:
    """One bound seam at run time.

    Attributes:
        desks: By the side that answers, where its effects are replayed with twins of the other; empty without effects.
        requests: Which have counted as evidence of late.
        is_split: True if some decision that calls may go by has several stages.
        version: Digest of what both sides and the comparison are made of.
        digest: Of the decision that is current.
        possible: Every stage at which some call may be answered now.
        is_checked: True if the present plan checks what the answering side owes to forget, where it would else be direct.
        is_by_operation: True if the present plan decides for each operation by itself.
        clock_ns: What the durations of reads are taken by, in nanoseconds; of control and candidate each in its own thread.
        older_plans: Weak references to plans that were replaced; one that is alive still has calls running on it.
    """

    binding: Binding
    hall: Hall
    ledger: Ledger
    keys: KeyBook
    repairs: Repairs
    judge: Judge
    guard: HardFail
    lane: Lane
    async_lanes: LanesByLoop
    desks: dict[Side, Any] = field(default_factory=dict)
    requests: Requests = field(default_factory=Requests)
    is_split: bool = False
    version: str = ""
    digest: str = ""
    possible: frozenset[Stage] = frozenset()
    is_checked: bool = False
    is_by_operation: bool = False
    clock_ns: Callable[[], int] = time.perf_counter_ns
    older_plans: list[weakref.ref[Any]] = field(default_factory=list)

    def cell(self, operation: str, stage: Stage, plan: str) -> Cell:
        """Return the counts of *operation* at *stage* under the decision with the digest *plan*."""
        seam = self.binding.seam
        cell = self.ledger.cell(Place(seam.phase.name, seam.name, operation, stage.value, plan, self.version))
        if self.is_split:
            cell.units.begin()
        return cell

    @property
    def sole_authority(self) -> Side | None:
        """The one side that answers writes now, None if different calls have different ones."""
        sides = authorities(self.possible)
        return next(iter(sides)) if len(sides) == 1 else None

    def failed_alone(self, operation: Operation) -> None:
        """Unified failed where legacy would have answered."""
        if self.guard.bad():
            self.hall.hard_failed(self, operation)

    def answering_side_owes(self) -> bool:
        """Tell whether one stage holds for everybody and the side that answers there owes to forget something."""
        side = self.sole_authority
        return len(self.possible) == 1 and side is not None and bool(self.keys.owed_by[side])

    def owes_as_planned(self) -> bool:
        """Tell whether the present plan checks debts just where it must."""
        return self.is_checked is self.answering_side_owes()

    @property
    def is_draining(self) -> bool:
        """Tell whether calls are still running on an older plan, whose direct writes nobody tracked."""
        return bool(self.older_plans) and any(plan.has_direct_writes for plan in self.plans_in_flight())

    def plans_in_flight(self) -> list[Any]:
        """Return the replaced plans that calls are still running on, and forget the others."""
        alive = []
        for reference in list(self.older_plans):
            plan = reference()
            if plan is not None:
                alive.append(plan)
            else:
                # One by one: another thread may be adding a plan, or removing this one, at the same time.
                with contextlib.suppress(ValueError):
                    self.older_plans.remove(reference)
        return alive

    def is_written_by_some(self, side: Side) -> bool:
        """Tell whether writes of some cohort reach *side* now."""
        return any(side in written_sides(stage) for stage in self.possible)


KeyOf = Callable[[tuple[Any, ...], dict[str, Any]], str | None]


def key_getter(operation: Operation) -> KeyOf:
    """Return a function that finds the key in a call as the facade makes it: positional unless keyword-only."""
    if operation.key is None:
        return lambda args, kwargs: None
    name = operation.key
    parameters = list(operation.signature.parameters.values())
    place = next(index for index, parameter in enumerate(parameters) if parameter.name == name)
    if parameters[place].kind is parameters[place].KEYWORD_ONLY:
        return lambda args, kwargs: _hashable(kwargs[name])
    return lambda args, kwargs: args[place] if type(args[place]) is str else _hashable(args[place])


def _hashable(key: Any) -> Any:
    """Return *key*, or its text where it can't be hashed: our bookkeeping must not refuse what a side would take."""
    try:
        hash(key)
    except Exception:  # somebody else's __hash__
        return repr(key)
    return key
