"""An HTTP client that retries what may be repeated, through a breaker. Needs httpx."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import httpx

from oms.unified.resilience.breaker.breaker import UnifiedCircuitBreaker
from oms.unified.resilience.breaker.config import CircuitBreakerConfig
from oms.unified.resilience.budget import UnifiedRetryBudget
from oms.unified.resilience.policies import RetryPolicy, policy_named
from oms.unified.resilience.retry.judgement import status_of
from oms.unified.resilience.retry.retry import UnifiedRetry

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods that do the same when they are repeated. Source: RFC 9110, 9.2.2."""

KEY_HEADER = "Idempotency-Key"


class ResilientClient:
    """Requests to one service. Answers of 400 and above are raised as httpx.HTTPStatusError, transport errors as httpx's own.

    A method that is not idempotent is sent once, unless the request has an ``Idempotency-Key``. The breaker counts transport errors
    and answers of 500 and above; other answers say that the service is well.

    Args:
        base_url: Of the service.
        policy: A name of ``RETRY_POLICIES``, or a policy.
        budget, breaker: Of the service; None makes own ones.
        timeout: Of one attempt, in seconds.
        options: For httpx.AsyncClient: transport, headers, cert, limits and so on.
    """

    def __init__(
        self,
        base_url: str = "",
        *,
        policy: str | RetryPolicy = "network",
        budget: UnifiedRetryBudget | None = None,
        breaker: UnifiedCircuitBreaker | None = None,
        timeout: float = 30.0,
        **options: Any,
    ) -> None:
        name = base_url or "http"
        chosen = policy_named(policy)
        own = UnifiedCircuitBreaker(name, CircuitBreakerConfig(is_failure=says_unwell))
        self.breaker = own if breaker is None else breaker
        self._retry = UnifiedRetry(chosen, budget=budget, breaker=self.breaker, name=name)
        self._once = UnifiedRetry(chosen.but(max_retries=0), budget=self._retry.budget, breaker=self.breaker)
        self._send = self._retry.wrap(self._request)
        self._send_once = self._once.wrap(self._request)
        self._client = httpx.AsyncClient(base_url=base_url, timeout=timeout, **options)

    async def __aenter__(self) -> ResilientClient:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, fault, trace)

    async def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Return the answer, below 400.

        Raises:
            httpx.HTTPStatusError: for an answer of 400 or above, after the retries that the policy allows for it.
            httpx.TransportError: if there was no answer.
            CircuitOpenError: if the breaker is open.
        """
        # What a request cannot carry is a mistake of its caller: found here, once, and no failure of the service.
        request = self._client.build_request(method.upper(), url, **options)
        may_repeat = request.method in IDEMPOTENT or KEY_HEADER in request.headers
        return await (self._send(request) if may_repeat else self._send_once(request))

    async def get(self, url: str, **options: Any) -> httpx.Response:
        """Send a GET; see :meth:`request`."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Any) -> httpx.Response:
        """Send a POST; see :meth:`request`."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Any) -> httpx.Response:
        """Send a PUT; see :meth:`request`."""
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Any) -> httpx.Response:
        """Send a PATCH; see :meth:`request`."""
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Any) -> httpx.Response:
        """Send a DELETE; see :meth:`request`."""
        return await self.request("DELETE", url, **options)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _request(self, request: httpx.Request) -> httpx.Response:
        response = await self._client.send(request)
        return response.raise_for_status() if response.status_code >= 400 else response


def says_unwell(error: Exception) -> bool:
    """Tell whether *error* says that the service is unwell: no answer, or one of 500 and above."""
    if isinstance(error, httpx.TransportError):
        return not isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError))
    status = status_of(error)
    return status is None or status >= 500
