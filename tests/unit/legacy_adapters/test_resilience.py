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


def test_adopted_as_if_opened(time: VirtualTime) -> None:
    """A breaker that adopts is as one that opened by itself when the other one did: rejected, one probe, and then PF-01."""
    own, adopted = ProtectionBreakerAdapter(), ProtectionBreakerAdapter()
    for _ in range(5):
        with pytest.raises(ConnectionError):
            asyncio.run(own.acall(failing, name="a"))
    time.advance(50)
    adopted.adopt_open("a", own.open_for_s("a"))
    seen = []
    for _ in range(4):
        seen.append([lets_through(side) for side in (own, adopted)])
        time.advance(5)

    assert [[False, False], [False, False], [True, True], [False, False]] == seen


def lets_through(side: ProtectionBreakerAdapter) -> bool:
    """Call something healthy; tell whether it was called."""
    try:
        return "well" == asyncio.run(side.acall(well, name="a"))
    except ProtectionViolation:
        return False


def test_what_a_breaker_tells(time: VirtualTime) -> None:
    """It tells where each breaker stands, and for how long those that are open stay so; of one that was never called it knows nothing."""
    breakers = ProtectionBreakerAdapter()
    breakers.adopt_open("a", 7)
    breakers.adopt_open("b", 3)
    before = (breakers.state_of("a"), breakers.state_of("nobody"), breakers.open_circuits())
    time.advance(5)
    asyncio.run(breakers.acall(well, name="b"))

    assert ("open", None, {"a": 7.0, "b": 3.0}) == before
    assert ("half_open", 0.0, {"a": 2.0}) == (
        breakers.state_of("b"),
        breakers.open_for_s("b"),
        breakers.open_circuits(),
    )


def test_retries_hand_nothing_over() -> None:
    """Retries of neither wing tell of a breaker: unified ones have none, so there is nobody to adopt legacy's, nor to be adopted."""
    names = ("state_of", "open_for_s", "open_circuits", "adopt_open")

    assert [] == [name for side in SIDES[RETRY] for name in names if hasattr(side, name)]


@pytest.mark.parametrize(
    ("policy", "attempt", "band"),
    [("standard", 3, (3.6, 4.4)), ("database", 1, (0.45, 0.55)), ("network", 2, (1.8, 2.2)), ("standard", 9, (54, 66))],
)
def test_delay_band(policy: str, attempt: int, band: tuple[float, float]) -> None:
    """The waits that a policy allows are legacy's, whose jitter goes above the cap (RT-11)."""
    assert pytest.approx(band) == RetryStrategyAdapter().delay_band(attempt, operation="op", policy=policy)


def test_backoff() -> None:
    """Waits are the calculator's, uncapped (SC-01)."""

    assert 62_914_560 == ScheduleBackoffAdapter().delay(60, 20)
