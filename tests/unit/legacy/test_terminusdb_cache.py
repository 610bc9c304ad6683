"""Quirks TM-01 to TM-10 of the legacy TerminusDB cache, each by its id."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest

from oms.legacy.shared.cache.terminusdb_cache import TerminusDBCacheManager

T = TypeVar("T")
NEW_YEAR = dt.datetime(2025, 1, 1)


class Clock:
    """A naive UTC clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NEW_YEAR

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


class Database:
    """A TerminusDB client over a dict; raises ConnectionError while it is down."""

    def __init__(self) -> None:
        self.documents_by_id: dict[str, dict[str, Any]] = {}
        self.created: list[str] = []
        self.down = False

    def _check(self) -> None:
        if self.down:
            raise ConnectionError

    async def create(self, db: str) -> None:
        self.created.append(db)

    async def read(self, db: str, entry_id: str) -> dict[str, Any] | None:
        self._check()
        return self.documents_by_id.get(entry_id)

    async def write(self, db: str, entry_id: str, document: dict[str, Any]) -> None:
        self._check()
        self.documents_by_id[entry_id] = document

    async def remove(self, db: str, entry_id: str) -> None:
        self._check()
        self.documents_by_id.pop(entry_id, None)

    async def wipe(self, db: str) -> None:
        self.documents_by_id.clear()

    async def documents(self, db: str, branch: str, doc_type: str) -> list[dict[str, Any]]:
        return [{"@id": f"{doc_type}/1"}, {"@id": f"{doc_type}/2"}]


def run(awaitable: Awaitable[T]) -> T:
    """Run *awaitable* on a loop of its own."""

    async def main() -> T:
        return await awaitable

    return asyncio.run(main())


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> TerminusDBCacheManager:
    """A cache in memory on that clock."""
    made = TerminusDBCacheManager()
    made._now = clock
    return made


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ((1, 2), [1, 2]),
        ({1: "a"}, {"1": "a"}),
        ({1, 2}, "{1, 2}"),
        (NEW_YEAR, "2025-01-01 00:00:00"),
        (b"x", "b'x'"),
    ],
)
def test_tm_01_types_lost(cache: TerminusDBCacheManager, value: object, read: object) -> None:
    """TM-01: tuples come back as lists, number keys as texts, sets, dates and bytes as their text form."""

    async def use() -> object:
        await cache.set("k", value)
        return await cache.get("k")

    assert read == run(use())


def test_tm_02_none(cache: TerminusDBCacheManager) -> None:
    """TM-02: a None is never remembered, so the factory runs every time."""
    runs: list[int] = []

    async def factory() -> None:
        runs.append(1)

    async def use() -> tuple[object, bool]:
        await cache.set("k", None)
        for _ in range(3):
            await cache.get_with_optimization("k", "db", "main", factory, "Thing")
        return await cache.get("k"), await cache.exists("k")

    assert ((None, False), 3) == (run(use()), len(runs))


def test_tm_03_number_and_text(cache: TerminusDBCacheManager) -> None:
    """TM-03: the key 1 and the key "1" are one."""

    async def use() -> object:
        await cache.set(1, "number")
        await cache.set("1", "text")
        return await cache.get(1)

    assert "text" == run(use())


def test_tm_04_zero_seconds(cache: TerminusDBCacheManager, clock: Clock) -> None:
    """TM-04: a set for 0 seconds expires at once, an optimized get for 0 seconds remembers for 3,600."""

    async def factory() -> str:
        return "v"

    async def use() -> tuple[object, object]:
        await cache.set("set", "v", ttl=0)
        await cache.get_with_optimization("optimized", "db", "main", factory, "Thing", ttl=0)
        clock.move(3599)
        return await cache.get("set"), await cache.get("optimized")

    assert (None, "v") == run(use())


