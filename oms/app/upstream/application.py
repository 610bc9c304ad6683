"""The neighbours as one ASGI application: every path is an endpoint, answered well unless the schedule says otherwise."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from oms.app.upstream.faults import Fault, FaultSchedule, Manner
from oms.app.upstream.protocol import CONNECTION, Connection

COUNTS_PATH = "/_upstream/received"
"""Where it tells how many requests have reached it, by endpoint. Those who ask there are not counted."""

SLOW_S = 0.05
"""How long a slow answer takes, in seconds."""

_ENDS: Mapping[Manner, Callable[[Connection], None]] = {
    Manner.HANG: lambda connection: None,
    Manner.RESET: Connection.reset,
    Manner.CLOSE: Connection.close,
}
"""How a connection ends whose request gets no answer; one that hangs is ended by the client."""


class Upstream:
    """Counts each request as it arrives, before anything happens to it."""

    def __init__(self, schedule: FaultSchedule) -> None:
        self._schedule = schedule
        self.received: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request (ASGI 3)."""
        if scope["path"] == COUNTS_PATH:
            await _answer(send, 200, dict(self.received))
            return
        endpoint = scope["path"].lstrip("/")
        number = self.received[endpoint]
        self.received[endpoint] += 1
        await _read(receive)
        await self._happen(self._schedule.fault(endpoint, number), endpoint, scope, receive, send)

    async def _happen(self, fault: Fault | None, endpoint: str, scope: Any, receive: Any, send: Any) -> None:
        manner = fault.manner if fault else Manner.STATUS
        if manner in _ENDS:
            _ENDS[manner](scope["extensions"][CONNECTION])
            await _disconnected(receive)
            return
        if manner is Manner.SLOW:
            await asyncio.sleep(SLOW_S)
        status, headers = (fault.status, fault.headers) if fault else (200, ())
        await _answer(send, status, {"done": status == 200, "endpoint": endpoint}, headers)


async def _read(receive: Any) -> None:
    while (await receive()).get("more_body"):
        pass


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Any, status: int, content: object, headers: tuple[tuple[str, str], ...] = ()) -> None:
    body = json.dumps(content).encode()
    told = (("content-type", "application/json"), ("content-length", str(len(body))), *headers)
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
