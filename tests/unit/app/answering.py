"""A server that answers each request as a test wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Answer = Callable[[bytes], bytes]


def on_server(answer: Answer, use: Callable[[int], Awaitable[Any]]) -> Any:
    """Run *use* with the port of a server that reads one request's head at a time and writes back *answer* of it."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
        except asyncio.IncompleteReadError:
            writer.close()

    async def go() -> Any:
        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            return await use(server.sockets[0].getsockname()[1])

    return asyncio.run(go())


def ok(head: bytes) -> bytes:
    """Answer 200 with the path as body."""
    path = head.split()[1]
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path)
