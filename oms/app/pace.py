"""The clock of a rehearsal: the resilience phase waits for minutes, a rehearsal for seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from oms.routing.asgi import Application, Message, Receive, Send
from oms.seams.resilience import TimeSource, living_in

PACE = 40
"""How many seconds of retries and breakers pass in a second of a rehearsal: a breaker that stays open for 60 s does so for 1.5 s.

Every policy, threshold and delay stays what it is in service, on both wings alike; only the clock that both of them take from
``oms.seams.resilience.TIME`` runs faster. HTTP does not: a request of 5 ms looks to them like one of 0.2 s.
"""


def paced(times: float) -> TimeSource:
    """Return a time that begins now and runs *times* as fast as it really does."""
    monotonic, wall = time.monotonic(), time.time()

    async def wait_for(awaitable: Awaitable[Any], limit_s: float | None) -> Any:
        return await asyncio.wait_for(awaitable, None if limit_s is None else limit_s / times)

    return TimeSource(
        monotonic=lambda: monotonic + (time.monotonic() - monotonic) * times,
        wall=lambda: wall + (time.time() - wall) * times,
        sleep=lambda seconds: time.sleep(seconds / times),
        asleep=lambda seconds: asyncio.sleep(seconds / times),
        wait_for=wait_for,
    )


class Paced:
    """Serves each request in the time of *source* (ASGI 3)."""

    def __init__(self, app: Application, source: TimeSource) -> None:
        self._app, self._source = app, source

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        with living_in(self._source):
            await self._app(scope, receive, send)
