"""Reads: the control answers in the caller, the other side is left for a lane.

Sync and async share everything but the two short drivers at the end of each kind.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from oms.domain.errors import NotSnapshottable
from oms.domain.observation import Disposition, Returned, Uncomparable
from oms.domain.phase import Operation
from oms.domain.stage import Effect, Side, Stage, course_for
from oms.routing.contain import INSIDE
from oms.routing.job import Job
from oms.routing.snapshot import opened, raised, size_of, size_of_call, snapshot, snapshot_call
from oms.routing.state import SeamState, key_getter
from oms.routing.steps import Cut, within
from oms.routing.tally import Cell

Call = Callable[..., Any]
_UNSHADOWED = Disposition.UNSHADOWED


def read_at(state: SeamState, operation: Operation, stage: Stage, plan: str) -> Call:
    """Return the callable that answers the read *operation* at *stage*, with the facade's normalised arguments, counted under *plan*."""
    course = course_for(stage, Effect.READS)
    cell = state.cell(operation.name, stage, plan)
    read = Read(state, operation, stage, cell, course.answers, is_shadowed=course.beside is not None)
    if stage is Stage.LIVE:
        return read.alive if operation.is_async else read.live
    if course.beside is None:
        return read.aplain if operation.is_async else read.plain
    return read.acall if operation.is_async else read.call


