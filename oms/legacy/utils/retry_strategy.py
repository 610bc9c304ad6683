"""Retry with a budget, a circuit breaker and a bulkhead; async only.

Kept as it was. Its quirks are RT-01 to RT-28 of the legacy reference; ``tests/unit/legacy`` pins each. Time and dice come from
``oms.seams.resilience.TIME``; httpx and the metrics library may be absent.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, Dict, List, Optional, Set, Tuple, Type

from oms.seams.resilience import TIME

try:
    import httpx
except ImportError:
    httpx = None

try:
    from prometheus_client import Counter, Gauge, Histogram
except ImportError:

    class _Silent:
        """Takes what a metric takes."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            pass

        def labels(self, **labels: Any) -> "_Silent":
            return self

        def inc(self, by: float = 1) -> None:
            pass

        dec = set = observe = inc

    Counter = Gauge = Histogram = _Silent

logger = logging.getLogger(__name__)

# RT-25: a second import of this file under another name registers them twice, which the library refuses
retry_attempts_total = Counter("retry_attempts_total", "Retry attempts", ["operation", "status"])
retry_duration_seconds = Histogram("retry_duration_seconds", "Duration of calls with retry", ["operation"])
circuit_breaker_state = Gauge("circuit_breaker_state", "0 closed, 1 open, 2 half-open", ["operation"])
bulkhead_usage = Gauge("bulkhead_usage", "Slots taken", ["resource"])
retry_budget_remaining = Gauge("retry_budget_remaining", "Percent left", ["operation"])


class RetryStrategy(Enum):
    """Presets by name."""

    AGGRESSIVE = "aggressive"
    STANDARD = "standard"
    CONSERVATIVE = "conservative"
    CUSTOM = "custom"


