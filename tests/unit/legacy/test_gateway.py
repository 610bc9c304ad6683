"""Quirks GW-01 to GW-11 of the gateway's router and GC-01 to GC-06 of its breakers, each by its id."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from servers.redis_server import RedisServer

from oms.legacy.api.gateway.circuit_breaker import CircuitBreaker, CircuitConfig, DistributedCircuitBreaker
from oms.legacy.api.gateway.models import RequestContext, Route
from oms.legacy.api.gateway.router import LoadBalancer, RequestRouter
from oms.testing import VirtualTime


class Upstream:
    """Answers by a script of statuses and errors, the last entry again and again.

    Attributes:
        requests: Every request that arrived.
    """

    def __init__(self, *script: Any, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self._script, self._headers, self._body = list(script), headers or {}, body
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        outcome = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome, headers=self._headers, content=self._body)


def route(upstream: Upstream, *contexts: RequestContext, **options: Any) -> list[tuple[int, dict[str, str], bytes]]:
    """Send *contexts* through one router with one route."""
    given = {"pattern": "/api/*", "service_name": "s", "service_url": "http://inside/base/", **options}

    async def send() -> list[tuple[int, dict[str, str], bytes]]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(upstream)) as client:
            router = RequestRouter([Route(**given)], client)
            return [await router.route_request(context) for context in contexts]

    return asyncio.run(send())


def test_waits(time: VirtualTime) -> None:
    """Three attempts wait 1 and 2 seconds; a time limit ends as 504."""
    ((status, _, body),) = route(Upstream(httpx.ReadTimeout("x")), RequestContext("GET", "/api/x"))

    assert (504, {"error": "Gateway timeout"}, [1, 2]) == (status, json.loads(body), time.sleeps)


def test_gw_01(time: VirtualTime) -> None:
    """A POST that timed out is sent three times."""
    upstream = Upstream(httpx.ReadTimeout("x"))
    route(upstream, RequestContext("POST", "/api/x", body=b"1"))

    assert ["POST"] * 3 == [request.method for request in upstream.requests]


def test_gw_02(time: VirtualTime) -> None:
    """A 503 is handed on at once."""
    upstream = Upstream(503)
    ((status, _, _),) = route(upstream, RequestContext("GET", "/api/x"))

    assert (503, 1) == (status, len(upstream.requests))


def test_gw_03(time: VirtualTime) -> None:
    """A service that never answers is a success to the breaker, which so never opens."""
    upstream = Upstream(httpx.ConnectError("x"))
    answers = route(upstream, *[RequestContext("GET", "/api/x")] * 20, retry_count=1)

    assert (20, {502}) == (len(upstream.requests), {status for status, _, _ in answers})


def test_gw_04(time: VirtualTime) -> None:
    """With a retry count of 0 nothing is sent."""
    upstream = Upstream(200)
    ((status, _, body),) = route(upstream, RequestContext("GET", "/api/x"), retry_count=0)

    assert (502, 0, b'{"error": "Bad gateway: None"}') == (status, len(upstream.requests), body)


def test_gw_05(time: VirtualTime) -> None:
    """An error text with a quote breaks the JSON, and tells what is inside."""
    ((_, _, body),) = route(Upstream(httpx.ConnectError('no "db-7"')), RequestContext("GET", "/api/x"), retry_count=1)

    assert b"db-7" in body
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_gw_06(time: VirtualTime) -> None:
    """The body comes decoded, with the length that it had before."""
    import gzip

    packed = gzip.compress(b"a" * 1000)
    upstream = Upstream(200, headers={"Content-Encoding": "gzip"}, body=packed)
    ((_, headers, body),) = route(upstream, RequestContext("GET", "/api/x"))

    assert (1000, str(len(packed)), False) == (len(body), headers["content-length"], "content-encoding" in headers)


def test_gw_07(time: VirtualTime) -> None:
    """A Host header in capitals goes on to the service."""
    upstream = Upstream(200)
    route(upstream, *[RequestContext("GET", "/api/x", headers={name: "evil.com"}) for name in ("Host", "host")])

    assert ["evil.com", "inside"] == [request.headers["host"] for request in upstream.requests]


def test_gw_08() -> None:
    """The pattern of /api fits another path that begins so."""
    router = RequestRouter([Route("/api/*", "s", "http://inside")])

    assert router.find_route("GET", "/apixyz") is not None


def test_gw_09(time: VirtualTime) -> None:
    """A path with two slashes is sent to a host of the caller's choice, and the base path is dropped."""
    upstream = Upstream(200)
    contexts = [RequestContext("GET", path) for path in ("//evil.com/x", "/x")]
    route(upstream, *contexts, pattern="/*")

    assert ["http://evil.com/x", "http://inside/x"] == [str(request.url) for request in upstream.requests]


def test_gw_10(time: VirtualTime) -> None:
    """Who is not authenticated may say who he is."""
    upstream = Upstream(200)
    route(upstream, RequestContext("GET", "/api/x", headers={"X-User-ID": "root"}))

    assert "root" == upstream.requests[0].headers["x-user-id"]


def test_gw_11() -> None:
    """A node that drops out shifts the round: one is skipped, one repeated; an unknown strategy is always the first."""
    balancer = LoadBalancer(["a", "b", "c"])
    round_one = [balancer.next_node() for _ in range(2)]
    balancer.mark_unhealthy("a")
    then = [balancer.next_node() for _ in range(2)]
    balancer.mark_healthy("a")
    random = LoadBalancer(["a", "b"], "random")

    assert (["a", "b"], ["b", "c"]) == (round_one, then)
    assert ["a", "a"] == [random.next_node(), random.next_node()]
    random.mark_unhealthy("a")
    random.mark_unhealthy("b")
    assert random.next_node() is None


