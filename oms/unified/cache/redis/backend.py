"""A cache in Redis that fails open, within a deadline, and never answers what this process has overwritten or deleted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswer

from oms.seams.cache import Value
from oms.unified.cache.backend import CacheStorageBackend
from oms.unified.cache.errors import CacheUnavailable
from oms.unified.cache.redis.calls import Calls, Steps, Task
from oms.unified.cache.redis.clients import LoopClient, LoopClients, PlainClient
from oms.unified.cache.redis.outage import Outage

FAULTS = (RedisError, OSError)
"""What a call to Redis may raise; TimeoutError is an OSError."""

_AWAY = (NoConnection, NoAnswer, OSError)
"""Those which mean that nobody is there, as against an answer that says no."""


class RedisBackend(CacheStorageBackend):
    """Keeps values in Redis under one namespace, for all processes that use the same.

    Redis out of reach: a read is a miss, a write says False, both are counted, and for *pause_s* nobody asks again. What could not be
    written is remembered (see ``Outage``): it stays a miss here until it has been removed there.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        namespace: Of this cache, 1 to 100 characters.
        deadline_ms: Of one async call as a whole; of one round trip of a plain call or a clear.
        strict: Raise CacheUnavailable instead of failing open.
        clock: Monotonic seconds.
        pause_s: How long Redis is left alone after it failed to answer.
    """

    process_local = False

    def __init__(
        self,
        url: str,
        *,
        namespace: str,
        deadline_ms: float = 50.0,
        strict: bool = False,
        clock: Callable[[], float] = time.monotonic,
        pause_s: float = 0.25,
    ) -> None:
        super().__init__()
        self._namespace = namespace
        self._deadline_s = deadline_ms / 1000
        self._strict = strict
        self._outage = Outage(clock=clock, pause_s=pause_s)
        self._calls = Calls(namespace, self._outage, self.counts)
        self._plain = PlainClient(url, timeout_s=self._deadline_s)
        self._loops = LoopClients(lambda: LoopClient(url, timeout_s=self._deadline_s))

    # -- the two drivers

    def _run(self, task: Task) -> Any:
        if self._outage.is_paused():
            return self._skip(task)
        reply: Any = None
        try:
            while True:
                name, *arguments = task.steps.send(reply)
                reply = getattr(self._plain, name)(*arguments)
        except StopIteration as done:
            return done.value
        except FAULTS as fault:
            return self._fail(task, fault)

    async def _arun(self, task: Task) -> Any:
        if self._outage.is_paused():
            return self._skip(task)
        client = await self._loops.here()
        try:
            if task.bounded:
                async with asyncio.timeout(self._deadline_s), client.turns:
                    return await self._walk(task.steps, client, None)
            async with client.turns:
                return await self._walk(task.steps, client, self._deadline_s)
        except FAULTS as fault:
            return self._fail(task, fault)
        except asyncio.CancelledError:
            # Nobody knows how far a cancelled write came.
            self._lose(task)
            raise

    async def _walk(self, steps: Steps, client: LoopClient, each_s: float | None) -> Any:
        reply: Any = None
        try:
            while True:
                name, *arguments = steps.send(reply)
                async with asyncio.timeout(each_s):
                    reply = await getattr(client, name)(*arguments)
        except StopIteration as done:
            return done.value

    # -- failing

    def _skip(self, task: Task) -> Any:
        self._calls.count("skipped", 1)
        return self._give_up(task, None)

    def _fail(self, task: Task, fault: Exception) -> Any:
        self._calls.count("errors", 1)
        if isinstance(fault, _AWAY):
            self._outage.pause()
        return self._give_up(task, fault)

    def _give_up(self, task: Task, fault: Exception | None) -> Any:
        task.steps.close()
        self._lose(task)
        self._calls.count("misses", task.reads)
        if self._strict or task.strict:
            raise CacheUnavailable(
                f"cache {self._namespace!r}: {task.name}",
                found=type(fault).__name__ if fault else "Redis, failing a moment ago",
                wanted="an answer of Redis",
                mend="see whether the server runs and the url is right",
            ) from fault
        return task.otherwise

    def _lose(self, task: Task) -> None:
        if task.writes is None or task.writes:
            self._outage.lose(task.writes)

    # -- the storage's face

    def get_sync(self, key: str) -> Value:
        """Return the value under *key*, or MISSING."""
        return self._run(self._calls.get(key))

    def set_sync(self, key: str, value: Value, ttl_s: float | None) -> bool:
        """Keep *value* under *key* for *ttl_s* seconds. Return whether Redis confirmed it.

        Raises:
            ValueNotStorable: if *value* has no form in the envelope.
        """
        return bool(self._run(self._calls.set_many({key: value}, ttl_s)))

    def delete_sync(self, key: str) -> bool:
        """Remove *key*. Return whether there was something; False also if Redis did not answer."""
        return bool(self._run(self._calls.delete(key)))

    def exists_sync(self, key: str) -> bool:
        """Tell whether *key* is held; False also if Redis did not answer."""
        return bool(self._run(self._calls.exists(key)))

    def clear_sync(self) -> None:
        """Remove every key of this namespace, and no other."""
        self._run(self._calls.clear())

    def forget_sync(self, key: str | None) -> None:
        """Make *key* a miss for every process, every key if None.

        Raises:
            CacheUnavailable: if Redis did not confirm it. In this process it is a miss all the same.
        """
        self._run(self._calls.forget(key))

    def get_many_sync(self, keys: Iterable[str]) -> dict[str, Value]:
        """Return what is held of *keys*, in their order, by one round trip."""
        return dict(self._run(self._calls.get_many(keys)))

    def set_many_sync(self, items: Mapping[str, Value], ttl_s: float | None) -> bool:
        """Keep all of *items*, by one round trip. Return whether Redis confirmed it."""
        return bool(self._run(self._calls.set_many(items, ttl_s)))

    def close(self) -> None:
        """Close the connections of plain calls."""
        self._plain.close()

    async def get(self, key: str) -> Value:
        """Return the value under *key*, or MISSING."""
        return await self._arun(self._calls.get(key))

    async def set(self, key: str, value: Value, ttl_s: float | None) -> bool:
        """Keep *value* under *key* for *ttl_s* seconds. Raises as ``set_sync`` does."""
        return bool(await self._arun(self._calls.set_many({key: value}, ttl_s)))

    async def delete(self, key: str) -> bool:
        """Remove *key*. Return whether there was something; False also if Redis did not answer."""
        return bool(await self._arun(self._calls.delete(key)))

    async def exists(self, key: str) -> bool:
        """Tell whether *key* is held; False also if Redis did not answer."""
        return bool(await self._arun(self._calls.exists(key)))

    async def clear(self) -> None:
        """Remove every key of this namespace, and no other."""
        await self._arun(self._calls.clear())

    async def forget(self, key: str | None) -> None:
        """Make *key* a miss for every process, every key if None. Raises as ``forget_sync`` does."""
        await self._arun(self._calls.forget(key))

    async def get_many(self, keys: Iterable[str]) -> dict[str, Value]:
        """Return what is held of *keys*, in their order, by one round trip."""
        return dict(await self._arun(self._calls.get_many(keys)))

    async def set_many(self, items: Mapping[str, Value], ttl_s: float | None) -> bool:
        """Keep all of *items*, by one round trip. Return whether Redis confirmed it."""
        return bool(await self._arun(self._calls.set_many(items, ttl_s)))

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._loops.close_here()
