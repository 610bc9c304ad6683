"""Legacy retries, breakers and waits behind their ports."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from oms.domain.stage import Effect
from oms.legacy.shared.security.protection_facade import ProtectionViolation
from oms.legacy.utils import retry_strategy
from oms.legacy.utils.retry_strategy import RetryBudgetExhaustedError
from oms.legacy_adapters.resilience import ProtectionBreakerAdapter, RetryStrategyAdapter, ScheduleBackoffAdapter
from oms.seams.resilience import BACKOFF, BREAKER, RETRY, living_in
from oms.testing import VirtualTime
from oms.unified.resilience import DependencyBreakers, DependencyRetries, UnifiedBackoffCalculator

SIDES = {
    RETRY: (RetryStrategyAdapter(), DependencyRetries()),
    BREAKER: (ProtectionBreakerAdapter(), DependencyBreakers()),
    BACKOFF: (ScheduleBackoffAdapter(), UnifiedBackoffCalculator()),
}


@pytest.fixture
def time() -> Iterator[VirtualTime]:
    """The time that the test lives in."""
    virtual = VirtualTime()
    with living_in(virtual.source):
        yield virtual


async def failing() -> None:
    """Fail."""
    raise ConnectionError


async def well() -> str:
    """Succeed."""
    return "well"


def test_marks() -> None:
    """Retries and breakers call the user's code, a wait is read; every side has every operation."""
    effects = {seam.name: {name: one.effect for name, one in seam.operations().items()} for seam in SIDES}

    assert {
        "retry": {"acall": Effect.EFFECTS},
        "breaker": {"acall": Effect.EFFECTS},
        "backoff": {"delay": Effect.READS},
    } == effects
    assert all(hasattr(side, name) for seam, sides in SIDES.items() for side in sides for name in seam.operations())


def test_retry(time: VirtualTime) -> None:
    """Values come back, and quirks pass through: a cold operation is called twice (RT-01)."""
    retries = RetryStrategyAdapter()

    assert "well" == asyncio.run(retries.acall(well, operation="adapter-well"))
    with pytest.raises(RetryBudgetExhaustedError):
        asyncio.run(retries.acall(failing, operation="adapter-cold", policy="critical"))
    assert 2 == len(time.sleeps)


def test_retry_twin(time: VirtualTime) -> None:
    """A twin has breakers and budgets of its own, and leaves nothing behind."""
    twin = RetryStrategyAdapter().twin()
    with pytest.raises(RetryBudgetExhaustedError):
        asyncio.run(twin.acall(failing, operation="adapter-twin"))
    kept = [name for name in retry_strategy._retry_budgets if name.endswith("adapter-twin")]
    twin.forget_twin()

    assert 1 == len(kept)
    assert "adapter-twin" != kept[0]
    assert kept[0] not in retry_strategy._retry_budgets


def test_breaker(time: VirtualTime) -> None:
    """It opens after five failures, for a minute, by name; a twin is closed, and adopts an open circuit."""
    breakers = ProtectionBreakerAdapter()
    for _ in range(5):
        with pytest.raises(ConnectionError):
            asyncio.run(breakers.acall(failing, name="a"))
    with pytest.raises(ProtectionViolation):
        asyncio.run(breakers.acall(well, name="a"))
    twin = breakers.twin()
    twin.adopt_open("b", 7)

    assert (60.0, 0.0) == (breakers.open_for_s("a"), breakers.open_for_s("b"))
    assert (0.0, 7.0) == (twin.open_for_s("a"), twin.open_for_s("b"))
    time.advance(7)
    assert "well" == asyncio.run(twin.acall(well, name="b"))


def test_backoff() -> None:
    """Waits are the calculator's, uncapped (SC-01)."""

    assert 62_914_560 == ScheduleBackoffAdapter().delay(60, 20)
