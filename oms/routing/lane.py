"""The sync lane: one worker thread per seam runs what callers left for it, out of their way."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from oms.domain.observation import Disposition, Outcome, Returned, Uncomparable
from oms.routing.allowance import CpuAllowance
from oms.routing.contain import INSIDE
from oms.routing.job import Job
from oms.routing.noise import Sampling, begun
from oms.routing.snapshot import opened, raised

_POLL_S = 0.004
_IDLE_POLLS = 50
_PAUSE_AFTER_TIMEOUTS = 5


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """How much a lane may hold and do.

    Attributes:
        jobs: Calls waiting in one lane; one more is dropped.
        size: Bytes of snapshots waiting in one lane.
        cpu_share: Share of one core that all lanes of the process may use together.
        pause_s: How long at most a lane rests whose candidates keep timing out or block the caller's loop.
        block_s: An async candidate that holds the loop for longer than this in one go is paused.
        concurrent: Async candidates running at once in one lane.
        noise_one_of: Of so many reads at shadow legacy does one twice, to see where it differs from itself; 0 does none.
    """

    jobs: int = 2_000
    size: int = 16 << 20
    cpu_share: float = 0.10
    pause_s: float = 30.0
    block_s: float = 0.020
    concurrent: int = 16
    noise_one_of: int = 64


class Waiting:
    """A bounded first-in-first-out line of jobs, by count and bytes."""

    def __init__(self, limits: LaneLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._size = 0
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job) -> bool:
        """Append *job*, or drop it, counted, if the line is full. Return whether it was taken."""
        if not job.enqueued_s:
            job.enqueued_s = time.perf_counter()
        with self._lock:
            has_room = len(self._jobs) < self._limits.jobs and self._size + job.size <= self._limits.size
            if has_room and not self._is_closed:
                self._jobs.append(job)
                self._size += job.size
                return True
        job.count(Outcome.DROPPED)
        return False

    def take(self) -> Job | None:
        """Return the oldest job, None if there is none."""
        with self._lock:
            if not self._jobs:
                return None
            job = self._jobs.popleft()
            self._size -= job.size
            return job

    def close(self) -> int:
        """Drop every waiting job and each that comes from now on; return how many waited."""
        with self._lock:
            self._is_closed = True
        return self.drop_all()

    def drop_all(self) -> int:
        """Count every waiting job as dropped; return how many."""
        dropped = 0
        while (job := self.take()) is not None:
            job.count(Outcome.DROPPED)
            dropped += 1
        return dropped


class SyncLane:
    """One worker thread, started by the first job, first in first out.

    The worker looks for work every few milliseconds while there is some, instead of being woken for each call: a
    wake-up per call adds half to a small request. It gives up the GIL after each candidate.
    """

    def __init__(self, name: str, limits: LaneLimits, allowance: CpuAllowance) -> None:
        self._name = name
        self._limits = limits
        self.reset(allowance)

    def reset(self, allowance: CpuAllowance) -> None:
        """Start from nothing: no thread, no jobs (also in a forked child, where the parent's worker does not exist)."""
        self._allowance = allowance
        self._waiting = Waiting(self._limits)
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None
        self._wake = threading.Event()
        self._is_asleep = False
        self._is_stopping = False
        self._running: Job | None = None
        self._paused_until = 0.0
        self._hung: Job | None = None
        self._timeouts = 0
        self._sampling = Sampling(self._limits.noise_one_of)

    def refuses(self) -> Disposition | None:
        """Return why a read is not shadowed now, None if it is."""
        if (self._hung is not None and self._hung is self._running) or (
            self._paused_until and self._paused_until > time.perf_counter()
        ):
            return Disposition.PAUSED
        return Disposition.SAMPLED_OUT if self._allowance.is_spent else None

    def put(self, job: Job) -> None:
        """Leave *job* for the worker. Never waits."""
        if self._waiting.put(job):
            if self._is_stopping:
                self._waiting.drop_all()
            elif self._worker is None:
                job.state.hall.watch()
                self._start()
            elif self._is_asleep:
                self._wake.set()

    def check(self, now_s: float) -> None:
        """Called by the watchdog: a candidate past its deadline is timed out, and its lane pauses until it returns."""
        job = self._running
        if job is not None and not job.is_concluded and now_s - job.enqueued_s > job.operation.deadline_s:
            self._hung = job
            job.count(Outcome.TIMED_OUT)

    def stop(self, limit_s: float) -> int:
        """Work off what waits for at most *limit_s* seconds. Return how many comparisons were lost."""
        self._is_stopping = True
        self._wake.set()
        worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join(limit_s)
        job = self._running
        lost = self._waiting.drop_all()
        if job is not None and not job.is_concluded:
            job.count(Outcome.DROPPED)
            lost += 1
        return lost

    def _start(self) -> None:
        with self._lock:
            if self._worker is None and not self._is_stopping:
                worker = threading.Thread(target=self._work, name=f"oms-lane-{self._name}", daemon=True)
                try:
                    worker.start()
                except RuntimeError:  # no thread to be had: that is not the caller's concern
                    self._waiting.drop_all()
                else:
                    self._worker = worker

    def _work(self) -> None:
        idle = 0
        while True:
            job = self._waiting.take()
            if job is not None:
                idle = 0
                look = self._sampling.second_look(job)
                self._run(job)
                time.sleep(0)
                if look is not None and not self._allowance.is_spent:
                    self._run(begun(look))
            elif self._is_stopping:
                return
            elif self._allowance.is_spent or (idle := idle + 1) < _IDLE_POLLS:
                self._allowance.refill()
                time.sleep(_POLL_S)
            else:
                self._sleep()

    def _sleep(self) -> None:
        self._is_asleep = True
        if not self._waiting and not self._is_stopping:
            self._wake.wait(1.0)
        self._wake.clear()
        self._is_asleep = False

    def _run(self, job: Job) -> None:
        began = time.thread_time()
        self._running = job
        try:
            self._attend(job)
        except BaseException:  # a copy that does not load: the call cannot be compared, and the worker must live on
            job.count(Outcome.UNCOMPARABLE, Uncomparable.NOT_SNAPSHOTTABLE)
        finally:
            self._running = self._hung = None
            self._allowance.spend(time.thread_time() - began)

    def _attend(self, job: Job) -> None:
        if job.needs_candidate:
            if time.perf_counter() - job.enqueued_s > job.operation.deadline_s:
                self._timed_out(job)
                return
            run_candidate(job)
            if job.is_concluded or time.perf_counter() - job.enqueued_s > job.operation.deadline_s:
                self._timed_out(job)
                return
            self._timeouts = 0
        job.conclude()

    def _timed_out(self, job: Job) -> None:
        job.count(Outcome.TIMED_OUT)
        self._timeouts += 1
        if self._timeouts >= _PAUSE_AFTER_TIMEOUTS:
            self._timeouts = 0
            self._paused_until = time.perf_counter() + self._limits.pause_s


def run_candidate(job: Job) -> None:
    """Run the side beside on copies of the arguments, in a copy of the caller's context, and note what it did."""
    if not job.state.repairs.settle(job.beside, job.key):
        job.fault = Uncomparable.NOT_ATTEMPTED
        return
    args, kwargs = opened(job.arguments)
    clock_ns = job.state.clock_ns
    began = clock_ns()
    try:
        value = (job.context or Context()).run(_inside, job.method(), args, kwargs)
    except BaseException as error:  # the lane's own thread: nothing that a candidate raises is meant for it
        job.candidate_ns = clock_ns() - began
        job.candidate = raised(error, job.operation)
    else:
        job.candidate_ns = clock_ns() - began
        job.candidate = Returned(value)


def _inside(method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    INSIDE.set(True)
    return method(*args, **kwargs)
