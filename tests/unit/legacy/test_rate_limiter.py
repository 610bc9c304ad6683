"""Quirks PF-09 to PF-14 of the protection facade's rate limiters, each by its id."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from servers.redis_server import RedisServer

from oms.legacy.shared.security.protection_facade import (
    ProtectionFacade,
    ProtectionViolation,
    RateLimiter,
    RateLimiterConfig,
    RateLimitStrategy,
)
from oms.testing import VirtualTime


def limiter(client: Any = None, **config: Any) -> RateLimiter:
    """Return a limiter with *config*."""
    return RateLimiter("api", RateLimiterConfig(**config), client)


def checked(made: RateLimiter, *identifiers: str) -> list[dict[str, Any] | None]:
    """Check one request for each of *identifiers*."""

    async def check() -> list[dict[str, Any] | None]:
        return [await made.check_limit(identifier) for identifier in identifiers]

    return asyncio.run(check())


def test_defaults() -> None:
    """The numbers of a limiter that is told nothing."""
    assert [RateLimitStrategy.SLIDING_WINDOW, 100, 60, 100, 1.0, False, 1.5, 0.8, True, "rate_limiter"] == [
        *vars(RateLimiterConfig()).values()
    ]


def test_sliding_window(time: VirtualTime) -> None:
    """The request above the limit is told what it violates, and goes on when the first one is a window old; each identifier counts alone."""
    made = limiter(requests_per_window=2, window_size=10)
    first = checked(made, "a")
    time.advance(4)
    told = checked(made, "a", "a", "b")
    time.advance(6)

    assert [None] == first
    assert {
        "violation_type": "RATE_LIMIT_EXCEEDED",
        "message": "Rate limit exceeded for api",
        "limit": 2,
        "window": 10,
        "current_requests": 2,
        "retry_after": 6,
    } == pytest.approx(told[1])
    assert [None, None] == [told[0], told[2]]
    assert [None] == checked(made, "a")


def test_token_bucket(time: VirtualTime) -> None:
    """A bucket is empty after its capacity and has a token more each second."""
    made = limiter(strategy=RateLimitStrategy.TOKEN_BUCKET, bucket_capacity=2)
    told = checked(made, "a", "a", "a")
    time.advance(1)

    assert [True, True, False] == [each is None for each in told]
    assert 1 == told[2]["retry_after"] if told[2] else False
    assert [None] == checked(made, "a")


@pytest.mark.parametrize("strategy", [RateLimitStrategy.FIXED_WINDOW, RateLimitStrategy.LEAKY_BUCKET])
def test_pf_09(time: VirtualTime, strategy: RateLimitStrategy) -> None:
    """Two of the strategies have no method."""
    with pytest.raises(AttributeError):
        checked(limiter(strategy=strategy), "a")


def test_pf_10(time: VirtualTime) -> None:
    """With a client that cannot do it, the way back to the local window leads to the client again, without end."""
    with pytest.raises(RecursionError):
        checked(limiter(object()), "a")


def test_pf_11(time: VirtualTime, redis_server: RedisServer) -> None:
    """Two requests of one moment are one member of the set in Redis, so the limit of two lets three through."""
    import redis.asyncio

    async def scenario() -> list[bool]:
        async with redis.asyncio.Redis.from_url(redis_server.url, protocol=2, driver_info=None) as client:
            made = limiter(client, requests_per_window=2)
            told = [await made.check_limit("a") for _ in range(2)]
            time.advance(1)
            return [each is None for each in [*told, await made.check_limit("a"), await made.check_limit("a")]]

    assert [True, True, True, False] == asyncio.run(scenario())
    assert ["rate_limiter:api:a"] == redis_server.keys()


class Slow:
    """A Redis client that answers nobody before everybody has asked, the first one first."""

    def __init__(self, askers: int) -> None:
        self._askers, self._asked = askers, asyncio.Event()

    async def zremrangebyscore(self, *_: object) -> None:
        self._askers -= 1
        if self._askers:
            await self._asked.wait()
        else:
            self._asked.set()
            # One turn of the loop, in which the first one comes to its end.
            await asyncio.sleep(0)

    async def zcard(self, key: str) -> int:
        return 0

    async def zadd(self, *_: object) -> None: ...

    async def expire(self, *_: object) -> None: ...


def test_pf_12(time: VirtualTime) -> None:
    """Each request holds the loop up for a tenth of a second, and of two at once the second leaves the limit of the first behind."""

    async def scenario() -> RateLimiter:
        made = limiter(Slow(2), strategy=RateLimitStrategy.ADAPTIVE, load_threshold=-1)
        await asyncio.gather(made.check_limit("a"), made.check_limit("b"))
        return made

    made = asyncio.run(scenario())

    assert ([0.1, 0.1], 66) == (time.sleeps, made.config.requests_per_window)


def test_pf_12_at_ease(time: VirtualTime) -> None:
    """Below the threshold the limit stays, and the loop stands still all the same."""
    made = limiter(strategy=RateLimitStrategy.ADAPTIVE, load_threshold=1e9, requests_per_window=1)

    assert [True, False] == [each is None for each in checked(made, "a", "a")]
    assert [0.1, 0.1] == time.sleeps


def test_pf_13(time: VirtualTime) -> None:
    """An empty bucket that is never filled divides by zero."""
    with pytest.raises(ZeroDivisionError):
        checked(limiter(strategy=RateLimitStrategy.TOKEN_BUCKET, bucket_capacity=0, refill_rate=0), "a")


def test_pf_14(time: VirtualTime) -> None:
    """Whoever was here once is remembered, however long ago."""
    facade = ProtectionFacade()
    made = facade.get_rate_limiter("api")
    for number in range(100):
        checked(made, str(number))
        time.advance(3600)

    assert {"api": {"strategy": "sliding_window", "identifiers": 100}} == facade.get_protection_stats()["rate_limiters"]


def test_facade(time: VirtualTime) -> None:
    """The facade asks the limiter before it calls, if it knows for whom."""
    facade = ProtectionFacade()
    facade.get_rate_limiter("api", RateLimiterConfig(requests_per_window=1))
    answered = asyncio.run(facade.protect_execution(int, None, "api", "me", "7"))
    with pytest.raises(ProtectionViolation) as caught:
        asyncio.run(facade.protect_execution(int, None, "api", "me", "7"))

    assert (7, "RATE_LIMIT_EXCEEDED", 1) == (answered, caught.value.violation_type, caught.value.context["limit"])
    assert 7 == asyncio.run(facade.protect_execution(int, None, "api", None, "7"))
