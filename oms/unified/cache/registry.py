"""Caches by name: the same name is the same cache, everywhere in the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock
from types import MethodType
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar

from oms.unified.cache.backend import CacheStorageBackend
from oms.unified.cache.cache import UnifiedCache
from oms.unified.cache.config import CacheConfig, Storage
from oms.unified.cache.errors import CacheConfigInvalid
from oms.unified.cache.memory import MemoryBackend

P = ParamSpec("P")
R = TypeVar("R")


class _OnDefault(Generic[P, R]):
    """A method that, called on the class, means the registry that the class holds."""

    def __init__(self, method: Callable[Concatenate[CacheRegistry, P], R]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, registry: CacheRegistry | None, owner: type[CacheRegistry]) -> Callable[P, R]:
        return MethodType(self._method, owner.default() if registry is None else registry)


class CacheRegistry:
    """Builds caches and hands each out by its name.

    ``CacheRegistry.get_cache("types", config={"max_size": 1000})`` uses the one registry that the class holds; an instance is a
    registry of its own, with its own names.

    Args:
        clock: Monotonic seconds, for every memory cache.
    """

    _default: ClassVar[CacheRegistry | None] = None
    _default_lock: ClassVar[Lock] = Lock()

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._caches: dict[str, tuple[CacheConfig, UnifiedCache]] = {}

    @classmethod
    def default(cls) -> CacheRegistry:
        """Return the registry that the class holds, a new one after a reset."""
        with cls._default_lock:
            if CacheRegistry._default is None:
                CacheRegistry._default = CacheRegistry()
            return CacheRegistry._default

    @_OnDefault
    def get_cache(self, name: str, config: Mapping[str, Any] | CacheConfig | None = None) -> UnifiedCache:
        """Return the cache called *name*, built with *config* if it is new.

        Without *config* an existing cache is returned however it was built, a new one gets the defaults.

        Raises:
            CacheConfigInvalid: if *config* is unusable, differs from what the cache was built with, or names a Redis namespace that
                another cache of this registry has.
        """
        _check_name(name)
        wanted = CacheConfig.of(config)
        with self._lock:
            if name in self._caches:
                built, cache = self._caches[name]
                return cache if config is None else _unless_conflict(name, cache, built.differences(wanted))
            self._check_namespace_locked(name, wanted)
            cache = UnifiedCache(self._storage(name, wanted), name=name, ttl=wanted.ttl)
            self._caches[name] = (wanted, cache)
            return cache

    @_OnDefault
    def caches(self) -> tuple[UnifiedCache, ...]:
        """Return every cache built so far, oldest first."""
        with self._lock:
            return tuple(cache for _, cache in self._caches.values())

    @_OnDefault
    def reset(self) -> None:
        """Close every cache and forget its name. What callers still hold keeps working, under no name."""
        with self._lock:
            caches = [cache for _, cache in self._caches.values()]
            self._caches.clear()
        for cache in caches:
            cache.close()

    def _storage(self, name: str, config: CacheConfig) -> CacheStorageBackend:
        if config.backend is Storage.MEMORY:
            return MemoryBackend(config.max_size, clock=self._clock, copy=config.copy)
        # Late, because memory caches should not pay for importing two Redis clients.
        from oms.unified.cache.redis.backend import RedisBackend

        return RedisBackend(
            config.url or "", namespace=config.namespace or name, deadline_ms=config.deadline_ms, strict=config.strict
        )

    def _check_namespace_locked(self, name: str, wanted: CacheConfig) -> None:
        place = (wanted.url, wanted.namespace or name)
        for other, (config, _) in self._caches.items():
            if config.backend is wanted.backend is Storage.REDIS and place == (config.url, config.namespace or other):
                raise CacheConfigInvalid(
                    f"cache {name!r}: namespace",
                    found=f"the one of cache {other!r}",
                    wanted="one of its own",
                    mend="clear() of one would empty the other",
                )


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= 100:
        found = f"{len(name)} characters" if isinstance(name, str) else f"a {type(name).__name__}"
        raise CacheConfigInvalid("cache name", found=found, wanted="a str of 1 to 100 characters")


def _unless_conflict(name: str, cache: UnifiedCache, differing: tuple[str, ...]) -> UnifiedCache:
    if differing:
        raise CacheConfigInvalid(
            f"cache {name!r}",
            found=f"another {', '.join(differing)} than it was built with",
            wanted="the same config everywhere",
            mend="use another name, or leave config out",
        )
    return cache
