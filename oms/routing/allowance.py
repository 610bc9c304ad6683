"""How much CPU the lanes of a process may use together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

DEFAULT_SHARE = 0.10
"""Share of one core. Above it reads are sampled out, never slowed down."""


_SAVED_S = 0.5


class CpuAllowance:
    """A token bucket of CPU seconds.

    Attributes:
        is_spent: True while reads must be sampled out; a plain attribute, because every shadowed call reads it.
    """

    def __init__(self, share: float = DEFAULT_SHARE, *, clock: Callable[[], float] = time.perf_counter) -> None:
        """Allow *share* of one core, 0 < share; what half a second of *clock* brings may be saved up."""
        self._share, self._clock = share, clock
        self._burst_s = share * _SAVED_S
        self._lock = threading.Lock()
        self._left_s = self._burst_s
        self._filled = clock()
        self.is_spent = False

    def spend(self, cpu_s: float) -> None:
        """Take *cpu_s* CPU seconds."""
        with self._lock:
            self._fill_locked()
            self._left_s -= cpu_s
            self.is_spent = self._left_s <= 0

    def refill(self) -> None:
        """Let time pass; called a few times a second while lanes are busy."""
        self.spend(0.0)

    def _fill_locked(self) -> None:
        now = self._clock()
        self._left_s = min(self._burst_s, self._left_s + (now - self._filled) * self._share)
        self._filled = now
