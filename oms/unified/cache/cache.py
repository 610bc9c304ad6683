"""The unified cache: one meaning of key, value and ttl, whatever the storage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from oms.seams.cache import Ttl, Value
from oms.unified.cache.backend import MISSING, CacheStorageBackend
from oms.unified.cache.copies import seal
from oms.unified.cache.counts import CacheStats
from oms.unified.cache.errors import TtlInvalid
from oms.unified.cache.flights import AsyncFlights, Flights
from oms.unified.cache.ttl import ttl_in_seconds


class UnifiedCache:
    """Remembers values under a key for a while; fits the ports ``Cache`` and ``AsyncCache``.

    Every method has an async twin with ``a`` in front. Keys are texts, any text. Values may be anything that can be copied (memory) or
    encoded (Redis); None is one of them: ``get`` cannot tell it from a miss, ``get_many``, ``exists`` and ``get_or_set`` can.

    Args:
        storage: Where the values lie.
        name: How metrics and messages call this cache.
        ttl: For values stored without one: seconds above 0, a timedelta, or None for ever.

    Raises:
        TtlInvalid: if *ttl* is not usable as a default; 0 would store nothing at all.
    """

    def __init__(self, storage: CacheStorageBackend, *, name: str = "cache", ttl: Ttl = None) -> None:
        self.name = name
        self.storage = storage
        self._default_s = None if ttl is None else ttl_in_seconds(ttl)
        if self._default_s == 0:
            raise TtlInvalid(f"cache {name!r}: default ttl", found="0", wanted="more than 0, or None for ever")
        self._read = storage.get_sync
        if type(self).get is UnifiedCache.get:
            # The storage's own method in place of ours: a frame less is a tenth of a hit in memory.
            vars(self)["get"] = storage.answer
        self._flights = Flights(seal)
        self._async_flights = AsyncFlights(seal)

    @property
    def process_local(self) -> bool:
        """True if the values die with the process."""
        return self.storage.process_local

    def get(self, key: str) -> Value | None:
        """Return the value under *key*, or None if absent or expired."""
        return self.storage.answer(key)

    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Remember *value* under *key* for *ttl*: seconds, a timedelta, or None for the cache's default.

        A ttl of 0 expires at once: it stores nothing and removes what was there.

        Raises:
            KeyInvalid, TtlInvalid, ValueNotStorable: if one of the three is unusable; the cache is unchanged then.
        """
        self.storage.set_sync(key, value, self._default_s if ttl is None else ttl_in_seconds(ttl))

    def delete(self, key: str) -> bool:
        """Forget *key*. Return whether there was something."""
        return self.storage.delete_sync(key)

    def clear(self) -> None:
        """Forget everything in this cache, and in no other."""
        self.storage.clear_sync()

    def forget(self, key: str | None) -> None:
        """Make *key* a miss, every key if None: what a repair calls.

        Raises:
            CacheUnavailable: if the storage did not confirm it, even if this cache is lenient otherwise.
        """
        self.storage.forget_sync(key)

    def exists(self, key: str) -> bool:
        """Tell whether *key* is held, without counting as a use of it."""
        return self.storage.exists_sync(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, Value]:
        """Return what is held of *keys*, in their order."""
        return self.storage.get_many_sync(dict.fromkeys(keys))

    def set_many(self, items: Mapping[str, Value], *, ttl: Ttl = None) -> None:
        """Remember all of *items* for the same *ttl*. Raises as ``set`` does."""
        self.storage.set_many_sync(items, self._ttl_s(ttl))

    def get_or_set(self, key: str, loader: Callable[[], Value], *, ttl: Ttl = None) -> Value:
        """Return the value under *key*; if there is none, what *loader* returns, remembered for *ttl*.

        Of all threads that miss *key* at once one loads and the others wait for it. What *loader* raises goes to all of them and is
        not remembered.

        Raises:
            RecursiveLoad: if *loader* asks for *key* itself.
        """
        ttl_s = self._ttl_s(ttl)
        value = self._read(key)
        return value if value is not MISSING else self._flights.run(key, lambda: self._load(key, loader, ttl_s))

    async def aget(self, key: str) -> Value | None:
        """Return the value under *key*, or None if absent or expired."""
        value = await self.storage.get(key)
        return None if value is MISSING else value

    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Remember *value* under *key* for *ttl*. Means and raises what ``set`` does."""
        await self.storage.set(key, value, self._default_s if ttl is None else ttl_in_seconds(ttl))

    async def adelete(self, key: str) -> bool:
        """Forget *key*. Return whether there was something."""
        return await self.storage.delete(key)

    async def aclear(self) -> None:
        """Forget everything in this cache, and in no other."""
        await self.storage.clear()

    async def aforget(self, key: str | None) -> None:
        """Make *key* a miss, every key if None. Raises as ``forget`` does."""
        await self.storage.forget(key)

    async def aexists(self, key: str) -> bool:
        """Tell whether *key* is held, without counting as a use of it."""
        return await self.storage.exists(key)

    async def aget_many(self, keys: Iterable[str]) -> dict[str, Value]:
        """Return what is held of *keys*, in their order."""
        return await self.storage.get_many(dict.fromkeys(keys))

    async def aset_many(self, items: Mapping[str, Value], *, ttl: Ttl = None) -> None:
        """Remember all of *items* for the same *ttl*. Raises as ``set`` does."""
        await self.storage.set_many(items, self._ttl_s(ttl))

    async def aget_or_set(self, key: str, loader: Callable[[], Awaitable[Value]], *, ttl: Ttl = None) -> Value:
        """Return the value under *key*; if there is none, what *loader* returns, remembered for *ttl*.

        Of all tasks of this loop that miss *key* at once one starts the load, in a task of its own; a cancelled caller leaves alone.

        Raises:
            RecursiveLoad: if *loader* asks for *key* itself.
        """
        ttl_s = self._ttl_s(ttl)
        value = await self.storage.get(key)
        return (
            value
            if value is not MISSING
            else await self._async_flights.run(key, lambda: self._aload(key, loader, ttl_s))
        )

    def stats(self) -> CacheStats:
        """Return what this cache has done and how full it is."""
        return CacheStats(
            name=self.name, size=self.storage.size, max_size=self.storage.max_size, counts=replace(self.storage.counts)
        )

    def close(self) -> None:
        """Give back what plain calls hold open. The cache stays usable and opens anew."""
        self.storage.close()

    async def aclose(self) -> None:
        """Give back what this loop and plain calls hold open. The cache stays usable and opens anew."""
        await self.storage.aclose()
        self.storage.close()

    def _ttl_s(self, ttl: Ttl) -> float | None:
        return self._default_s if ttl is None else ttl_in_seconds(ttl)

    def _load(self, key: str, loader: Callable[[], Value], ttl_s: float | None) -> Value:
        # Another flight may have landed between our miss and our take-off.
        if self.storage.exists_sync(key) and (value := self._read(key)) is not MISSING:
            return value
        self.storage.counts.loads += 1
        value = loader()
        self.storage.set_sync(key, value, ttl_s)
        return value

    async def _aload(self, key: str, loader: Callable[[], Awaitable[Value]], ttl_s: float | None) -> Value:
        if await self.storage.exists(key) and (value := await self.storage.get(key)) is not MISSING:
            return value
        self.storage.counts.loads += 1
        value = await loader()
        await self.storage.set(key, value, ttl_s)
        return value
