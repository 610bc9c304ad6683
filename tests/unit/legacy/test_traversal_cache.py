"""Quirks TC-01 to TC-14 of the legacy traversal caches, each by its id."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oms.legacy.core.traversal.cache import (
    AsyncLRUCache,
    CacheConfig,
    CacheStats,
    LRUCache,
    MultiLevelCache,
    TraversalCacheManager,
    get_async_cache_manager,
    get_cache_manager,
    reset_cache_manager,
)


class Clock:
    """Seconds that stand until they are moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> LRUCache:
    """A cache for three entries on that clock."""
    made = LRUCache(max_size=3)
    made._now = clock
    return made


@pytest.fixture
def levels(clock: Clock) -> MultiLevelCache:
    """Two levels on that clock."""
    made = MultiLevelCache()
    made.l1._now = made.l2._now = clock
    return made


QUERY: dict[str, Any] = {"start_nodes": ["b", "a"], "relations": ["r"], "direction": "out", "max_depth": 2, "limit": 5}


def test_defaults() -> None:
    """Capacity is 1,000 and entries live for ever."""
    cache = LRUCache()

    assert (1000, None) == (cache.max_size, cache.default_ttl)


def test_tc_01_zero_seconds(cache: LRUCache, clock: Clock) -> None:
    """TC-01: a ttl of 0 means the default, which is for ever."""
    cache.put("k", "v", ttl_seconds=0)
    clock.now += 10**9

    assert "v" == cache.get("k")


def test_tc_01_zero_seconds_with_a_default(clock: Clock) -> None:
    """TC-01: a ttl of 0 means the default, also where the default is a number."""
    cache = LRUCache(default_ttl=10)
    cache._now = clock
    cache.put("k", "v", ttl_seconds=0)
    clock.now += 10
    at_the_end = cache.get("k")
    clock.now += 1

    assert ("v", None) == (at_the_end, cache.get("k"))


@pytest.mark.parametrize("call", ["get", "delete", "clear", "size"])
def test_tc_02_synchronous_methods(call: str) -> None:
    """TC-02: the synchronous get, delete, clear and size of the async cache raise TypeError."""
    cache = AsyncLRUCache()
    arguments = ("k",) if call in ("get", "delete") else ()

    with pytest.raises(TypeError, match="context manager"):
        getattr(cache, call)(*arguments)


def test_tc_02_put_and_stats_work() -> None:
    """TC-02: the synchronous put and stats of the async cache work."""
    cache = AsyncLRUCache()
    cache.put("k", "v")

    assert 1 == cache.stats().current_size


def test_tc_03_two_locks() -> None:
    """TC-03: a put goes through while an aput would have to wait."""

    async def mix() -> tuple[bool, int]:
        cache = AsyncLRUCache()
        async with cache._lock:
            waiting = asyncio.create_task(cache.aput("a", 1))
            await asyncio.sleep(0)
            cache.put("b", 2)
            seen = waiting.done(), cache.stats().current_size
        await waiting
        return seen

    assert (False, 1) == asyncio.run(mix())


def test_tc_04_none(cache: LRUCache) -> None:
    """TC-04: a stored None takes a place, reads like a miss and does not exist."""
    cache.put("k", None)

    assert (1, None, False) == (cache.size(), cache.get("k"), cache.exists("k"))


def test_tc_05_expiries_in_put(cache: LRUCache, clock: Clock) -> None:
    """TC-05: what a put removes as expired is neither an eviction nor a miss."""
    cache.put("k", "v", 1)
    clock.now += 2
    cache.put("other", "v")
    stats = cache.stats()

    assert (1, 0, 0) == (stats.current_size, stats.evictions, stats.misses)


def test_tc_06_promotion_starts_the_lifetime_again(levels: MultiLevelCache, clock: Clock) -> None:
    """TC-06: a value promoted after 9 of its 10 seconds lives 3,600 more."""
    levels.l2.put("k", "v", 10)
    clock.now += 9
    levels.get("k")
    clock.now += 3600
    at_the_end = levels.get("k")
    clock.now += 1

    assert ("v", None) == (at_the_end, levels.get("k"))


def test_tc_07_clear_of_plans(levels: MultiLevelCache) -> None:
    """TC-07: clearing the plans clears the whole first level."""
    levels.put("plan", 1, "query_plans")
    levels.put("metrics", 2, "unknown")
    levels.clear("query_plans")

    assert 0 == levels.l1.size()


def test_tc_08_invalidation_pattern() -> None:
    """TC-08: invalidation clears both levels, whatever the pattern."""
    manager = TraversalCacheManager()
    manager.cache_query_result(QUERY, ["x"])
    manager.invalidate_query_cache("matches nothing")

    assert None is manager.get_query_result(QUERY)


