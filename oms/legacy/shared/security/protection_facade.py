"""The protection facade: circuit breakers and rate limiters by name.

Kept as it was. Its quirks are PF-01 to PF-14 of the legacy reference; ``tests/unit/legacy`` pins each. PF-15 lies in a middleware that calls it
and is not here.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any, Dict, List, Optional, Tuple

from oms.seams.resilience import TIME

logger = logging.getLogger(__name__)


class CircuitState(Enum):
    """States of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class ProtectionViolation(Exception):
    """A call that protection did not let through."""

    def __init__(self, message: str, violation_type: str, context: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(message)
        self.message = message
        self.violation_type = violation_type
        self.context = context or {}
        self.timestamp = datetime.fromtimestamp(TIME.get().wall(), timezone.utc)


@dataclass
class CircuitBreakerConfig:
    """What a breaker is told; health check and failure rate are read nowhere."""

    failure_threshold: int = 5
    success_threshold: int = 3
    timeout: float = 60.0
    half_open_timeout: float = 30.0
    enable_health_check: bool = True
    health_check_interval: float = 10.0
    failure_rate_threshold: float = 0.5
    use_distributed_state: bool = True
    redis_key_prefix: str = "circuit_breaker"


class CircuitBreaker:
    """Counts failures of what is called by one name. No lock, and the wall clock."""

    def __init__(self, name: str, config: CircuitBreakerConfig, redis_client: Any = None) -> None:
        self.name = name
        self.config = config
        self.redis_client = redis_client
        if redis_client is None and config.use_distributed_state:
            logger.warning("No Redis client: circuit breaker %s is local", name)
            config.use_distributed_state = False  # PF-06: the object may be shared with others
        self.state = CircuitState.CLOSED
        self.failure_count = 0
        self.success_count = 0
        self.total_requests = 0
        self.total_failures = 0
        self.total_successes = 0
        self.last_failure_time: Optional[float] = None
        self.state_change_time = TIME.get().wall()

    async def execute(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """Call *func*, plain or async, unless the breaker is open."""
        if not await self._can_execute():
            raise ProtectionViolation(
                f"Circuit breaker {self.name} is open", "CIRCUIT_OPEN", {"name": self.name, "state": self.state.value}
            )
        self.total_requests += 1
        try:
            if asyncio.iscoroutinefunction(func):
                result = await func(*args, **kwargs)
            else:
                result = func(*args, **kwargs)  # PF-08: may be a coroutine that nobody awaits
            await self._record_success()  # PF-07: whatever the result says
            return result
        except Exception:
            await self._record_failure()
            raise

    def get_stats(self) -> Dict[str, Any]:
        """Return what was counted."""
        return {
            "name": self.name,
            "state": self.state.value,
            "failure_count": self.failure_count,
            "success_count": self.success_count,
            "total_requests": self.total_requests,
            "total_failures": self.total_failures,
            "total_successes": self.total_successes,
            "failure_rate": self.total_failures / self.total_requests if self.total_requests else 0.0,
            "last_failure_time": self.last_failure_time,
            "state_change_time": self.state_change_time,
        }

    async def _can_execute(self) -> bool:
        now = TIME.get().wall()
        if self.state is CircuitState.CLOSED:
            return True
        if self.state is CircuitState.OPEN:
            if now - (self.last_failure_time or 0.0) >= self.config.timeout:
                self.state = CircuitState.HALF_OPEN
                self.success_count = 0
                # PF-01: state_change_time stays that of the opening
                logger.info("Circuit breaker %s half-open", self.name)
                await self._store_state()
                return True
            return False
        if now - self.state_change_time >= self.config.half_open_timeout:
            await self._open(now)
            return False
        return True

    async def _record_success(self) -> None:
        self.total_successes += 1
        if self.state is CircuitState.HALF_OPEN:
            self.success_count += 1
            if self.success_count >= self.config.success_threshold:
                self.state = CircuitState.CLOSED
                self.failure_count = 0
                self.state_change_time = TIME.get().wall()
                logger.info("Circuit breaker %s closed", self.name)
                await self._store_state()

    async def _record_failure(self) -> None:
        now = TIME.get().wall()
        self.failure_count += 1  # PF-03: no success takes it back
        self.total_failures += 1
        self.last_failure_time = now
        if self.state is CircuitState.HALF_OPEN or self.failure_count >= self.config.failure_threshold:
            await self._open(now)

    async def _open(self, now: float) -> None:
        self.state = CircuitState.OPEN
        self.last_failure_time = now
        self.state_change_time = now
        logger.warning("Circuit breaker %s opened", self.name)
        await self._store_state()

    async def _store_state(self) -> None:
        """Write the state; nobody ever reads it back (PF-04)."""
        if not self.config.use_distributed_state or self.redis_client is None:
            return
        try:
            # PF-05: a dict, which a client refuses
            value = {"state": self.state.value, "failure_count": self.failure_count}
            await self.redis_client.setex(f"{self.config.redis_key_prefix}:{self.name}:state", 300, value)
        except Exception as e:
            logger.error("Cannot store circuit breaker state: %s", type(e).__name__)


class RateLimitStrategy(Enum):
    """How requests are counted."""

    FIXED_WINDOW = "fixed_window"
    SLIDING_WINDOW = "sliding_window"
    TOKEN_BUCKET = "token_bucket"
    LEAKY_BUCKET = "leaky_bucket"
    ADAPTIVE = "adaptive"


@dataclass
class RateLimiterConfig:
    """What a limiter is told; ``enable_adaptive`` is read nowhere, the strategy says it."""

    strategy: RateLimitStrategy = RateLimitStrategy.SLIDING_WINDOW
    requests_per_window: int = 100
    window_size: int = 60
    bucket_capacity: int = 100
    refill_rate: float = 1.0
    enable_adaptive: bool = False
    adaptive_factor: float = 1.5
    load_threshold: float = 0.8
    use_distributed_state: bool = True
    redis_key_prefix: str = "rate_limiter"


class RateLimiter:
    """Counts the requests of each identifier. No lock, and the wall clock."""

    def __init__(self, name: str, config: RateLimiterConfig, redis_client: Any = None) -> None:
        self.name = name
        self.config = config
        self.redis_client = redis_client
        # PF-14: one entry for each identifier that was ever seen
        self._windows: Dict[str, List[float]] = {}
        self._buckets: Dict[str, Tuple[float, float]] = {}

    async def check_limit(self, identifier: str) -> Optional[Dict[str, Any]]:
        """Count a request. Return None if it may go on, else what it violates."""
        checks = {
            RateLimitStrategy.FIXED_WINDOW: "_check_fixed_window",  # PF-09: not there
            RateLimitStrategy.SLIDING_WINDOW: "_check_sliding_window",
            RateLimitStrategy.TOKEN_BUCKET: "_check_token_bucket",
            RateLimitStrategy.LEAKY_BUCKET: "_check_leaky_bucket",  # PF-09: nor this one
            RateLimitStrategy.ADAPTIVE: "_check_adaptive",
        }
        return await getattr(self, checks[self.config.strategy])(identifier)

    async def _check_sliding_window(self, identifier: str) -> Optional[Dict[str, Any]]:
        now = TIME.get().wall()
        if self.config.use_distributed_state and self.redis_client is not None:
            try:
                return await self._check_redis_window(identifier, now)
            except Exception as e:
                logger.error("Redis rate limit failed, falling back to local: %s", type(e).__name__)
                return await self._check_sliding_window(identifier)  # PF-10: which asks Redis again
        window = [hit for hit in self._windows.get(identifier, []) if hit > now - self.config.window_size]
        self._windows[identifier] = window
        if len(window) >= self.config.requests_per_window:
            return self._violation(len(window), window[0] + self.config.window_size - now)
        window.append(now)
        return None

    async def _check_redis_window(self, identifier: str, now: float) -> Optional[Dict[str, Any]]:
        key = f"{self.config.redis_key_prefix}:{self.name}:{identifier}"
        await self.redis_client.zremrangebyscore(key, 0, now - self.config.window_size)
        count = await self.redis_client.zcard(key)
        if count >= self.config.requests_per_window:
            return self._violation(count, self.config.window_size)
        await self.redis_client.zadd(key, {str(now): now})  # PF-11: two of one moment are one member
        await self.redis_client.expire(key, self.config.window_size)
        return None

    async def _check_token_bucket(self, identifier: str) -> Optional[Dict[str, Any]]:
        now = TIME.get().wall()
        tokens, last = self._buckets.get(identifier, (float(self.config.bucket_capacity), now))
        tokens = min(float(self.config.bucket_capacity), tokens + (now - last) * self.config.refill_rate)
        if tokens >= 1:
            self._buckets[identifier] = (tokens - 1, now)
            return None
        self._buckets[identifier] = (tokens, now)
        return self._violation(self.config.bucket_capacity, (1 - tokens) / self.config.refill_rate)  # PF-13

    async def _check_adaptive(self, identifier: str) -> Optional[Dict[str, Any]]:
        limit = self.config.requests_per_window
        if self._cpu_share() > self.config.load_threshold:
            # PF-12: the limit of everybody, across an await; who reads it meanwhile puts the smaller one back
            self.config.requests_per_window = int(limit / self.config.adaptive_factor)
        try:
            return await self._check_sliding_window(identifier)
        finally:
            self.config.requests_per_window = limit

    def _cpu_share(self) -> float:
        """Look at the processor for a tenth of a second, in which the loop stands still (PF-12)."""
        before = os.times()
        TIME.get().sleep(0.1)
        after = os.times()
        return (after.user + after.system - before.user - before.system) / 0.1

    def _violation(self, current: int, retry_after: float) -> Dict[str, Any]:
        return {
            "violation_type": "RATE_LIMIT_EXCEEDED",
            "message": f"Rate limit exceeded for {self.name}",
            "limit": self.config.requests_per_window,
            "window": self.config.window_size,
            "current_requests": current,
            "retry_after": retry_after,
        }


class ProtectionFacade:
    """Breakers and limiters by name."""

    def __init__(self, redis_client: Any = None) -> None:
        self.redis_client = redis_client
        self._circuit_breakers: Dict[str, CircuitBreaker] = {}
        self._rate_limiters: Dict[str, RateLimiter] = {}
        self._default_config = CircuitBreakerConfig()

    def get_circuit_breaker(self, name: str, config: Optional[CircuitBreakerConfig] = None) -> CircuitBreaker:
        """Return the breaker called *name*; without a configuration they share one object (PF-06)."""
        if name not in self._circuit_breakers:
            self._circuit_breakers[name] = CircuitBreaker(name, config or self._default_config, self.redis_client)
        return self._circuit_breakers[name]

    def get_rate_limiter(self, name: str, config: Optional[RateLimiterConfig] = None) -> RateLimiter:
        """Return the limiter called *name*."""
        if name not in self._rate_limiters:
            self._rate_limiters[name] = RateLimiter(name, config or RateLimiterConfig(), self.redis_client)
        return self._rate_limiters[name]

    async def protect_execution(
        self,
        func: Any,
        circuit_breaker_name: Optional[str] = None,
        rate_limiter_name: Optional[str] = None,
        rate_limit_identifier: Optional[str] = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Call *func* within the limit and behind the breaker of those names, if they are named."""
        if rate_limiter_name and rate_limit_identifier:
            violation = await self.get_rate_limiter(rate_limiter_name).check_limit(rate_limit_identifier)
            if violation is not None:
                raise ProtectionViolation(violation["message"], violation["violation_type"], violation)
        if circuit_breaker_name:
            return await self.get_circuit_breaker(circuit_breaker_name).execute(func, *args, **kwargs)
        if asyncio.iscoroutinefunction(func):
            return await func(*args, **kwargs)
        return func(*args, **kwargs)

    def get_protection_stats(self) -> Dict[str, Any]:
        """Return what every breaker counted, and how many identifiers every limiter holds."""
        return {
            "circuit_breakers": {name: one.get_stats() for name, one in self._circuit_breakers.items()},
            "rate_limiters": {
                name: {"strategy": one.config.strategy.value, "identifiers": len(one._windows) + len(one._buckets)}
                for name, one in self._rate_limiters.items()
            },
        }


_protection_facade: Optional[ProtectionFacade] = None


def get_protection_facade() -> ProtectionFacade:
    """Return the one of this process."""
    global _protection_facade
    if _protection_facade is None:
        _protection_facade = ProtectionFacade()
    return _protection_facade
