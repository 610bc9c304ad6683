"""The hard-fail guard: unified raises again and again where legacy answers, so this process goes back at once."""

from __future__ import annotations

import threading

from oms.domain.guardrails import HardFail as Rule
from oms.domain.guardrails.hard_fail import NO_CALLS

RULE = Rule()
"""Of the last 20 live calls 15 failed in unified alone. Source: reference policy, guard ``hard_fail``."""


class HardFail:
    """Counts over the last calls of one seam that unified answered."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all calls."""
        self._lock = threading.Lock()
        self._window = NO_CALLS

    def good(self) -> None:
        """A call that unified answered, or in which both sides failed alike."""
        # Without a failure among the last calls there is nothing to push out: the usual case costs one comparison.
        if self._window:
            self._push(failed=False)

    def bad(self) -> bool:
        """A call in which unified alone failed. Return whether that trips the guard."""
        return RULE.is_tripped(self._push(failed=True))

    def _push(self, *, failed: bool) -> int:
        with self._lock:
            self._window = RULE.after(self._window, failed=failed)
            return self._window
