"""The gate on replay itself: a wing compared with itself never diverges, however many calls are in flight."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.stage import Stage
from oms.legacy.shared.security.protection_facade import ProtectionViolation
from oms.legacy.utils.retry_strategy import CircuitBreakerOpenError, RetryBudgetExhaustedError
from oms.legacy_adapters.resilience import ProtectionBreakerAdapter, RetryStrategyAdapter
from oms.routing import LaneLimits, Runtime
from oms.seams.resilience import BREAKER, RETRY, living_in
from oms.testing import VirtualTime
from oms.unified.resilience import CircuitOpenError, DependencyBreakers, DependencyRetries

AMPLE = LaneLimits(jobs=100_000, size=1 << 40, cpu_share=1_000.0)
"""Limits under which every call is compared."""

IN_FLIGHT = 16
RATES = (0.02, 0.3, 0.9)
"""Shares of failing attempts, by turns: breakers and budgets open, run dry and recover."""
ERRORS = (ConnectionError, ConnectionResetError, TimeoutError, ValueError)
REFUSALS = (CircuitOpenError, ProtectionViolation, CircuitBreakerOpenError, RetryBudgetExhaustedError)
POLICIES = ("standard", "database", "critical", "webhook")
_NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Legacy logs every failure, of which there are many here."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def legacy() -> tuple[RetryStrategyAdapter, ProtectionBreakerAdapter]:
    """Return both legacy sides, new ones: their module would remember the operations of another test."""
    return RetryStrategyAdapter(prefix=f"{next(_NUMBERS)} "), ProtectionBreakerAdapter()


def unified() -> tuple[DependencyRetries, DependencyBreakers]:
    """Return both unified sides."""
    return DependencyRetries(), DependencyBreakers()


Wing = Callable[[], tuple[Any, Any]]


def compared(wing: Wing, other: Wing, stage: Stage, calls: int, seed: int) -> Counter[str]:
    """Make *calls* calls of retry around breaker, *wing* bound as legacy and *other* as unified, and return the tallies."""
    runtime = Runtime(limits=AMPLE)
    first, second = wing(), other()
    for seam, one, two in zip((RETRY, BREAKER), first, second, strict=True):
        runtime.bind(seam, legacy=one, unified=two)
    runtime.publish(DecisionTable.of(resilience=FixedDecision(stage)))
    retry, breaker = runtime.facade(RETRY), runtime.facade(BREAKER)
    dice, time, numbers = random.Random(seed), VirtualTime(), iter(range(calls))

    async def caller() -> None:
        for number in numbers:
            await one_call(number)
            time.advance(dice.random())

    async def one_call(number: int) -> None:
        async def function() -> int:
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)
            time.advance(dice.random() * 0.05)
            if dice.random() < RATES[number // 400 % len(RATES)]:
                raise dice.choice(ERRORS)
            return 1

        async def guarded() -> int:
            return await breaker.acall(function, name=f"breaker {number % 5}")

        with contextlib.suppress(*ERRORS, *REFUSALS):
            await retry.acall(guarded, operation=f"operation {number % 7}", policy=POLICIES[number % 4])

    async def everybody() -> None:
        await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))

    with living_in(time.source):
        asyncio.run(everybody())
    assert 0 == runtime.stop(120)
    tallies: Counter[str] = Counter()
    for tally in runtime.drain().tallies:
        tallies[f"{tally.place.seam} {tally.name}"] += tally.count
    return tallies


@pytest.mark.parametrize("wing", [legacy, unified])
@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_a_wing_against_itself(wing: Wing, stage: Stage) -> None:
    """15,000 calls a wing in both directions together, 16 in flight, 0 divergences: each call is compared, and matches to the last digit."""
    tallies = compared(wing, wing, stage, 7_500, seed=1)

    assert 7_500 == tallies["retry shadowed"] == tallies["retry matched"]
    assert tallies["breaker shadowed"] == tallies["breaker matched"] > 3_000
    assert {"calls", "shadowed", "matched", "errors.none", "errors.both"} == {name.split()[1] for name in tallies}


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("wing", [legacy, unified])
@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_a_wing_against_itself_for_long(wing: Wing, stage: Stage, seed: int) -> None:
    """15,000 calls each, with other dice."""
    tallies = compared(wing, wing, stage, 15_000, seed)

    assert 15_000 == tallies["retry matched"]
    assert tallies["breaker shadowed"] == tallies["breaker matched"]


def test_the_gate_can_fail() -> None:
    """Two wings do diverge under the same calls, so a gate without a divergence says something."""
    tallies = compared(legacy, unified, Stage.SHADOW, 1_500, seed=1)

    assert tallies["retry mismatched"] > 10
    assert tallies["breaker mismatched"] > 0
