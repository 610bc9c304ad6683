"""Writes: in the caller, the side that answers first; what the other one does is contained, cut at its deadline, compared.

Whatever happens, no side is left with a value older than the last write that was acknowledged: it forgets the key
instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from oms.domain.errors import NotSnapshottable
from oms.domain.observation import Disposition, Observation, Outcome, Returned, Uncomparable
from oms.domain.phase import Operation
from oms.domain.stage import Side, Stage
from oms.routing.contain import CONTAINED, INSIDE, is_own_cancellation
from oms.routing.job import Job
from oms.routing.snapshot import is_frozen, opened, raised, size_of, snapshot, snapshot_call
from oms.routing.state import SeamState, key_getter
from oms.routing.steps import Cut, within
from oms.routing.tally import Cell

Call = Callable[..., Any]
_clock = time.perf_counter_ns


def write_at(
    state: SeamState, operation: Operation, stage: Stage, plan: str, *, first: Side, second: Side | None
) -> Call:
    """Return the callable that does the write *operation*, counted under *plan*: *first* answers, *second* (if any) follows."""
    write = Write(state, operation, stage, state.cell(operation.name, stage, plan), first=first, second=second)
    return write.acall if operation.is_async else write.call


class Write:
    """One write operation at one stage."""

    def __init__(
        self, state: SeamState, operation: Operation, stage: Stage, cell: Cell, *, first: Side, second: Side | None
    ) -> None:
        self._state = state
        self._operation = operation
        self._stage = stage
        self._first = first
        self._second = second
        self._answering = state.binding.method(first, operation.name)
        self._following = state.binding.method(first.other, operation.name)
        self._cell = cell
        self._units = cell.units
        self._key_of = key_getter(operation)
        self._facts = [
            parameter.name
            for parameter in operation.signature.parameters.values()
            if parameter.kind is parameter.KEYWORD_ONLY
        ]

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Do a sync write."""
        key = self._key_of(args, kwargs)
        if INSIDE.get():
            return self._nested(key, args, kwargs)
        for side in self._writing_sides():
            if self._state.keys.owed_by[side]:
                self._state.repairs.settle(side, key)
        taken = self._taken(args, kwargs)
        self._state.keys.enter(key, self._first)
        try:
            began = _clock()
            try:
                answer = self._answer(args, kwargs)
            except BaseException as error:
                self._first_failed(key, error, _clock() - began)
                self._state.repairs.settle(self._first, key)
                raise
            job = self._answered(key, kwargs, answer, _clock() - began)
            if job is not None:
                try:
                    if not self._follow(job, taken):
                        self._state.repairs.settle(self._first.other, key)
                except BaseException:
                    self._cell.call(Disposition.CANCELLED, self._first)(job.control_ns)
                    raise
                self._acknowledge(job, key)
        finally:
            for side in self._leave(key):
                self._state.repairs.settle(side, key)
        return answer

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        """Do an async write."""
        key = self._key_of(args, kwargs)
        if INSIDE.get():
            return await self._nested(key, args, kwargs)
        for side in self._writing_sides():
            if self._state.keys.owed_by[side]:
                await self._state.repairs.asettle(side, key)
        taken = self._taken(args, kwargs)
        self._state.keys.enter(key, self._first)
        forgetful: tuple[Side, ...] = ()
        try:
            began = _clock()
            try:
                answer = await self._answering(*args, **kwargs)
            except BaseException as error:
                # Not settled here: a cancelled caller must not be made to wait. The next one to use the key does.
                self._first_failed(key, error, _clock() - began)
                raise
            job = self._answered(key, kwargs, answer, _clock() - began)
            if job is not None:
                try:
                    if not await self._afollow(job, taken):
                        await self._state.repairs.asettle(self._first.other, key)
                except BaseException:
                    self._cell.call(Disposition.CANCELLED, self._first)(job.control_ns)
                    raise
                self._acknowledge(job, key)
        finally:
            forgetful = self._leave(key)
        for side in forgetful:
            await self._state.repairs.asettle(side, key)
        return answer

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Write to the side that answers; where that is unified, a sync write can't be cut and so is watched."""
        if self._first is Side.LEGACY:
            return self._answering(*args, **kwargs)
        token = self._state.hall.enter(self._state, self._operation, self._cell, self._first)
        try:
            return self._answering(*args, **kwargs)
        finally:
            self._state.hall.leave(token)

    # -- the side that follows

    def _follow(self, job: Job, taken: object | None) -> bool:
        """Write to the second side too. Return whether it took the write; if not, a repair is open."""
        if taken is None:
            return self._not_attempted(job)
        token = self._state.hall.enter(self._state, self._operation, self._cell, self._first.other)
        began = _clock()
        try:
            args, kwargs = opened(taken)
            job.candidate = Returned(self._following(*args, **kwargs))
        except CONTAINED as error:
            job.candidate = raised(error, self._operation)
        finally:
            job.candidate_ns = _clock() - began
            self._state.hall.leave(token)
            if not isinstance(job.candidate, Returned):
                self._second_failed(job)
        return isinstance(job.candidate, Returned)

    async def _afollow(self, job: Job, taken: object | None) -> bool:
        """Do what ``_follow`` does where the port is async; there the second side is cut at its deadline."""
        if taken is None:
            return self._not_attempted(job)
        began = _clock()
        try:
            args, kwargs = opened(taken)
            job.candidate = Returned(await within(self._operation.deadline_s, self._following(*args, **kwargs)))
        except CONTAINED as error:
            if is_own_cancellation(error):
                raise
            job.candidate = raised(error, self._operation)
            if isinstance(error, Cut):
                self._cell.count("beside_cut")
                job.fault = Uncomparable.CENSORED
        finally:
            job.candidate_ns = _clock() - began
            if not isinstance(job.candidate, Returned):
                self._second_failed(job)
        return isinstance(job.candidate, Returned)

    def _not_attempted(self, job: Job) -> bool:
        """The arguments can't be copied, so the second side is not shown them: it might keep or change what the first one keeps."""
        job.fault = Uncomparable.NOT_SNAPSHOTTABLE
        self._second_failed(job)
        return False

    # -- what both drivers share

    def _writing_sides(self) -> tuple[Side, ...]:
        return (self._first,) if self._second is None else (self._first, self._second)

    def _taken(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object | None:
        """Return a copy of the arguments for the side that follows, None if it gets none: the first side may keep or change its own."""
        if self._second is None:
            return None
        try:
            return snapshot_call(args, kwargs)
        except NotSnapshottable:
            return None

    def _first_failed(self, key: str | None, error: BaseException, duration: int) -> None:
        self._state.repairs.open(self._first, key)
        if self._first is Side.UNIFIED and self._second is not None and isinstance(error, Exception):
            # Legacy is not asked then, so whether it would have answered is not known; the caller had an error all the same.
            self._state.failed_alone(self._operation)
        if isinstance(error, Exception):
            self._units.failed()
            if duration > self._units.line_ns:
                self._units.slow(duration)
        if not isinstance(error, Exception):
            self._cell.call(Disposition.CANCELLED, self._first)(duration)
        elif self._second is None:
            self._cell.call(Disposition.UNSHADOWED, self._first)(duration)
        else:
            self._cell.shadowed(Outcome.UNCOMPARABLE, Uncomparable.NOT_ATTEMPTED, ((self._first, duration),))

    def _answered(self, key: str | None, kwargs: dict[str, Any], answer: object, duration: int) -> Job | None:
        """Return what there is to compare, None if the write goes to one side only."""
        if duration > self._units.line_ns:
            self._units.slow(duration)
        if self._second is None:
            self._cell.call(Disposition.UNSHADOWED, self._first)(duration)
            if self._state.is_written_by_some(self._first.other):
                # Another cohort's reads may reach the side that this write passes by.
                self._state.keys.owe(self._first.other, key)
                self._state.keys.unknown(key)
            return None
        job = Job(self._state, self._operation, self._cell, self._stage, self._first)
        job.key = key
        job.control_ns = duration
        job.written = tuple((name, kwargs[name]) for name in self._facts if is_frozen(kwargs.get(name)))
        job.began_s = time.perf_counter()
        try:
            job.observation = Returned(snapshot(answer))
        except NotSnapshottable:
            job.fault = Uncomparable.NOT_SNAPSHOTTABLE
        return job

    def _second_failed(self, job: Job) -> None:
        self._cell.count("beside_failed")
        self._state.repairs.open(self._first.other, job.key)

    def _acknowledge(self, job: Job, key: str | None) -> None:
        """Both sides have been asked: remember what was written, and leave the comparison to the lane unless it is plain."""
        if isinstance(job.candidate, Returned):
            self._state.keys.wrote(key, job.written, removes=self._operation.removes)
        if job.fault is None and _is_plainly_equal(job.observation, job.candidate):
            self._count_match(job)
            return
        job.size = size_of(job.observation.value) if isinstance(job.observation, Returned) else 0
        (self._state.async_lanes.here() if self._operation.is_async else self._state.lane).put(job)

    def _count_match(self, job: Job) -> None:
        durations = ((self._first, job.control_ns), (self._first.other, job.candidate_ns or 0))
        self._cell.shadowed(Outcome.MATCHED, None, durations)
        self._state.requests.later((self._cell, job.key))

    def _leave(self, key: str | None) -> tuple[Side, ...]:
        """End the write; return the sides that must forget the key because writes of it may have crossed."""
        crossed = self._state.keys.leave(key)
        draining = self._state.is_draining
        if crossed is None and not draining:
            return ()
        forgetful = self._sides_without_the_last_word(crossed or frozenset({self._first}))
        for side in forgetful:
            self._state.keys.owe(side, key)
        # While calls still run on an older plan, unseen, the key is forgotten before its next use and not now: such a write may end later.
        return () if draining else forgetful

    def _sides_without_the_last_word(self, authorities: frozenset[Side]) -> tuple[Side, ...]:
        sole = self._state.sole_authority
        return (sole.other,) if sole is not None and authorities == {sole} else tuple(Side)

    def _nested(self, key: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Within a candidate: pass straight through to the side that answers; the other one forgets the key."""
        self._cell.call(Disposition.NESTED, self._first)(0)
        self._state.keys.owe(self._first.other, key)
        return self._answering(*args, **kwargs)


def _is_plainly_equal(one: Observation, other: Observation | None) -> bool:
    return (
        isinstance(one, Returned)
        and isinstance(other, Returned)
        and type(one.value) is type(other.value)
        and (one.value is None or type(one.value) in (bool, int, str))
        and one.value == other.value
    )
