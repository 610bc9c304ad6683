"""The gateway's router, with the retry that was written into it.

Kept as it was. Its quirks are GW-01 to GW-11 of the legacy reference; ``tests/unit/legacy`` pins each. Needs httpx when it forwards.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import urljoin

from oms.legacy.api.gateway.circuit_breaker import CircuitBreaker
from oms.legacy.api.gateway.models import RequestContext, Route
from oms.seams.resilience import TIME

try:
    import httpx
except ImportError:
    httpx = None

Response = Tuple[int, Dict[str, str], bytes]


class RequestRouter:
    """Finds the route of a request and forwards it."""

    def __init__(self, routes: List[Route], client: Any = None, circuit_breaker: Optional[CircuitBreaker] = None) -> None:
        self.routes = routes
        self.client = client
        self.circuit_breaker = circuit_breaker or CircuitBreaker()

    def find_route(self, method: str, path: str) -> Optional[Route]:
        """Return the first route that fits; ``/api/*`` fits ``/apixyz``, too (GW-08)."""
        for route in self.routes:
            pattern = "^" + re.escape(route.pattern).replace(r"/\*", ".*").replace(r"\*", ".*") + "$"
            if method in route.methods and re.match(pattern, path):
                return route
        return None

    async def route_request(self, context: RequestContext) -> Response:
        """Forward a request to where its route leads."""
        route = self.find_route(context.method, context.path)
        if route is None:
            return 404, {"Content-Type": "application/json"}, b'{"error": "Route not found"}'
        if route.circuit_breaker_enabled and not await self.circuit_breaker.is_closed(route.service_name):
            return 503, {"Content-Type": "application/json"}, b'{"error": "Service unavailable"}'
        try:
            response = await self._forward_request(
                context.method,
                self._target_url(route, context.path),
                self._headers(context),
                context.body,
                route.timeout,
                route.retry_count,
                route.service_name,
            )
        except Exception:
            await self.circuit_breaker.record_failure(route.service_name)
            raise
        await self.circuit_breaker.record_success(route.service_name)  # GW-03: a 502 as well
        return response

    async def _forward_request(
        self,
        method: str,
        url: str,
        headers: Dict[str, str],
        body: Optional[bytes],
        timeout: float,
        retry_count: int,
        service_name: str,
    ) -> Response:
        last_error: Optional[Exception] = None
        for attempt in range(retry_count):  # GW-01: any method; GW-04: with 0, nothing is sent
            try:
                answer = await self._client().request(method, url, headers=headers, content=body, timeout=timeout)
                # GW-02: whatever its status; GW-06: the length is that of the compressed body
                kept = {k: v for k, v in answer.headers.items() if k.lower() not in ("content-encoding", "transfer-encoding")}
                return answer.status_code, kept, answer.content
            except httpx.HTTPError as e:
                last_error = e
                if attempt < retry_count - 1:
                    await TIME.get().asleep(2**attempt)
            except Exception as e:
                last_error = e
                break
        if httpx is not None and isinstance(last_error, httpx.TimeoutException):
            return 504, {"Content-Type": "application/json"}, b'{"error": "Gateway timeout"}'
        # GW-05: whatever the text is, it stands between the quotes
        return 502, {"Content-Type": "application/json"}, f'{{"error": "Bad gateway: {last_error}"}}'.encode()

    def _target_url(self, route: Route, path: str) -> str:
        target = path
        if route.strip_prefix and route.pattern.endswith("/*"):
            target = path[len(route.pattern) - 2 :]
        return urljoin(route.service_url, target)  # GW-09: two slashes make a host, and the base path goes

    def _headers(self, context: RequestContext) -> Dict[str, str]:
        # GW-07: these spellings only
        headers = {k: v for k, v in context.headers.items() if k not in ("host", "content-length", "connection")}
        if context.user_id:
            headers["X-User-ID"] = context.user_id
            headers["X-User-Roles"] = ",".join(context.user_roles)
        return headers  # GW-10: else those that came with the request

    def _client(self) -> Any:
        if self.client is None:
            self.client = httpx.AsyncClient()
        return self.client


class LoadBalancer:
    """Picks a node."""

    def __init__(self, nodes: List[str], strategy: str = "round_robin") -> None:
        self.nodes = nodes
        self.strategy = strategy
        self.unhealthy: set = set()
        self._index = 0

    def mark_unhealthy(self, node: str) -> None:
        """Leave *node* out."""
        self.unhealthy.add(node)

    def mark_healthy(self, node: str) -> None:
        """Take *node* in again."""
        self.unhealthy.discard(node)

    def next_node(self) -> Optional[str]:
        """Return the next node, None if there is none."""
        healthy = [node for node in self.nodes if node not in self.unhealthy]
        if not healthy:
            return None
        if self.strategy == "round_robin":
            node = healthy[self._index % len(healthy)]  # GW-11: of the shrunken list
            self._index += 1
            return node
        return healthy[0]  # GW-11: a strategy nobody knows is always the first
