"""Retry, backoff and circuit breakers (roadmap 2.2): three ports, and the time that both wings live in.

The ports call the user's function, so a side must never look at a clock, sleep or throw dice by itself: it asks :data:`TIME`. In a
replay that is virtual time, and hours of backoff cost microseconds.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, TypeVar

from oms.domain.observation import Facts, Observation, Returned
from oms.domain.phase import Phase, effects, reads

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSource:
    """Where a side gets clock, sleep, time limits and randomness from.

    Attributes:
        monotonic: Seconds that never step back.
        wall: Seconds since 1970, for dates that others wrote and for legacy code.
        sleep, asleep: Wait for so many seconds.
        wait_for: Await something for at most so many seconds, then cancel it and raise TimeoutError.
        random: A number from 0 up to, not including, 1.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    asleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    wait_for: Callable[[Awaitable[Any], float | None], Awaitable[Any]] = asyncio.wait_for
    random: Callable[[], float] = random.random

    def uniform(self, least: float, most: float) -> float:
        """Return a number between *least* and *most*, each as likely as any other."""
        return least + (most - least) * self.random()


TIME: ContextVar[TimeSource] = ContextVar("oms_resilience_time", default=TimeSource())  # noqa: B039 - it is frozen
"""The time of the present context; the real one unless somebody said otherwise."""


@contextmanager
def living_in(source: TimeSource) -> Iterator[TimeSource]:
    """Let everything called inside, and every task started there, take its time from *source*."""
    token = TIME.set(source)
    try:
        yield source
    finally:
        TIME.reset(token)


def error_label(error: BaseException) -> str:
    """Return the class name of *error*, with the HTTP status that its response carries: ``HTTPStatusError.429``."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    name = type(error).__qualname__
    return f"{name}.{status}" if isinstance(status, int) else name


class Retry(Protocol):
    """Calls a function again when it failed in a way that may pass."""

    @effects(subject="operation", named_by=("policy",), label=error_label)
    async def acall(self, function: Callable[[], Awaitable[T]], *, operation: str, policy: str = "standard") -> T:
        """Return what *function* returns, after as many attempts as *policy* allows; raise what the last one raised.

        Args:
            function: Awaited once an attempt.
            operation: What is called; calls of one operation share a retry budget.
            policy: A name of ``RETRY_POLICIES``.
        """
        ...


class Breaker(Protocol):
    """Stops calling what keeps failing."""

    @effects(subject="name", label=error_label)
    async def acall(self, function: Callable[[], Awaitable[T]], *, name: str) -> T:
        """Return what *function* returns; raise at once, without calling it, while the breaker called *name* is open."""
        ...


class Backoff(Protocol):
    """Says how long to wait."""

    @reads(named_by=("strategy",), errors={"PolicyInvalid": ("where",)})
    def delay(self, base_delay: int, retry_count: int, strategy: str = "exponential") -> float:
        """Return the seconds to wait before retry number *retry_count*, counted from 0.

        Args:
            base_delay: Seconds of the shortest wait.
            strategy: ``exponential``, ``linear``, ``fixed`` or ``fibonacci``.
        """
        ...


def same_wait(legacy: Observation, unified: Observation, facts: Facts) -> str | None:
    """Explain two waits that are one to everybody who sleeps: floats that were added in another order."""
    if not (isinstance(legacy, Returned) and isinstance(unified, Returned)):
        return None
    one, other = legacy.value, unified.value
    return "float" if is_wait(one) and is_wait(other) and math.isclose(one, other, rel_tol=1e-9) else None


def is_wait(value: object) -> TypeGuard[float]:
    """Tell whether *value* is what the port ``Backoff`` returns."""
    return isinstance(value, float)


RESILIENCE = Phase("resilience")
RETRY = RESILIENCE.seam("retry", port=Retry)
BACKOFF = RESILIENCE.seam("backoff", port=Backoff, reasonable=same_wait)
BREAKER = RESILIENCE.seam("breaker", port=Breaker)
