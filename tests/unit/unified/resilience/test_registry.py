"""What a process shares by name, and what of it is exported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from oms.testing import VirtualTime
from oms.unified.resilience import (
    CircuitBreakerConfig,
    CircuitOpenError,
    CircuitState,
    DependencyBreakers,
    DependencyRetries,
    MisuseError,
    PolicyInvalid,
    ResilienceRegistry,
    RetryBudgetConfig,
)
from oms.unified.resilience.metrics import observe

Make = Callable[..., Any]


def test_one_a_name() -> None:
    """A name has one budget and one breaker; another configuration is refused (RT-21)."""
    registry = ResilienceRegistry()
    budget, breaker = registry.get_retry_budget("a"), registry.get_circuit_breaker("a")

    assert budget is registry.get_retry_budget("a", RetryBudgetConfig())
    assert breaker is registry.get_circuit_breaker("a", CircuitBreakerConfig())
    with pytest.raises(PolicyInvalid, match="budget 'a'"):
        registry.get_retry_budget("a", RetryBudgetConfig(max_tokens=1))
    with pytest.raises(PolicyInvalid, match="breaker 'a'"):
        registry.get_circuit_breaker("a", CircuitBreakerConfig(window=1))


def test_with_resilience(time: VirtualTime, scripted: Make) -> None:
    """A decorated function has the dependency's budget and breaker."""
    registry = ResilienceRegistry()
    function = scripted(ConnectionError())
    act = registry.with_resilience("actions", breaker_config=CircuitBreakerConfig(failure_threshold=2))(function.plain)
    with pytest.raises(ConnectionError):
        act()
    with pytest.raises(CircuitOpenError):
        act()
    registry.reset_all_circuit_breakers()

    assert (2, 2) == (function.calls, registry.get_retry_budget("actions").counts.calls)
    assert CircuitState.CLOSED is registry.get_circuit_breaker("actions").state


def test_retries_by_name(time: VirtualTime, scripted: Make) -> None:
    """Operations are retried by the policy they name, from a budget of their own; a twin has budgets of its own."""
    registry = ResilienceRegistry()
    retries = DependencyRetries(registry)
    first, second = scripted(ConnectionError(), 1), scripted(ConnectionError())

    assert 1 == asyncio.run(retries.acall(first.awaited, operation="a"))
    with pytest.raises(ConnectionError):
        retries.call(second.plain, operation="a", policy="validation")
    with pytest.raises(PolicyInvalid):
        retries.call(second.plain, operation="a", policy="nobody")
    with pytest.raises(ConnectionError):
        retries.twin().call(second.plain, operation="a")

    assert (2, 2 + 4) == (first.calls, second.calls)
    assert 2 == registry.get_retry_budget("a").counts.calls


@pytest.mark.parametrize("side", [DependencyRetries, DependencyBreakers])
def test_functions_of_the_port(time: VirtualTime, scripted: Make, side: Any) -> None:
    """Whatever returns something to await can be called through the port; what does not is told so, and not called again."""
    function = scripted(1)
    name = {"operation": "a"} if side is DependencyRetries else {"name": "a"}

    assert 1 == asyncio.run(side().acall(lambda: function.awaited(1), **name))
    with pytest.raises(MisuseError, match="found a int, which cannot be awaited"):
        asyncio.run(side().acall(function.plain, **name))
    with pytest.raises(MisuseError, match="wanted a function"):
        asyncio.run(side().acall(7, **name))
    assert 2 == function.calls


def test_breakers_by_name(time: VirtualTime, scripted: Make) -> None:
    """Calls go through the breaker they name; an open circuit can be adopted, and a twin begins closed."""
    breakers = DependencyBreakers(ResilienceRegistry(breaker_config=CircuitBreakerConfig(failure_threshold=1)))
    with pytest.raises(ConnectionError):
        breakers.call(scripted(ConnectionError()).plain, name="a")
    twin = breakers.twin()
    twin.adopt_open("b", 7)

    assert (60.0, 0.0, 7.0) == (breakers.open_for_s("a"), twin.open_for_s("a"), twin.open_for_s("b"))
    assert 1 == asyncio.run(breakers.acall(scripted(1).awaited, name="b"))
    with pytest.raises(CircuitOpenError):
        asyncio.run(breakers.acall(scripted(1).awaited, name="a"))


def test_metrics(time: VirtualTime, scripted: Make) -> None:
    """Attempts, ends, budget, calls, moves and state are exported as they stand when somebody collects."""
    registry, reader = ResilienceRegistry(), InMemoryMetricReader()
    provider = MeterProvider([reader])
    observe(provider, budgets=registry.budgets, breakers=registry.breakers)
    act = registry.with_resilience("actions", breaker_config=CircuitBreakerConfig(failure_threshold=2))
    with pytest.raises(ConnectionError):
        act(scripted(ConnectionError()).plain)()
    exported = points(reader)
    provider.shutdown()

    assert (1, 1) == (exported["oms.retry.attempts", "first"], exported["oms.retry.attempts", "retry"])
    assert (1, 0) == (exported["oms.retry.calls", "circuit_open"], exported["oms.retry.calls", "exhausted"])
    assert (2, 0) == (exported["oms.breaker.calls", "failure"], exported["oms.breaker.calls", "success"])
    assert (1, 1) == (exported["oms.breaker.moves", "open"], exported["oms.breaker.state", ""])
    assert 90 < exported["oms.retry.budget", ""] <= 100


def points(reader: InMemoryMetricReader) -> dict[tuple[str, str], float]:
    """Return every point by metric and by what tells it from others of the metric."""
    data = reader.get_metrics_data()
    assert data is not None
    found = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    assert point.attributes is not None
                    labels = {k: v for k, v in point.attributes.items() if k not in ("dependency", "breaker")}
                    found[metric.name, str(next(iter(labels.values()), ""))] = point.value
    return found
