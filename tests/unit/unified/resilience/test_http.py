"""The HTTP client and the gateway's route: what is sent again, what opens the breaker, and what callers get."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from oms.testing import VirtualTime
from oms.unified.resilience import (
    RETRY_POLICIES,
    CircuitOpenError,
    CircuitState,
    GatewayRoute,
    PolicyInvalid,
    ResilientClient,
    history_of,
)

EXACT = RETRY_POLICIES["network"].but(jitter=False)


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


def using(
    upstream: Upstream, use: Callable[[ResilientClient], Awaitable[Any]], base_url: str = "http://inside/base"
) -> Any:
    """Run *use* with a client of *upstream*."""

    async def run() -> Any:
        async with ResilientClient(base_url, policy=EXACT, transport=httpx.MockTransport(upstream)) as client:
            return await use(client)

    return asyncio.run(run())


def test_success(time: VirtualTime) -> None:
    """A request that succeeds is sent once (UH-01), a redirection is handed on."""
    upstream = Upstream(200, 302)
    statuses = using(upstream, lambda client: gather(client.post("/x"), client.get("/x")))

    assert [200, 302] == [answer.status_code for answer in statuses]
    assert ["http://inside/base/x"] * 2 == [str(request.url) for request in upstream.requests]


async def gather(*requests: Awaitable[Any]) -> list[Any]:
    """Await one after the other."""
    return [await one for one in requests]


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_idempotent(time: VirtualTime, method: str) -> None:
    """What does the same when repeated is sent again after a 503 or a broken connection."""
    upstream = Upstream(503, httpx.ReadError("x"), 200)
    answer = using(upstream, lambda client: getattr(client, method)("/x"))

    assert (200, 3, [0.5, 1.0]) == (answer.status_code, len(upstream.requests), time.sleeps)


@pytest.mark.parametrize("method", ["post", "patch"])
def test_not_idempotent(time: VirtualTime, method: str) -> None:
    """What may not be repeated is sent once (UH-07, GW-01), unless the request has a key."""
    upstream = Upstream(503)
    with pytest.raises(httpx.HTTPStatusError):
        using(upstream, lambda client: getattr(client, method)("/x"))
    once = len(upstream.requests)
    with pytest.raises(httpx.HTTPStatusError) as caught:
        using(upstream, lambda client: getattr(client, method)("/x", headers={"Idempotency-Key": "1"}))
    history = history_of(caught.value)

    assert (1, 5) == (once, len(upstream.requests))
    assert history is not None
    assert 4 == len(history.attempts)


def test_client_errors(time: VirtualTime) -> None:
    """A 404 is raised at once, and says nothing against the service."""
    upstream = Upstream(404)

    async def many(client: ResilientClient) -> CircuitState:
        for _ in range(20):
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await client.get("/x")
        return client.breaker.state

    assert (CircuitState.CLOSED, 20) == (using(upstream, many), len(upstream.requests))


def test_retry_after(time: VirtualTime) -> None:
    """A 429 is repeated when the server says (UH-09)."""
    upstream = Upstream(429, 200, headers={"Retry-After": "7"})
    using(upstream, lambda client: client.get("/x"))

    assert [7.0] == time.sleeps


def test_breaker(time: VirtualTime) -> None:
    """Five failures open it in the middle of a call, which ends with its own error (UH-10); an answer of 500 reopens it (UH-03)."""
    upstream = Upstream(500)

    async def scenario(client: ResilientClient) -> list[Any]:
        found: list[Any] = []
        for _ in range(3):
            try:
                await client.get("/x")
            except Exception as error:
                found.append(type(error))
        time.advance(60)
        with pytest.raises(httpx.HTTPStatusError):
            await client.get("/x")
        return [*found, client.breaker.state, len(upstream.requests)]

    assert [
        httpx.HTTPStatusError,
        httpx.HTTPStatusError,
        CircuitOpenError,
        CircuitState.OPEN,
        6,
    ] == using(upstream, scenario)


def test_caller_mistakes(time: VirtualTime) -> None:
    """A request that cannot be built fails at once (UH-06), and says nothing against the service."""
    upstream = Upstream(200)

    async def scenario(client: ResilientClient) -> int:
        with pytest.raises(TypeError):
            await client.get("/x", headers=3)
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.get("ftp://inside/x")
        return client.breaker.counts.failures

    assert (0, []) == (using(Upstream(httpx.UnsupportedProtocol("x")), scenario), time.sleeps)
    assert [] == upstream.requests


def test_closing(time: VirtualTime) -> None:
    """A closed client raises what httpx raises, once."""

    async def scenario(client: ResilientClient) -> None:
        await client.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await client.get("/x")

    using(Upstream(200), scenario)

    assert [] == time.sleeps


def forward(upstream: Upstream, method: str, path: str, *, prefix: str = "/api", **options: Any) -> Any:
    """Forward one request."""
    return using(upstream, lambda client: GatewayRoute(prefix, client).forward(method, path, **options))


def test_forward(time: VirtualTime) -> None:
    """A request goes on without its prefix, below the service's base path, with its query and body."""
    upstream = Upstream(200, body=b"answer")
    answer = forward(upstream, "POST", "/api/a b/c", query="q=1", body=b"question")
    (request,) = upstream.requests

    assert (200, b"answer", b"question") == (answer.status, answer.body, request.content)
    assert "http://inside/base/a%20b/c?q=1" == str(request.url)


