"""One process of the service: the application over a built ``Oms``, and its life from the first byte to the last."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any

from starlette.routing import Route

from oms.app.configuration import Configuration
from oms.app.http import tenant_of
from oms.app.http_server import serve
from oms.app.neighbour import Neighbour
from oms.app.service import Facades, Serving, service
from oms.routing import ScopeMiddleware
from oms.seams.config import Settings
from oms.wiring import Oms

STOP_S = 3.0
"""How long lanes may take to work off what is left, in seconds."""

JOURNAL_S = 10.0
"""How long the journal may take to write what is left, in seconds: nothing but a disk or a lock holds it up, and what it has is counted."""

CANCEL_S = 0.5
"""How long tasks that are cancelled at the very end may take to clean up, in seconds."""


def configuration(oms: Oms, settings: Settings | None = None) -> Configuration:
    """Return the configuration of the service, still unread, through *settings* (None: the facade of *oms* itself)."""
    return Configuration(settings or oms.settings, reread=oms.environment.reload)


def application(
    oms: Oms,
    configured: Configuration,
    neighbour: Neighbour,
    *,
    facades: Facades | None = None,
    more: tuple[Route, ...] = (),
) -> ScopeMiddleware:
    """Return the service with a scope of the tenant around each request.

    Args:
        configured: What it runs on.
        neighbour: Who does its actions.
        facades: What the endpoints hold; None for the facades of *oms* themselves.
        more: Further routes.
    """
    app = service(
        facades or oms, serving=lambda: serving(oms), configuration=configured, neighbour=neighbour, more=more
    )
    return ScopeMiddleware(app, runtime=oms.runtime, targeting_key=tenant_of)


def serving(oms: Oms) -> dict[str, Serving]:
    """Return what each phase serves in this process; a guard that tripped stands over the flag."""
    tripped = {name: standing.tripped for name, standing in oms.runtime.standing().items() if standing.tripped}
    return {
        name: Serving(tripped.get(name) or (str(decision.split) if decision.split else "targeting"), decision.digest)
        for name, decision in oms.source.table.phases.items()
    }


def run_until_stopped(
    oms: Oms,
    configured: Configuration,
    app: Any,
    listener: socket.socket,
    *,
    neighbour: Neighbour,
    ready: Callable[[], None],
    stop_when: Callable[[asyncio.Event], None],
) -> int:
    """Start *oms*, read *configured*, serve *app* until SIGTERM, SIGINT or what *stop_when* arranges for, then stop both in order.

    Requests in flight end first, then the lanes, then the journal. Returns how many comparisons were lost at the end.

    Args:
        neighbour: Whose connections are closed at the end.
        ready: Called once requests are answered.
        stop_when: Given the event that ends it, in the running loop; may set it later.

    Raises:
        ConfigurationError: if unified answers for anybody, and the environment is not fit; nothing was served then.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(
            _run(oms, configured, app, listener, neighbour=neighbour, ready=ready, stop_when=stop_when)
        )
    finally:
        _end_tasks(loop)
        loop.close()


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs on *loop*, and wait for it a moment only: ``asyncio.run`` waits for ever for a candidate that ignores that."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=CANCEL_S))
    loop.run_until_complete(loop.shutdown_asyncgens())


async def _run(
    oms: Oms,
    configured: Configuration,
    app: Any,
    listener: socket.socket,
    *,
    neighbour: Neighbour,
    ready: Callable[[], None],
    stop_when: Callable[[asyncio.Event], None],
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    stop_when(stop)
    oms.start()
    try:
        with oms.runtime.scope():
            configured.load()
        await serve(app, listener, stop=stop, ready=ready)
    finally:
        await neighbour.aclose()
        # What waits in the async lanes are tasks of this loop, and need it to end.
        await oms.runtime.adrain(STOP_S)
        lost = await asyncio.to_thread(oms.stop, STOP_S, journal_s=JOURNAL_S)
    return lost
