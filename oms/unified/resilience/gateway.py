"""A route of the gateway: forwards a request to one service, and says in JSON what went wrong. Needs httpx."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

import httpx

from oms.unified.resilience.errors import CircuitOpenError, PolicyInvalid

_HOP = frozenset(
    {"host", "connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_DECODED = frozenset({"content-encoding"})
"""httpx hands the body out decoded."""
IDENTITY_HEADERS = frozenset({"x-user-id", "x-user-roles"})
"""Set by the gateway from what it has authenticated, never taken from a request."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What the caller gets.

    Attributes:
        headers: Without those of the connection; ``content-length`` is that of *body*.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client(Protocol):
    """Sends requests to one service; ``ResilientClient`` is one."""

    async def request(self, method: str, url: str, *, headers: Mapping[str, str], content: bytes) -> httpx.Response:
        """Return the answer, below 400.

        Raises:
            httpx.HTTPStatusError: for any other.
            httpx.HTTPError, TimeoutError: if there was no answer.
            CircuitOpenError: if the service is not called at present.
        """
        ...


class GatewayRoute:
    """Requests below a prefix go to one service.

    Args:
        prefix: ``/api`` takes ``/api`` and ``/api/x``, and not ``/apix``.
        client: Of the service; its base url may have a path.
        strips_prefix: Take *prefix* away before the request goes on.

    Raises:
        PolicyInvalid: if the prefix does not begin with a slash.
    """

    def __init__(self, prefix: str, client: Client, *, strips_prefix: bool = True) -> None:
        if not prefix.startswith("/"):
            raise PolicyInvalid("gateway: prefix", found=repr(prefix), wanted="a path that begins with /")
        self._prefix = prefix.rstrip("/")
        self._client = client
        self._strips_prefix = strips_prefix

    def matches(self, path: str) -> bool:
        """Tell whether a request for *path* goes here."""
        return path == self._prefix or path.startswith(f"{self._prefix}/")

    async def forward(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: str = "",
        body: bytes = b"",
        identity: Mapping[str, str] | None = None,
    ) -> Forwarded:
        """Return the service's answer, or 400, 502, 503 or 504 with a JSON body that tells nothing of what is inside.

        Args:
            headers: Of the request; those of the connection and of identity are left out, in any case.
            identity: Headers that say who was authenticated, ``X-User-ID`` for example.
        """
        if _climbs(path):
            # httpx, as every client, would take the steps up by itself, out of the prefix and of the base url's path.
            return _fault(400, "Bad path")
        sent = {name: value for name, value in (headers or {}).items() if name.lower() not in _HOP | IDENTITY_HEADERS}
        sent.update(identity or {})
        try:
            response = await self._client.request(method, self._target(path, query), headers=sent, content=body)
        except httpx.HTTPStatusError as error:
            response = error.response
        except CircuitOpenError as error:
            return _fault(503, "Service unavailable", retry_after=error.retry_after)
        except (httpx.TimeoutException, TimeoutError):
            return _fault(504, "Gateway timeout")
        except httpx.HTTPError:
            return _fault(502, "Bad gateway")
        return _answer(response)

    def _target(self, path: str, query: str) -> str:
        rest = path.removeprefix(self._prefix) if self._strips_prefix else path
        # One slash only: two would make the first segment a host. The client's base url comes before it.
        kept = quote(urlsplit(f"//host/{rest.lstrip('/')}").path, safe="/%:@!$&'()*+,;=~-._")
        return f"{kept}?{query}" if query else kept


def _climbs(path: str) -> bool:
    """Tell whether *path* has a step up or on the spot in it, which is written as dots or as what stands for them."""
    return any(unquote(part) in (".", "..") for part in path.split("/"))


def _answer(response: httpx.Response) -> Forwarded:
    headers = {name: value for name, value in response.headers.items() if name.lower() not in _HOP | _DECODED}
    return Forwarded(response.status_code, {**headers, "content-length": str(len(response.content))}, response.content)


def _fault(status: int, words: str, *, retry_after: float | None = None) -> Forwarded:
    body = json.dumps({"error": words}).encode()
    headers: dict[str, Any] = {"content-type": "application/json", "content-length": str(len(body))}
    if retry_after is not None:
        headers["retry-after"] = str(max(1, round(retry_after)))
    return Forwarded(status, headers, body)
