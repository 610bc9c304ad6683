"""Two trivial sides and a runtime over them, so that what is timed is the hall and nothing else."""

from __future__ import annotations

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.stage import Stage
from oms.routing import LaneLimits, Runtime
from oms.seams.cache import TYPES, Ttl, Value


class DictSide:
    """A cache that is a dict."""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}

    def get(self, key: str) -> Value | None:
        """Return the value under *key*, or None."""
        return self._values.get(key)

    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Put *value* under *key*."""
        self._values[key] = value

    def delete(self, key: str) -> bool:
        """Remove *key*."""
        return self._values.pop(key, None) is not None

    def clear(self) -> None:
        """Remove everything."""
        self._values.clear()

    def forget(self, key: str | None) -> None:
        """Make *key*, or everything, a miss."""
        self._values.clear() if key is None else self._values.pop(key, None)

    async def aget(self, key: str) -> Value | None:
        """Return the value under *key*, or None."""
        return self._values.get(key)

    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Put *value* under *key*."""
        self._values[key] = value

    async def adelete(self, key: str) -> bool:
        """Remove *key*."""
        return self._values.pop(key, None) is not None

    async def aclear(self) -> None:
        """Remove everything."""
        self._values.clear()

    async def aforget(self, key: str | None) -> None:
        """Make *key*, or everything, a miss."""
        self.forget(key)


def runtime_at(stage: Stage, *, legacy: DictSide, unified: DictSide, limits: LaneLimits | None = None) -> Runtime:
    """Return a runtime with both sides bound to the types seam, everybody at *stage*."""
    runtime = Runtime(limits=limits)
    runtime.bind(TYPES, legacy=legacy, unified=unified)
    runtime.publish(DecisionTable.of(cache=FixedDecision(stage, digest=stage.value)))
    return runtime
