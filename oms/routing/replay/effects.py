"""Effects: the control runs in the caller, written down as it goes; the twin of the other side is replayed in the lane."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from typing import Any

from oms.domain.observation import Disposition, Outcome, Uncomparable
from oms.domain.phase import Operation
from oms.domain.stage import Effect, Side, Stage, course_for
from oms.routing.contain import INSIDE
from oms.routing.replay.circuits import circuit_getter
from oms.routing.replay.desk import Desk
from oms.routing.replay.recorder import GONE, back_to, set_time
from oms.routing.replay.reel import Heading, Reel
from oms.routing.state import SeamState
from oms.routing.tally import Cell
from oms.seams.resilience import TIME

_clock = time.perf_counter_ns
_present_time, _is_inside = TIME.get, INSIDE.get


def effect_at(state: SeamState, operation: Operation, stage: Stage, plan: str) -> Callable[..., Any]:
    """Return the callable that does the effect *operation* at *stage*, with the facade's normalised arguments, counted under *plan*.

    Where some cohort's calls of the same control are replayed, all of them are written down, or the twin would not know what its control knows.
    """
    course = course_for(stage, Effect.EFFECTS)
    if course.beside is None and course.answers not in recorded_sides(state.possible):
        return state.binding.method(course.answers, operation.name)
    cell = state.cell(operation.name, stage, plan)
    return Replayed(state, operation, stage, cell, is_compared=course.beside is not None).acall


def recorded_sides(stages: Iterable[Stage]) -> frozenset[Side]:
    """Return the sides that answer effects at a stage at which the other side is replayed."""
    courses = [course_for(stage, Effect.EFFECTS) for stage in stages]
    return frozenset(course.answers for course in courses if course.beside is not None)


class Replayed:
    """One effect at one stage, written down; compared unless the stage has nobody beside."""

    def __init__(self, state: SeamState, operation: Operation, stage: Stage, cell: Cell, *, is_compared: bool) -> None:
        side = course_for(stage, Effect.EFFECTS).answers
        desk: Desk = state.desks[side]
        self._heading = Heading(desk, state, operation, cell, stage, side, is_compared)
        self._state, self._side, self._desk = state, side, desk
        self._is_compared = is_compared
        self._control = state.binding.method(side, operation.name)
        self._cell = cell
        self._subject_of = _subject_getter(operation)
        self._circuit = circuit_getter(state.binding.sides[side])

    async def acall(self, function: Callable[[], Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Answer a call. Its user's function runs as often as the control says, and never for the twin."""
        subject = self._subject_of(args, kwargs)
        refusal = self._refusal()
        is_async = _is_async(function)
        if refusal is not None or not (is_async or _is_plain(function)):
            return await self._unrecorded(refusal, subject, function, args, kwargs)
        circuit = self._circuit
        base = _present_time()
        reel = Reel(self._heading, subject, (args, kwargs), circuit(subject), base)
        set_time(reel)
        began = _clock()
        try:
            watched = reel.watched(function) if is_async else reel.watched_plain(function)
            coroutine = self._control(watched, *args, **kwargs)
            try:
                waits_for = coroutine.send(None)
            except StopIteration as end:
                answer = end.value
            else:
                answer = await _Stepped(coroutine, waits_for, reel.step)
        except BaseException as error:
            reel.control_ns = took = _clock() - began
            self._note(took, error)
            reel.raised(error, circuit(subject))
            back_to(base, error)
            self._state.lane.put(reel)
            raise
        reel.control_ns = took = _clock() - began
        self._note(took)
        reel.returned(circuit(subject))
        set_time(base)
        self._state.lane.put(reel)
        return answer

    def _refusal(self) -> Disposition | Outcome | None:
        """Return why a call is not recorded now, None if it is."""
        if _is_inside():
            return Disposition.NESTED
        return Outcome.DROPPED if self._desk.is_full else self._state.lane.refuses()

    async def _unrecorded(
        self,
        refusal: Disposition | Outcome | None,
        subject: str,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Answer a call that is not replayed: nobody may look now, or what it is given is no function that could be."""
        began, raised = _clock(), None
        try:
            return await self._control(function, *args, **kwargs)
        except BaseException as error:
            raised = error
            raise
        finally:
            # What the control has learned here its twin has not.
            self._desk.lost(subject)
            took = _clock() - began
            self._note(took, raised)
            if isinstance(raised, GONE):
                refusal = Disposition.CANCELLED
            elif not self._is_compared:
                refusal = Disposition.UNSHADOWED
            if isinstance(refusal, Disposition):
                self._cell.call(refusal, self._side)(took)
            elif refusal is not None:
                self._cell.shadowed(refusal, None, ((self._side, took),))
            else:
                self._cell.shadowed(Outcome.UNCOMPARABLE, Uncomparable.NOT_REPLAYABLE, ((self._side, took),))

    def _note(self, took: int, error: BaseException | None = None) -> None:
        """Count what this call is for its unit: a failure, a slow answer."""
        units = self._cell.units
        if error is not None and isinstance(error, Exception):
            units.failed()
        if took > units.line_ns and not isinstance(error, GONE):
            units.slow(took)


def _is_async(function: Any) -> bool:
    """Tell whether *function* returns a coroutine when it is called. The usual one is told by its code, in a tenth of the time."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & inspect.CO_COROUTINE:
        return True
    function = _bare(function)
    call = inspect.getattr_static(type(function), "__call__", None)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _is_plain(function: Any) -> bool:
    """Tell whether *function* may return something to await, as ``lambda: client.get(url)`` does; a generator does not."""
    bare = _bare(function)
    return callable(bare) and not (inspect.isgeneratorfunction(bare) or inspect.isasyncgenfunction(bare))


def _bare(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


class _Stepped:
    """The rest of a coroutine that waits for something, which says so each time before it goes on."""

    __slots__ = ("_coroutine", "_step", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any, step: Callable[[], None]) -> None:
        self._coroutine, self._waits_for, self._step = coroutine, waits_for, step

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, step, waits_for = self._coroutine, self._step, self._waits_for
        try:
            while True:
                sent, error = None, None
                try:
                    sent = yield waits_for
                except BaseException as thrown:  # passed on to the coroutine, which decides
                    error = thrown
                step()
                waits_for = coroutine.send(sent) if error is None else coroutine.throw(error)
        except StopIteration as end:
            return end.value


def _subject_getter(operation: Operation) -> Callable[[tuple[Any, ...], dict[str, Any]], str]:
    """Return what finds the subject in a call as the facade makes it: positional unless keyword-only, without the function."""
    parameters = list(operation.signature.parameters.values())[1:]
    place = next(index for index, parameter in enumerate(parameters) if parameter.name == operation.subject)
    name = parameters[place].name
    if parameters[place].kind is parameters[place].KEYWORD_ONLY:
        return lambda args, kwargs: str(kwargs[name])
    return lambda args, kwargs: str(args[place])
