"""When a breaker opens, how long it stays so, and what closes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import pybreaker

from oms.unified.resilience.errors import PolicyInvalid, check_number


class CircuitState(StrEnum):
    """Where a breaker stands, in pybreaker's words."""

    __hash__ = str.__hash__

    CLOSED = pybreaker.STATE_CLOSED
    OPEN = pybreaker.STATE_OPEN
    HALF_OPEN = pybreaker.STATE_HALF_OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreakerConfig:
    """When to stop calling a failing dependency.

    Attributes:
        failure_threshold: Fewest failures within *window* that open it, 1 or more.
        failure_ratio: And the share of the calls within *window* that they must be, 0 to 1; 0 leaves it to the threshold.
        window: How far back calls count, in seconds; read in tenths.
        timeout: How long it stays open before a probe is let through, in seconds or as a timedelta.
        success_threshold: Probes that must succeed, with no failure between, to close it.
        half_open_permits: Probes in flight at once.
        probe_lease: Seconds after which a probe that nobody heard of again gives its permit back.
        exclude: Errors that say nothing about the dependency: neither failures nor successes. Subclasses included.
        is_failure: Of the other errors, True for those that count; None counts them all.
        is_failed_result: True for a result that is a failure all the same, an HTTP 500 for example.

    Raises:
        PolicyInvalid: if a value is out of range.

    Source: thresholds and times of the monolith's ``CircuitBreakerConfig``; window and ratio as in Resilience4j.
    """

    failure_threshold: int = 5
    failure_ratio: float = 0.5
    window: float = 60.0
    timeout: float | dt.timedelta = 60.0
    success_threshold: int = 3
    half_open_permits: int = 1
    probe_lease: float = 30.0
    exclude: tuple[type[Exception], ...] = ()
    is_failure: Callable[[Exception], bool] | None = None
    is_failed_result: Callable[[object], bool] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.timeout, dt.timedelta):
            object.__setattr__(self, "timeout", self.timeout.total_seconds())
        for name in ("failure_threshold", "success_threshold", "half_open_permits"):
            check_number(f"breaker: {name}", getattr(self, name), least=1, whole=True)
        check_number("breaker: failure_ratio", self.failure_ratio, least=0, most=1)
        check_number("breaker: timeout", self.timeout, least=0)
        for name in ("window", "probe_lease"):
            check_number(f"breaker: {name}", getattr(self, name), least=0.01)
        for error in self.exclude:
            if not isinstance(error, type) or not issubclass(error, Exception):
                found = error.__name__ if isinstance(error, type) else f"a {type(error).__name__}"
                raise PolicyInvalid("breaker: exclude", found=found, wanted="subclasses of Exception")

    @property
    def open_s(self) -> float:
        """How long it stays open, in seconds."""
        return self.timeout.total_seconds() if isinstance(self.timeout, dt.timedelta) else self.timeout
