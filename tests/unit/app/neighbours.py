"""The upstream on a real socket, and a service before it, in one loop: the code under test is called as a client would."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from oms.app.http_server import address_of, listen, serve
from oms.app.neighbour import Neighbour
from oms.app.ontology import Ontology
from oms.app.service import service
from oms.app.upstream.application import Upstream
from oms.app.upstream.faults import HANG, FaultSchedule, Plan
from oms.app.upstream.protocol import EndingProtocol
from oms.legacy_adapters.resilience import ProtectionBreakerAdapter, RetryStrategyAdapter, ScheduleBackoffAdapter
from oms.seams.resilience import living_in
from oms.testing import VirtualTime
from oms.unified.resilience import DependencyBreakers, DependencyRetries, UnifiedBackoffCalculator
from tests.unit.app.conftest import PlainFacades


def answer_s(plans: Mapping[str, Plan]) -> float:
    """Return how long an answer may take: a second where *plans* have some that never come, else longer than any machine is busy."""
    return 1.0 if any(fault is HANG for plan in plans.values() for _, fault in plan) else 60.0


@contextlib.asynccontextmanager
async def upstream(plans: Mapping[str, Plan]) -> AsyncIterator[tuple[str, Upstream]]:
    """Serve an upstream that fails by *plans*; give its address and itself."""
    app, listener, stop, ready = (
        Upstream(FaultSchedule(1, plans)),
        listen("127.0.0.1", 0),
        asyncio.Event(),
        asyncio.Event(),
    )
    server = asyncio.create_task(serve(app, listener, stop=stop, ready=ready.set, protocol=EndingProtocol))
    await asyncio.wait_for(ready.wait(), 60)
    try:
        yield address_of(listener), app
    finally:
        stop.set()
        await asyncio.wait_for(server, 60)


def facades_of(wing: str) -> PlainFacades:
    """Return what a service of one *wing* holds, without anything that an earlier test left."""
    if wing == "legacy":
        # Its breakers and budgets lie in legacy's module, where all tests would share them.
        legacy = RetryStrategyAdapter(prefix=f"{uuid.uuid4().hex} ")
        return PlainFacades(retry=legacy, breaker=ProtectionBreakerAdapter(), backoff=ScheduleBackoffAdapter())
    return PlainFacades(retry=DependencyRetries(), breaker=DependencyBreakers(), backoff=UnifiedBackoffCalculator())


@dataclass
class Place:
    """A service with its upstream.

    Attributes:
        client: Of the service.
        clock: The time that retries and breakers live in: their waits take none of ours.
    """

    client: httpx.AsyncClient
    neighbour: Neighbour
    upstream: Upstream
    clock: VirtualTime

    async def submit(self, action: str, type_name: str = "Person", **more: Any) -> httpx.Response:
        """Submit an action."""
        return await self.client.post(f"/actions/{action}", json={"type": type_name, **more})


def in_place(
    plans: Mapping[str, Plan],
    use: Callable[[Place], Awaitable[Any]],
    *,
    ontology: Ontology,
    wing: str = "unified",
    facades: PlainFacades | None = None,
) -> Any:
    """Run *use* in a service of one *wing*, or on *facades*, whose upstream fails by *plans*."""

    async def go() -> Any:
        clock = VirtualTime()
        async with upstream(plans) as (url, app):
            neighbour = Neighbour(lambda: url, answer_s=answer_s(plans))
            asgi = service(facades or facades_of(wing), serving=dict, neighbour=neighbour, ontology=ontology)
            transport = httpx.ASGITransport(app=asgi)
            try:
                async with httpx.AsyncClient(transport=transport, base_url="http://oms") as client:
                    with living_in(clock.source):
                        return await use(Place(client, neighbour, app, clock))
            finally:
                await neighbour.aclose()

    return asyncio.run(go())
