"""The service that does the actions, and what stands behind the gateway: one real HTTP request a call, each one counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import httpx

ANSWER_S = 5.0
"""How long an answer may take to begin, and then to end, in seconds: a neighbour that hangs must not hang the service."""

SEND_S = 5.0
"""How long a request may take to get out, in seconds: for a connection, and to write it."""

MADE_PATH = "/_rehearsal/made"
"""Where the workers of a rehearsal answer with how many requests they have made."""

_SENT = "http11.send_request_headers.complete"
"""What httpcore says when the head of a request has been handed to the operating system: from then on the other end receives it."""

_UNWELL = frozenset({408, 429})


class Neighbour:
    """Sends requests to one address. Nothing is repeated here, and nothing is followed.

    Args:
        url: Asked at each request where it is; None if it is not configured.
        answer_s: As :data:`ANSWER_S`.
        send_s: As :data:`SEND_S`. If the machine stands still for longer, nobody knows whether a request has left.

    Attributes:
        made: Requests that have left this process, answered or not.
    """

    def __init__(self, url: Callable[[], str | None], *, answer_s: float = ANSWER_S, send_s: float = SEND_S) -> None:
        self._url, self._answer_s = url, answer_s
        self._timeout = httpx.Timeout(send_s, read=answer_s)
        self._client: httpx.AsyncClient | None = None
        self.made = 0

    async def send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> httpx.Response:
        """Return the answer, whatever its status.

        Raises:
            httpx.HTTPError, TimeoutError: if there was none.
        """
        url = self._url()
        if not url:
            raise httpx.ConnectError("the neighbour's address is not configured")
        request = self._opened().build_request(
            method,
            f"{url.rstrip('/')}/{path}",
            headers=headers,
            content=content,
            extensions={"trace": self._follow},
        )
        response = await self._opened().send(request, stream=True)
        try:
            # httpx limits the wait for each next byte, so an answer that drips would never come to an end.
            async with asyncio.timeout(self._answer_s):
                await response.aread()
        finally:
            await response.aclose()
        return response

    async def aclose(self) -> None:
        """Close every connection; the next request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _follow(self, event: str, info: Mapping[str, object]) -> None:
        # Not counted before: a request that waits for a connection, and is cut there, never leaves.
        self.made += event == _SENT

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            # No proxy and no netrc out of the environment: what the service reads there goes through its configuration.
            self._client = httpx.AsyncClient(timeout=self._timeout, trust_env=False)
        return self._client


def raise_if_unwell(response: httpx.Response, *, may_redirect: bool) -> httpx.Response:
    """Return *response*, unless its status says that the neighbour could not do it now: then a retry and a breaker should know.

    What the caller is to blame for (422, say) is an answer like any other.

    Args:
        may_redirect: True where a redirect is an answer, for the caller to follow.

    Raises:
        httpx.HTTPStatusError: for 408, 429, 500 and above, and for a redirect that is none of the caller's business.
    """
    status = response.status_code
    if status >= 500 or status in _UNWELL or (response.is_redirect and not may_redirect):
        response.raise_for_status()
    return response
