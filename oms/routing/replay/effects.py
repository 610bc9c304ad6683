"""Effects: the control runs in the caller, written down as it goes; the twin of the other side is replayed in the lane."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from typing import Any

from oms.domain.observation import Disposition, Outcome, Uncomparable
from oms.domain.phase import Operation
from oms.domain.stage import Effect, Side, Stage, course_for
from oms.routing.contain import INSIDE
from oms.routing.replay.circuits import circuit_of
from oms.routing.replay.recorder import GONE, Recorder, Recording
from oms.routing.state import SeamState
from oms.seams.resilience import TIME

_clock = time.perf_counter_ns


def effect_at(state: SeamState, operation: Operation, stage: Stage) -> Callable[..., Any]:
    """Return the callable that does the effect *operation* at *stage*, with the facade's normalised arguments.

    Where some cohort's calls of the same control are replayed, all of them are written down, or the twin would not know what its control knows.
    """
    course = course_for(stage, Effect.EFFECTS)
    if course.beside is None and course.answers not in recorded_sides(state.possible):
        return state.binding.method(course.answers, operation.name)
    return Replayed(state, operation, stage, is_compared=course.beside is not None).acall


def recorded_sides(stages: Iterable[Stage]) -> frozenset[Side]:
    """Return the sides that answer effects at a stage at which the other side is replayed."""
    courses = [course_for(stage, Effect.EFFECTS) for stage in stages]
    return frozenset(course.answers for course in courses if course.beside is not None)


class Replayed:
    """One effect at one stage, written down; compared unless the stage has nobody beside."""

    def __init__(self, state: SeamState, operation: Operation, stage: Stage, *, is_compared: bool) -> None:
        side = course_for(stage, Effect.EFFECTS).answers
        self._state, self._operation, self._stage, self._side = state, operation, stage, side
        self._is_compared = is_compared
        self._control = state.binding.method(side, operation.name)
        self._implementation = state.binding.sides[side]
        self._desk = state.desks[side]
        self._cell = state.cell(operation.name, stage)
        self._subject_of = _subject_getter(operation)

    async def acall(self, function: Callable[[], Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Answer a call. Its user's function runs as often as the control says, and never for the twin."""
        subject = self._subject_of(args, kwargs)
        refusal = Disposition.NESTED if INSIDE.get() else self._state.lane.refuses()
        if refusal is not None or not inspect.iscoroutinefunction(function):
            return await self._unrecorded(refusal, subject, function, args, kwargs)
        base = TIME.get()
        recorder = self._recorder(subject, args, kwargs)
        began = _clock()
        TIME.set(recorder.time)
        try:
            answer = await _Stepped(self._control(recorder.watched(function), *args, **kwargs), recorder.step)
        except BaseException as error:
            recorder.raised(error, _clock() - began)
            raise
        else:
            recorder.returned(_clock() - began)
            return answer
        finally:
            TIME.set(base)

    def _recorder(self, subject: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recorder:
        def circuit() -> Any:
            return circuit_of(self._implementation, subject)

        recording = Recording(
            self._state,
            self._operation,
            self._cell,
            self._stage,
            self._side,
            subject=subject,
            arguments=(args, kwargs),
            before=circuit(),
            is_compared=self._is_compared,
        )
        return Recorder(
            recording,
            base=TIME.get(),
            lane=self._state.lane,
            circuit=circuit,
            replay=self._desk.replay,
            lost=self._desk.lost,
        )

    async def _unrecorded(
        self, refusal: Disposition | None, subject: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Answer a call that is not replayed: nobody may look now, or the function is none that could be written down."""
        began = _clock()
        is_cancelled = False
        try:
            return await self._control(function, *args, **kwargs)
        except BaseException as error:
            is_cancelled = isinstance(error, GONE)
            raise
        finally:
            # What the control has learned here its twin has not.
            self._desk.lost(subject)
            took = _clock() - began
            if is_cancelled:
                refusal = Disposition.CANCELLED
            elif not self._is_compared:
                refusal = Disposition.UNSHADOWED
            if refusal is not None:
                self._cell.call(refusal, self._side)(took)
            else:
                self._cell.shadowed(Outcome.UNCOMPARABLE, Uncomparable.NOT_REPLAYABLE, ((self._side, took),))


class _Stepped:
    """A coroutine that says so each time before it goes on."""

    __slots__ = ("_coroutine", "_step")

    def __init__(self, coroutine: Coroutine[Any, Any, Any], step: Callable[[], None]) -> None:
        self._coroutine, self._step = coroutine, step

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, step = self._coroutine, self._step
        try:
            waits_for = coroutine.send(None)
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
