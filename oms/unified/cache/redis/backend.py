"""A cache in Redis that fails open, within a deadline, and never answers what this process has overwritten or deleted."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as NoAnswer

from oms.seams.cache import Value
from oms.unified.cache.backend import MISSING, CacheStorageBackend
from oms.unified.cache.errors import CacheUnavailable
from oms.unified.cache.fork import renew_in_child
from oms.unified.cache.redis.clients import LoopClient, LoopClients, PlainClient
from oms.unified.cache.redis.envelope import Unreadable, dumps, loads
from oms.unified.cache.redis.names import Names
from oms.unified.cache.redis.outage import Debts, Outage

FAULTS = (RedisError, OSError)
"""What a call to Redis may raise; TimeoutError is an OSError."""

_AWAY = (NoConnection, NoAnswer, OSError)
"""Those which mean that nobody is there, as against an answer that says no."""

_WALK = 10
"""Steps of SCAN that one call adds to the removal of a doubtful namespace, so that none pays for all of it."""

Command = tuple[Any, ...]
Steps = Generator[Command, Any, Any]


@dataclass(frozen=True, slots=True)
class _Task:
    """One call of the cache, written once for both clients.

    Attributes:
        name: What the caller wanted, for messages.
        steps: Yields commands (method name and arguments), is sent their replies, returns the answer.
        otherwise: The answer if Redis fails.
        writes: The names that must be doubted if it does; None for all of them, empty for a read.
        bounded: False for a walk over the namespace, which takes as long as it takes, each step within the deadline.
        strict: Raise instead of answering *otherwise*.
        reads: How many keys are looked up, all of them misses if Redis fails.
    """

    name: str
    steps: Steps
    otherwise: Any
    writes: tuple[bytes, ...] | None = ()
    bounded: bool = True
    strict: bool = False
    reads: int = 0


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
        self._names = Names(namespace)
        self._deadline_s = deadline_ms / 1000
        self._strict = strict
        self._outage = Outage(clock=clock, pause_s=pause_s)
        self._plain = PlainClient(url, timeout_s=self._deadline_s)
        self._loops = LoopClients(lambda: LoopClient(url, timeout_s=self._deadline_s))
        self._renew()
        renew_in_child(self._renew)

    # -- the calls, each written once

    def _get(self, key: str) -> _Task:
        name = self._names.of(key)

        def steps() -> Steps:
            yield from self._settle()
            data = None if self._outage.doubts(name) else (yield "read", name)
            return self._counted([self._opened(data)])[0]

        return _Task("get", steps(), MISSING, reads=1)

    def _get_many(self, keys: Iterable[str]) -> _Task:
        names = {key: self._names.of(key) for key in keys}

        def steps() -> Steps:
            yield from self._settle()
            data = (yield "read_many", list(names.values())) if names else []
            values = [MISSING if self._outage.doubts(name) else self._opened(found)
                      for name, found in zip(names.values(), data, strict=True)]
            return {key: value for key, value in zip(names, self._counted(values), strict=True) if value is not MISSING}

        return _Task("get_many", steps(), {}, reads=len(names))

    def _set_many(self, items: Mapping[str, Value], ttl_s: float | None) -> _Task:
        data = {self._names.of(key): dumps(value) for key, value in items.items()}

        def steps() -> Steps:
            yield from self._settle()
            if data and ttl_s == 0:
                self._count("expired", (yield "remove", list(data)))
            elif data:
                yield ("write_many", data, _ms(ttl_s)) if len(data) > 1 else ("write", *next(iter(data.items())), _ms(ttl_s))
                self._count("sets", len(data))
            return True

        return _Task("set", steps(), False, writes=tuple(data))

    def _delete(self, key: str) -> _Task:
        name = self._names.of(key)

        def steps() -> Steps:
            yield from self._settle()
            removed = yield "remove", [name]
            self._count("deleted", removed)
            return removed > 0

        return _Task("delete", steps(), False, writes=(name,))

    def _exists(self, key: str) -> _Task:
        name = self._names.of(key)

        def steps() -> Steps:
            yield from self._settle()
            return False if self._outage.doubts(name) else (yield "holds", name)

        return _Task("exists", steps(), False)

    def _clear(self) -> _Task:
        def steps() -> Steps:
            debts = self._outage.debts()
            cursor = -1
            while cursor != 0:
                cursor = yield from self._walk_on(max(cursor, 0))
            self._outage.settle(debts)

        return _Task("clear", steps(), None, writes=None, bounded=False)

    def _forget(self, key: str | None) -> _Task:
        return replace(self._clear() if key is None else self._delete(key), name="forget", strict=True)

    # -- what an earlier failure left to do

    def _settle(self) -> Steps:
        """Remove what this process has written in vain, before anything else is asked."""
        debts = self._outage.debts()
        if debts.everything is not None:
            yield from self._settle_everything(debts)
        elif debts:
            yield "remove", list(debts.names)
            self._outage.settle(debts)

    def _settle_everything(self, debts: Debts) -> Steps:
        cursor = debts.cursor
        for _ in range(_WALK):
            cursor = yield from self._walk_on(cursor)
            if cursor == 0:
                self._outage.settle(debts)
                return
        self._outage.walked(debts, cursor)

    def _walk_on(self, cursor: int) -> Steps:
        cursor, names = yield "scan", cursor, self._names.pattern
        if names:
            self._count("cleared", (yield "remove", names))
        return cursor

    # -- the two drivers

    def _run(self, task: _Task) -> Any:
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

    async def _arun(self, task: _Task) -> Any:
        if self._outage.is_paused():
            return self._skip(task)
        client = await self._loops.here()
        try:
            async with asyncio.timeout(self._deadline_s if task.bounded else None):
                return await self._walk(task.steps, client)
        except FAULTS as fault:
            return self._fail(task, fault)
        except asyncio.CancelledError:
            # Nobody knows how far a cancelled write came.
            self._lose(task)
            raise

    async def _walk(self, steps: Steps, client: LoopClient) -> Any:
        reply: Any = None
        try:
            while True:
                name, *arguments = steps.send(reply)
                reply = await getattr(client, name)(*arguments)
        except StopIteration as done:
            return done.value

    # -- failing

    def _skip(self, task: _Task) -> Any:
        self._count("skipped", 1)
        return self._give_up(task, None)

    def _fail(self, task: _Task, fault: Exception) -> Any:
        self._count("errors", 1)
        if isinstance(fault, _AWAY):
            self._outage.pause()
        return self._give_up(task, fault)

    def _give_up(self, task: _Task, fault: Exception | None) -> Any:
        task.steps.close()
        self._lose(task)
        self._count("misses", task.reads)
        if self._strict or task.strict:
            raise CacheUnavailable(
                f"cache {self._namespace!r}: {task.name}", found=type(fault).__name__ if fault else "Redis, failing a moment ago",
                wanted="an answer of Redis", mend="see whether the server runs and the url is right",
            ) from fault
        return task.otherwise

    def _lose(self, task: _Task) -> None:
        if task.writes is None or task.writes:
            self._outage.lose(task.writes)

    # -- counting and opening

    def _opened(self, data: bytes | None) -> Value:
        if data is None:
            return MISSING
        try:
            return loads(data)
        except Unreadable:
            self._count("errors", 1)
            return MISSING

    def _counted(self, values: list[Value]) -> list[Value]:
        misses = sum(value is MISSING for value in values)
        self._count("misses", misses)
        self._count("hits", len(values) - misses)
        return values

    def _count(self, total: str, by: int) -> None:
        with self._count_lock:
            setattr(self.counts, total, getattr(self.counts, total) + by)

    def _renew(self) -> None:
        self._count_lock = Lock()

    # -- the storage's face

    def get_sync(self, key: str) -> Value:
        """Return the value under *key*, or MISSING."""
        return self._run(self._get(key))

    def set_sync(self, key: str, value: Value, ttl_s: float | None) -> bool:
        """Keep *value* under *key* for *ttl_s* seconds. Return whether Redis confirmed it.

        Raises:
            ValueNotStorable: if *value* has no form in the envelope.
        """
        return bool(self._run(self._set_many({key: value}, ttl_s)))

    def delete_sync(self, key: str) -> bool:
        """Remove *key*. Return whether there was something; False also if Redis did not answer."""
        return bool(self._run(self._delete(key)))

    def exists_sync(self, key: str) -> bool:
        """Tell whether *key* is held; False also if Redis did not answer."""
        return bool(self._run(self._exists(key)))

    def clear_sync(self) -> None:
        """Remove every key of this namespace, and no other."""
        self._run(self._clear())

    def forget_sync(self, key: str | None) -> None:
        """Make *key* a miss for every process, every key if None.

        Raises:
            CacheUnavailable: if Redis did not confirm it. In this process it is a miss all the same.
        """
        self._run(self._forget(key))

    def get_many_sync(self, keys: Iterable[str]) -> dict[str, Value]:
        """Return what is held of *keys*, in their order, by one round trip."""
        return dict(self._run(self._get_many(keys)))

    def set_many_sync(self, items: Mapping[str, Value], ttl_s: float | None) -> bool:
        """Keep all of *items*, by one round trip. Return whether Redis confirmed it."""
        return bool(self._run(self._set_many(items, ttl_s)))

    def close(self) -> None:
        """Close the connections of plain calls."""
        self._plain.close()

    async def get(self, key: str) -> Value:
        """Return the value under *key*, or MISSING."""
        return await self._arun(self._get(key))

    async def set(self, key: str, value: Value, ttl_s: float | None) -> bool:
        """Keep *value* under *key* for *ttl_s* seconds. Raises as ``set_sync`` does."""
        return bool(await self._arun(self._set_many({key: value}, ttl_s)))

    async def delete(self, key: str) -> bool:
        """Remove *key*. Return whether there was something; False also if Redis did not answer."""
        return bool(await self._arun(self._delete(key)))

    async def exists(self, key: str) -> bool:
        """Tell whether *key* is held; False also if Redis did not answer."""
        return bool(await self._arun(self._exists(key)))

    async def clear(self) -> None:
        """Remove every key of this namespace, and no other."""
        await self._arun(self._clear())

    async def forget(self, key: str | None) -> None:
        """Make *key* a miss for every process, every key if None. Raises as ``forget_sync`` does."""
        await self._arun(self._forget(key))

    async def get_many(self, keys: Iterable[str]) -> dict[str, Value]:
        """Return what is held of *keys*, in their order, by one round trip."""
        return dict(await self._arun(self._get_many(keys)))

    async def set_many(self, items: Mapping[str, Value], ttl_s: float | None) -> bool:
        """Keep all of *items*, by one round trip. Return whether Redis confirmed it."""
        return bool(await self._arun(self._set_many(items, ttl_s)))

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._loops.close_here()


def _ms(ttl_s: float | None) -> int | None:
    return None if ttl_s is None else math.ceil(ttl_s * 1000)
