"""What a retry may do, as values with a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from oms.seams.resilience import TimeSource
from oms.unified.resilience.backoff import STRATEGIES, RetryStrategy, jitter_band
from oms.unified.resilience.errors import PolicyInvalid, check_number, nearest

RETRIED_STATUS = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP answers that may be another the next time. Source: the reference's codes of servers, with those that ask the client to wait."""

JITTER = 0.1
"""Share of a wait that jitter adds or takes. Source: legacy and reference alike."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again, how often and after how long.

    Attributes:
        name: What it is called in messages and metrics.
        description: What it is for.
        max_retries: Attempts after the first one, 0 or more.
        initial_delay, max_delay: First and longest wait in seconds, 0 or more.
        backoff_multiplier: Each wait is so many times the one before, 1 or more.
        jitter: Spread each wait by a tenth to either side, never above max_delay.
        strategy: How waits grow.
        retry_on: Errors to retry, subclasses included; None for the transient ones of the standard library, httpx and HTTP statuses.
        give_up_on: Errors never to retry, stronger than *retry_on*.
        attempt_timeout: Seconds after which an attempt is cut; async only. None lets it run.
        deadline: Seconds from the first attempt on after which no further one begins. None for no limit.
        max_retry_after: Longest wait in seconds that a server may ask for; if it asks for more, the call gives up at once.

    Raises:
        PolicyInvalid: if a value is out of range, or an error class is none that a program may retry.
    """

    name: str
    description: str
    max_retries: int
    initial_delay: float
    max_delay: float
    backoff_multiplier: float = 2.0
    jitter: bool = True
    strategy: RetryStrategy = RetryStrategy.EXPONENTIAL
    retry_on: tuple[type[Exception], ...] | None = None
    give_up_on: tuple[type[Exception], ...] = ()
    attempt_timeout: float | None = None
    deadline: float | None = None
    max_retry_after: float = 60.0

    def __post_init__(self) -> None:
        where = f"retry policy {self.name!r}"
        check_number(f"{where}: max_retries", self.max_retries, least=0, whole=True)
        for name in ("initial_delay", "max_delay", "max_retry_after"):
            check_number(f"{where}: {name}", getattr(self, name), least=0)
        check_number(f"{where}: backoff_multiplier", self.backoff_multiplier, least=1)
        for name in ("attempt_timeout", "deadline"):
            value = getattr(self, name)
            if value is not None:
                check_number(f"{where}: {name}", value, least=0)
                if value == 0:
                    raise PolicyInvalid(f"{where}: {name}", found="0", wanted="more than 0, or None for no limit")
        if self.strategy not in STRATEGIES:
            raise PolicyInvalid(f"{where}: strategy", found=repr(self.strategy), wanted="a RetryStrategy")
        for name in ("retry_on", "give_up_on"):
            _check_errors(f"{where}: {name}", getattr(self, name))

    @property
    def max_attempts(self) -> int:
        """Attempts in all, the first one included."""
        return self.max_retries + 1

    def nominal_delay(self, attempt: int) -> float:
        """Return the wait after failed attempt number *attempt*, counted from 1, before jitter."""
        return min(STRATEGIES[self.strategy](self.initial_delay, self.backoff_multiplier, attempt), self.max_delay)

    def delay(self, attempt: int, source: TimeSource) -> float:
        """Return the wait after failed attempt number *attempt*, jittered by the dice of *source*."""
        nominal = self.nominal_delay(attempt)
        return source.uniform(*jitter_band(nominal, JITTER, self.max_delay)) if self.jitter else nominal

    def but(self, **changes: Any) -> RetryPolicy:
        """Return this policy with *changes*, checked again.

        Raises:
            PolicyInvalid: if a change is not usable.
        """
        return replace(self, **changes)


def _check_errors(where: str, errors: object) -> None:
    if errors is None:
        return
    if not isinstance(errors, tuple):
        raise PolicyInvalid(where, found=f"a {type(errors).__name__}", wanted="a tuple of exception classes")
    for error in errors:
        if not isinstance(error, type) or not issubclass(error, Exception):
            found = error.__name__ if isinstance(error, type) else f"a {type(error).__name__}"
            # CancelledError and KeyboardInterrupt are no Exceptions: who retries them cannot be stopped.
            raise PolicyInvalid(where, found=found, wanted="subclasses of Exception")


RETRY_POLICIES: Mapping[str, RetryPolicy] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            RetryPolicy("standard", "calls between services", 3, 1.0, 10.0),
            RetryPolicy("network", "quick calls over a network", 3, 0.5, 10.0),
            RetryPolicy("conservative", "dependencies that must be spared", 2, 2.0, 20.0, 1.5),
            RetryPolicy("database", "databases that may be failing over", 5, 1.0, 30.0, 1.5),
            RetryPolicy("webhook", "receivers that may be down for minutes", 3, 30.0, 300.0, jitter=False),
            RetryPolicy("validation", "one more try", 1, 1.0, 1.0, 1.0, jitter=False),
            RetryPolicy("critical", "what must get through", 10, 0.1, 60.0, 1.3),
        )
    }
)
"""Policies by name. Source: names and values of the monolith's ``shared.resilience``."""


def policy_named(policy: str | RetryPolicy) -> RetryPolicy:
    """Return *policy*, or the one of :data:`RETRY_POLICIES` that it names.

    Raises:
        PolicyInvalid: if there is none of that name; the message names the nearest one.
    """
    if isinstance(policy, RetryPolicy):
        return policy
    if not isinstance(policy, str) or policy not in RETRY_POLICIES:
        found = repr(policy) if isinstance(policy, str) else f"a {type(policy).__name__}"
        wanted = f"one of {', '.join(RETRY_POLICIES)}, or a RetryPolicy"
        raise PolicyInvalid("retry: policy", found=found, wanted=wanted, mend=nearest(str(policy), RETRY_POLICIES))
    return RETRY_POLICIES[policy]