class Read:
    """One read operation at one stage."""

    def __init__(
        self, state: SeamState, operation: Operation, stage: Stage, cell: Cell, control: Side, *, is_shadowed: bool
    ) -> None:
        self._state = state
        self._clock = state.clock_ns
        self._operation = operation
        self._stage = stage
        self._side = control
        self._is_shadowed = is_shadowed
        self._control = state.binding.method(control, operation.name)
        self._other = state.binding.method(control.other, operation.name)
        self._cell = cell
        self._units = cell.units
        self._key_of = key_getter(operation)
        self._unshadowed = self._cell.call(Disposition.UNSHADOWED, control)
        self._debts = state.keys.owed_by[control]

    # -- nobody beside

    def plain(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a sync read that nothing is compared with."""
        if self._debts:
            return self.call(*args, **kwargs)
        began = self._clock()
        try:
            answer = self._control(*args, **kwargs)
        except BaseException as error:
            self._raised(_UNSHADOWED, error, self._clock() - began)
            raise
        took = self._clock() - began
        self._unshadowed(took)
        if took > self._units.line_ns:
            self._units.slow(took)
        return answer

    async def aplain(self, *args: Any, **kwargs: Any) -> Any:
        """Answer an async read that nothing is compared with."""
        if self._debts:
            return await self.acall(*args, **kwargs)
        began = self._clock()
        try:
            answer = await self._control(*args, **kwargs)
        except BaseException as error:
            self._raised(_UNSHADOWED, error, self._clock() - began)
            raise
        took = self._clock() - began
        self._unshadowed(took)
        if took > self._units.line_ns:
            self._units.slow(took)
        return answer

    # -- legacy answers

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a sync read."""
        if (
            self._debts
            and not self._state.repairs.settle(self._side, self._key_of(args, kwargs))
            and self._operation.rescue
        ):
            self._state.repairs.settle(self._side.other, self._key_of(args, kwargs))
            return self._stand_in(args, kwargs)
        job = self._begin(args, kwargs)
        began = self._clock()
        try:
            answer = self._control(*args, **kwargs)
        except BaseException as error:
            self._raised(job, error, self._clock() - began)
            raise
        self._returned(job, answer, self._clock() - began)
        return answer

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        """Answer an async read."""
        if (
            self._debts
            and not await self._state.repairs.asettle(self._side, self._key_of(args, kwargs))
            and self._operation.rescue
        ):
            await self._state.repairs.asettle(self._side.other, self._key_of(args, kwargs))
            return await self._stand_in(args, kwargs)
        job = self._begin(args, kwargs)
        began = self._clock()
        try:
            answer = await self._control(*args, **kwargs)
        except BaseException as error:
            self._raised(job, error, self._clock() - began)
            raise
        self._returned(job, answer, self._clock() - began)
        return answer

    # -- live: unified answers, legacy stands by

    def live(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a sync read from unified; legacy rescues if it raises. A hang can't be cut: the watchdog sees it."""
        if (
            self._debts
            and not self._state.repairs.settle(self._side, self._key_of(args, kwargs))
            and self._operation.rescue
        ):
            self._state.repairs.settle(self._side.other, self._key_of(args, kwargs))
            return self._stand_in(args, kwargs)
        job = self._begin(args, kwargs)
        token = self._state.hall.enter(self._state, self._operation, self._cell, self._side)
        began = self._clock()
        try:
            answer = self._control(*args, **kwargs)
        except Exception as error:
            duration = self._clock() - began
            self._state.hall.leave(token)
            rescued, answer = self._rescue(job, error, duration, args, kwargs)
            if rescued:
                return answer
            raise
        except BaseException as error:
            self._state.hall.leave(token)
            self._raised(job, error, self._clock() - began)
            raise
        duration = self._clock() - began
        self._state.hall.leave(token)
        self._state.guard.good()
        self._returned(job, answer, duration)
        return answer

    async def alive(self, *args: Any, **kwargs: Any) -> Any:
        """Answer an async read from unified, cut at the port's deadline; legacy rescues."""
        if (
            self._debts
            and not await self._state.repairs.asettle(self._side, self._key_of(args, kwargs))
            and self._operation.rescue
        ):
            await self._state.repairs.asettle(self._side.other, self._key_of(args, kwargs))
            return await self._stand_in(args, kwargs)
        job = self._begin(args, kwargs)
        began = self._clock()
        try:
            if self._operation.rescue:
                answer = await within(self._operation.deadline_s, self._control(*args, **kwargs))
            else:
                answer = await self._watched(args, kwargs)
        except Exception as error:
            rescued, answer = await self._arescue(job, error, self._clock() - began, args, kwargs)
            if rescued:
                return answer
            raise
        except BaseException as error:
            self._raised(job, error, self._clock() - began)
            raise
        self._state.guard.good()
        self._returned(job, answer, self._clock() - began)
        return answer

    async def _watched(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Await unified where nobody may stand in: it is not cut, so the watchdog sees it hang."""
        token = self._state.hall.enter(self._state, self._operation, self._cell, self._side)
        try:
            return await self._control(*args, **kwargs)
        finally:
            self._state.hall.leave(token)

    def _rescue(
        self, job: Job | Disposition, error: Exception, duration: int, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[bool, Any]:
        """Return whether legacy answered in unified's place, and its answer. If it raises too, unified's exception stands."""
        if not self._operation.rescue:
            self._raised(job, error, duration)
            return False, None
        if not self._state.repairs.settle(self._side.other, self._key_of(args, kwargs)):
            self._raised(job, error, duration)
            return False, None
        args, kwargs = self._pristine(job, args, kwargs)
        began = self._clock()
        try:
            answer = self._other(*args, **kwargs)
        except Exception as other:
            self._both_known(job, error, duration, raised(other, self._operation), self._clock() - began)
            return False, None
        except BaseException as other:
            self._raised(job, other, duration)
            raise
        self._rescued(job, error, duration, answer, self._clock() - began)
        return True, answer

    async def _arescue(
        self, job: Job | Disposition, error: Exception, duration: int, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[bool, Any]:
        """Do what ``_rescue`` does where the port is async."""
        if not self._operation.rescue:
            self._raised(job, error, duration)
            return False, None
        if not await self._state.repairs.asettle(self._side.other, self._key_of(args, kwargs)):
            self._raised(job, error, duration)
            return False, None
        args, kwargs = self._pristine(job, args, kwargs)
        began = self._clock()
        try:
            answer = await self._other(*args, **kwargs)
        except Exception as other:
            self._both_known(job, error, duration, raised(other, self._operation), self._clock() - began)
            return False, None
        except BaseException as other:
            self._raised(job, other, duration)
            raise
        self._rescued(job, error, duration, answer, self._clock() - began)
        return True, answer

    # -- what both drivers share

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job | Disposition:
        """Return the job of this call, or why it has none. Taken before the control runs, which may change its arguments."""
        if not self._is_shadowed:
            return Disposition.UNSHADOWED
        if INSIDE.get():
            return Disposition.NESTED
        lane = self._state.async_lanes.here() if self._operation.is_async else self._state.lane
        if (refusal := lane.refuses()) is not None:
            return refusal
        job = self._job()
        job.key = self._key_of(args, kwargs)
        job.stamp = self._state.keys.stamp()
        job.context = copy_context()
        try:
            job.arguments = snapshot_call(args, kwargs)
        except NotSnapshottable:
            job.fault = Uncomparable.NOT_SNAPSHOTTABLE
        return job

    def _returned(self, job: Job | Disposition, answer: object, duration: int) -> None:
        if duration > self._units.line_ns:
            self._units.slow(duration)
        if not isinstance(job, Job):
            self._cell.call(job, self._side)(duration)
            return
        try:
            job.observation = Returned(snapshot(answer))
        except NotSnapshottable:
            job.fault = Uncomparable.NOT_SNAPSHOTTABLE
        self._leave(job, duration)

    def _raised(self, job: Job | Disposition, error: BaseException, duration: int) -> None:
        if not isinstance(error, Exception):
            self._cell.call(Disposition.CANCELLED, self._side)(duration)
            return
        self._units.failed()
        if duration > self._units.line_ns:
            self._units.slow(duration)
        if not isinstance(job, Job):
            self._cell.call(job, self._side)(duration)
        else:
            job.observation = raised(error, self._operation)
            self._leave(job, duration)

    def _leave(self, job: Job, duration: int) -> None:
        job.control_ns = duration
        # One look at the clock for both moments.
        job.enqueued_s = now = time.perf_counter()
        job.began_s = now - duration * 1e-9
        observed = job.observation
        if job.fault is not Uncomparable.NOT_SNAPSHOTTABLE:
            job.size = size_of_call(job.arguments) + (size_of(observed.value) if isinstance(observed, Returned) else 0)
        (self._state.async_lanes.here() if self._operation.is_async else self._state.lane).put(job)

    def _rescued(self, job: Job | Disposition, error: Exception, duration: int, answer: object, other_ns: int) -> None:
        self._cell.count("rescued")
        if isinstance(job, Job):
            job.is_judged_by_guard = True
        try:
            candidate: Any = Returned(snapshot(answer))
        except NotSnapshottable:
            candidate = None
        self._both_known(job, error, duration, candidate, other_ns)
        self._state.failed_alone(self._operation)

    def _both_known(
        self, job: Job | Disposition, error: Exception, duration: int, candidate: Any, other_ns: int
    ) -> None:
        """The rescue ran the other side already: compare with that, or with nothing if unified was cut."""
        if isinstance(job, Job):
            job.candidate_ns = other_ns
            job.candidate = Returned(opened(candidate.value)) if isinstance(candidate, Returned) else candidate
            if isinstance(error, Cut):
                job.fault = Uncomparable.CENSORED
            elif candidate is None:
                job.fault = Uncomparable.NOT_SNAPSHOTTABLE
        self._raised(job, error, duration)

    def _stand_in(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The side that answers can't be brought to forget what it missed: the other one answers."""
        self._cell.count("rescued")
        self._cell.call(Disposition.UNSHADOWED, self._side.other)(0)
        return self._other(*args, **kwargs)

    def _pristine(
        self, job: Job | Disposition, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments as they were before unified had them, where they were copied."""
        if not isinstance(job, Job) or job.fault is not None:
            return args, kwargs
        try:
            untouched: tuple[tuple[Any, ...], dict[str, Any]] = opened(job.arguments)
        except Exception:  # somebody's __setstate__: better the arguments as they are than no answer
            return args, kwargs
        return untouched

    def _job(self) -> Job:
        return Job(self._state, self._operation, self._cell, self._stage, self._side)
