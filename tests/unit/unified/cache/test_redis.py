"""The Redis storage beyond what all storages share: names, clear, loops, clients."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis.exceptions import NoPermissionError
from servers.redis_server import RedisServer

from oms.unified.cache import CacheRegistry, Counts, RedisBackend, UnifiedCache
from oms.unified.cache.redis.calls import Calls
from oms.unified.cache.redis.clients import LoopClient
from oms.unified.cache.redis.names import Names
from oms.unified.cache.redis.outage import Outage

from .conftest import PATIENT_MS, exit_code_of_child

Build = Callable[..., UnifiedCache]


@pytest.fixture
def build(redis_server: RedisServer) -> Iterator[Build]:
    """Builds caches over the shared server, or another one, and closes them."""
    built: list[UnifiedCache] = []

    def make(namespace: str = "n", *, server: RedisServer = redis_server, **options: Any) -> UnifiedCache:
        backend = RedisBackend(server.url, namespace=namespace, **{"deadline_ms": PATIENT_MS, **options})
        built.append(UnifiedCache(backend, name=namespace))
        return built[-1]

    yield make
    for cache in built:
        cache.close()


def _commands(server: RedisServer) -> set[str]:
    """Return the commands that *server* has seen: one of the test's own, for anybody may ask the shared one something."""
    with server.client() as client:
        return {name.removeprefix("cmdstat_") for name in client.info("commandstats")}


def _others(client: Any) -> int:
    """Return how many connections the server has beside the one that asks."""
    return len(client.client_list()) - 1


def test_namespaces_never_meet(build: Build) -> None:
    """Separators and patterns in a namespace stay what they are: a:b with c is not a with b:c, and clear of one empties no other."""
    names = ["a", "a:b", "a%3Ab", "*", "a*", "[ab]", "a?", "a\\", "^a", "ä", "", "a\n"]
    caches = {name: build(name or " ") for name in names}
    for name, cache in caches.items():
        cache.set_many({"c": name, "b:c": name})
    for name, cache in caches.items():
        cache.clear()
        cleared = names[: names.index(name) + 1]

        assert {other: {} if other in cleared else {"c": other, "b:c": other} for other in names} == {
            other: caches[other].get_many(["c", "b:c"]) for other in names
        }


def test_clear_leaves_the_rest(build: Build, own_redis: RedisServer) -> None:
    """Clear removes thousands of its own keys and none of anybody else's, plain and async, without FLUSHDB or KEYS."""
    with own_redis.client() as client:
        client.set("foreign", 1)
        client.set("oms:nn:k", 1)
    for clear in (UnifiedCache.clear, lambda cache: asyncio.run(cache.aclear())):
        cache = build("n", server=own_redis)
        cache.set_many({str(n): n for n in range(5000)})
        clear(cache)

        assert {} == cache.get_many(map(str, range(5000)))
        used = _commands(own_redis)
        assert {"scan", "unlink"} <= used
        assert not used & {"flushdb", "flushall", "keys", "del"}
        assert ["foreign", "oms:nn:k"] == own_redis.keys()


def test_long_and_odd_keys_are_hashed() -> None:
    """A long key has a short name; nothing that a caller writes can be taken for one."""
    names = Names("n")
    hashed = names.of("k" * 300)

    assert 7 + 64 == len(hashed)
    assert b"oms:n:" + b"k" * 200 == names.of("k" * 200)
    assert hashed != names.of(hashed.decode().removeprefix("oms:n:"))


def test_ttl_is_kept_by_redis(build: Build, redis_server: RedisServer) -> None:
    """A ttl is milliseconds in Redis, rounded up; without one there is none."""
    cache = build()
    cache.set("a", 1, ttl=3600)
    cache.set_many({"b": 1}, ttl=3600.0005)
    cache.set("c", 1)
    asyncio.run(cache.aset("d", 1, ttl=3600))
    with redis_server.client() as client:
        left = [client.pttl(f"oms:n:{key}") for key in "abcd"]

    assert 3_500_000 < left[0] <= 3_600_000
    assert 3_500_000 < left[1] <= 3_600_001
    assert -1 == left[2]
    assert 3_500_000 < left[3] <= 3_600_000


