"""The two clients: plain calls go to redis-py, async ones to aiocache over redis-py's asyncio client, one for each event loop.

Both speak the same few commands under the same names, so that the backend says each thing once. Neither ever retries by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from threading import Lock
from typing import Any, cast

import redis
import redis.asyncio
from aiocache.backends.redis import RedisCache
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from oms.unified.cache.errors import CacheConfigInvalid
from oms.unified.cache.fork import renew_in_child

_SCAN_COUNT = 1000
"""Slots that Redis looks at for one SCAN."""

_CONNECTIONS = 32
"""Most connections of one event loop; further calls wait for one within their deadline."""


class PlainClient:
    """The commands of a cache, for plain calls. Thread-safe and fork-safe, as redis-py's pool is.

    Raises:
        CacheConfigInvalid: if *url* is unusable. Parts of it stand in the library's own messages, so those are left out.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        try:
            self._redis = redis.Redis.from_url(url, **_options(timeout_s), retry=Retry(NoBackoff(), 0))
            pool = self._redis.connection_pool
            # Builds a connection without opening it: an unknown option in the url would only be found at the first call.
            pool.connection_class(**pool.connection_kwargs)
        except (ValueError, TypeError) as fault:
            raise CacheConfigInvalid(
                "cache config: url",
                found=f"one that redis-py refuses ({type(fault).__name__})",
                wanted="redis://, rediss:// or unix:// with options it knows",
            ) from None

    def read(self, name: bytes) -> bytes | None:
        """Return what lies under *name*."""
        return cast("bytes | None", self._redis.get(name))

    def read_many(self, names: list[bytes]) -> list[bytes | None]:
        """Return what lies under each of *names*."""
        return cast("list[bytes | None]", self._redis.mget(names))

    def write(self, name: bytes, data: bytes, ttl_ms: int | None) -> None:
        """Put *data* under *name*."""
        self._redis.set(name, data, px=ttl_ms)

    def write_many(self, data: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """Put all of *data* in one round trip."""
        with self._redis.pipeline(transaction=False) as pipe:
            for name, value in data.items():
                pipe.set(name, value, px=ttl_ms)
            pipe.execute()

    def remove(self, names: list[bytes]) -> int:
        """Remove *names*, returning how many there were."""
        return self._redis.unlink(*names)

    def holds(self, name: bytes) -> bool:
        """Tell whether *name* exists."""
        return bool(self._redis.exists(name))

    def scan(self, cursor: int, pattern: bytes) -> tuple[int, list[bytes]]:
        """Return the next cursor, 0 at the end, and some names that match *pattern*."""
        return cast("tuple[int, list[bytes]]", self._redis.scan(cursor, match=pattern, count=_SCAN_COUNT))

    def close(self) -> None:
        """Close every connection; the next command opens a new one."""
        self._redis.close()


class LoopClient(RedisCache):  # type: ignore[misc]  # aiocache has no types
    """The same commands on one event loop, carried by aiocache.

    They call aiocache's inner methods: the outer ones add a task for each call, and an environment variable that turns a cache off
    behind its owner's back. What aiocache does dangerously is replaced: its clear is FLUSHDB, its delete waits for the memory to be
    freed, and its expiry commands and close are deprecated.

    Attributes:
        turns: To be held while a command runs, which bounds the connections. redis-py's own pool that waits costs a third of a call.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        # A timeout on the socket costs as much again as reading from it. The backend holds each call to its deadline instead.
        options = _options(timeout_s) | {"socket_timeout": None}
        pool = redis.asyncio.ConnectionPool.from_url(url, **options, retry=AsyncRetry(NoBackoff(), 0))
        super().__init__(connection_pool_class=lambda **_: pool, timeout=0)
        self.turns = asyncio.Semaphore(_CONNECTIONS)

    async def read(self, name: bytes) -> bytes | None:
        """Return what lies under *name*."""
        data: bytes | None = await self._get(name, encoding=None)
        return data

    async def read_many(self, names: list[bytes]) -> list[bytes | None]:
        """Return what lies under each of *names*."""
        data: list[bytes | None] = await self._multi_get(names, encoding=None)
        return data

    async def write(self, name: bytes, data: bytes, ttl_ms: int | None) -> None:
        """Put *data* under *name*."""
        await self._set(name, data, ttl=ttl_ms)

    async def write_many(self, data: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """Put all of *data* in one round trip."""
        await self._multi_set(data.items(), ttl=ttl_ms)

    async def remove(self, names: list[bytes]) -> int:
        """Remove *names*, returning how many there were."""
        return int(await self.client.unlink(*names))

    async def holds(self, name: bytes) -> bool:
        """Tell whether *name* exists."""
        return bool(await self._exists(name))

    async def scan(self, cursor: int, pattern: bytes) -> tuple[int, list[bytes]]:
        """Return the next cursor, 0 at the end, and some names that match *pattern*."""
        found: tuple[int, list[bytes]] = await self.client.scan(cursor, match=pattern, count=_SCAN_COUNT)
        return found

    async def _set(self, key: bytes, value: bytes, ttl: int | None = None, **_: Any) -> Any:
        return await self.client.set(key, value, px=ttl)

    async def _multi_set(self, pairs: Any, ttl: int | None = None, **_: Any) -> bool:
        async with self.client.pipeline(transaction=False) as pipe:
            for key, value in pairs:
                pipe.set(key, value, px=ttl)
            await pipe.execute()
        return True

    async def _delete(self, key: bytes, **_: Any) -> int:
        return await self.remove([key])

    async def _clear(self, namespace: Any = None, **_: Any) -> bool:
        raise redis.exceptions.NoPermissionError("clear: this client knows no namespace; clear the cache that owns it")

    async def _close(self, *_: Any, **__: Any) -> None:
        await self.client.aclose()


class LoopClients:
    """One client for each running event loop, closed when its loop shuts down.

    An asyncio connection belongs to the loop that opened it. ``asyncio.run`` closes every async generator that was begun on its loop;
    each client is held by one, so it is closed then, while the loop can still do it.
    """

    def __init__(self, make: Callable[[], LoopClient]) -> None:
        self._make = make
        self._held: dict[asyncio.AbstractEventLoop, tuple[LoopClient, AsyncGenerator[None, None]]] = {}
        self._renew()
        renew_in_child(self._renew)

    async def here(self) -> LoopClient:
        """Return the client of the running loop."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        return held[0] if held is not None else await self._open(loop)

    async def close_here(self) -> None:
        """Close the client of the running loop; the next command opens a new one."""
        held = self._held.get(asyncio.get_running_loop())
        if held is not None:
            await held[1].aclose()

    async def _open(self, loop: asyncio.AbstractEventLoop) -> LoopClient:
        client = self._make()
        keeper = self._keep(loop, client)
        with self._lock:
            for closed in [other for other in self._held if other.is_closed()]:
                del self._held[closed]
            self._held[loop] = client, keeper
        await anext(keeper)
        return client

    async def _keep(self, loop: asyncio.AbstractEventLoop, client: LoopClient) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(loop, None)
            await client.close()

    def _renew(self) -> None:
        # The loops of the parent stay in the table: they never run here, and dropping them would wake the parent's.
        self._lock = Lock()


def _options(timeout_s: float) -> dict[str, Any]:
    # RESP 2 without driver info: a new connection is usable at once instead of after three round trips.
    return {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s, "protocol": 2, "driver_info": None}
