"""The roadmap's backward compatible ``set``: callers that still write ``ttl_seconds`` keep working over the unified cache."""

from __future__ import annotations

import warnings
from typing import cast

from oms.seams.cache import AsyncCache, Cache, Ttl, Value
from oms.unified.cache.ttl import one_ttl

_ADVICE = "ttl_seconds is deprecated: write ttl, in seconds or as a timedelta"


class TtlSecondsCache:
    """A cache for callers that still write ``set(key, value, ttl_seconds)``.

    Unlike the legacy caches, ``ttl_seconds=0`` means what ``ttl=0`` means: expires at once.

    Args:
        cache: Anything that fits the port ``Cache``, a facade included.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def get(self, key: str) -> Value | None:
        """Return the value under *key*, or None if absent or expired."""
        return self._cache.get(key)

    def set(self, key: str, value: Value, ttl_seconds: float | None = None, ttl: Ttl = None) -> None:
        """Remember *value* under *key*. Giving *ttl_seconds* is deprecated.

        Raises:
            TtlInvalid: if both are given.
        """
        self._cache.set(key, value, ttl=_chosen(ttl, ttl_seconds))

    def delete(self, key: str) -> bool:
        """Forget *key*. Return whether there was something."""
        return self._cache.delete(key)

    def clear(self) -> None:
        """Forget everything in this cache, and in no other."""
        self._cache.clear()


class AsyncTtlSecondsCache:
    """The same for callers of the port ``AsyncCache``.

    Args:
        cache: Anything that fits the port ``AsyncCache``, a facade included.
    """

    def __init__(self, cache: AsyncCache) -> None:
        self._cache = cache

    async def aget(self, key: str) -> Value | None:
        """Return the value under *key*, or None if absent or expired."""
        return await self._cache.aget(key)

    async def aset(self, key: str, value: Value, ttl_seconds: float | None = None, ttl: Ttl = None) -> None:
        """Remember *value* under *key*. Giving *ttl_seconds* is deprecated.

        Raises:
            TtlInvalid: if both are given.
        """
        await self._cache.aset(key, value, ttl=_chosen(ttl, ttl_seconds))

    async def adelete(self, key: str) -> bool:
        """Forget *key*. Return whether there was something."""
        return await self._cache.adelete(key)

    async def aclear(self) -> None:
        """Forget everything in this cache, and in no other."""
        await self._cache.aclear()


def _chosen(ttl: Ttl, ttl_seconds: float | None) -> Ttl:
    chosen = one_ttl(ttl, ttl_seconds)
    if ttl_seconds is not None:
        warnings.warn(_ADVICE, DeprecationWarning, stacklevel=3)
    return cast("Ttl", chosen)
