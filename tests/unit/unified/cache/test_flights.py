"""Single flight, by threads and by tasks."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from oms.unified.cache import MemoryBackend, RecursiveLoad, UnifiedCache

from .conftest import exit_code_of_child


@pytest.fixture
def cache() -> UnifiedCache:
    """A cache in memory."""
    return UnifiedCache(MemoryBackend(100))


class Gate:
    """A loader that stands still until it is let go."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer, self.calls = answer, 0
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self) -> Any:
        self.calls += 1
        self.entered.set()
        assert self.open.wait(60)
        return self.answer()


@pytest.fixture
def aboard(cache: UnifiedCache, eventually: Callable[..., Any]) -> Callable[[int], Any]:
    """Wait until so many threads have joined a flight: a miss alone may still take off by itself after the landing."""
    joined: list[str] = []
    join = cache._flights._join

    def counted(key: str) -> Any:
        answer = join(key)
        joined.append(key)
        return answer

    cache._flights._join = counted
    return lambda number: eventually(lambda: len(joined) >= number)


def test_threads_load_once(cache: UnifiedCache, aboard: Callable[[int], Any]) -> None:
    """Of 20 threads that miss the same key one loads; all get the value, and no two the same list."""
    gate = Gate(lambda: [1])
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(cache.get_or_set, "k", gate) for _ in range(20)]
        aboard(20)
        gate.open.set()
        values = [answer.result(60) for answer in answers]

    assert ([[1]] * 20, 1, 1) == (values, gate.calls, cache.stats().counts.loads)
    assert 20 == len({id(value) for value in values})


def test_keys_do_not_wait_for_each_other(cache: UnifiedCache) -> None:
    """A load of one key holds up no other."""
    gate = Gate(lambda: "slow")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(cache.get_or_set, "slow", gate)
        assert gate.entered.wait(60)

        assert "fast" == cache.get_or_set("fast", lambda: "fast")
        gate.open.set()
        assert "slow" == slow.result(60)


def test_exception_goes_to_all_threads(cache: UnifiedCache, aboard: Callable[[int], Any]) -> None:
    """What the loader raises goes to everybody who waits; the next call loads again."""

    def fail() -> None:
        raise LookupError("upstream")

    gate = Gate(fail)
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(cache.get_or_set, "k", gate) for _ in range(5)]
        aboard(5)
        gate.open.set()

        assert ["upstream"] * 5 == [str(answer.exception(60)) for answer in answers]
    assert 1 == gate.calls
    assert 2 == cache.get_or_set("k", lambda: 2)


def test_interrupted_leader(cache: UnifiedCache, aboard: Callable[[int], Any]) -> None:
    """An interrupt of the leader's thread is its own: a follower takes over and loads."""

    def interrupt() -> None:
        raise SystemExit

    gate = Gate(interrupt)
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(cache.get_or_set, "k", gate)
        assert gate.entered.wait(60)
        follower = pool.submit(cache.get_or_set, "k", lambda: "follower")
        aboard(2)
        gate.open.set()

        assert isinstance(leader.exception(60), SystemExit)
        assert "follower" == follower.result(60)


def test_late_leader_finds_the_value(cache: UnifiedCache) -> None:
    """A thread whose miss is older than somebody else's landing does not load again."""
    read = cache._read

    def miss_then_set(key: str) -> Any:
        answer = read(key)
        cache._read = read
        cache.set(key, "theirs")
        return answer

    cache._read = miss_then_set

    assert "theirs" == cache.get_or_set("k", lambda: pytest.fail("loaded again"))


def test_recursive_load(cache: UnifiedCache) -> None:
    """A loader that asks for its own key is told so instead of waiting for itself; other keys it may ask for."""
    with pytest.raises(RecursiveLoad, match="found a loader that asks for its own key"):
        cache.get_or_set("k", lambda: cache.get_or_set("k", int))
    assert "v" == cache.get_or_set("a", lambda: cache.get_or_set("b", lambda: "v"))

    async def arecursive() -> None:
        with pytest.raises(RecursiveLoad):
            await cache.aget_or_set("c", lambda: cache.aget_or_set("c", pytest.fail))

    asyncio.run(arecursive())


