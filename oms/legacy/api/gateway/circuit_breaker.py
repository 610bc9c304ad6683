"""The gateway's circuit breakers, one in the process and one over Redis.

Kept as they were. Their quirks are GC-01 to GC-06 of the legacy reference; ``tests/unit/legacy`` pins each.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Dict, Optional

from oms.seams.resilience import TIME


@dataclass
class CircuitConfig:
    """What a breaker is told."""

    failure_threshold: int = 5
    success_threshold: int = 2
    timeout: float = 60.0
    half_open_max_requests: int = 3


@dataclass
class _Circuit:
    state: str = "closed"
    failure_count: int = 0
    success_count: int = 0
    half_open_requests: int = 0
    last_failure_time: float = 0.0


class CircuitBreaker:
    """One circuit a service."""

    def __init__(self, config: Optional[CircuitConfig] = None) -> None:
        self.config = config or CircuitConfig()
        self._circuits: Dict[str, _Circuit] = {}
        self._lock = asyncio.Lock()

    async def is_closed(self, service: str) -> bool:
        """Tell whether a request may go; may move to half-open, and takes a slot there."""
        async with self._lock:
            circuit = self._of(service)
            if circuit.state == "open":
                if TIME.get().wall() - circuit.last_failure_time < self.config.timeout:
                    return False
                circuit.state, circuit.half_open_requests, circuit.success_count = "half_open", 0, 0
                return True  # GC-02: this one takes no slot
            if circuit.state == "half_open":
                if circuit.half_open_requests >= self.config.half_open_max_requests:
                    return False  # GC-02, GC-03: slots never come back
                circuit.half_open_requests += 1
            return True

    async def record_success(self, service: str) -> None:
        """Count a success; a closed circuit forgets nothing (GC-01)."""
        async with self._lock:
            circuit = self._of(service)
            if circuit.state == "half_open":
                circuit.success_count += 1
                if circuit.success_count >= self.config.success_threshold:
                    self._circuits[service] = _Circuit()

    async def record_failure(self, service: str) -> None:
        """Count a failure."""
        async with self._lock:
            circuit = self._of(service)
            circuit.failure_count += 1
            circuit.last_failure_time = TIME.get().wall()
            if circuit.state == "half_open" or circuit.failure_count >= self.config.failure_threshold:
                circuit.state = "open"

    def get_state(self, service: str) -> str:
        """Return where the circuit of *service* stands."""
        return self._of(service).state

    def get_metrics(self) -> Dict[str, Any]:
        """Return every circuit's numbers."""
        return {
            name: {"state": one.state, "failure_count": one.failure_count, "success_count": one.success_count}
            for name, one in self._circuits.items()
        }

    def _of(self, service: str) -> _Circuit:
        return self._circuits.setdefault(service, _Circuit())


class DistributedCircuitBreaker:
    """One circuit a service in Redis, step by step: nothing in it is atomic."""

    def __init__(self, redis_client: Any, config: Optional[CircuitConfig] = None) -> None:
        self.redis = redis_client
        self.config = config or CircuitConfig()

    async def is_closed(self, service: str) -> bool:
        """Tell whether a request may go; may move to half-open, and takes a slot there."""
        state = await self.redis.get(self._key(service, "state"))
        if state is None or state == "closed":
            return True
        if state == "open":
            until = await self.redis.get(self._key(service, "timeout"))
            if until is not None and TIME.get().wall() < float(until):
                return False
            await self.redis.set(self._key(service, "state"), "half_open")
        # GC-04: every state that is no text comes here, closed as well
        slots = self._key(service, "half_open_count")
        taken = await self.redis.incr(slots)
        await self.redis.expire(slots, 60)  # GC-06: from the last call on, and of a rejected one as well
        return taken <= self.config.half_open_max_requests

    async def record_success(self, service: str) -> None:
        """Count a success, half-open only."""
        if await self.redis.get(self._key(service, "state")) != "half_open":
            return
        if await self.redis.incr(self._key(service, "success_count")) >= self.config.success_threshold:
            await self.redis.set(self._key(service, "state"), "closed")
            # GC-06: not the slots
            await self.redis.delete(self._key(service, "failure_count"), self._key(service, "success_count"))

    async def record_failure(self, service: str) -> None:
        """Count a failure; all are forgotten 300 s after the last one."""
        failures = self._key(service, "failure_count")
        count = await self.redis.incr(failures)
        await self.redis.expire(failures, 300)
        is_half_open = await self.redis.get(self._key(service, "state")) == "half_open"
        if is_half_open or count >= self.config.failure_threshold:
            # GC-05, GC-06: successes and slots of the period that ends here stay
            await self.redis.set(self._key(service, "timeout"), TIME.get().wall() + self.config.timeout)
            await self.redis.set(self._key(service, "state"), "open")

    async def get_state(self, service: str) -> str:
        """Return where the circuit of *service* stands."""
        return await self.redis.get(self._key(service, "state")) or "closed"

    def _key(self, service: str, part: str) -> str:
        return f"circuit_breaker:{service}:{part}"
