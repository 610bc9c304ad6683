"""Virtual time: hours of traffic in a second."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class VirtualClock:
    """The wall, which the harness moves, and the time that calls have taken, by which durations are told. For one thread.

    Attributes:
        now_s: Unix time in seconds.
        spent_ns: What all calls have taken so far, in nanoseconds.
    """

    now_s: float = 1_750_000_000.0
    spent_ns: int = 0

    def __call__(self) -> float:
        """Return the wall's second."""
        return self.now_s

    def elapsed_ns(self) -> int:
        """Return what the calls have taken so far, in nanoseconds."""
        return self.spent_ns

    def elapsed_s(self) -> float:
        """Return the same in seconds."""
        return self.spent_ns / 1e9

    def spend(self, seconds: float) -> None:
        """Let a call take *seconds*. The wall does not move: other callers do not wait for it."""
        self.spent_ns += int(seconds * 1e9)
