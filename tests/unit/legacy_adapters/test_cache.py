"""What the adapters of the caches translate, and that they mend nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from oms.legacy.core.traversal.cache import LRUCache
from oms.legacy.core.validation.enterprise.implementations.validation_cache import ValidationCache
from oms.legacy.shared.cache.terminusdb_cache import TerminusDBCacheManager
from oms.legacy_adapters.cache import (
    TerminusCacheAdapter,
    TraversalCacheAdapter,
    ValidationCacheAdapter,
    legacy_documents,
    legacy_types,
    legacy_validation,
)
from oms.routing.binding import bind
from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION


class Spy(LRUCache):
    """Keeps the ttl that each put was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.ttls: list[object] = []

    def put(self, key: str, value: Any, ttl_seconds: float | None = None) -> None:
        self.ttls.append(ttl_seconds)
        super().put(key, value, ttl_seconds)


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [(None, None), (0, 0), (60, 60), (60.0, 60), (0.5, 0.5), (dt.timedelta(minutes=1), 60), (dt.timedelta(0), 0)],
)
def test_seconds(ttl: Any, seconds: object) -> None:
    """A ttl reaches legacy as seconds, whole ones as int; none stays none."""
    spy = Spy()
    TraversalCacheAdapter(spy).set("k", "v", ttl=ttl)

    assert [(seconds, type(seconds))] == [(given, type(given)) for given in spy.ttls]


def test_no_ttl_for_the_validation_cache() -> None:
    """Without a ttl the validation cache is called without one, and what it raises is passed on."""
    with pytest.raises(TypeError, match="ttl_seconds"):
        ValidationCacheAdapter(ValidationCache()).set("k", "v")


@pytest.mark.parametrize("adapter", [TraversalCacheAdapter(LRUCache()), ValidationCacheAdapter(ValidationCache())])
def test_forget(adapter: Any) -> None:
    """A forgotten key is a miss, and None is every key."""
    for key in "abc":
        adapter.set(key, key, ttl=60)
    adapter.forget("a")
    adapter.forget("nobody")
    one = [adapter.get(key) for key in "abc"]
    adapter.forget(None)

    assert ([None, "b", "c"], [None] * 3) == (one, [adapter.get(key) for key in "abc"])


@pytest.mark.parametrize(
    "adapter",
    [TraversalCacheAdapter(LRUCache()), TerminusCacheAdapter(TerminusDBCacheManager())],
    ids=["types", "documents"],
)
def test_aforget(adapter: Any) -> None:
    """The same where the port is async."""

    async def use() -> tuple[list[object], list[object]]:
        for key in "abc":
            await adapter.aset(key, key, ttl=60)
        await adapter.aforget("a")
        await adapter.aforget("nobody")
        one = [await adapter.aget(key) for key in "abc"]
        await adapter.aforget(None)
        return one, [await adapter.aget(key) for key in "abc"]

    assert ([None, "b", "c"], [None] * 3) == asyncio.run(use())


def test_both_ports_are_one_cache() -> None:
    """What the sync port wrote, the async port reads, and the other way round."""
    adapter = TraversalCacheAdapter(LRUCache())

    async def use() -> tuple[object, bool]:
        adapter.set("k", "v")
        found = await adapter.aget("k")
        await adapter.aset("other", "v")
        await adapter.adelete("k")
        return found, adapter.delete("other")

    assert (("v", True), None) == (asyncio.run(use()), adapter.get("k"))


def test_process_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """The TerminusDB cache outlives the process only where it has a database that is switched on."""
    monkeypatch.setenv("TERMINUSDB_CACHE_ENABLED", "true")
    alone, with_database = TerminusDBCacheManager(), TerminusDBCacheManager(db_client=object())

    assert [True, False] == [TerminusCacheAdapter(cache).process_local for cache in (alone, with_database)]


@pytest.mark.parametrize("make", [legacy_types, legacy_validation])
def test_room(make: Any) -> None:
    """The legacy sides take as many entries as they are told."""
    adapter = make(max_size=2)
    for key in "abc":
        adapter.set(key, key, ttl=60)

    assert [None, "b", "c"] == [adapter.get(key) for key in "abc"]


@pytest.mark.parametrize(
    ("seam", "side"), [(TYPES, legacy_types()), (VALIDATION, legacy_validation()), (DOCUMENTS, legacy_documents())]
)
def test_legacy_sides_fit(seam: Any, side: Any) -> None:
    """Each legacy side fits its seam."""
    assert seam is bind(seam, legacy=side, unified=side).seam
