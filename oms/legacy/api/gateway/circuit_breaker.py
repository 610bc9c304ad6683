"""The gateway's circuit breaker.

Kept as it was, but for the one over Redis. Its quirks are GC-01 to GC-03 of the legacy reference; ``tests/unit/legacy`` pins each.
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
