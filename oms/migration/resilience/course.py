"""How a legacy call goes that fails again and again: what ends it is often not the number that it was told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Guards(Protocol):
    """What ends a legacy call; see ``terms.Legacy``."""

    @property
    def circuit_breaker_threshold(self) -> int:
        """Failures that open its breaker."""

    @property
    def circuit_breaker_timeout(self) -> float:
        """Seconds that it stays open."""

    @property
    def retry_budget_percent(self) -> float:
        """Share of the calls of a window that may be retries."""

    @property
    def retry_budget_window(self) -> float:
        """Seconds after which all of them are forgotten."""


@dataclass(frozen=True, slots=True)
class Course:
    """The attempts of one call, and the id of the quirk that ended it, empty if it had all that it was told."""

    attempts: int
    quirk: str = ""


MANY_CALLS = 1_000_000
"""Calls that went before, for a budget that has never been short of credit."""


def course(guards: Guards, waits: list[float], *, calls_before: int) -> Course:
    """Return the course of a call that fails each time.

    Args:
        waits: Between its attempts, in seconds, one fewer than there are to be.
        calls_before: That succeeded within the window of the budget. The breaker has counted no failure of them.
    """
    now, since, calls, retries = 0.0, 0.0, calls_before + 1, 0
    for failures, wait in enumerate(waits, 1):
        now += wait
        # Asked after the wait, and open for the first time or again: nothing but a success sets the count back.
        if failures >= guards.circuit_breaker_threshold and wait <= guards.circuit_breaker_timeout:
            return Course(failures, "RT-20")
        if now - since > guards.retry_budget_window:
            since, calls, retries = now, 0, 0
        if calls and retries / calls * 100 >= guards.retry_budget_percent:
            return Course(failures, "RT-01" if since == 0 else "RT-03")
        calls, retries = calls + 1, retries + 1
    return Course(len(waits) + 1)
