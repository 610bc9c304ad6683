"""What a breaker has seen since it was built."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class BreakerCounts:
    """Running totals of one breaker in this process, written under its lock and read by anybody.

    Attributes:
        successes, failures: Calls by outcome, late ones included.
        neutral: Calls whose outcome says nothing: excluded errors, cancellation, interrupts.
        rejected: Calls not made.
        opened, half_opened, closed: Moves into each state.
    """

    successes: int = 0
    failures: int = 0
    neutral: int = 0
    rejected: int = 0
    opened: int = 0
    half_opened: int = 0
    closed: int = 0