def test_gateway_retries(time: VirtualTime) -> None:
    """A 503 is repeated for a GET (GW-02), and handed on when it stays; a POST is sent once (GW-01)."""
    upstream = Upstream(503)
    got, posted = forward(upstream, "GET", "/api/x"), forward(upstream, "POST", "/api/x")

    assert (503, 503, 5) == (got.status, posted.status, len(upstream.requests))


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (httpx.ReadTimeout('"db-7"'), 504, "Gateway timeout"),
        (httpx.ConnectError('"db-7"'), 502, "Bad gateway"),
    ],
)
def test_faults(time: VirtualTime, error: Exception, status: int, words: str) -> None:
    """What went wrong is JSON, and tells nothing of what is inside (GW-05)."""
    answer = forward(Upstream(error), "GET", "/api/x")

    assert (status, {"error": words}) == (answer.status, json.loads(answer.body))
    assert str(len(answer.body)) == answer.headers["content-length"]


def test_open_gateway(time: VirtualTime) -> None:
    """Failures open the route's breaker (GW-03), which then answers 503 with Retry-After."""
    upstream = Upstream(httpx.ConnectError("x"))

    async def scenario(client: ResilientClient) -> list[Any]:
        route = GatewayRoute("/api", client)
        return [await route.forward("GET", "/api/x") for _ in range(3)]

    *_, last = using(upstream, scenario)

    assert (503, "60", 5) == (last.status, last.headers["retry-after"], len(upstream.requests))


def test_decoded(time: VirtualTime) -> None:
    """A packed body comes unpacked, with its own length (GW-06)."""
    upstream = Upstream(200, headers={"Content-Encoding": "gzip"}, body=gzip.compress(b"a" * 1000))
    answer = forward(upstream, "GET", "/api/x")

    assert (1000, "1000", False) == (
        len(answer.body),
        answer.headers["content-length"],
        "content-encoding" in answer.headers,
    )


def test_headers(time: VirtualTime) -> None:
    """Headers of the connection and of identity are left out in any case (GW-07, GW-10); identity comes from the gateway alone."""
    upstream = Upstream(200)
    headers = {"HOST": "evil.com", "Connection": "close", "x-User-Id": "root", "X-Trace": "1"}
    forward(upstream, "GET", "/api/x", headers=headers, identity={"X-User-ID": "ada"})
    (request,) = upstream.requests

    assert ("inside", "ada", "1") == tuple(request.headers[name] for name in ("host", "x-user-id", "x-trace"))


@pytest.mark.parametrize("path", ["/api//evil.com/x", "/api///evil.com/x", "/api/http://evil.com/x"])
def test_stays_on_its_host(time: VirtualTime, path: str) -> None:
    """No path leads to another host (GW-09)."""
    upstream = Upstream(200)
    forward(upstream, "GET", path)

    assert {"inside"} == {request.url.host for request in upstream.requests}


@pytest.mark.parametrize("path", ["/api/../admin", "/api/x/%2e%2E/%2e./admin", "/api/./x", "/api/x/.."])
def test_stays_below_its_prefix(time: VirtualTime, path: str) -> None:
    """A path with steps up in it, however they are written, is refused and goes nowhere: clients would take them by themselves."""
    upstream = Upstream(200)
    answer = forward(upstream, "GET", path)

    assert (400, {"error": "Bad path"}, []) == (answer.status, json.loads(answer.body), upstream.requests)


def test_matches() -> None:
    """A prefix is a whole segment (GW-08)."""

    async def scenario(client: ResilientClient) -> list[bool]:
        route = GatewayRoute("/api/", client, strips_prefix=False)
        return [route.matches(path) for path in ("/api", "/api/x", "/apixyz", "/")]

    assert [True, True, False, False] == using(Upstream(200), scenario)
    with pytest.raises(PolicyInvalid, match="begins with /"):
        using(Upstream(200), lambda client: gather(*[GatewayRoute("api", client).forward("GET", "/")]))