def test_no_route() -> None:
    """Without a route it is 404."""
    status, _, _ = asyncio.run(RequestRouter([]).route_request(RequestContext("GET", "/x")))

    assert 404 == status


def circuit(time: VirtualTime) -> CircuitBreaker:
    """Return a breaker that was opened and whose time is over."""
    breaker = CircuitBreaker(CircuitConfig(failure_threshold=1))
    asyncio.run(breaker.record_failure("s"))
    time.advance(60)
    return breaker


def test_gc_01(time: VirtualTime) -> None:
    """Failures are added up across successes."""
    breaker = CircuitBreaker(CircuitConfig(failure_threshold=3))

    async def scenario() -> None:
        for _ in range(3):
            await breaker.record_failure("s")
            for _ in range(50):
                await breaker.record_success("s")

    asyncio.run(scenario())

    assert ("open", 3) == (breaker.get_state("s"), breaker.get_metrics()["s"]["failure_count"])


def test_gc_02(time: VirtualTime) -> None:
    """Half-open lets four through and then nobody, for ever: slots are not given back."""
    breaker = circuit(time)

    async def ask() -> list[bool]:
        return [await breaker.is_closed("s") for _ in range(5)]

    first = asyncio.run(ask())
    time.advance(1e9)

    assert [True, True, True, True, False] == first
    assert [False] * 5 == asyncio.run(ask())


def test_gc_03(time: VirtualTime) -> None:
    """After one success it is still half-open; the second one closes it."""
    breaker = circuit(time)

    async def scenario() -> list[str]:
        states = []
        await breaker.is_closed("s")
        for _ in range(2):
            await breaker.record_success("s")
            states.append(breaker.get_state("s"))
        return states

    assert ["half_open", "closed"] == asyncio.run(scenario())


def over_redis(
    server: RedisServer,
    scenario: Callable[[DistributedCircuitBreaker], Awaitable[Any]],
    *,
    decode: bool = True,
    **config: Any,
) -> Any:
    """Run *scenario* on a breaker over *server*; *decode* lets its client answer with texts."""
    import redis.asyncio

    async def run() -> Any:
        options = {"protocol": 2, "driver_info": None, "decode_responses": decode}
        async with redis.asyncio.Redis.from_url(server.url, **options) as client:
            return await scenario(DistributedCircuitBreaker(client, CircuitConfig(**config)))

    return asyncio.run(run())


def test_over_redis(time: VirtualTime, redis_server: RedisServer) -> None:
    """Five failures open it for a minute, two successes close it."""

    async def scenario(breaker: DistributedCircuitBreaker) -> list[Any]:
        said: list[Any] = [await breaker.is_closed("s")]
        for _ in range(5):
            await breaker.record_failure("s")
        said += [await breaker.get_state("s"), await breaker.is_closed("s")]
        time.advance(60)
        said += [await breaker.is_closed("s"), await breaker.get_state("s")]
        for _ in range(2):
            await breaker.record_success("s")
        return [*said, await breaker.get_state("s"), await breaker.is_closed("s")]

    assert [True, "open", False, True, "half_open", "closed", True] == over_redis(redis_server, scenario)


def test_gc_04(time: VirtualTime, redis_server: RedisServer) -> None:
    """With a client that answers in bytes every state is half-open: an open one lets three through, and no success closes it."""

    async def scenario(breaker: DistributedCircuitBreaker) -> tuple[list[bool], Any]:
        await breaker.record_failure("s")
        let_through = [await breaker.is_closed("s") for _ in range(4)]
        await breaker.record_success("s")
        await breaker.record_success("s")
        return let_through, await breaker.get_state("s")

    assert ([True, True, True, False], b"open") == over_redis(redis_server, scenario, decode=False, failure_threshold=1)


def test_gc_05(time: VirtualTime, redis_server: RedisServer) -> None:
    """A success of a recovery that failed counts towards the next one."""

    async def scenario(breaker: DistributedCircuitBreaker) -> str:
        await breaker.record_failure("s")
        for outcome in (breaker.record_success, breaker.record_failure, breaker.record_success):
            time.advance(60)
            await breaker.is_closed("s")
            await outcome("s")
        return await breaker.get_state("s")

    assert "closed" == over_redis(redis_server, scenario, failure_threshold=1)


def test_gc_06(time: VirtualTime, redis_server: RedisServer) -> None:
    """The slots of one half-open period are missing in the next one, and each rejected call keeps them away for another minute."""

    async def scenario(breaker: DistributedCircuitBreaker) -> tuple[list[bool], int]:
        await breaker.record_failure("s")
        time.advance(60)
        first = [await breaker.is_closed("s") for _ in range(2)]
        await breaker.record_failure("s")
        time.advance(60)
        second = [await breaker.is_closed("s") for _ in range(2)]
        await breaker.redis.expire("circuit_breaker:s:half_open_count", 5)
        await breaker.is_closed("s")
        return [*first, *second], await breaker.redis.ttl("circuit_breaker:s:half_open_count")

    let_through, seconds = over_redis(redis_server, scenario, failure_threshold=1)

    assert [True, True, True, False] == let_through
    assert seconds > 5
