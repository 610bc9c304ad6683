"""Plans: what each operation of a seam does now, as one object that a facade delegates to.

A flip builds a new plan and stores it in the facade by one assignment, so ``get`` and ``set`` change together. Where
everybody stands at one stage and nothing has to run beside, an operation is the side's own bound method.

A facade's method keeps the plan it runs on alive, so a plan that was replaced and is still referenced is one that
calls are running on. That is how writes that went straight to a side, untracked, are known to be still under way
after a flip.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oms.domain.phase import Operation
from oms.domain.scope import ANONYMOUS
from oms.domain.stage import Effect, Side, Stage, course_for, written_sides
from oms.routing.epoch import Course, Pin
from oms.routing.reads import read_at
from oms.routing.scopes import CURRENT, Epochs, Scope
from oms.routing.state import SeamState
from oms.routing.writes import write_at

Call = Callable[..., Any]


def plan_class(operations: dict[str, Operation]) -> type[Any]:
    """Return a class with one slot per operation."""
    return type(
        "Plan",
        (),
        {"__slots__": (*operations, "__weakref__", "has_direct_writes"), "__doc__": "What each operation does now."},
    )


def build_plan(kind: type[Any], state: SeamState, epochs: Epochs) -> Any:
    """Return the plan of *state* for the stages that are possible in it now."""
    plan = kind()
    plan.has_direct_writes = False
    for name, operation in state.binding.operations.items():
        call = _uniform(state, operation) if len(state.possible) == 1 else None
        if call is None:
            call = _mixed(state, operation, epochs)
        elif operation.effect is Effect.WRITES and _is_direct(state, operation, call):
            plan.has_direct_writes = True
        setattr(plan, name, call)
    return plan


def _is_direct(state: SeamState, operation: Operation, call: Call) -> bool:
    return any(call == state.binding.method(side, operation.name) for side in Side)


def _uniform(state: SeamState, operation: Operation) -> Call:
    """Return the callable for an operation that every call does at the same stage."""
    stage = next(iter(state.possible))
    course = course_for(stage, operation.effect)
    if operation.effect is Effect.EFFECTS:
        # The other side is replayed on recorded events; that lane opens with the resilience phase.
        return state.binding.method(course.answers, operation.name)
    if operation.effect is Effect.WRITES:
        if course.beside is None and not state.is_checked:
            return state.binding.method(course.answers, operation.name)
        return write_at(state, operation, stage, state.digest, first=course.answers, second=course.beside)
    if course.beside is None and not state.is_checked:
        return state.binding.method(course.answers, operation.name)
    return read_at(state, operation, stage, state.digest)


def _mixed(state: SeamState, operation: Operation, epochs: Epochs) -> Call:
    """Return the callable for an operation whose stage each call decides for itself."""
    stages = _Stages(state, operation, epochs)
    place, calls, decide = stages.place, stages.calls, stages.decide
    current_scope = CURRENT.get

    # The two bodies are written out, and not called, because they are all that a pinned canary call costs.
    if operation.is_async:

        async def adecided(*args: Any, **kwargs: Any) -> Any:
            scope = current_scope()
            pin = scope.pins.get(place) if scope is not None else None
            if pin is None or pin.epoch is not epochs.current:
                pin = decide(scope)
            return await calls[pin.course](*args, **kwargs)

        return adecided

    def decided(*args: Any, **kwargs: Any) -> Any:
        scope = current_scope()
        pin = scope.pins.get(place) if scope is not None else None
        if pin is None or pin.epoch is not epochs.current:
            pin = decide(scope)
        return calls[pin.course](*args, **kwargs)

    return decided


class _Calls(dict[Course, Call]):
    """The callables of one operation by what was decided, each built when it is first needed."""

    def __init__(self, state: SeamState, operation: Operation) -> None:
        super().__init__()
        self._state = state
        self._operation = operation

    def __missing__(self, course: Course) -> Call:
        call = self[course] = self._build(*course)
        return call

    def _build(self, stage: Stage, present: Stage, plan: str) -> Call:
        if self._operation.effect is Effect.READS:
            return read_at(self._state, self._operation, stage, plan)
        if self._operation.effect is Effect.EFFECTS:
            return self._state.binding.method(course_for(stage, Effect.EFFECTS).answers, self._operation.name)
        return self._write(stage, present, plan)

    def _write(self, stage: Stage, present: Stage, plan: str) -> Call:
        """Write to the union of the sides of the scope's stage and of the current one; the scope's stage says who answers."""
        first = course_for(stage, Effect.WRITES).answers
        is_written = first.other in written_sides(stage) | written_sides(present)
        second = first.other if is_written else None
        return write_at(self._state, self._operation, stage, plan, first=first, second=second)


class _Stages:
    """The decision between the stages of one operation."""

    def __init__(self, state: SeamState, operation: Operation, epochs: Epochs) -> None:
        self._state = state
        self._operation = operation
        self._epochs = epochs
        self._phase = state.binding.seam.phase
        self._seam = state.binding.seam.name
        self.calls = _Calls(state, operation)
        self.place: object = self._phase.name
        if state.is_by_operation:
            self.place = (self._phase.name, self._seam, operation.name)

    def decide(self, scope: Scope | None) -> Pin:
        """Return the decision of *scope* for the current table; outside every scope that of the flag's default, counted."""
        if scope is not None:
            return scope.decide(self._phase, self.place, self._seam, self._operation.name)
        epoch = self._epochs.current
        decision = epoch.decision(self._phase)
        stage = (
            decision.decide(ANONYMOUS, self._seam, self._operation.name) if decision.by_operation else decision.default
        )
        self._state.cell(self._operation.name, stage, decision.digest).count("unscoped")
        return Pin((stage, stage, decision.digest), epoch)
