"""uvicorn on a socket of ours: it says when it listens, leaves signals to its owner, and ends within a limit."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from oms.domain.errors import BadInput, CouldNot

DRAIN_S = 5
"""How long requests in flight may take after the end was asked for, in seconds."""

_BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any free one.

    Raises:
        BadInput: if *host* names no address of this machine, or *port* is none.
        CouldNot: if the port is taken or may not be used.
    """
    if not 0 <= port <= 65_535:
        raise BadInput("--port", found=str(port), wanted="0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise BadInput(
            "--host", found=repr(host), wanted="a name or address of this machine, such as 127.0.0.1"
        ) from None
    # Not socket.create_server: it leaves the protocol open, asyncio then leaves Nagle's algorithm on, and an answer of two
    # writes waits for the client's delayed acknowledgement, 40 ms on Linux.
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise CouldNot(f"{host}:{port}: cannot listen there: {error.strerror}; choose another --port") from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Return where *listener* listens, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again at its end, before its owner has closed what is open."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


async def serve(
    app: Any,
    listener: socket.socket,
    *,
    stop: asyncio.Event,
    ready: Callable[[], None],
    protocol: type[asyncio.Protocol] | None = None,
    keep_alive_s: int = 5,
) -> None:
    """Serve *app* until *stop* is set, then let requests in flight end, at most ``DRAIN_S`` seconds.

    Args:
        app: An ASGI application without lifespan.
        ready: Called once requests are answered.
        protocol: Speaks HTTP in place of uvicorn's own.
        keep_alive_s: How long an unused connection stays open, in seconds.
    """
    config = uvicorn.Config(
        app,
        http=protocol or "httptools",
        timeout_keep_alive=keep_alive_s,
        ws="none",
        loop="asyncio",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=DRAIN_S,
    )
    server = _Server(config, ready)

    async def end() -> None:
        await stop.wait()
        server.should_exit = True

    watch = asyncio.create_task(end())
    try:
        await server.serve(sockets=[listener])
    finally:
        watch.cancel()
