"""Both sides of each resilience seam, the time that they live in, and functions that do as their script says."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from oms.domain.phase import Seam
from oms.legacy.utils import retry_strategy
from oms.legacy_adapters.resilience import ProtectionBreakerAdapter, RetryStrategyAdapter, ScheduleBackoffAdapter
from oms.testing import Sides, VirtualTime
from oms.unified.resilience import (
    BreakerStore,
    DependencyBreakers,
    DependencyRetries,
    ResilienceRegistry,
    UnifiedBackoffCalculator,
)


def make_sides(seam: Seam[Any, Any], store: BreakerStore | None = None) -> Sides:
    """Return both sides of *seam*, without anything that an earlier test left in legacy's module; unified breakers share *store*."""
    for kept in (retry_strategy._circuit_breakers, retry_strategy._retry_budgets, retry_strategy._bulkheads):
        kept.clear()
    registry = ResilienceRegistry(store=store)
    return {
        "retry": lambda: Sides(legacy=RetryStrategyAdapter(), unified=DependencyRetries(registry)),
        "breaker": lambda: Sides(legacy=ProtectionBreakerAdapter(), unified=DependencyBreakers(registry)),
        "backoff": lambda: Sides(legacy=ScheduleBackoffAdapter(), unified=UnifiedBackoffCalculator()),
    }[seam.name]()


class SteppingTime(VirtualTime):
    """Virtual time whose wall clock somebody may set, as time servers and administrators do."""

    def __init__(self) -> None:
        super().__init__()
        self._wall_is_ahead_s = 0.0
        self.source = replace(self.source, wall=lambda: self.now_s + self._wall_is_ahead_s)

    def set_wall(self, ahead_s: float) -> None:
        """Set the wall clock *ahead_s* seconds before the monotonic one."""
        self._wall_is_ahead_s = ahead_s


def scripted(*script: Any) -> Any:
    """Return an async function that raises or returns what its script says, the last entry again and again; of a class, a new one each time.

    ``function.calls`` says how often it was called; ``function.plain`` does the same without being awaited.
    """
    outcomes = itertools.chain(script[:-1], itertools.repeat(script[-1]))

    def plain() -> Any:
        told.calls += 1
        outcome = next(outcomes)
        if isinstance(outcome, BaseException) or (isinstance(outcome, type) and issubclass(outcome, BaseException)):
            raise outcome
        return outcome

    async def function() -> Any:
        return plain()

    told: Any = function
    told.calls, told.plain = 0, plain
    return told


async def end_of(call: Awaitable[Any]) -> Any:
    """Return what *call* returned, or what it raised: cancellation and KeyboardInterrupt too, which would end the test's loop."""
    try:
        return await call
    except BaseException as error:
        return error


def error_of(call: Callable[..., object], *args: Any, **kwargs: Any) -> Exception | None:
    """Return what *call* raises, None if it returns."""
    try:
        call(*args, **kwargs)
    except Exception as error:
        return error
    return None


async def until(condition: Callable[[], bool]) -> None:
    """Let the others on the loop run until *condition* holds.

    Raises:
        TimeoutError: if it does not within a minute.
    """
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


def by_plain(function: Any) -> Any:
    """Return a plain function, as a lambda is, that returns what *function* returns to be awaited."""

    def plain() -> Any:
        return function()

    return plain


def by_partial(function: Any) -> Any:
    """Return a partial of *function*."""
    return functools.partial(function)


def by_method(function: Any) -> Any:
    """Return a bound async method that calls *function*."""
    return ByObject(function).__call__


class ByObject:
    """An object whose call is async."""

    def __init__(self, function: Any) -> None:
        self._function = function

    async def __call__(self) -> Any:
        """Call the function."""
        return await self._function()