def test_fork_during_a_load(cache: UnifiedCache) -> None:
    """A child forked while a thread loads does not wait for that thread, which it has not got."""
    gate = Gate(lambda: "parent")
    with ThreadPoolExecutor(1) as pool:
        parent = pool.submit(cache.get_or_set, "k", gate)
        assert gate.entered.wait(60)
        in_child = exit_code_of_child(lambda: cache.get_or_set("k", lambda: "child") == "child")
        gate.open.set()

        assert 0 == in_child
        assert "parent" == parent.result(60)


def test_tasks_load_once(cache: UnifiedCache) -> None:
    """Of 20 tasks that miss the same key one loads; all get the value, and no two the same list."""
    calls = 0

    async def load() -> list[int]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return [calls]

    async def main() -> list[Any]:
        return await asyncio.gather(*(cache.aget_or_set("k", load) for _ in range(20)))

    values = asyncio.run(main())

    assert ([[1]] * 20, 1) == (values, calls)
    assert 20 == len({id(value) for value in values})


def test_cancelled_leader(cache: UnifiedCache) -> None:
    """Cancelling the leader cancels nobody else; the load goes on and fills the cache."""

    async def main() -> Any:
        entered, opened = asyncio.Event(), asyncio.Event()

        async def load() -> str:
            entered.set()
            await opened.wait()
            return "v"

        leader = asyncio.create_task(cache.aget_or_set("k", load))
        await entered.wait()
        followers = [asyncio.create_task(cache.aget_or_set("k", load)) for _ in range(3)]
        await asyncio.sleep(0)
        leader.cancel()
        followers[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        opened.set()
        return await asyncio.gather(*followers, return_exceptions=True)

    cancelled, *values = asyncio.run(main())

    assert isinstance(cancelled, asyncio.CancelledError)
    assert (["v", "v"], "v") == (values, cache.get("k"))


def test_exception_goes_to_all_tasks(cache: UnifiedCache) -> None:
    """What an async loader raises goes to everybody who waits; the next call loads again."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("upstream")

    async def main() -> list[Any]:
        return await asyncio.gather(*(cache.aget_or_set("k", fail) for _ in range(5)), return_exceptions=True)

    answers = asyncio.run(main())

    assert ["upstream"] * 5 == [str(answer) for answer in answers]
    assert {} == cache._async_flights._tasks
    assert 2 == asyncio.run(cache.aget_or_set("k", lambda: asyncio.sleep(0, 2)))


def test_exception_that_nobody_waits_for(cache: UnifiedCache) -> None:
    """A load that fails after all who waited were cancelled is no complaint of asyncio's either."""
    complaints: list[Any] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        opened = asyncio.Event()

        async def fail() -> None:
            await opened.wait()
            raise LookupError("upstream")

        alone = asyncio.create_task(cache.aget_or_set("k", fail))
        while not cache._async_flights._tasks:
            await asyncio.sleep(0)
        alone.cancel()
        await asyncio.gather(alone, return_exceptions=True)
        opened.set()
        while cache._async_flights._tasks:
            await asyncio.sleep(0)
        gc.collect()

    asyncio.run(main())

    assert [] == complaints


def test_loops_fly_apart(cache: UnifiedCache) -> None:
    """Tasks of two loops do not wait for each other: each loop loads for itself."""
    meet = threading.Barrier(2, timeout=60)

    async def load() -> str:
        meet.wait()
        return "v"

    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(asyncio.run, cache.aget_or_set("k", load)) for _ in range(2)]

        assert ["v", "v"] == [answer.result(60) for answer in answers]
