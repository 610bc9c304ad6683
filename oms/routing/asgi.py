"""A scope around each request of an ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from oms.routing.runtime import Runtime

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class ScopeMiddleware:
    """Runs each HTTP request and each websocket in a scope of its own.

    Args:
        targeting_key: Reads the targeting key from the ASGI scope (a header, a path parameter); None leaves the
        request without a cohort.
    """

    def __init__(self, app: Application, *, runtime: Runtime, targeting_key: Callable[[Message], str | None]) -> None:
        self._app = app
        self._runtime = runtime
        self._targeting_key = targeting_key

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI 3)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        with self._runtime.scope(targeting_key=self._targeting_key(scope)):
            await self._app(scope, receive, send)
