"""Quirks UH-01 to UH-10 of the legacy HTTP client, each by its id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from oms.legacy.shared.clients import unified_http_client as legacy
from oms.legacy.shared.clients.unified_http_client import UnifiedHTTPClient
from oms.testing import VirtualTime


class Anything:
    """A metrics collector that has every series."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


class Upstream:
    """Answers by a script of statuses and errors, the last entry again and again.

    Attributes:
        methods: Of every request that arrived.
    """

    def __init__(self, *script: Any) -> None:
        self._script = list(script)
        self.methods: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.methods.append(request.method)
        outcome = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome, headers={"Retry-After": "1"})


def requests(
    upstream: Upstream, *methods: str, metrics: Any = None, then: Callable[[UnifiedHTTPClient], Any] | None = None
) -> list[Any]:
    """Send *methods* with one client. Return statuses and errors; *then* runs between."""

    async def send() -> list[Any]:
        outcomes: list[Any] = []
        async with UnifiedHTTPClient("http://actions", transport=httpx.MockTransport(upstream)) as client:
            if metrics is not None:
                client.metrics = metrics
            for method in methods:
                try:
                    outcomes.append((await client.request(method, "/x")).status_code)
                except Exception as error:
                    outcomes.append(error)
                if then is not None:
                    then(client)
            outcomes.append(client.get_circuit_breaker_state()["state"])
        return outcomes

    return asyncio.run(send())


def test_uh_01(time: VirtualTime) -> None:
    """A POST that succeeded is sent four times over 7 s, and then fails for want of a metric."""
    upstream = Upstream(200)
    error, _ = requests(upstream, "POST")

    assert (["POST"] * 4, [1, 2, 4], AttributeError) == (upstream.methods, time.sleeps, type(error))


def test_uh_02(time: VirtualTime) -> None:
    """The second such request opens the breaker."""
    upstream = Upstream(200)
    *_, second, state = requests(upstream, "POST", "POST")

    assert ("open", 5, legacy.CircuitBreakerOpenError) == (state, len(upstream.methods), type(second))


def test_uh_03(time: VirtualTime) -> None:
    """Half-open, an HTTP 500 closes it: the success is recorded before the status is read."""
    states: list[str] = []

    def note(client: UnifiedHTTPClient) -> None:
        states.append(client.get_circuit_breaker_state()["state"])
        client._circuit_state, client._last_failure_time = "open", time.now_s - 61

    requests(Upstream(200, 500), "GET", "GET", metrics=Anything(), then=note)

    assert ["closed", "closed"] == states


def test_uh_04(time: VirtualTime) -> None:
    """Half-open, it takes five failures to open it again: the count was set back."""
    counts: list[tuple[str, int]] = []

    def note(client: UnifiedHTTPClient) -> None:
        state = client.get_circuit_breaker_state()
        counts.append((state["state"], state["failure_count"]))
        if len(counts) == 2:
            time.advance(61)

    requests(Upstream(httpx.ReadTimeout("x")), "GET", "GET", "GET", metrics=Anything(), then=note)

    assert [("closed", 4), ("open", 5), ("half-open", 4)] == counts


def test_uh_05(time: VirtualTime) -> None:
    """Failures are added up across successes."""
    upstream = Upstream(*[500] * 4, *[200] * 100, 500)
    *_, state = requests(upstream, *["GET"] * 102, metrics=Anything())

    assert "open" == state


def test_uh_06(time: VirtualTime) -> None:
    """Used without `async with`, it waits 7 s before it says something else."""
    with pytest.raises(legacy.RetryBudgetExhaustedError) as caught:
        asyncio.run(UnifiedHTTPClient("http://actions").get("/x"))

    assert ([1, 2, 4], RuntimeError) == (time.sleeps, type(caught.value.__cause__))


def test_uh_07(time: VirtualTime) -> None:
    """A POST that met a 503 is sent four times."""
    upstream = Upstream(503)
    requests(upstream, "POST", metrics=Anything())

    assert ["POST"] * 4 == upstream.methods


def test_uh_08(time: VirtualTime) -> None:
    """A redirection is a success."""
    status, _ = requests(Upstream(302), "GET", metrics=Anything())

    assert 302 == status


def test_uh_09(time: VirtualTime) -> None:
    """429 is raised at once, whatever Retry-After says."""
    upstream = Upstream(429, 200)
    error, _ = requests(upstream, "GET", metrics=Anything())

    assert (1, httpx.HTTPStatusError) == (len(upstream.methods), type(error))


def test_uh_10(time: VirtualTime) -> None:
    """When the breaker opens between two attempts, the error before is lost."""
    upstream = Upstream(500)
    _, second, _ = requests(upstream, "GET", "GET", metrics=Anything())

    assert (legacy.CircuitBreakerOpenError, None, None) == (type(second), second.__cause__, second.__context__)
    assert 0 < second.retry_after <= 60


def test_every_method(time: VirtualTime) -> None:
    """Each method has a call of its own, and a health check asks for 200."""
    upstream = Upstream(200)

    async def send() -> bool:
        async with legacy.create_http_client(base_url="http://a", transport=httpx.MockTransport(upstream)) as client:
            client.metrics = Anything()
            for name in ("get", "post", "put", "patch", "delete", "head", "options"):
                await getattr(client, name)("/x")
            return await client.health_check()

    is_healthy = asyncio.run(send())

    assert is_healthy
    assert ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "GET"] == upstream.methods


def test_known_services() -> None:
    """Three services have settings of their own."""
    audit = asyncio.run(UnifiedHTTPClient.create_client("audit-service"))
    users = asyncio.run(UnifiedHTTPClient.create_client("user-service", timeout=3.0))

    assert (5.0, 5, False) == (audit.timeout, audit.max_retries, audit.use_mtls)
    assert (3.0, 3, True) == (users.timeout, users.max_retries, users.use_mtls)
