"""Quirks PF-01 to PF-08 of the protection facade's breaker, each by its id, and its calls through both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from servers.redis_server import RedisServer

from oms.legacy.shared.security import protection_facade as legacy
from oms.legacy.shared.security.protection_facade import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitState,
    ProtectionFacade,
    ProtectionViolation,
)
from oms.testing import VirtualTime

Make = Callable[..., Any]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One loop for the whole test."""
    with asyncio.Runner() as made:
        yield made


class Called:
    """A breaker whose calls run one by one, and say how they ended."""

    def __init__(self, runner: asyncio.Runner, config: CircuitBreakerConfig | None = None) -> None:
        self.breaker = CircuitBreaker("api", config or CircuitBreakerConfig())
        self._runner = runner

    def fail(self, times: int = 1) -> None:
        """Let calls fail."""

        async def failing() -> None:
            raise ConnectionError

        for _ in range(times):
            with pytest.raises(ConnectionError):
                self._runner.run(self.breaker.execute(failing))

    def succeed(self) -> bool:
        """Call something healthy. Return whether it was let through."""

        async def healthy() -> None:
            pass

        try:
            self._runner.run(self.breaker.execute(healthy))
        except ProtectionViolation:
            return False
        return True


def recover(time: VirtualTime, called: Called) -> list[int]:
    """Fail five times, one a second, then call every second up to second 399. Return the seconds of the calls that were let through."""
    for _ in range(5):
        called.fail()
        time.advance(1)
    let_through = []
    for second in range(5, 400):
        if called.succeed():
            let_through.append(second)
        time.advance(1)
    return let_through


def test_pf_01(time: VirtualTime, runner: asyncio.Runner) -> None:
    """With the defaults it never closes: one call a minute is let through, the next one opens it again."""
    called = Called(runner)
    let_through = recover(time, called)

    assert [64, 125, 186, 247, 308, 369] == let_through
    assert CircuitState.CLOSED is not called.breaker.state


def test_pf_02(time: VirtualTime, runner: asyncio.Runner) -> None:
    """With one success to close, the first probe closes it."""
    called = Called(runner, CircuitBreakerConfig(success_threshold=1))
    let_through = recover(time, called)

    assert (64, 336) == (let_through[0], len(let_through))


def test_pf_03(time: VirtualTime, runner: asyncio.Runner) -> None:
    """Failures are added up across a thousand successes."""
    called = Called(runner)
    called.fail(4)
    for _ in range(1000):
        called.succeed()
    called.fail()

    assert CircuitState.OPEN is called.breaker.state


class Recorder:
    """A Redis client that takes everything, and is never asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def setex(self, name: str, seconds: int, value: object) -> None:
        self.calls.append(f"setex {name} {seconds} {type(value).__name__}")


def test_pf_04(time: VirtualTime, runner: asyncio.Runner) -> None:
    """Two replicas over one client each keep their own state: it is written and never read."""
    client = Recorder()
    first, second = (CircuitBreaker("api", CircuitBreakerConfig(failure_threshold=1), client) for _ in range(2))

    async def failing() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        runner.run(first.execute(failing))

    assert (CircuitState.OPEN, CircuitState.CLOSED) == (first.state, second.state)
    assert ["setex circuit_breaker:api:state 300 dict"] == client.calls


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the client deprecates the call that the old code makes
def test_pf_05(
    time: VirtualTime, runner: asyncio.Runner, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A real client refuses the dict: an error is logged, and the key never exists."""
    import redis.asyncio

    async def scenario() -> CircuitState:
        async with redis.asyncio.Redis.from_url(redis_server.url, protocol=2, driver_info=None) as client:
            breaker = CircuitBreaker("api", CircuitBreakerConfig(failure_threshold=1), client)
            await breaker._record_failure()
            return breaker.state

    with caplog.at_level(logging.ERROR):
        state = runner.run(scenario())

    assert (CircuitState.OPEN, []) == (state, redis_server.keys())
    assert ["Cannot store circuit breaker state: DataError"] == caplog.messages


def test_pf_06(time: VirtualTime) -> None:
    """A breaker without Redis changes the configuration that all later ones share."""
    facade = ProtectionFacade()
    first = facade.get_circuit_breaker("a")
    second = CircuitBreaker("b", facade._default_config, Recorder())

    assert first.config is second.config
    assert not second.config.use_distributed_state


def test_pf_07(time: VirtualTime, runner: asyncio.Runner) -> None:
    """An answer that says 500 is a success."""
    breaker = CircuitBreaker("api", CircuitBreakerConfig())
    runner.run(breaker.execute(lambda: {"status": 500}))

    assert (1, 0) == (breaker.total_successes, breaker.total_failures)


def test_pf_08(time: VirtualTime, runner: asyncio.Runner, scripted: Make) -> None:
    """An object with an async __call__ is not awaited, and a success whatever it would do."""
    breaker = CircuitBreaker("api", CircuitBreakerConfig())
    failing = scripted(ConnectionError())
    coroutine = runner.run(breaker.execute(failing))
    calls = failing.calls
    coroutine.close()

    assert (0, 1) == (calls, breaker.total_successes)


def test_violation(time: VirtualTime, runner: asyncio.Runner) -> None:
    """What is raised while it is open says so, with the breaker and when."""
    called = Called(runner)
    called.fail(5)
    with pytest.raises(ProtectionViolation) as caught:
        runner.run(called.breaker.execute(lambda: None))

    assert ("CIRCUIT_OPEN", {"name": "api", "state": "open"}) == (caught.value.violation_type, caught.value.context)
    assert time.now_s == caught.value.timestamp.timestamp()


def test_facade(time: VirtualTime, runner: asyncio.Runner) -> None:
    """The facade calls through a named breaker, or through none, and tells what each counted; there is one of it."""
    facade = legacy.get_protection_facade()

    async def answer(value: int) -> int:
        return value

    through = runner.run(facade.protect_execution(answer, "graphql_service", None, None, 1))
    beside = runner.run(facade.protect_execution(answer, None, None, None, 2))
    plain = runner.run(facade.protect_execution(int, None, None, None, "3"))
    stats = facade.get_protection_stats()["circuit_breakers"]["graphql_service"]

    assert (1, 2, 3) == (through, beside, plain)
    assert (1, 0.0, "closed") == (stats["total_successes"], stats["failure_rate"], stats["state"])
    assert facade is legacy.get_protection_facade()
