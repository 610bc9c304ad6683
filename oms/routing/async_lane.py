"""Async lanes: candidates as tasks on the caller's own loop, one lane per seam and loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from contextvars import Context

from oms.domain.observation import Disposition, Outcome, Returned, Uncomparable
from oms.routing.allowance import CpuAllowance
from oms.routing.contain import CONTAINED, INSIDE, is_being_cancelled, is_own_cancellation
from oms.routing.job import Job
from oms.routing.lane import LaneLimits, Waiting
from oms.routing.noise import Sampling, SecondLook, begun
from oms.routing.snapshot import opened, raised
from oms.routing.steps import timed

_POLL_S = 0.004
_PAUSE_AFTER_TIMEOUTS = 5
_FIRST_REST_S = 1.0
_QUIET_S = 60.0


class AsyncLane:
    """Candidates of one seam on one loop. Everything but ``refuses`` and ``abandon`` runs in that loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: LaneLimits, allowance: CpuAllowance) -> None:
        self._loop = loop
        self._limits = limits
        self._allowance = allowance
        self._waiting = Waiting(limits)
        self._running: dict[asyncio.Task[None], Job] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._paused_until = 0.0
        self._rest_s = _FIRST_REST_S
        self._timeouts = 0
        self._sampling = Sampling(limits.noise_one_of)
        self._looks: dict[Job, SecondLook] = {}

    @property
    def is_idle(self) -> bool:
        """True if nothing waits and nothing runs."""
        return not self._waiting and not self._running

    def refuses(self) -> Disposition | None:
        """Return why a read is not shadowed now, None if it is."""
        if self._paused_until and self._paused_until > time.perf_counter():
            return Disposition.PAUSED
        return Disposition.SAMPLED_OUT if self._allowance.is_spent else None

    def put(self, job: Job) -> None:
        """Leave *job* for the next look, a few milliseconds on."""
        if self._waiting.put(job) and self._timer is None:
            job.state.hall.watch()
            self._look_later()

    def abandon(self) -> int:
        """Count what can't be run any more as dropped, and drop whatever comes from now on; return how many."""
        lost = self._waiting.close()
        for task, job in list(self._running.items()):
            if not job.is_concluded:
                job.count(Outcome.DROPPED)
                lost += 1
            if self._loop.is_closed():
                _throw_away(task)
        return lost

    def pause(self) -> None:
        """Rest: nothing is shadowed here for a second, and twice as long each time that it comes again soon.

        A busy machine can make any candidate look slow once; one that really blocks the loop is soon away for long.
        """
        now = time.perf_counter()
        if now - self._paused_until > _QUIET_S:
            self._rest_s = _FIRST_REST_S
        self._rest_s = min(self._rest_s, self._limits.pause_s)
        self._paused_until = now + self._rest_s
        self._rest_s *= 2

    def _look_later(self) -> None:
        self._timer = self._loop.call_later(_POLL_S, self._look)

    def _look(self) -> None:
        self._timer = None
        self._cut_late(time.perf_counter())
        while len(self._running) < self._limits.concurrent and (job := self._waiting.take()) is not None:
            if (look := self._sampling.second_look(job)) is not None:
                self._looks[job] = look
            self._start(job)
        if self._allowance.is_spent:
            self._allowance.refill()
        if self._waiting or self._running or self._allowance.is_spent:
            self._look_later()

    def _start(self, job: Job) -> None:
        task = self._loop.create_task(self._attend(job), context=job.context or Context())
        self._running[task] = job
        task.add_done_callback(self._done)

    def _cut_late(self, now_s: float) -> None:
        for task, job in self._running.items():
            if now_s - job.enqueued_s > job.operation.deadline_s and not job.is_concluded:
                self._timed_out(job)
                task.cancel()

    def _timed_out(self, job: Job) -> None:
        job.count(Outcome.TIMED_OUT)
        self._timeouts += 1
        if self._timeouts >= _PAUSE_AFTER_TIMEOUTS:
            self._timeouts = 0
            self.pause()

    def _done(self, task: asyncio.Task[None]) -> None:
        job = self._running.pop(task)
        if not job.is_concluded:
            # The loop is closing, or the candidate cancelled the task that it ran in.
            job.count(Outcome.DROPPED)
        if not task.cancelled():
            task.exception()
        look = self._looks.pop(job, None)
        if look is not None and not self._allowance.is_spent and not self._loop.is_closed() and not task.cancelled():
            self._start(begun(look))

    def _note(self, held_s: float) -> None:
        self._allowance.spend(held_s)
        if held_s > self._limits.block_s:
            self.pause()

    async def _attend(self, job: Job) -> None:
        try:
            if job.needs_candidate:
                if time.perf_counter() - job.enqueued_s > job.operation.deadline_s:
                    self._timed_out(job)
                    return
                await self._run_candidate(job)
                self._timeouts = 0
            self._conclude(job)
        except CONTAINED as error:  # a copy that does not load: the call cannot be compared
            if self._loop.is_closed() or is_own_cancellation(error):
                raise
            job.count(Outcome.UNCOMPARABLE, Uncomparable.NOT_SNAPSHOTTABLE)

    def _conclude(self, job: Job) -> None:
        began = time.perf_counter()
        try:
            job.conclude()
        finally:
            self._note(time.perf_counter() - began)

    async def _run_candidate(self, job: Job) -> None:
        INSIDE.set(True)
        if not await job.state.repairs.asettle(job.beside, job.key):
            job.fault = Uncomparable.NOT_ATTEMPTED
            return
        args, kwargs = opened(job.arguments)
        began = time.perf_counter_ns()
        try:
            value = await timed(job.method()(*args, **kwargs), self._note)
        except BaseException as error:
            if self._loop.is_closed() or is_being_cancelled():
                # Cut at the deadline (and counted so), or the loop is closing or gone.
                raise
            job.candidate_ns = time.perf_counter_ns() - began
            job.candidate = raised(error, job.operation)
            if isinstance(error, KeyboardInterrupt):
                raise
        else:
            job.candidate_ns = time.perf_counter_ns() - began
            job.candidate = Returned(value)


