"""uvicorn's HTTP protocol, which lets an application end a connection as a network does: ASGI itself has no word for it."""

from __future__ import annotations

import asyncio
import socket
import struct

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONNECTION = "oms.connection"
"""Name of the ASGI extension; its value is a :class:`Connection`."""

_LINGER_0 = struct.pack("ii", 1, 0)
"""On, for 0 seconds: what is unsent is thrown away, and the other end gets an RST. Source: socket(7), SO_LINGER."""


class Connection:
    """The connection of one request."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        """End it by an RST."""
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        self._transport.abort()

    def close(self) -> None:
        """End it by a FIN."""
        self._transport.close()


class EndingProtocol(HttpToolsProtocol):
    """Puts the connection into the scope of each request."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: Connection(self.transport)}  # type: ignore[dict-item]  # ASGI lets an extension be anything, its types a dict
