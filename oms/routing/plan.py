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
from oms.domain.stage import Effect, Side, Stage, course_for
from oms.routing.epoch import Epoch
from oms.routing.reads import read_at
from oms.routing.scopes import CURRENT, Epochs
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
        if course.beside is None:
            return state.binding.method(course.answers, operation.name)
        return write_at(state, operation, stage, first=course.answers, second=course.beside)
    if course.beside is None and not state.keys.owed_by[course.answers]:
        return state.binding.method(course.answers, operation.name)
    return read_at(state, operation, stage)


def _mixed(state: SeamState, operation: Operation, epochs: Epochs) -> Call:
    """Return the callable for an operation whose stage each call decides for itself."""
    by_stage = _Stages(state, operation, epochs)
    if operation.is_async:

        async def adecided(*args: Any, **kwargs: Any) -> Any:
            return await by_stage.now()(*args, **kwargs)

        return adecided

    def decided(*args: Any, **kwargs: Any) -> Any:
        return by_stage.now()(*args, **kwargs)

    return decided


class _Stages:
    """The callables of one operation by stage, built when first needed, and the decision between them."""

    def __init__(self, state: SeamState, operation: Operation, epochs: Epochs) -> None:
        self._state = state
        self._operation = operation
        self._epochs = epochs
        self._phase = state.binding.seam.phase
        self._seam = state.binding.seam.name
        self._calls: dict[tuple[Stage, Stage] | Stage, Call] = {}

    def now(self) -> Call:
        """Return what this call does."""
        scope = CURRENT.get()
        if scope is None:
            stage = self._default(self._epochs.current)
            self._state.cell(self._operation.name, stage).count("unscoped")
        else:
            stage = scope.stage(self._phase, self._seam, self._operation.name)
        if self._operation.effect is Effect.WRITES:
            present = stage if scope is None else self._present(scope.context)
            return self._calls.get((stage, present)) or self._build((stage, present))
        return self._calls.get(stage) or self._build(stage)

    def _default(self, epoch: Epoch) -> Stage:
        decision = epoch.decision(self._phase)
        return (
            decision.decide(ANONYMOUS, self._seam, self._operation.name) if decision.by_operation else decision.default
        )

    def _present(self, context: Any) -> Stage:
        return self._epochs.current.decision(self._phase).decide(context, self._seam, self._operation.name)

    def _build(self, key: tuple[Stage, Stage] | Stage) -> Call:
        call = self._write(*key) if isinstance(key, tuple) else self._other(key)
        self._calls[key] = call
        return call

    def _other(self, stage: Stage) -> Call:
        if self._operation.effect is Effect.EFFECTS:
            return self._state.binding.method(course_for(stage, Effect.EFFECTS).answers, self._operation.name)
        return read_at(self._state, self._operation, stage)

    def _write(self, stage: Stage, present: Stage) -> Call:
        """Write to the union of the sides of the scope's stage and of the current one; the scope's stage says who answers."""
        courses = course_for(stage, Effect.WRITES), course_for(present, Effect.WRITES)
        first = courses[0].answers
        sides = {side for course in courses for side in (course.answers, course.beside)}
        second = first.other if first.other in sides else None
        return write_at(self._state, self._operation, stage, first=first, second=second)