def test_tc_09_plan_limit() -> None:
    """TC-09: plans share the first level's capacity; their own limit is not read."""
    manager = TraversalCacheManager(CacheConfig(plan_cache_max_size=1))
    manager.cache_query_plan("a", 1)
    manager.cache_query_plan("b", 2)

    assert (1, 2) == (manager.get_query_plan("a"), manager.get_query_plan("b"))


def test_tc_10_warming() -> None:
    """TC-10: what was warmed is found by no reader."""
    manager = TraversalCacheManager()
    warmed = manager.warm([QUERY], lambda query: ["x"])

    assert (1, None) == (warmed, manager.get_query_result(QUERY))


def test_tc_11_statistics(levels: MultiLevelCache) -> None:
    """TC-11: one read that the second level answers is two requests, and the promotion rate is that level's hit rate."""
    levels.l2.put("k", "v")
    levels.get("k")
    stats = levels.stats()

    assert (1, 1, 1.0) == (stats["l1"].misses, stats["l2"].hits, stats["l2"].additional_stats["promotion_rate"])


def test_tc_12_oldest_entry(cache: LRUCache, clock: Clock) -> None:
    """TC-12: the oldest entry's age is that of the least recently used one."""
    cache.put("old", 1)
    clock.now += 10
    cache.put("young", 2)
    cache.get("old")

    assert 0.0 == cache.stats().oldest_entry_age


def test_tc_13_key_without_database() -> None:
    """TC-13: the key of a result says nothing of database or branch."""
    key = TraversalCacheManager.result_key

    assert key({**QUERY, "db": "one", "branch": "main"}) == key({**QUERY, "db": "two", "branch": "draft"})


def test_tc_14_put_scans(cache: LRUCache, clock: Clock) -> None:
    """TC-14: every put looks at every entry and removes the expired ones."""
    cache.put("a", 1, 1)
    cache.put("b", 2, 1)
    clock.now += 2
    cache.put("c", 3)

    assert 1 == cache.size()


def test_key_of_a_result_sorts() -> None:
    """The order of start nodes does not change the key of a result."""
    key = TraversalCacheManager.result_key

    assert key(QUERY) == key({**QUERY, "start_nodes": ["a", "b"]})


def test_same_object(cache: LRUCache) -> None:
    """The stored object itself is returned."""
    value = ["Thing"]
    cache.put("k", value)

    assert value is cache.get("k")


def test_statistics(cache: LRUCache) -> None:
    """Hits, misses and evictions are counted, scalars by their size in memory and texts by their length."""
    for name in ("a", "b", "c", "d"):
        cache.put(name, "four")
    cache.get("a")
    cache.get("d")

    assert CacheStats("lru", 3, 3, 12, 0.5, 1, 1, 1, pytest.approx(0.0), 4.0) == cache.stats()


def test_size_that_cannot_be_told(cache: LRUCache) -> None:
    """A value whose text form fails counts 1,000 bytes."""

    class Silent:
        def __str__(self) -> str:
            raise ValueError

    cache.put("k", Silent())

    assert 1000 == cache.stats().total_memory_bytes


def test_async_methods() -> None:
    """The async methods do what their names say."""

    async def use() -> list[object]:
        cache = AsyncLRUCache(max_size=2)
        await cache.aput("a", 1)
        told: list[object] = [await cache.aget("a"), await cache.adelete("a"), await cache.adelete("a")]
        await cache.aput("b", 2)
        await cache.aclear()
        return [*told, await cache.asize(), (await cache.astats()).cache_type]

    assert [1, True, False, 0, "async_lru"] == asyncio.run(use())


def test_levels_need_async_mode(levels: MultiLevelCache) -> None:
    """The a-methods of a cache that was not made for asyncio raise RuntimeError."""
    with pytest.raises(RuntimeError, match="async_mode"):
        asyncio.run(levels.aget("k"))


def test_levels_in_async_mode() -> None:
    """In async mode the a-methods read, write, delete and clear both levels."""

    async def use() -> list[object]:
        levels = MultiLevelCache(async_mode=True)
        await levels.aput("k", "v")
        await levels.l1.aclear()
        told: list[object] = [await levels.aget("k"), await levels.adelete("k"), await levels.aget("k")]
        await levels.aput("k", "v")
        await levels.aclear("graph_metrics")
        return [*told, (await levels.astats())["l2"].current_size]

    assert ["v", True, None, 0] == asyncio.run(use())


def test_one_manager_a_process() -> None:
    """The manager of the process is one until it is reset, and the async one is another."""
    first = get_cache_manager()
    same = first is get_cache_manager()
    other = first is get_async_cache_manager()
    reset_cache_manager()

    assert (True, False, False) == (same, other, first is get_cache_manager())
    reset_cache_manager()
