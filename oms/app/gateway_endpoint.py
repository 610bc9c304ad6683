"""The gateway over HTTP: a request below ``/gateway`` goes on to the service that its path names.

How the two wings stand here. The monolith's router (``api/gateway/router``) has a loop of retries written into it, and a breaker that can
never open (GW-03); nothing in the monolith calls it. So it is no third way beside the seams: what it did about failures, the retry and the
breaker seam do now, in every stage, around one plain request. The rest of a gateway (which path goes where, which headers go along, what a
failure looks like) calls nobody and needs no flag. That is ``GatewayRoute`` of the unified wing in every stage, because its legacy twin
sends requests to other hosts (GW-09) and lets callers name themselves (GW-10).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.http import MAX_BODY, failure
from oms.app.neighbour import Neighbour, raise_if_unwell
from oms.app.protection import NotDone, Protection
from oms.unified.resilience.errors import CircuitOpenError
from oms.unified.resilience.gateway import GatewayRoute
from oms.unified.resilience.http import IDEMPOTENT, KEY_HEADER

SERVICES = ("catalog", "prices", "media", "search")
"""Services behind the gateway; each is one dependency, ``gateway.prices``."""

POLICY = "network"
_METHODS = ["GET", "POST", "PUT", "DELETE"]
_LATER_S = 1.0


class GatewayEndpoint:
    """``/gateway/{service}/{path}``: the service's own answer, or 502, 503 or 504 with a JSON body."""

    def __init__(self, protection: Protection, neighbour: Neighbour) -> None:
        self._routes = {name: GatewayRoute("/gateway", _Sender(name, protection, neighbour)) for name in SERVICES}

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route("/gateway/{service}/{path:path}", self.forward, methods=_METHODS)]

    async def forward(self, request: Request) -> Response:
        """Forward one request."""
        route = self._routes.get(request.path_params["service"])
        if route is None:
            return failure(404, f"gateway: found another service, wanted one of {' '.join(SERVICES)}")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return failure(413, f"the body is larger than {MAX_BODY} bytes")
        forwarded = await route.forward(
            request.method,
            request.url.path,
            headers=dict(request.headers),
            query=request.url.query,
            body=bytes(body),
        )
        return Response(forwarded.body, forwarded.status, dict(forwarded.headers))


class _Sender:
    """Requests to one service, under the protection. What may not be repeated is sent once, through the breaker alone."""

    def __init__(self, service: str, protection: Protection, neighbour: Neighbour) -> None:
        self._name, self._protection, self._neighbour = f"gateway.{service}", protection, neighbour

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b"", **options: Any
    ) -> httpx.Response:
        async def attempt() -> httpx.Response:
            return raise_if_unwell(
                await self._neighbour.send(method, url, headers=headers, content=content), may_redirect=True
            )

        may_repeat = method in IDEMPOTENT or any(name.lower() == KEY_HEADER.lower() for name in headers or ())
        try:
            if may_repeat:
                return await self._protection.acall(attempt, name=self._name, policy=POLICY)
            return await self._protection.acall_once(attempt, name=self._name)
        except NotDone as refused:
            # What the last attempt met is what the caller should hear of, whoever has put another error in its place.
            raise refused.last or CircuitOpenError(self._name, "open", _LATER_S) from refused
