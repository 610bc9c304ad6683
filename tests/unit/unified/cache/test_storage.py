"""The storage interface: what a storage written elsewhere has to bring, and what it gets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oms.unified.cache import MISSING, CacheStorageBackend, MemoryBackend, SyncNotSupported, UnifiedCache


class Drawer(CacheStorageBackend):
    """The least a storage can be: async calls over a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, Any] = {}

    async def get(self, key: str) -> Any:
        return self.things.get(key, MISSING)

    async def set(self, key: str, value: Any, ttl_s: float | None) -> bool:
        self.things[key] = value
        return True

    async def delete(self, key: str) -> bool:
        return self.things.pop(key, MISSING) is not MISSING

    async def exists(self, key: str) -> bool:
        return key in self.things

    async def clear(self) -> None:
        self.things.clear()


def test_async_only_storage() -> None:
    """A storage that brings the five async calls carries every async call of the cache."""
    cache = UnifiedCache(Drawer(), name="drawer")

    async def main() -> list[Any]:
        await cache.aset("a", 1)
        await cache.aset_many({"b": None, "c": 3})
        found = [
            await cache.aget("a"),
            await cache.aget_many(["c", "x", "b"]),
            await cache.aexists("b"),
            await cache.adelete("a"),
        ]
        await cache.aforget("b")
        found.append(await cache.aget_or_set("b", lambda: asyncio.sleep(0, "loaded")))
        await cache.aforget(None)
        await cache.aclose()
        return [*found, await cache.aexists("c")]

    assert [1, {"c": 3, "b": None}, True, True, "loaded", False] == asyncio.run(main())
    assert (None, None, True) == (cache.stats().size, cache.stats().max_size, cache.process_local)


def test_plain_calls_say_so() -> None:
    """A plain call over it is an error that names the storage and the way out."""
    cache = UnifiedCache(Drawer())
    for call in (
        lambda: cache.get("k"),
        lambda: cache.set("k", 1),
        lambda: cache.delete("k"),
        lambda: cache.exists("k"),
        cache.clear,
        lambda: cache.forget("k"),
        lambda: cache.forget(None),
    ):
        with pytest.raises(SyncNotSupported, match=r"^Drawer: found a plain call, wanted an async one; use aget"):
            call()


def test_incomplete_storage() -> None:
    """A storage that lacks a call cannot be built."""

    class Half(CacheStorageBackend):
        async def get(self, key: str) -> Any:
            return MISSING

    with pytest.raises(TypeError, match="abstract"):
        Half()


def test_subclass_with_its_own_get() -> None:
    """A cache that refines get keeps its own; the short cut to the storage is only for the one that does not."""

    class Loud(UnifiedCache):
        def get(self, key: str) -> Any:
            return f"{super().get(key)}!"

    cache = Loud(MemoryBackend(1))
    cache.set("k", "v")

    assert "v!" == cache.get("k")
