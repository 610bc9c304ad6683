"""Sockets of the service."""

from __future__ import annotations

import asyncio
import socket

import pytest

from oms.app.http_server import address_of, listen
from oms.domain.errors import BadInput, CouldNot


def test_port_taken() -> None:
    """A port that somebody has is one clear line, and stays theirs."""
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(CouldNot, match=f"127.0.0.1:{port}: cannot listen there: Address already in use"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port"), [("no such host", 0), ("127.0.0.1", 70_000), ("127.0.0.1", -1), ("x" * 300, 0)]
)
def test_no_address(host: str, port: int) -> None:
    """A host or port that is none is bad input."""
    with pytest.raises(BadInput):
        listen(host, port)


def test_address_of_another_machine() -> None:
    """An address that is not this machine's cannot be listened on."""
    with pytest.raises(CouldNot):
        listen("192.0.2.1", 0)


def test_address_as_url() -> None:
    """Where it listens, ready to be clicked on."""
    with listen("127.0.0.1", 0) as listener:
        assert f"http://127.0.0.1:{listener.getsockname()[1]}" == address_of(listener)


def test_answers_are_not_held_back() -> None:
    """Connections come without Nagle's algorithm, which would hold the second half of an answer back for 40 ms."""

    async def nodelay() -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        class Accept(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                accepted.set_result(
                    transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                )
                transport.close()

        listener = listen("127.0.0.1", 0)
        server = await asyncio.get_running_loop().create_server(Accept, sock=listener)
        async with server:
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.close()
            await writer.wait_closed()
            return await asyncio.wait_for(accepted, 60)

    assert 0 != asyncio.run(nodelay())