def test_parts_of_a_millisecond() -> None:
    """A ttl between two milliseconds is the longer one, so that nothing expires early."""
    task = Calls("n", Outage(clock=lambda: 0.0), Counts()).set_many({"k": 1}, 0.0015)

    assert ("write", b"oms:n:k", b'{"v":1,"d":1}', 2) == task.steps.send(None)


def test_foreign_value_is_a_miss(build: Build, redis_server: RedisServer) -> None:
    """What is no envelope of ours reads as a miss and counts as an error; another type of key as well."""
    cache = build()
    with redis_server.client() as client:
        client.set("oms:n:pickle", b"\x80\x04N.")
        client.set("oms:n:later", json.dumps({"v": 2, "d": 1}))
        client.lpush("oms:n:list", 1)

    assert [None, None, None] == [cache.get(key) for key in ("pickle", "later", "list")]
    assert 3 == cache.stats().counts.errors
    cache.set("list", 1)
    assert 1 == cache.get("list")


def test_many_processes_share(build: Build) -> None:
    """Two caches of the same namespace see each other's values; that is why it is not process local."""
    one, other = build("same"), build("same")
    one.set("k", (1, 2))

    assert (1, 2) == other.get("k")
    assert (False, None, None) == (one.process_local, one.stats().size, one.stats().max_size)


def test_one_client_per_loop(build: Build, own_redis: RedisServer, eventually: Build) -> None:
    """Each loop has a client of its own, closed when the loop ends, though nobody asked for it; no connection is left open."""
    cache = build(server=own_redis)

    async def main(n: int) -> list[Any]:
        await cache.aset(str(n), n)
        clients = {id(await cache.storage._loops.here()) for _ in range(3)}
        return [len(clients), *await asyncio.gather(*(cache.aget(str(n)) for _ in range(100)))]

    for n in range(3):
        assert [1, *[n] * 100] == asyncio.run(main(n))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: asyncio.run(main(n)), range(8)))
    gc.collect()

    assert [[1, *[n] * 100] for n in range(8)] == answers
    assert {} == cache.storage._loops._held
    with own_redis.client() as client:
        eventually(lambda: _others(client) == 0)


def test_connections_are_bounded(build: Build, own_redis: RedisServer, eventually: Build) -> None:
    """However many tasks ask at once, a loop opens 32 connections at most, and everybody is answered."""
    cache = build(server=own_redis)

    async def main(client: Any) -> tuple[int, set[Any]]:
        await cache.aset("k", 1)
        answers = await asyncio.gather(*(cache.aget("k") for _ in range(500)))
        return _others(client), set(answers)

    with own_redis.client() as client:
        # The server may still be about to close the one that waited for its start.
        eventually(lambda: _others(client) == 0)
        connections, answers = asyncio.run(main(client))

    assert {1} == answers
    assert 1 < connections <= 32


def test_closes_and_opens_anew(build: Build) -> None:
    """After close and aclose the cache opens new connections by itself; closing twice or unopened is nothing."""
    cache = build()

    async def main() -> list[Any]:
        await cache.aclose()
        await cache.aset("k", 1)
        first = await cache.storage._loops.here()
        await cache.aclose()
        await cache.aclose()
        return [await cache.aget("k"), first is await cache.storage._loops.here(), cache.get("k")]

    assert [1, False, 1] == asyncio.run(main())
    cache.close()
    cache.close()
    assert 1 == cache.get("k")


def test_forgotten_loop(build: Build) -> None:
    """A loop that ended without shutting down its generators is dropped from the table when the next one comes."""
    cache = build()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(cache.aset("k", 1))
    loop.run_until_complete(cache.aclose())
    dead = asyncio.new_event_loop()
    dead.close()
    cache.storage._loops._held[dead] = cache.storage._loops._held.get(dead)
    loop.run_until_complete(cache.aget("k"))

    assert [loop] == list(cache.storage._loops._held)
    loop.run_until_complete(cache.aclose())
    loop.close()


