"""Which requests have counted as evidence of late: the same request again proves nothing new."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from oms.routing.snapshot import Pickled

WITHIN_S = 3_600.0
"""A request counts once in this many seconds. Source: the reference policy, one comparison a request and hour."""

MAX_REQUESTS = 50_000
"""Requests of one seam that are remembered, more than a proof at the default limit needs; beyond them nothing counts as new until the
oldest are forgotten."""

_MAX_LATER = 10_000

Request = int
"""The hash of an operation and its arguments; Python keys it afresh in each process, and nobody's arguments are kept for it."""


class Requests:
    """The requests of one seam that counted within the hour, in this process. For any thread."""

    def __init__(self, *, within_s: float = WITHIN_S, limit: int = MAX_REQUESTS) -> None:
        self._within_s = within_s
        self._limit = limit
        self.reset()

    def reset(self) -> None:
        """Start from nothing with a new lock, as a forked child does."""
        self._lock = threading.Lock()
        self._counted: dict[Request, float] = {}
        self._later: deque[tuple[Callable[[str], None], object, object]] = deque()

    def is_repeated(self, request: Request, *, at_s: float) -> bool:
        """Tell whether *request* has counted within the hour before *at_s* (seconds of a monotonic clock); if not, it counts now."""
        with self._lock:
            self._forget_old_locked(at_s - self._within_s)
            if request in self._counted or len(self._counted) >= self._limit:
                return True
            self._counted[request] = at_s
            return False

    def note(self, count: Callable[[str], None], operation: str, key: object) -> None:
        """A write of *key* matched, on its caller's thread: see later whether it is one more of the same, and *count* it then."""
        if len(self._later) < _MAX_LATER:
            self._later.append((count, operation, key))
        else:
            count("repeated")

    def settle(self) -> None:
        """Look at what was noted. Called many times a second by the watchdog."""
        now = time.monotonic()
        for _ in range(len(self._later)):
            try:
                count, operation, key = self._later.popleft()
            except IndexError:  # another thread settles, too
                return
            if self.is_repeated(hash((operation, key)), at_s=now):
                count("repeated")

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
