"""Caches of graph traversal: one level, the same for asyncio, two levels, and the manager that the query engine talks to.

Kept as it was. Its quirks are TC-01 to TC-14 of the migration guide; ``tests/unit/legacy`` pins each.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional


@dataclass
class CacheEntry:
    """One remembered value."""

    key: str
    value: Any
    created_at: float
    last_accessed: float
    access_count: int = 0
    ttl_seconds: Optional[float] = None
    size_bytes: int = 0
    now: Callable[[], float] = time.time

    @property
    def age_seconds(self) -> float:
        """Seconds since it was put."""
        return self.now() - self.created_at

    @property
    def is_expired(self) -> bool:
        """True once it is older than its time to live; never without one."""
        return self.ttl_seconds is not None and self.age_seconds > self.ttl_seconds

    def touch(self) -> None:
        """Note an access."""
        self.last_accessed = self.now()
        self.access_count += 1


@dataclass
class CacheStats:
    """What a cache tells about itself."""

    cache_type: str
    max_size: int
    current_size: int
    total_memory_bytes: int
    hit_rate: float
    hits: int
    misses: int
    evictions: int
    oldest_entry_age: float
    avg_entry_size: float
    additional_stats: Dict[str, Any] = field(default_factory=dict)


def _size_of(value: Any) -> int:
    try:
        if isinstance(value, (bool, int, float)):
            return sys.getsizeof(value)
        return len(str(value))
    except Exception:
        return 1000


class _Entries:
    """What both LRU caches do with their entries once a lock is held."""

    cache_type = "lru"

    def __init__(self, max_size: int, default_ttl: Optional[float]) -> None:
        self.max_size = max_size
        self.default_ttl = default_ttl
        self._now: Callable[[], float] = time.time
        self._cache: "OrderedDict[str, CacheEntry]" = OrderedDict()
        self._hits = 0
        self._misses = 0
        self._evictions = 0

    def _get_locked(self, key: str) -> Optional[Any]:
        entry = self._cache.get(key)
        if entry is None or entry.is_expired:
            self._cache.pop(key, None)
            self._misses += 1
            return None
        entry.touch()
        self._cache.move_to_end(key)
        self._hits += 1
        return entry.value  # the stored object itself; None looks like a miss (TC-04)

    def _put_locked(self, key: str, value: Any, ttl_seconds: Optional[float]) -> None:
        self._remove_expired_locked()  # TC-14: looks at every entry; TC-05: counts none of what it removes
        now = self._now()
        ttl = ttl_seconds or self.default_ttl  # TC-01: 0 is falsy
        self._cache[key] = CacheEntry(key, value, now, now, 0, ttl, _size_of(value), self._now)
        self._cache.move_to_end(key)
        while len(self._cache) > self.max_size:
            self._cache.popitem(last=False)
            self._evictions += 1

    def _remove_expired_locked(self) -> None:
        for key in [key for key, entry in self._cache.items() if entry.is_expired]:
            del self._cache[key]

    def _delete_locked(self, key: str) -> bool:
        return self._cache.pop(key, None) is not None

    def _stats_locked(self) -> CacheStats:
        entries = list(self._cache.values())
        memory = sum(entry.size_bytes for entry in entries)
        total = self._hits + self._misses
        return CacheStats(
            cache_type=self.cache_type,
            max_size=self.max_size,
            current_size=len(entries),
            total_memory_bytes=memory,
            hit_rate=self._hits / total if total else 0.0,
            hits=self._hits,
            misses=self._misses,
            evictions=self._evictions,
            oldest_entry_age=entries[0].age_seconds if entries else 0.0,  # TC-12: the least recently used one's
            avg_entry_size=memory / len(entries) if entries else 0.0,
        )


class LRUCache(_Entries):
    """Least recently used first out, safe between threads."""

    def __init__(self, max_size: int = 1000, default_ttl: Optional[float] = None) -> None:
        super().__init__(max_size, default_ttl)
        self._lock = threading.RLock()

    def get(self, key: str) -> Optional[Any]:
        """Return the stored object, or None."""
        with self._lock:
            return self._get_locked(key)

    def put(self, key: str, value: Any, ttl_seconds: Optional[float] = None) -> None:
        """Store *value*; without *ttl_seconds*, and with 0 (TC-01), for the default."""
        with self._lock:
            self._put_locked(key, value, ttl_seconds)

    def exists(self, key: str) -> bool:
        """Tell whether ``get`` gives something. Counts as an access."""
        return self.get(key) is not None

    def delete(self, key: str) -> bool:
        """Remove *key*, expired or not; return whether it was there."""
        with self._lock:
            return self._delete_locked(key)

    def clear(self) -> None:
        """Remove every entry."""
        with self._lock:
            self._cache.clear()

    def size(self) -> int:
        """Return the number of entries, expired ones included."""
        with self._lock:
            return len(self._cache)

    def stats(self) -> CacheStats:
        """Return the statistics."""
        with self._lock:
            return self._stats_locked()


class AsyncLRUCache(_Entries):
    """The same under an asyncio lock, with synchronous methods of the same names "for compatibility"."""

    cache_type = "async_lru"

    def __init__(self, max_size: int = 1000, default_ttl: Optional[float] = None, loop: Any = None) -> None:
        super().__init__(max_size, default_ttl)
        self._loop = loop
        self._lock = asyncio.Lock()
        self._sync_lock = threading.RLock()  # TC-03: a second lock over the same entries

    async def aget(self, key: str) -> Optional[Any]:
        """Return the stored object, or None."""
        async with self._lock:
            return self._get_locked(key)

    async def aput(self, key: str, value: Any, ttl_seconds: Optional[float] = None) -> None:
        """Store *value*; without *ttl_seconds*, and with 0 (TC-01), for the default."""
        async with self._lock:
            self._put_locked(key, value, ttl_seconds)

    async def adelete(self, key: str) -> bool:
        """Remove *key*; return whether it was there."""
        async with self._lock:
            return self._delete_locked(key)

    async def aclear(self) -> None:
        """Remove every entry."""
        async with self._lock:
            self._cache.clear()

    async def asize(self) -> int:
        """Return the number of entries."""
        async with self._lock:
            return len(self._cache)

    async def astats(self) -> CacheStats:
        """Return the statistics."""
        async with self._lock:
            return self._stats_locked()

    def get(self, key: str) -> Optional[Any]:
        """Raise TypeError: an asyncio lock cannot be taken without await (TC-02). So do delete, clear and size."""
        with self._lock:
            return self._get_locked(key)

    def put(self, key: str, value: Any, ttl_seconds: Optional[float] = None) -> None:
        """Store *value* under the other lock (TC-03)."""
        with self._sync_lock:
            self._put_locked(key, value, ttl_seconds)

    def delete(self, key: str) -> bool:
        """Raise TypeError (TC-02)."""
        with self._lock:
            return self._delete_locked(key)

    def clear(self) -> None:
        """Raise TypeError (TC-02)."""
        with self._lock:
            self._cache.clear()

    def size(self) -> int:
        """Raise TypeError (TC-02)."""
        with self._lock:
            return len(self._cache)

    def stats(self) -> CacheStats:
        """Return the statistics, under the other lock."""
        with self._sync_lock:
            return self._stats_locked()


@dataclass
class CacheConfig:
    """Sizes and lifetimes of the two levels.

    ``plan_cache_max_size`` and ``eviction_policy`` are read by nobody (TC-09).
    """

    query_cache_max_size: int = 1000
    query_cache_ttl: float = 3600
    result_cache_max_size: int = 5000
    result_cache_ttl: float = 1800
    plan_cache_max_size: int = 100
    eviction_policy: str = "lru"


_LEVELS = {"query_results": ("l1", "l2"), "query_plans": ("l1",), "graph_metrics": ("l1", "l2")}


class MultiLevelCache:
    """Two LRU caches in memory, the second larger and shorter lived."""

    def __init__(self, config: Optional[CacheConfig] = None, async_mode: bool = False) -> None:
        self.config = config or CacheConfig()
        self.async_mode = async_mode
        kind = AsyncLRUCache if async_mode else LRUCache
        self.l1: Any = kind(self.config.query_cache_max_size, self.config.query_cache_ttl)
        self.l2: Any = kind(self.config.result_cache_max_size, self.config.result_cache_ttl)
        self._promotions = 0

    def get(self, key: str, cache_type: str = "query_results") -> Optional[Any]:
        """Look in the levels of *cache_type*; what only the second has moves up."""
        value = self.l1.get(key)
        if value is None and "l2" in self._levels(cache_type):
            value = self.l2.get(key)
            if value is not None:
                self._promotions += 1
                self.l1.put(key, value)  # TC-06: with the first level's own lifetime
        return value

    def put(self, key: str, value: Any, cache_type: str = "query_results", ttl_seconds: Optional[float] = None) -> None:
        """Store *value* in the levels of *cache_type*."""
        for level in self._caches(cache_type):
            level.put(key, value, ttl_seconds)

    def delete(self, key: str, cache_type: str = "query_results") -> bool:
        """Remove *key* from the levels of *cache_type*; return whether one had it."""
        return any([level.delete(key) for level in self._caches(cache_type)])

    def clear(self, cache_type: Optional[str] = None) -> None:
        """Clear the levels of *cache_type* with all they hold (TC-07), both without one."""
        for level in self._caches(cache_type) if cache_type else [self.l1, self.l2]:
            level.clear()

    def stats(self) -> Dict[str, CacheStats]:
        """Return the statistics by level; promotions count one request in each level (TC-11)."""
        return self._named(self.l1.stats(), self.l2.stats())

    async def aget(self, key: str, cache_type: str = "query_results") -> Optional[Any]:
        """Do what ``get`` does."""
        self._need_async()
        value = await self.l1.aget(key)
        if value is None and "l2" in self._levels(cache_type):
            value = await self.l2.aget(key)
            if value is not None:
                self._promotions += 1
                await self.l1.aput(key, value)
        return value

    async def aput(
        self, key: str, value: Any, cache_type: str = "query_results", ttl_seconds: Optional[float] = None
    ) -> None:
        """Do what ``put`` does."""
        self._need_async()
        for level in self._caches(cache_type):
            await level.aput(key, value, ttl_seconds)

    async def adelete(self, key: str, cache_type: str = "query_results") -> bool:
        """Do what ``delete`` does."""
        self._need_async()
        return any([await level.adelete(key) for level in self._caches(cache_type)])

    async def aclear(self, cache_type: Optional[str] = None) -> None:
        """Do what ``clear`` does."""
        self._need_async()
        for level in self._caches(cache_type) if cache_type else [self.l1, self.l2]:
            await level.aclear()

    async def astats(self) -> Dict[str, CacheStats]:
        """Do what ``stats`` does."""
        self._need_async()
        return self._named(await self.l1.astats(), await self.l2.astats())

    def _levels(self, cache_type: str) -> tuple:
        return _LEVELS.get(cache_type, ("l1",))

    def _caches(self, cache_type: str) -> List[Any]:
        return [getattr(self, name) for name in self._levels(cache_type)]

    def _need_async(self) -> None:
        if not self.async_mode:
            raise RuntimeError("this cache was not made with async_mode=True")

    def _named(self, first: CacheStats, second: CacheStats) -> Dict[str, CacheStats]:
        second.additional_stats = {"promotions": self._promotions, "promotion_rate": second.hit_rate}
        return {"l1": first, "l2": second}


class TraversalCacheManager:
    """What the query engine talks to: results, plans and metrics of traversals."""

    def __init__(self, config: Optional[CacheConfig] = None, async_mode: bool = False) -> None:
        self.cache = MultiLevelCache(config, async_mode)

    def get_query_result(self, query: Dict[str, Any]) -> Optional[Any]:
        """Return the remembered result of *query*."""
        return self.cache.get(self.result_key(query), "query_results")

    def cache_query_result(self, query: Dict[str, Any], result: Any, ttl: Optional[float] = None) -> None:
        """Remember the result of *query* for *ttl* seconds."""
        self.cache.put(self.result_key(query), result, "query_results", ttl)

    def get_query_plan(self, fingerprint: str) -> Optional[Any]:
        """Return the remembered plan."""
        return self.cache.get(f"plan:{fingerprint}", "query_plans")

    def cache_query_plan(self, fingerprint: str, plan: Any, ttl: Optional[float] = None) -> None:
        """Remember a plan for *ttl* seconds."""
        self.cache.put(f"plan:{fingerprint}", plan, "query_plans", ttl)

    def get_graph_metrics(self, key: str) -> Optional[Any]:
        """Return remembered metrics of the graph."""
        return self.cache.get(f"metrics:{key}", "graph_metrics")

    def cache_graph_metrics(self, key: str, metrics: Any, ttl: Optional[float] = None) -> None:
        """Remember metrics of the graph for *ttl* seconds."""
        self.cache.put(f"metrics:{key}", metrics, "graph_metrics", ttl)

    def invalidate_query_cache(self, pattern: Optional[str] = None) -> None:
        """Clear both levels, whatever *pattern* says (TC-08)."""
        self.cache.clear("query_results")

    def get_stats(self) -> Dict[str, CacheStats]:
        """Return the statistics of both levels."""
        return self.cache.stats()

    @staticmethod
    def result_key(query: Dict[str, Any]) -> str:
        """Return ``result:<md5>`` over what was asked; database and branch are no part of it (TC-13)."""
        asked = {
            "start_nodes": sorted(query.get("start_nodes", [])),
            "relations": sorted(query.get("relations", [])),
            "direction": query.get("direction"),
            "max_depth": query.get("max_depth"),
            "limit": query.get("limit"),
            "filters": query.get("filters"),
            "include_metadata": query.get("include_metadata"),
        }
        return f"result:{_md5(asked)}"

    @staticmethod
    def warming_key(query: Dict[str, Any]) -> str:
        """Return the key under which warming stores a result: one that no reader asks for (TC-10)."""
        return f"warming:{_md5(query)}"

    def warm(self, queries: List[Dict[str, Any]], execute: Callable[[Dict[str, Any]], Any]) -> int:
        """Run *queries* ahead of time and remember their results; return how many were run."""
        for query in queries:
            self.cache.put(self.warming_key(query), execute(query), "query_results")
        return len(queries)


def _md5(content: Dict[str, Any]) -> str:
    return hashlib.md5(json.dumps(content, sort_keys=True, default=str).encode(), usedforsecurity=False).hexdigest()


_managers: Dict[bool, TraversalCacheManager] = {}


def get_cache_manager(config: Optional[CacheConfig] = None) -> TraversalCacheManager:
    """Return the process's manager; *config* counts only at the first call."""
    return _managers.setdefault(False, TraversalCacheManager(config))


def get_async_cache_manager(config: Optional[CacheConfig] = None) -> TraversalCacheManager:
    """Return the process's async manager; *config* counts only at the first call."""
    return _managers.setdefault(True, TraversalCacheManager(config, async_mode=True))


def reset_cache_manager() -> None:
    """Forget both managers."""
    _managers.clear()
