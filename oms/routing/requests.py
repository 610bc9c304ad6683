"""Which requests have counted as evidence of late: the same request again proves nothing new."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque

from oms.domain.evidence import REPEATED
from oms.routing.snapshot import Pickled
from oms.routing.tally import Cell

WITHIN_S = 3_600.0
"""A request counts once in this many seconds. Source: the reference policy, one comparison a request and hour."""

MAX_REQUESTS = 50_000
"""Requests of one seam that are remembered, more than a proof at the default limit needs; beyond them nothing counts as new until the
oldest are forgotten."""

Request = int
"""The hash of an operation and its arguments; Python keys it afresh in each process, and nobody's arguments are kept for it."""


class Requests:
    """The requests of one seam that counted within the hour, in this process. For any thread.

    Attributes:
        later: Takes the cell and the key of a write that matched, on its caller's thread: an append, which ``settle`` looks at.
    """

    def __init__(self, *, within_s: float = WITHIN_S, limit: int = MAX_REQUESTS) -> None:
        self._within_s = within_s
        self._limit = limit
        self._later: deque[tuple[Cell, object]] = deque()
        self.later = self._later.append
        self.reset()

    def reset(self) -> None:
        """Start from nothing with a new lock, as a forked child does."""
        self._lock = threading.Lock()
        self._counted: dict[Request, float] = {}
        self._later.clear()

    def is_repeated(self, request: Request, *, at_s: float) -> bool:
        """Tell whether *request* has counted within the hour before *at_s* (seconds of a monotonic clock); if not, it counts now."""
        with self._lock:
            self._forget_old_locked(at_s - self._within_s)
            return self._is_repeated_locked(request, at_s)

    def settle(self) -> None:
        """Look at what was left in ``later``, and count what is one more of the same. Called many times a second by the watchdog."""
        matched = []
        with contextlib.suppress(IndexError):  # empty now, or emptied by another thread
            while True:
                matched.append(self._later.popleft())
        if not matched:
            return
        now, repeated = time.monotonic(), Counter[Cell]()
        with self._lock:
            self._forget_old_locked(now - self._within_s)
            for cell, key in matched:
                if self._is_repeated_locked(hash((cell.place.operation, key)), now):
                    repeated[cell] += 1
        for cell, number in repeated.items():
            cell.add(REPEATED, number)

    def _is_repeated_locked(self, request: Request, at_s: float) -> bool:
        if request in self._counted or len(self._counted) >= self._limit:
            return True
        self._counted[request] = at_s
        return False

    def _forget_old_locked(self, before_s: float) -> None:
        # In the order in which they counted, so the oldest come first.
        while self._counted:
            oldest = next(iter(self._counted))
            if self._counted[oldest] > before_s:
                return
            del self._counted[oldest]


def request_of(operation: str, arguments: object) -> Request:
    """Return the request that a call of *operation* with the snapshot *arguments* is."""
    if type(arguments) is Pickled:
        return hash((operation, arguments.data))
    args, kwargs = arguments if isinstance(arguments, tuple) else ((), {})
    try:
        return hash((operation, args, *kwargs.items()))
    except Exception:  # somebody's enum with a __hash__ of its own: all such calls are one request
        return hash(operation)
