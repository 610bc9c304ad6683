"""A clock for tests."""

from __future__ import annotations

import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1)


class FakeClock:
    """Stands until it is moved. Call it for seconds, as ``time.monotonic`` and ``time.time`` are called."""

    def __init__(self, now_s: float = 1_750_000_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        """Return the present second."""
        return self.now_s

    def advance(self, seconds: float | dt.timedelta) -> None:
        """Move on by *seconds*."""
        self.now_s += seconds.total_seconds() if isinstance(seconds, dt.timedelta) else seconds

    def naive_utc(self) -> dt.datetime:
        """Return the present as the naive UTC datetime that legacy code works with."""
        return _EPOCH + dt.timedelta(seconds=self.now_s)
