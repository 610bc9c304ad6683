"""The watchdog: what has been in flight for too long, in callers' threads and in lanes."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from oms.domain.phase import Operation
from oms.domain.stage import Side
from oms.routing.state import SeamState
from oms.routing.tally import Cell

_TICK_S = 0.025
_LOG = logging.getLogger("oms.routing")


class InFlight:
    """A call into one side that can't be cut, because it is sync and runs in the caller's thread."""

    __slots__ = ("began_s", "cell", "is_delayed", "operation", "side", "state")

    def __init__(self, state: SeamState, operation: Operation, cell: Cell, side: Side) -> None:
        self.state = state
        self.side = side
        self.operation = operation
        self.cell = cell
        self.began_s = time.perf_counter()
        self.is_delayed = False


class Watchdog:
    """One daemon thread per runtime, started by the first call or lane that needs it."""

    def __init__(self, on_hang: Callable[[InFlight], None], each_tick: Callable[[float], None]) -> None:
        """Call *on_hang* once for each call past its deadline, and *each_tick* with the seconds of the performance counter."""
        self._on_hang = on_hang
        self._each_tick = each_tick
        self.reset()

    def reset(self) -> None:
        """Start from nothing, as a forked child does."""
        self._calls: dict[int, InFlight] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def enter(self, call: InFlight) -> None:
        """*call* begins in this thread."""
        self._calls[id(call)] = call
        if self._thread is None:
            self.start()

    def leave(self, call: InFlight) -> None:
        """*call* has returned or raised."""
        self._calls.pop(id(call), None)

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                thread = threading.Thread(target=self._watch, name="oms-watchdog", daemon=True)
                # Where no thread is to be had, the next call tries again.
                with contextlib.suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)

    def _watch(self) -> None:
        while not self._stop.wait(_TICK_S):
            try:
                self._tick(time.perf_counter())
            except Exception:  # the watchdog must outlive whatever it watches
                _LOG.exception("watchdog: a tick failed, watching on")

    def _tick(self, now_s: float) -> None:
        for call in list(self._calls.values()):
            if not call.is_delayed and now_s - call.began_s > call.operation.deadline_s:
                call.is_delayed = True
                call.cell.count("delayed")
                self._on_hang(call)
        self._each_tick(now_s)
