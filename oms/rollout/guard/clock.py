"""Whether somebody has set the clock: a phase must not gain days of age by it, whoever was looking when it was set."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from oms.rollout.guard.latches import EvenClock

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TOLERATED_S = 2.0


def boot_of_the_machine() -> str:
    """Return what names this run of the machine, nothing where it does not tell."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


class ClockWatch:
    """Holds the clock against one that nobody sets.

    Args:
        clock: Unix time in seconds.
        steady: Seconds since some moment of this run of the machine, the same in every process.
        boot: Names this run.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        steady: Callable[[], float] = time.monotonic,
        *,
        boot: Callable[[], str] = boot_of_the_machine,
    ) -> None:
        self._clock, self._steady, self._boot = clock, steady, boot()

    def look(self, known: EvenClock | None) -> tuple[float, EvenClock]:
        """Return by how many seconds the clock was set since *known*, 0 if it was not, and what is to be remembered now.

        After a start of the machine nobody can tell; what was seen before that stands.
        """
        now_s = self._clock()
        offset_s = now_s - self._steady()
        if known is None or known.boot != self._boot:
            return 0.0, EvenClock(boot=self._boot, offset_s=offset_s, since_s=known.since_s if known else 0.0)
        stepped_s = offset_s - known.offset_s
        if abs(stepped_s) <= _TOLERATED_S:
            return 0.0, known
        return stepped_s, EvenClock(boot=self._boot, offset_s=offset_s, since_s=now_s)