class CircuitState(Enum):
    """States of a breaker."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


class BulkheadFullError(Exception):
    """No slot is free."""


class CircuitBreakerOpenError(Exception):
    """The breaker is open."""


class RetryBudgetExhaustedError(Exception):
    """The budget allows no further retry."""


class RetryConfig:
    """What a retry is told. Nothing is checked."""

    def __init__(
        self,
        strategy: RetryStrategy = RetryStrategy.STANDARD,
        max_attempts: int = 3,
        initial_delay: float = 1.0,
        max_delay: float = 60.0,
        exponential_base: float = 2.0,
        jitter: bool = True,
        jitter_factor: float = 0.1,
        retryable_exceptions: Optional[Set[Type[BaseException]]] = None,
        non_retryable_exceptions: Optional[Set[Type[BaseException]]] = None,
        timeout: Optional[float] = None,
        circuit_breaker_threshold: int = 5,
        circuit_breaker_timeout: float = 60.0,
        bulkhead_size: Optional[int] = None,
        retry_budget_percent: float = 10.0,
        retry_budget_window: float = 60.0,
    ) -> None:
        self.strategy = strategy
        self.max_attempts = max_attempts
        self.initial_delay = initial_delay
        self.max_delay = max_delay
        self.exponential_base = exponential_base
        self.jitter = jitter
        self.jitter_factor = jitter_factor
        # RT-10: an empty set is falsy, so "retry nothing" means the default
        self.retryable_exceptions = retryable_exceptions or _default_retryable()
        self.non_retryable_exceptions = non_retryable_exceptions or _default_non_retryable()
        self.timeout = timeout
        self.circuit_breaker_threshold = circuit_breaker_threshold
        self.circuit_breaker_timeout = circuit_breaker_timeout
        self.bulkhead_size = bulkhead_size  # RT-22: no preset gives one
        self.retry_budget_percent = retry_budget_percent
        self.retry_budget_window = retry_budget_window

    @classmethod
    def for_strategy(cls, strategy: RetryStrategy) -> "RetryConfig":
        """Return the preset of *strategy*; CUSTOM falls back to the default, whose strategy says STANDARD."""
        if strategy is RetryStrategy.AGGRESSIVE:
            return cls(strategy, 10, 0.5, 300.0, 1.5, circuit_breaker_threshold=20, retry_budget_percent=20.0)
        if strategy is RetryStrategy.STANDARD:
            return cls(strategy, 5, 1.0, 60.0, 2.0, circuit_breaker_threshold=10)
        if strategy is RetryStrategy.CONSERVATIVE:
            return cls(strategy, 3, 2.0, 30.0, 2.0, circuit_breaker_threshold=5, retry_budget_percent=5.0)
        return cls()


def _default_retryable() -> Set[Type[BaseException]]:
    found: Set[Type[BaseException]] = {ConnectionError, TimeoutError, asyncio.TimeoutError}
    if httpx is not None:
        found |= {httpx.TimeoutException, httpx.ConnectError, httpx.ReadTimeout}
    return found


def _default_non_retryable() -> Set[Type[BaseException]]:
    found: Set[Type[BaseException]] = {ValueError, TypeError, PermissionError}
    if httpx is not None:
        found.add(httpx.HTTPStatusError)
    return found


class CircuitBreaker:
    """Counts failures of one operation. No lock, and the wall clock (RT-28)."""

    def __init__(self, operation: str, config: RetryConfig) -> None:
        self.operation = operation
        self.config = config
        self.state = CircuitState.CLOSED
        self.failure_count = 0
        self.last_failure_time: Optional[float] = None
        self.half_open_attempts = 0
        self._show()

    def is_open(self) -> bool:
        """Tell whether to reject; may move to half-open."""
        if self.state is CircuitState.OPEN:
            waited = TIME.get().wall() - (self.last_failure_time or 0.0)
            if waited > self.config.circuit_breaker_timeout:
                self.state = CircuitState.HALF_OPEN
                self.half_open_attempts = 0
                self._show()
                return False  # RT-17: this one is not counted, so four get in
            return True
        if self.state is CircuitState.HALF_OPEN:
            if self.half_open_attempts >= 3:
                return True  # RT-18: nothing but a result ends this, and there is no time limit
            self.half_open_attempts += 1
        return False

    def record_success(self) -> None:
        """Close a half-open breaker, at the first success (RT-19). A closed one forgets nothing (RT-16)."""
        if self.state is CircuitState.HALF_OPEN:
            self.state = CircuitState.CLOSED
            self.failure_count = 0
            self.half_open_attempts = 0
            self._show()

    def record_failure(self) -> None:
        """Count a failure; at the threshold the breaker opens."""
        self.failure_count += 1
        self.last_failure_time = TIME.get().wall()
        if self.failure_count >= self.config.circuit_breaker_threshold:
            self.state = CircuitState.OPEN
            self._show()
            logger.warning("Circuit breaker opened for %s", self.operation)

    def _show(self) -> None:
        circuit_breaker_state.labels(operation=self.operation).set(self.state.value)


class RetryBudget:
    """Share of calls that may be retries, in a window that tumbles. No lock."""

    def __init__(self, operation: str, config: RetryConfig) -> None:
        self.operation = operation
        self.config = config
        self.total_requests = 0
        self.retry_requests = 0
        self.window_start = TIME.get().wall()

    def can_retry(self) -> bool:
        """Tell whether a retry is allowed."""
        now = TIME.get().wall()
        if now - self.window_start > self.config.retry_budget_window:
            # RT-03: the credit of every healthy call goes with the window
            self.total_requests = 0
            self.retry_requests = 0
            self.window_start = now
        if self.total_requests == 0:
            return True
        percent = self.retry_requests / self.total_requests * 100
        remaining = max(0.0, self.config.retry_budget_percent - percent)
        retry_budget_remaining.labels(operation=self.operation).set(remaining)
        return percent < self.config.retry_budget_percent  # RT-01: 1 of 2 is 50 %, so a cold operation gets one retry

    def record_request(self, is_retry: bool = False) -> None:
        """Count a call; a retry counts as a request, too."""
        self.total_requests += 1
        if is_retry:
            self.retry_requests += 1


class Bulkhead:
    """A few slots; who finds none is rejected at once."""

    def __init__(self, resource: str, size: int) -> None:
        self.resource = resource
        self.size = size
        self.in_use = 0
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def acquire(self) -> Any:
        """Hold a slot."""
        async with self._lock:
            if self.in_use >= self.size:
                logger.warning("Bulkhead full for %s", self.resource)
                raise BulkheadFullError(f"Bulkhead full for {self.resource}")
            self.in_use += 1
            bulkhead_usage.labels(resource=self.resource).set(self.in_use)
        try:
            yield
        finally:
            async with self._lock:
                self.in_use -= 1
                bulkhead_usage.labels(resource=self.resource).set(self.in_use)


_circuit_breakers: Dict[str, CircuitBreaker] = {}
_retry_budgets: Dict[str, RetryBudget] = {}
_bulkheads: Dict[str, Bulkhead] = {}


def get_circuit_breaker(operation: str, config: RetryConfig) -> CircuitBreaker:
    """Return the breaker of *operation*; the first configuration wins (RT-21)."""
    if operation not in _circuit_breakers:
        _circuit_breakers[operation] = CircuitBreaker(operation, config)
    return _circuit_breakers[operation]


def get_retry_budget(operation: str, config: RetryConfig) -> RetryBudget:
    """Return the budget of *operation*; the first configuration wins (RT-21)."""
    if operation not in _retry_budgets:
        _retry_budgets[operation] = RetryBudget(operation, config)
    return _retry_budgets[operation]


def get_bulkhead(resource: str, size: int) -> Bulkhead:
    """Return the bulkhead of *resource*; the first size wins (RT-21)."""
    if resource not in _bulkheads:
        _bulkheads[resource] = Bulkhead(resource, size)
    return _bulkheads[resource]


def calculate_delay(attempt: int, config: RetryConfig) -> float:
    """Return the seconds to wait after *attempt*, counted from 1."""
    # RT-13: the power overflows before it is capped; RT-12: a negative cap is a negative wait
    delay = min(config.initial_delay * config.exponential_base ** (attempt - 1), config.max_delay)
    if config.jitter:
        spread = delay * config.jitter_factor
        delay = max(0.0, delay + TIME.get().uniform(-spread, spread))  # RT-11: after the cap
    return delay


def is_retryable_exception(exc: BaseException, config: RetryConfig) -> bool:
    """Tell whether to try again."""
    kind = type(exc)  # RT-05, RT-06: the exact type, so no subclass is retried
    if kind in config.non_retryable_exceptions:
        # RT-09: only looked at in here; RT-07: 3xx is retried; RT-08: 408 and 429 are not
        if httpx is not None and kind is httpx.HTTPStatusError:
            return not 400 <= exc.response.status_code < 500
        return False
    return kind in config.retryable_exceptions


def with_retry(operation: str, config: Optional[RetryConfig] = None, bulkhead_resource: Optional[str] = None) -> Any:
    """Return a decorator for an async function. A plain one runs, and then fails (RT-15)."""
    if config is None:
        config = RetryConfig()

    def decorator(func: Any) -> Any:
        @functools.wraps(func)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            breaker = get_circuit_breaker(operation, config)
            budget = get_retry_budget(operation, config)
            bulkhead = None
            if bulkhead_resource and config.bulkhead_size:
                bulkhead = get_bulkhead(bulkhead_resource, config.bulkhead_size)
            last_exception: Optional[BaseException] = None
            start = TIME.get().monotonic()
            for attempt in range(1, config.max_attempts + 1):
                try:
                    # RT-20: asked after the wait, so an error from here hides the one before
                    if breaker.is_open():
                        logger.warning("Circuit breaker open for %s", operation)
                        raise CircuitBreakerOpenError(f"Circuit breaker open for {operation}")
                    if attempt == 1:
                        budget.record_request()
                    else:
                        if not budget.can_retry():
                            logger.warning("Retry budget exhausted for %s", operation)
                            raise RetryBudgetExhaustedError(f"Retry budget exhausted for {operation}")
                        budget.record_request(is_retry=True)
                    if bulkhead is not None:
                        async with bulkhead.acquire():
                            result = await _run(func, args, kwargs, config)
                    else:
                        result = await _run(func, args, kwargs, config)
                    breaker.record_success()
                    retry_attempts_total.labels(operation=operation, status="success").inc()
                    retry_duration_seconds.labels(operation=operation).observe(TIME.get().monotonic() - start)
                    if attempt > 1:
                        logger.info("%s succeeded on attempt %d", operation, attempt)
                    return result
                except Exception as e:
                    last_exception = e
                    if not is_retryable_exception(e, config):
                        # RT-27: the guards' own errors end here as well; RT-18: the breaker hears nothing
                        logger.error("Non-retryable error in %s: %s", operation, type(e).__name__)
                        retry_attempts_total.labels(operation=operation, status="non_retryable").inc()
                        raise
                    breaker.record_failure()
                    if attempt >= config.max_attempts:
                        logger.error("%s failed after %d attempts", operation, attempt)
                        retry_attempts_total.labels(operation=operation, status="exhausted").inc()
                        raise
                    delay = calculate_delay(attempt, config)
                    logger.warning("%s failed (attempt %d/%d), next in %.2f s", operation, attempt, config.max_attempts, delay)
                # RT-02: outside of the except block, so the next error knows nothing of this one
                await TIME.get().asleep(delay)
            # RT-14: with no attempt there is no exception to raise; RT-24: nothing else comes here
            raise last_exception

        return wrapper

    return decorator


async def _run(func: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any], config: RetryConfig) -> Any:
    if config.timeout:  # RT-23: 0 is no limit
        return await TIME.get().wait_for(func(*args, **kwargs), config.timeout)
    return await func(*args, **kwargs)


class RetryContext:
    """Attempts for a loop that somebody wrote by hand."""

    def __init__(self, operation: str, config: Optional[RetryConfig] = None) -> None:
        self.operation = operation
        self.config = config or RetryConfig()
        self.attempt = 0
        self.last_exception: Optional[BaseException] = None

    async def __aenter__(self) -> "RetryContext":
        self.attempt += 1
        return self

    async def __aexit__(self, kind: Any, exc: Any, trace: Any) -> bool:
        if exc is None:
            return False
        self.last_exception = exc
        if not is_retryable_exception(exc, self.config) or self.attempt >= self.config.max_attempts:
            return False
        await TIME.get().asleep(calculate_delay(self.attempt, self.config))
        return True


class BatchRetryExecutor:
    """Runs several operations at once, each with retry."""

    def __init__(self, config: Optional[RetryConfig] = None) -> None:
        self.config = config or RetryConfig()
        # RT-26: never emptied, so a second batch reports the first one again
        self.results: Dict[str, Any] = {}
        self.failures: Dict[str, Exception] = {}

    async def add_operation(self, name: str, operation: Any, *args: Any, **kwargs: Any) -> None:
        """Run one operation and keep how it ended."""
        try:
            self.results[name] = await with_retry(f"batch_{name}", self.config)(operation)(*args, **kwargs)
        except Exception as e:
            self.failures[name] = e

    async def execute_all(self, operations: List[Tuple[str, Any, tuple, dict]]) -> Dict[str, Any]:
        """Run ``(name, operation, args, kwargs)`` rows; never raises."""
        await asyncio.gather(*(self.add_operation(name, op, *args, **kwargs) for name, op, args, kwargs in operations))
        total = len(self.results) + len(self.failures)
        return {
            "results": self.results,
            "failures": self.failures,
            "success_rate": len(self.results) / total if total else 0,
        }


DB_READ_CONFIG = RetryConfig.for_strategy(RetryStrategy.STANDARD)
DB_WRITE_CONFIG = RetryConfig.for_strategy(RetryStrategy.AGGRESSIVE)
DB_CRITICAL_CONFIG = RetryConfig(
    strategy=RetryStrategy.CUSTOM,
    max_attempts=15,
    initial_delay=0.1,
    max_delay=120.0,
    exponential_base=1.3,
    circuit_breaker_threshold=30,
    retry_budget_percent=25.0,
)


@with_retry("terminusdb_read", DB_READ_CONFIG, bulkhead_resource="terminusdb")
async def read_from_terminusdb(query: str) -> Dict[str, Any]:
    """Sample of how to use it."""
    return {"query": query}


@with_retry("terminusdb_write", DB_WRITE_CONFIG, bulkhead_resource="terminusdb")
async def write_to_terminusdb(data: Dict[str, Any]) -> Dict[str, Any]:
    """Sample of how to use it."""
    return {"written": data}
