"""Redis stopped, killed, restarted, full: calls fail open within their deadline, and nothing overwritten or deleted ever comes back."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.redis_server import RedisServer

from oms.unified.cache import CacheUnavailable, RedisBackend, UnifiedCache
from oms.unified.cache.redis.outage import Outage

from .conftest import PATIENT_MS, AsyncFace, FakeClock

DEADLINE_MS = 200.0
"""Deadline where a server hangs, which costs one; elsewhere it is longer than any machine is busy."""

PAUSE_S = 0.25
Build = Callable[..., Any]


@pytest.fixture(params=["plain", "async"])
def build(request: pytest.FixtureRequest, own_redis: RedisServer, clock: FakeClock) -> Iterator[Build]:
    """Builds caches over a server that may fail, by plain and by async calls; their pauses follow *clock*."""
    built: list[UnifiedCache] = []
    with asyncio.Runner() as runner:

        def make(**options: Any) -> Any:
            options = {"deadline_ms": PATIENT_MS, "clock": clock, "pause_s": PAUSE_S, **options}
            built.append(UnifiedCache(RedisBackend(own_redis.url, namespace="n", **options), name="n"))
            return built[-1] if request.param == "plain" else AsyncFace(built[-1], runner)

        yield make
        own_redis.resume() if own_redis._process else None
        for cache in built:
            runner.run(cache.aclose())


@pytest.fixture
def cache(build: Build) -> Any:
    """A lenient cache."""
    return build()


def _stored(cache: Any, clock: FakeClock, eventually: Build, values: dict[str, Any]) -> None:
    """Set *values* until they are there: with a deadline so short a busy machine may lose a write."""

    def are_there() -> bool:
        clock.advance(PAUSE_S)
        cache.set_many(values)
        return values == cache.get_many(values)

    eventually(are_there)


def _recovered(cache: Any, clock: FakeClock, eventually: Build) -> None:
    """Let pauses pass until Redis answers *cache* again."""

    def answers() -> bool:
        clock.advance(PAUSE_S)
        cache.set("probe", 1, ttl=60)
        return cache.get("probe") == 1

    eventually(answers)


def test_stopped_server(build: Build, own_redis: RedisServer, clock: FakeClock, eventually: Build) -> None:
    """A server that hangs costs one deadline, then is not asked: reads miss, writes say nothing, all are counted."""
    cache = build(deadline_ms=DEADLINE_MS)
    _stored(cache, clock, eventually, {"k": 1})
    before = cache.stats().counts
    own_redis.pause()
    begin = time.monotonic()
    first = cache.get("k")
    waited = time.monotonic() - begin
    answers = [
        cache.get("k"),
        cache.exists("k"),
        cache.get_many(["k", "l"]),
        cache.set("k", 2),
        cache.set_many({"a": 1, "b": 2}),
        cache.delete("k"),
        cache.clear(),
        cache.get_or_set("k", lambda: "loaded"),
    ]
    counts = cache.stats().counts

    assert (None, [None, False, {}, None, None, False, None, "loaded"]) == (first, answers)
    assert waited >= DEADLINE_MS / 1000 * 0.9
    assert (1, 5) == (counts.errors - before.errors, counts.misses - before.misses)
    assert 9 <= counts.skipped - before.skipped


def test_killed_server(cache: Any, own_redis: RedisServer, clock: FakeClock, eventually: Build) -> None:
    """A server that is gone is a miss at once; when it is back, so is the cache, without a restart of ours."""
    cache.set("k", 1)
    own_redis.kill()
    begin = time.monotonic()

    assert (None, False) == (cache.get("k"), cache.delete("k"))
    assert PATIENT_MS / 1000 > time.monotonic() - begin
    own_redis.start()
    _recovered(cache, clock, eventually)
    cache.set("k", 2)
    assert 2 == cache.get("k")


@pytest.mark.parametrize("fail", ["stopped", "killed"])
@pytest.mark.parametrize("write", ["set", "set_many", "delete", "ttl of 0"])
def test_overwritten_value_stays_away(  # noqa: PLR0917 - fixtures and parameters
    build: Build, own_redis: RedisServer, clock: FakeClock, eventually: Build, fail: str, write: str
) -> None:
    """A write that was lost in an outage takes the old value with it: for us at once, for everybody once we have been back."""
    deadline_ms = DEADLINE_MS if fail == "stopped" else PATIENT_MS
    cache, other = build(deadline_ms=deadline_ms), build(deadline_ms=deadline_ms)
    _stored(cache, clock, eventually, {"k": "old", "untouched": "old"})
    own_redis.save()
    own_redis.pause() if fail == "stopped" else own_redis.kill()
    writes: dict[str, Callable[[], Any]] = {
        "set": lambda: cache.set("k", "new"),
        "set_many": lambda: cache.set_many({"k": "new", "l": "new"}),
        "delete": lambda: cache.delete("k"),
        "ttl of 0": lambda: cache.set("k", "new", ttl=0),
    }
    writes[write]()
    own_redis.resume() if fail == "stopped" else own_redis.start()
    seen = [cache.get("k"), cache.get_many(["k"]).get("k")]
    _recovered(cache, clock, eventually)
    _recovered(other, clock, eventually)
    seen += [cache.get("k"), cache.exists("k") and cache.get("k"), other.get("k")]

    assert "old" not in seen
    for one in (cache, other):
        eventually(lambda one=one: clock.advance(PAUSE_S) or one.get("untouched") == "old")
    assert False is bool(
        cache.storage._outage.debts() if isinstance(cache, UnifiedCache) else cache._cache.storage._outage.debts()
    )


@pytest.mark.parametrize("lost", ["clear", "too many"])
def test_lost_clear(build: Build, own_redis: RedisServer, clock: FakeClock, eventually: Build, lost: str) -> None:
    """A clear that was lost, or more lost writes than we remember, empties the namespace before anything of it is read again."""
    cache, other = build(), build()
    with own_redis.client() as client:
        client.mset({f"oms:n:{n}": '{"v":1,"d":"old"}' for n in range(3000)} | {"foreign": 1})
    assert "old" == cache.get("2999")
    own_redis.save()
    own_redis.kill()
    if lost == "clear":
        cache.clear()
    else:
        for n in range(1001):
            cache.delete(str(n))
    own_redis.start()

    assert {} == cache.get_many(map(str, range(3000)))
    _recovered(cache, clock, eventually)
    _recovered(other, clock, eventually)
    assert {} == other.get_many(map(str, range(3000)))
    assert ["foreign", "oms:n:probe"] == own_redis.keys()


def test_doubtful_namespace_is_emptied_in_steps(build: Build, own_redis: RedisServer, clock: FakeClock) -> None:
    """A large doubtful namespace is emptied over several calls; until it is, its keys are misses, and what is written meanwhile may go."""
    cache = build()
    with own_redis.client() as client:
        client.eval("for n = 0, 44999 do redis.call('set', 'oms:n:' .. n, '{\"v\":1,\"d\":1}') end", 0)
    assert 1 == cache.get("44999")
    outage = (cache if isinstance(cache, UnifiedCache) else cache._cache).storage._outage
    outage.lose(None)
    seen = []
    for ask in itertools.cycle([cache.get, cache.exists, lambda key: cache.get_many([key])]):
        seen.append(ask("44999"))
        if not outage.debts():
            break

    assert [None, False, {}] == seen[:3]
    assert 3 < len(seen) < 10
    assert [] == own_redis.keys()


def test_strict(build: Build, own_redis: RedisServer, clock: FakeClock) -> None:
    """A strict cache says that Redis does not answer, in one line without the url; pauses are told apart; and back it works."""
    cache = build(strict=True)
    cache.set("k", 1)
    own_redis.kill()
    calls = [
        lambda: cache.get("k"),
        lambda: cache.set("k", 1),
        lambda: cache.delete("k"),
        lambda: cache.exists("k"),
        lambda: cache.get_many(["k"]),
        cache.clear,
        lambda: cache.get_or_set("k", int),
    ]
    for number, call in enumerate(calls):
        found = "ConnectionError" if number == 0 else "Redis, failing a moment ago"
        with pytest.raises(
            CacheUnavailable, match=rf"^cache 'n': \w+: found {found}, wanted an answer of Redis; see"
        ) as refused:
            call()
        assert own_redis.url not in str(refused.value)
    own_redis.start()
    clock.advance(PAUSE_S)
    cache.set("k", 2)
    assert 2 == cache.get("k")


def test_forget_says_so(build: Build, own_redis: RedisServer, clock: FakeClock, eventually: Build) -> None:
    """Forget is never lenient, or a repair would close that mended nothing; the key is a miss here all the same."""
    cache = build(deadline_ms=DEADLINE_MS)
    _stored(cache, clock, eventually, {"k": "old", "l": "old"})
    own_redis.pause()
    for key in ("k", None):
        with pytest.raises(CacheUnavailable, match=r"^cache 'n': forget: found"):
            cache.forget(key)
        clock.advance(PAUSE_S)
    own_redis.resume()

    def forgotten() -> bool:
        clock.advance(PAUSE_S)
        with contextlib.suppress(CacheUnavailable):
            cache.forget(None)
            return True
        return False

    eventually(forgotten)
    assert {} == cache.get_many(["k", "l"])


def test_full_server(cache: Any, own_redis: RedisServer) -> None:
    """A server without memory refuses the new value; the old one does not stay, other keys do, and nobody pauses."""
    cache.set_many({"k": "old", "other": "old"})
    with own_redis.client() as client:
        client.config_set("maxmemory", "1")
    cache.set("k", "new")

    assert (None, "old") == (cache.get("k"), cache.get("other"))
    assert (1, 0) == (cache.stats().counts.errors, cache.stats().counts.skipped)
    with own_redis.client() as client:
        client.config_set("maxmemory", "0")
    cache.set("k", "newest")
    assert "newest" == cache.get("k")


@pytest.mark.parametrize("call", ["plain", "async"])
def test_no_hidden_retries(call: str) -> None:
    """A call whose connection is closed on it is not sent again: neither client retries behind our back."""
    short = Path(tempfile.mkdtemp(prefix="oms-socket-"))
    visitors: list[int] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short / "s"))
        listener.listen()

        def hang_up() -> None:
            while True:
                try:
                    visitor, _ = listener.accept()
                except OSError:
                    return
                # Not before it has asked: a connection found closed when it is taken from the pool is rightly opened anew.
                visitors.append(len(visitor.recv(1000)))
                visitor.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        cache = UnifiedCache(RedisBackend(f"unix://{short}/s", namespace="n", deadline_ms=PATIENT_MS))
        answer = cache.get("k") if call == "plain" else asyncio.run(cache.aget("k"))
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)
    cache.close()
    shutil.rmtree(short)

    assert (None, 1, 1) == (answer, len(visitors), cache.stats().counts.errors)


def test_cancelled_write_is_doubted(own_redis: RedisServer, clock: FakeClock) -> None:
    """Nobody knows how far a cancelled write came, so the value before it is not read again."""
    cache = UnifiedCache(RedisBackend(own_redis.url, namespace="n", deadline_ms=PATIENT_MS, clock=clock))

    async def main() -> Any:
        await cache.aset("k", "old")
        own_redis.pause()
        task = asyncio.create_task(cache.adelete("k"))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        doubted = cache.storage._outage.doubts(b"oms:n:k")
        own_redis.resume()
        return doubted, await cache.aget("k")

    assert (True, None) == asyncio.run(main())


def test_what_is_lost_meanwhile_is_still_owed(clock: FakeClock) -> None:
    """Paying old debts does not pay those that were made since, neither of a name nor of everything."""
    outage = Outage(clock=clock, most=3)
    outage.lose([b"a", b"b"])
    debts = outage.debts()
    outage.lose([b"b"])
    outage.settle(debts)

    assert [False, True] == [outage.doubts(name) for name in (b"a", b"b")]
    outage.lose([b"c", b"d", b"e"])
    assert outage.doubts(b"anything")
    old = outage.debts()
    outage.lose(None)
    outage.walked(old, 7)
    outage.settle(old)
    assert (True, 0) == (outage.doubts(b"anything"), outage.debts().cursor)
    outage.walked(outage.debts(), 7)
    assert 7 == outage.debts().cursor
    outage.pause()
    assert 0 == outage.debts().cursor
    outage.settle(outage.debts())
    assert not outage.debts()


def test_pause_ends(clock: FakeClock) -> None:
    """After a failure Redis is left alone for the pause, and not a moment longer."""
    outage = Outage(clock=clock, pause_s=0.25)

    assert False is outage.is_paused()
    outage.pause()
    clock.advance(0.2499)
    assert True is outage.is_paused()
    clock.advance(0.0001)
    assert False is outage.is_paused()