def test_tm_05_overwrite_when_full(cache: TerminusDBCacheManager) -> None:
    """TM-05: with 1,000 entries, overwriting one of them evicts the 100 least recently read."""

    async def use() -> tuple[int, list[object]]:
        for number in range(1000):
            await cache.set(f"k{number}", number)
        await cache.set("k999", "again")
        size = (await cache.get_cache_stats())["memory_entries"]
        return size, [await cache.get("k99"), await cache.get("k100"), await cache.get("k999")]

    assert (900, [None, 100, "again"]) == run(use())


def test_tm_06_delete_of_a_missing_key(cache: TerminusDBCacheManager) -> None:
    """TM-06: deleting what is not there says True."""
    assert True is run(cache.delete("nobody"))


def test_tm_07_concurrent_misses(cache: TerminusDBCacheManager) -> None:
    """TM-07: twenty callers that miss at once all run the factory."""
    runs: list[int] = []

    async def factory() -> str:
        runs.append(1)
        await asyncio.sleep(0)
        return "v"

    async def use() -> None:
        await asyncio.gather(*(cache.get_with_optimization("k", "db", "main", factory, "Thing") for _ in range(20)))

    run(use())

    assert 20 == len(runs)


def test_tm_08_name_of_the_statistics(cache: TerminusDBCacheManager) -> None:
    """TM-08: there is no get_stats, which later callers ask for; the name is get_cache_stats."""
    assert (False, 0) == (hasattr(cache, "get_stats"), run(cache.get_cache_stats())["hits"])


@pytest.mark.parametrize(("text", "enabled"), [("true", True), ("True", True), ("1", False), ("yes", False)])
def test_tm_09_switch(monkeypatch: pytest.MonkeyPatch, text: str, enabled: bool) -> None:
    """TM-09: only the word true switches the TerminusDB tier on."""
    monkeypatch.setenv("TERMINUSDB_CACHE_ENABLED", text)

    assert enabled is TerminusDBCacheManager(Database()).db_enabled


def test_tm_10_database_down(clock: Clock) -> None:
    """TM-10: a set says True although TerminusDB could not be reached."""
    database = Database()
    database.down = True

    assert (True, {}) == (run(TerminusDBCacheManager(database).set("k", "v")), database.documents_by_id)


def test_default_ttl(cache: TerminusDBCacheManager, clock: Clock) -> None:
    """Without a ttl an entry lives for an hour."""

    async def use() -> tuple[object, object]:
        await cache.set("k", "v")
        clock.move(3599.9)
        before = await cache.get("k")
        clock.move(0.1)
        return before, await cache.get("k")

    assert ("v", None) == run(use())


def test_default_ttl_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """CACHE_DEFAULT_TTL is the default ttl in seconds."""
    monkeypatch.setenv("CACHE_DEFAULT_TTL", "7")

    assert 7 == TerminusDBCacheManager().default_ttl


def test_what_json_refuses(cache: TerminusDBCacheManager) -> None:
    """A value that JSON refuses is not stored, which only the return value tells."""
    assert False is run(cache.set("k", {(1, 2): "a tuple as a key"}))


def test_second_tier() -> None:
    """What memory has lost is read from TerminusDB, until it is deleted."""
    database = Database()

    async def use() -> list[object]:
        cache = TerminusDBCacheManager(database)
        await cache.initialize()
        await cache.set("k", {"a": 1})
        other = TerminusDBCacheManager(database)
        told: list[object] = [await other.get("k")]
        await cache.delete("k")
        await other.clear()
        return [*told, await other.get("k"), database.created]

    assert [{"a": 1}, None, ["_cache"]] == run(use())


def test_warming() -> None:
    """Warming remembers the documents of each type under database, branch, type and id."""

    async def use() -> tuple[int, object]:
        cache = TerminusDBCacheManager(Database())
        warmed = await cache.warm_cache_for_branch("db", "main", ["Person"])
        return warmed, await cache.get("db:main:Person:Person/2")

    assert (2, {"@id": "Person/2"}) == run(use())


def test_warming_without_a_database(cache: TerminusDBCacheManager) -> None:
    """Without TerminusDB there is nothing to warm from."""
    assert 0 == run(cache.warm_cache_for_branch("db", "main", ["Person"]))
