"""What every breaker promises while the Redis of the unified ones dies and comes back; legacy has none and does not notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from servers.redis_server import RedisServer
from sides.resilience import error_of, make_sides, scripted

from oms.domain.phase import Seam
from oms.seams.resilience import BREAKER
from oms.testing import Sides, contract
from oms.testing.driven import Driven
from oms.unified.resilience import BreakerStore


@pytest.fixture(autouse=True)
def time() -> None:
    """Live in real time: the threads that speak with Redis do, too."""


@pytest.fixture
def sides(own_redis: RedisServer, request: pytest.FixtureRequest) -> Iterator[Callable[[Seam[Any, Any]], Sides]]:
    """Makes both sides of the seam; unified breakers share a Redis that the test may kill."""
    # Where it hangs each test waits for a deadline; elsewhere none may run out on a busy machine.
    deadline_ms = 100.0 if "stopped" in request.node.name else 60_000.0
    with ExitStack() as stack:

        def make(seam: Seam[Any, Any]) -> Sides:
            store = BreakerStore(own_redis.url, deadline_ms=deadline_ms)
            stack.callback(store.close)
            return make_sides(seam, store)

        yield make


def is_let_through(breaker: Driven) -> bool:
    """Call something healthy; tell whether it was called."""
    function = scripted("well")
    error_of(breaker.call, function, name="a")
    return function.calls == 1


def fail(breaker: Driven, times: int) -> None:
    """Let *times* calls fail, each with its own error."""
    for _ in range(times):
        error = ConnectionError()
        assert error is error_of(breaker.call, scripted(error), name="a")


@contract(BREAKER)
class TestOutageOfRedis:
    """The promises of ``Breaker`` that need no Redis."""

    def test_closed(self, breaker: Driven, own_redis: RedisServer) -> None:
        """A closed one goes on, counts on, and opens."""
        fail(breaker, 2)
        own_redis.kill()
        between = is_let_through(breaker)
        fail(breaker, 5 - 2)

        assert (True, False) == (between, is_let_through(breaker))

    def test_open(self, breaker: Driven, own_redis: RedisServer) -> None:
        """An open one stays open, while Redis is gone and when an empty one is back."""
        fail(breaker, 5)
        before = is_let_through(breaker)
        own_redis.kill()
        during = is_let_through(breaker)
        own_redis.start()

        assert (False, False, False) == (before, during, is_let_through(breaker))

    def test_stopped(self, breaker: Driven, own_redis: RedisServer) -> None:
        """A Redis that hangs holds nobody up for long, and the errors are the callers' own."""
        own_redis.pause()
        fail(breaker, 5)
        rejected = not is_let_through(breaker)
        own_redis.resume()

        assert rejected
