"""The unified cache over each storage, by plain and by async calls."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest
from servers.redis_server import RedisServer

from oms.unified.cache import MemoryBackend, RedisBackend, UnifiedCache

PATIENT_MS = 30_000.0
"""Deadline of tests that are not about deadlines: this machine may be busy."""


class FakeClock:
    """Monotonic seconds that move when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.now += seconds


class Face(Protocol):
    """The cache as the agreement suite calls it, whichever way the calls go."""

    get: Callable[..., Any]
    set: Callable[..., Any]
    delete: Callable[..., Any]
    clear: Callable[..., Any]
    forget: Callable[..., Any]
    exists: Callable[..., Any]
    get_many: Callable[..., Any]
    set_many: Callable[..., Any]
    stats: Callable[..., Any]

    def get_or_set(self, key: str, loader: Callable[[], Any], *, ttl: Any = None) -> Any: ...


class AsyncFace:
    """The async calls of a cache, run one by one on a loop of their own."""

    def __init__(self, cache: UnifiedCache, runner: asyncio.Runner) -> None:
        self._cache, self._runner = cache, runner
        self.stats = cache.stats

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._cache, f"a{name}")
        return lambda *args, **kwargs: self._runner.run(method(*args, **kwargs))

    def get_or_set(self, key: str, loader: Callable[[], Any], *, ttl: Any = None) -> Any:
        """Call ``aget_or_set`` with an async loader that does what *loader* does."""

        async def load() -> Any:
            return loader()

        return self._runner.run(self._cache.aget_or_set(key, load, ttl=ttl))


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still."""
    return FakeClock()


@pytest.fixture(params=["memory", "redis"])
def storage(request: pytest.FixtureRequest) -> Iterator[MemoryBackend | RedisBackend]:
    """Each storage, empty."""
    if request.param == "memory":
        yield MemoryBackend(1000)
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    backend = RedisBackend(server.url, namespace="suite", deadline_ms=PATIENT_MS)
    yield backend
    backend.close()


@pytest.fixture(params=["plain", "async"])
def cache(request: pytest.FixtureRequest, storage: MemoryBackend | RedisBackend) -> Iterator[Face]:
    """A unified cache over each storage, by plain and by async calls."""
    unified = UnifiedCache(storage, name="suite")
    if request.param == "plain":
        yield unified
        return
    with asyncio.Runner() as runner:
        yield AsyncFace(unified, runner)


def exit_code_of_child(check: Callable[[], bool]) -> int:
    """Fork; return 0 if *check* is true in the child, 1 if not, a negative number if it hangs there."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)
        code = 1
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def eventually(condition: Callable[[], Any], *, within_s: float = 60.0) -> Any:
    """Return the first true answer of *condition*, asked again and again."""
    give_up_at = time.monotonic() + within_s
    while time.monotonic() < give_up_at:
        if answer := condition():
            return answer
        time.sleep(0.002)
    raise AssertionError(f"not within {within_s:g} s")


@pytest.fixture(name="eventually")
def _eventually() -> Callable[..., Any]:
    """Waits for a condition with a deadline."""
    return eventually
