"""Resilience of the unified wing: retries, their budget, waits and circuit breakers, plain and async."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oms.unified.resilience.backoff import STRATEGIES, RetryStrategy, UnifiedBackoffCalculator
from oms.unified.resilience.breaker.breaker import UnifiedCircuitBreaker
from oms.unified.resilience.breaker.config import CircuitBreakerConfig, CircuitState
from oms.unified.resilience.breaker.counts import BreakerCounts
from oms.unified.resilience.budget import RetryBudgetConfig, RetryCounts, UnifiedRetryBudget
from oms.unified.resilience.errors import CircuitOpenError, MisuseError, PolicyInvalid, ResilienceError
from oms.unified.resilience.policies import RETRY_POLICIES, RetryPolicy
from oms.unified.resilience.retry.history import Attempt, RetryHistory, history_of
from oms.unified.resilience.retry.retry import UnifiedRetry, with_retry

if TYPE_CHECKING:
    from oms.unified.resilience.breaker.distributed import DistributedCircuitBreaker
    from oms.unified.resilience.breaker.store import BreakerStore
    from oms.unified.resilience.gateway import GatewayRoute
    from oms.unified.resilience.http import ResilientClient
    from oms.unified.resilience.registry import DependencyBreakers, DependencyRetries, ResilienceRegistry

__all__ = [
    "RETRY_POLICIES",
    "STRATEGIES",
    "Attempt",
    "BreakerCounts",
    "BreakerStore",
    "CircuitBreakerConfig",
    "CircuitOpenError",
    "CircuitState",
    "DependencyBreakers",
    "DependencyRetries",
    "DistributedCircuitBreaker",
    "GatewayRoute",
    "MisuseError",
    "PolicyInvalid",
    "ResilienceError",
    "ResilienceRegistry",
    "ResilientClient",
    "RetryBudgetConfig",
    "RetryCounts",
    "RetryHistory",
    "RetryPolicy",
    "RetryStrategy",
    "UnifiedBackoffCalculator",
    "UnifiedCircuitBreaker",
    "UnifiedRetry",
    "UnifiedRetryBudget",
    "history_of",
    "with_retry",
]

_LATE = {
    "BreakerStore": "breaker.store",
    "DependencyBreakers": "registry",
    "DependencyRetries": "registry",
    "DistributedCircuitBreaker": "breaker.distributed",
    "GatewayRoute": "gateway",
    "ResilienceRegistry": "registry",
    "ResilientClient": "http",
}
"""What needs a Redis client or httpx, which take longer to import than everything else here."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"oms.unified.resilience.{_LATE[name]}"), name)
