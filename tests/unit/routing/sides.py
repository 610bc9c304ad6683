"""Sides of the cache port that tests can break, slow down and look into."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.stage import Stage
from oms.routing import LaneLimits, Runtime
from oms.seams.cache import TYPES, Ttl, Value

Hook = Callable[[str, str | None], None]


class MapSide:
    """A cache over a dict. *before* and *after* are called around each operation with its name and key; they may raise or wait."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.calls: list[tuple[str, str | None]] = []
        self.before: Hook = lambda name, key: None
        self.after: Hook = lambda name, key: None
        self.await_in: Callable[[str], Any] | None = None

    def get(self, key: str) -> Value | None:
        """Return the value under *key*, or None."""
        return self._do("get", key, lambda: self.values.get(key))

    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Put *value* under *key*."""
        self._do("set", key, lambda: self.values.__setitem__(key, value))

    def delete(self, key: str) -> bool:
        """Remove *key*; tell whether it was there."""
        removed: bool = self._do("delete", key, lambda: self.values.pop(key, None) is not None)
        return removed

    def clear(self) -> None:
        """Remove everything."""
        self._do("clear", None, self.values.clear)

    def forget(self, key: str | None) -> None:
        """Make *key*, or everything, a miss."""
        self._do("forget", key, lambda: self.values.clear() if key is None else self.values.pop(key, None))

    async def aget(self, key: str) -> Value | None:
        """Return the value under *key*, or None."""
        await self._wait("aget")
        return self._do("aget", key, lambda: self.values.get(key))

    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Put *value* under *key*."""
        await self._wait("aset")
        self._do("aset", key, lambda: self.values.__setitem__(key, value))

    async def adelete(self, key: str) -> bool:
        """Remove *key*; tell whether it was there."""
        removed: bool = self._do("adelete", key, lambda: self.values.pop(key, None) is not None)
        return removed

    async def aclear(self) -> None:
        """Remove everything."""
        self._do("aclear", None, self.values.clear)

    async def aforget(self, key: str | None) -> None:
        """Make *key*, or everything, a miss."""
        self.forget(key)

    def _do(self, name: str, key: str | None, act: Callable[[], Any]) -> Any:
        self.calls.append((name, key))
        self.before(name, key)
        done = act()
        self.after(name, key)
        return done

    async def _wait(self, name: str) -> None:
        if self.await_in is not None:
            await self.await_in(name)


def table(stage: Stage) -> DecisionTable:
    """Return a table with everybody at *stage*."""
    return DecisionTable.of(cache=FixedDecision(stage, digest=stage.value))


def runtime_with(legacy: Any, unified: Any, stage: Stage = Stage.OFF, limits: LaneLimits | None = None) -> Runtime:
    """Return a runtime with both sides bound to the types seam, everybody at *stage* from the start."""
    runtime = Runtime(limits=limits, hash_key=b"k" * 32)
    runtime.publish(table(stage))
    runtime.bind(TYPES, legacy=legacy, unified=unified)
    return runtime


class Held:
    """A thread that runs until a side's hook lets it go on: a call in flight, as long as the test wants."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._go = threading.Event()
        self._reached = threading.Event()
        self.error: BaseException | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)

    def hook(self, name: str, key: str | None) -> None:
        """Stop here, if this is the held thread."""
        if threading.current_thread() is self._thread:
            self._reached.set()
            assert self._go.wait(60)

    def start(self) -> None:
        """Run until the hook is reached, or to the end."""
        self._thread.start()
        while not self._reached.wait(0.001):
            if not self._thread.is_alive():
                return

    def finish(self) -> None:
        """Let it go on to its end."""
        self._go.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self.error = error


def run(coroutine: Any) -> Any:
    """Run *coroutine* on a fresh loop."""
    return asyncio.run(coroutine)
