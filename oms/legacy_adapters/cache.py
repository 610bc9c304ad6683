"""Legacy caches behind the cache ports: names and units are translated, quirks pass through."""

from __future__ import annotations

from oms.legacy.core.traversal.cache import LRUCache
from oms.legacy.core.validation.enterprise.implementations.validation_cache import ValidationCache
from oms.legacy.shared.cache.terminusdb_cache import TerminusDBCacheManager
from oms.seams.cache import Ttl, Value, ttl_seconds


class TraversalCacheAdapter:
    """The traversal LRU cache as ``Cache`` and as ``AsyncCache``; the async methods never wait for anything."""

    process_local = True

    def __init__(self, cache: LRUCache) -> None:
        self._cache = cache

    def get(self, key: str) -> Value | None:
        """Return the value under *key*, or None."""
        return self._cache.get(key)

    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Put *value* under *key*."""
        self._cache.put(key, value, _legacy_seconds(ttl))

    def delete(self, key: str) -> bool:
        """Remove *key*. Return whether it was there."""
        return self._cache.delete(key)

    def clear(self) -> None:
        """Remove everything."""
        self._cache.clear()

    def forget(self, key: str | None) -> None:
        """Make *key* a miss; None makes every key one."""
        if key is None:
            self.clear()
        else:
            self.delete(key)

    async def aget(self, key: str) -> Value | None:
        """Return the value under *key*, or None."""
        return self.get(key)

    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Put *value* under *key*."""
        self.set(key, value, ttl=ttl)

    async def adelete(self, key: str) -> bool:
        """Remove *key*. Return whether it was there."""
        return self.delete(key)

    async def aclear(self) -> None:
        """Remove everything."""
        self.clear()

    async def aforget(self, key: str | None) -> None:
        """Make *key* a miss; None makes every key one."""
        self.forget(key)


class ValidationCacheAdapter:
    """The validation cache as ``Cache``."""

    process_local = True

    def __init__(self, cache: ValidationCache) -> None:
        self._cache = cache

    def get(self, key: str) -> Value | None:
        """Return the value under *key*, or None."""
        return self._cache.get(key)

    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Store *value* under *key*. Without a *ttl* the call is the one that legacy callers make who leave it out.

        Raises:
            TypeError: if *ttl* is None (VC-01).
        """
        seconds = _legacy_seconds(ttl)
        given = {} if seconds is None else {"ttl_seconds": seconds}
        self._cache.set(key, value, **given)

    def delete(self, key: str) -> bool:
        """Remove *key*. Return whether it was there."""
        return self._cache.delete(key)

    def clear(self) -> None:
        """Remove everything."""
        self._cache.clear()

    def forget(self, key: str | None) -> None:
        """Make *key* a miss; None makes every key one."""
        if key is None:
            self.clear()
        else:
            self.delete(key)


class TerminusCacheAdapter:
    """The TerminusDB cache as ``AsyncCache``.

    Attributes:
        process_local: False if a TerminusDB tier keeps values beyond the process.
    """

    def __init__(self, cache: TerminusDBCacheManager) -> None:
        self._cache = cache
        self.process_local = not cache.db_enabled

    async def aget(self, key: str) -> Value | None:
        """Return the value under *key*, or None."""
        return await self._cache.get(key)

    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Store *value* under *key*; that the manager says whether it worked has no place in the port."""
        await self._cache.set(key, value, _legacy_seconds(ttl))

    async def adelete(self, key: str) -> bool:
        """Remove *key*. Return what the manager says."""
        return await self._cache.delete(key)

    async def aclear(self) -> None:
        """Remove everything."""
        await self._cache.clear()

    async def aforget(self, key: str | None) -> None:
        """Make *key* a miss; None makes every key one."""
        if key is None:
            await self.aclear()
        else:
            await self.adelete(key)


def legacy_types(max_size: int = 1000) -> TraversalCacheAdapter:
    """Return the legacy side of ``cache.types``, with room for *max_size* entries."""
    return TraversalCacheAdapter(LRUCache(max_size=max_size))


def legacy_validation(max_size: int = 10_000) -> ValidationCacheAdapter:
    """Return the legacy side of ``cache.validation``, with room for *max_size* entries."""
    return ValidationCacheAdapter(ValidationCache(max_size=max_size))


def legacy_documents() -> TerminusCacheAdapter:
    """Return the legacy side of ``cache.documents``: the memory tier, with its fixed room for 1,000 entries."""
    return TerminusCacheAdapter(TerminusDBCacheManager())


def _legacy_seconds(ttl: Ttl) -> int | float | None:
    """Return seconds as legacy callers write them: whole ones as int. A fraction stays one: cut off, 0.5 would become 0, which is TC-01."""
    seconds = ttl_seconds(ttl)
    return int(seconds) if seconds is not None and seconds.is_integer() else seconds
