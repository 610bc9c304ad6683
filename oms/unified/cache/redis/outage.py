"""What one process owes to Redis: names whose last write did not arrive, and must not be read before they are removed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass
from threading import Lock

from oms.unified.cache.fork import renew_in_child


@dataclass(frozen=True, slots=True)
class Debts:
    """What is owed at one moment.

    Attributes:
        names: Tombstones: name to serial number of the write that was lost last.
        everything: Serial number of the loss after which the whole namespace must go, None if it need not.
        cursor: Where the walk over the namespace stopped, 0 at its start.
    """

    names: dict[bytes, int]
    everything: int | None = None
    cursor: int = 0

    def __bool__(self) -> bool:
        return bool(self.names) or self.everything is not None


class Outage:
    """Tombstones of lost writes, at most *most* of them, and the pause after a failure. Thread-safe.

    A write that failed may have left the value before it in Redis, or may arrive late. Until its name has been removed there, reads of
    it are misses here. Beyond *most* names, or when a ``clear`` was lost, the whole namespace is doubtful until it has been cleared.

    Args:
        clock: Monotonic seconds.
        pause_s: How long Redis is left alone after it failed to answer, so that not every caller waits for its deadline.
        most: Tombstones kept one by one.
    """

    def __init__(self, *, clock: Callable[[], float], pause_s: float = 0.25, most: int = 1000) -> None:
        self._clock = clock
        self._pause_s = pause_s
        self._most = most
        self._serials = itertools.count(1)
        self._retry_at = float("-inf")
        self._names: dict[bytes, int] = {}
        self._everything: int | None = None
        self._cursor = 0
        self._lock = Lock()
        renew_in_child(self._renew)

    def is_paused(self) -> bool:
        """Tell whether Redis is to be left alone for the moment."""
        return self._clock() < self._retry_at

    def pause(self) -> None:
        """Note that Redis failed to answer."""
        with self._lock:
            self._retry_at = self._clock() + self._pause_s
            # After a restart an old cursor means nothing.
            self._cursor = 0

    def lose(self, names: Collection[bytes] | None) -> None:
        """Note that a write of *names* may not have arrived; None means a write of everything."""
        with self._lock:
            serial = next(self._serials)
            if names is not None:
                self._names.update(dict.fromkeys(names, serial))
            if names is None or len(self._names) > self._most:
                self._names.clear()
                self._everything, self._cursor = serial, 0

    def doubts(self, name: bytes) -> bool:
        """Tell whether what lies under *name* in Redis may be older than the last write of this process."""
        return self._everything is not None or name in self._names

    def debts(self) -> Debts:
        """Return what is owed now."""
        if not self._names and self._everything is None:
            return Debts({})
        with self._lock:
            return Debts(self._names.copy(), self._everything, self._cursor)

    def settle(self, debts: Debts) -> None:
        """Note that all of *debts* has been removed; what was lost since is still owed."""
        with self._lock:
            for name, serial in debts.names.items():
                if self._names.get(name) == serial:
                    del self._names[name]
            if debts.everything is not None and self._everything == debts.everything:
                self._everything, self._cursor = None, 0

    def walked(self, debts: Debts, cursor: int) -> None:
        """Note how far the walk for *debts* came."""
        with self._lock:
            if self._everything == debts.everything:
                self._cursor = cursor

    def _renew(self) -> None:
        self._lock = Lock()