def _throw_away(task: asyncio.Task[None]) -> None:
    """End what its loop was closed upon before it could begin, else Python warns of a coroutine that nobody awaited."""
    coroutine = task.get_coro()
    if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        coroutine.close()


class AsyncLanes:
    """The async lanes of one seam: one per event loop that calls it."""

    def __init__(self, limits: LaneLimits, allowance: CpuAllowance) -> None:
        self._limits = limits
        self.reset(allowance)

    def reset(self, allowance: CpuAllowance) -> None:
        """Start from nothing, as a forked child does."""
        self._allowance = allowance
        self._lock = threading.Lock()
        self._is_stopped = False
        self._lanes: dict[asyncio.AbstractEventLoop, AsyncLane] = {}
        self._last: tuple[asyncio.AbstractEventLoop | None, AsyncLane | None] = (None, None)

    def here(self) -> AsyncLane:
        """Return the lane of the running loop."""
        loop = asyncio.get_running_loop()
        known, lane = self._last
        if known is loop and lane is not None:
            return lane
        with self._lock:
            lane = self._lanes.setdefault(loop, AsyncLane(loop, self._limits, self._allowance))
            if self._is_stopped:
                lane.abandon()
        self._last = (loop, lane)
        return lane

    def check(self) -> None:
        """Called by the watchdog: what waits for a loop that is closed will never run, and is counted."""
        for loop, lane in self._snapshot():
            if loop.is_closed():
                lane.abandon()
                with self._lock:
                    self._lanes.pop(loop, None)
                    self._last = (None, None)

    def stop(self) -> int:
        """Count everything that has not run as dropped, and what comes from now on too; return how many."""
        with self._lock:
            self._is_stopped = True
        return sum(lane.abandon() for _, lane in self._snapshot())

    @property
    def is_idle(self) -> bool:
        """True if every loop's lane is idle."""
        return all(lane.is_idle for _, lane in self._snapshot())

    def _snapshot(self) -> list[tuple[asyncio.AbstractEventLoop, AsyncLane]]:
        with self._lock:
            return list(self._lanes.items())
