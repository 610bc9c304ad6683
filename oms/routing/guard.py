"""The hard-fail guard: unified raises again and again where legacy answers, so this process goes back at once."""

from __future__ import annotations

import threading

OF_LAST = 20
BAD = 15
"""Trips when 15 of the last 20 live calls failed in unified alone. Source: reference policy, guard ``hard_fail``."""

_MASK = (1 << OF_LAST) - 1


class HardFail:
    """Counts over the last calls of one seam that unified answered."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all calls."""
        self._lock = threading.Lock()
        self._bits = 0

    def good(self) -> None:
        """A call that unified answered, or in which both sides failed alike."""
        # Without a failure among the last calls there is nothing to push out: the usual case costs one comparison.
        if self._bits:
            self._push(0)

    def bad(self) -> bool:
        """A call in which unified alone failed. Return whether that trips the guard."""
        return self._push(1) >= BAD

    def _push(self, bit: int) -> int:
        with self._lock:
            self._bits = (self._bits << 1 | bit) & _MASK
            return self._bits.bit_count()