def test_cancelled_calls_mix_up_nothing(build: Build) -> None:
    """After thousands of calls cancelled in flight every answer still belongs to its question."""
    cache = build()

    async def main() -> int:
        await cache.aset_many({str(n): n for n in range(50)})
        wrong = 0
        for n in range(300):
            tasks = [asyncio.create_task(cache.aget(str(k))) for k in range(5)]
            for _ in range(n % 7):
                await asyncio.sleep(0)
            for task in tasks[n % 3 :: 2]:
                task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            wrong += sum(
                answer != k for k, answer in enumerate(answers) if not isinstance(answer, asyncio.CancelledError)
            )
        return wrong

    assert 0 == asyncio.run(main())


def test_environment_does_not_switch_it_off(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiocache's hidden switch does not turn a cache off behind its owner's back."""
    monkeypatch.setenv("AIOCACHE_DISABLE", "1")
    cache = build()

    async def main() -> list[Any]:
        await cache.aset("k", 1)
        return [await cache.aget("k"), await cache.aexists("k"), await cache.adelete("k"), await cache.aexists("k")]

    assert [1, True, True, False] == asyncio.run(main())


def test_aiocache_s_own_calls(redis_server: RedisServer) -> None:
    """Called the way aiocache is, the client still works, except clear, which refuses: it knows no namespace."""

    async def main() -> list[Any]:
        async with LoopClient(redis_server.url, timeout_s=PATIENT_MS / 1000) as client:
            await client.set("k", {"a": 1}, ttl=60_000)
            found = [await client.get("k"), await client.delete("k"), await client.exists("k")]
            with pytest.raises(NoPermissionError, match="knows no namespace"):
                await client.clear()
            return found

    assert [{"a": 1}, 1, False] == asyncio.run(main())


def test_fork(build: Build) -> None:
    """A forked child talks to Redis by connections of its own, also if a lock was held when it was born."""
    cache = build()
    cache.set("k", "v")
    storage = cache.storage

    def talk() -> bool:
        cache.set("child", 1)
        return [cache.get("k"), asyncio.run(cache.aget("k"))] == ["v", "v"]

    with storage._calls._lock, storage._outage._lock, storage._loops._lock:
        assert 0 == exit_code_of_child(talk)
    assert ["v"] * 50 == [cache.get("k") for _ in range(50)]
    assert 1 == cache.get("child")


def test_threads(build: Build) -> None:
    """Under many threads no count is lost and every answer belongs to its question."""
    cache = build()

    def work(seed: int) -> int:
        wrong = 0
        for n in range(50):
            cache.set(f"{seed}:{n}", [seed, n])
            wrong += cache.get(f"{seed}:{n}") != [seed, n]
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert [0] * 8 == list(pool.map(work, range(8)))
    assert (400, 400, 0) == (cache.stats().counts.sets, cache.stats().counts.hits, cache.stats().counts.errors)


def test_through_the_registry(redis_server: RedisServer) -> None:
    """A registry builds it from its config, under the cache's name as namespace."""
    registry = CacheRegistry()
    cache = registry.get_cache(
        "types", {"backend": "redis", "url": redis_server.url, "ttl": 3600, "deadline_ms": PATIENT_MS}
    )
    cache.set("k", 1)

    assert ["oms:types:k"] == redis_server.keys()
    with redis_server.client() as client:
        assert 3_500_000 < client.pttl("oms:types:k") <= 3_600_000
    registry.reset()


def test_one_round_trip(build: Build, own_redis: RedisServer) -> None:
    """A new connection is used at once, without a greeting; many keys take one command."""
    cache = build(server=own_redis)
    cache.set("a", 1)
    cache.get_many(["a", "b", "c"])
    asyncio.run(cache.aget_many(["a", "b", "c"]))

    assert {"set", "mget"} == _commands(own_redis) - {"ping", "info"}
    with own_redis.client() as client:
        assert 2 == client.info("commandstats")["cmdstat_mget"]["calls"]
