"""One request to a neighbour, and the count of those that left."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx
import pytest

from oms.app.neighbour import Neighbour, raise_if_unwell
from oms.app.upstream.faults import CLOSE, HANG, MOVED, RESET, UNAVAILABLE, between
from tests.unit.app.neighbours import answer_s, upstream

PLANS = {
    "x": (
        (between(0, 1), RESET),
        (between(1, 2), CLOSE),
        (between(2, 3), HANG),
        (between(3, 4), UNAVAILABLE),
        (between(4, 5), MOVED),
    )
}


def test_what_was_made_was_received() -> None:
    """Both ends count the same, whatever became of a request; nothing is repeated and no redirect is followed."""

    async def go() -> tuple[list[str], int, dict[str, int]]:
        async with upstream(PLANS) as (url, app):
            neighbour = Neighbour(lambda: url, answer_s=answer_s(PLANS))
            ends = [await end_of(neighbour) for _ in range(6)]
            await neighbour.aclose()
            return ends, neighbour.made, dict(app.received)

    ends, made, received = asyncio.run(go())

    assert ["ReadError", "RemoteProtocolError", "ReadTimeout", "503", "301", "200"] == ends
    assert (6, {"x/1": 6}) == (made, received)


async def end_of(neighbour: Neighbour) -> str:
    """Return the status of an answer, or the name of what was raised."""
    try:
        return str((await neighbour.send("GET", "x/1")).status_code)
    except httpx.HTTPError as error:
        return type(error).__name__


def test_an_answer_that_drips() -> None:
    """Bytes that keep coming, one by one, keep nobody waiting: the request has a limit as a whole."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while not (reader.at_eof() or reader.exception()):
            writer.write(b".")
            await asyncio.sleep(0.01)
        writer.close()
        ended.set()

    async def go() -> None:
        async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
            neighbour = Neighbour(lambda: f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", answer_s=0.1)
            with pytest.raises(TimeoutError):
                await neighbour.send("GET", "x/1")
            await neighbour.aclose()
            await asyncio.wait_for(ended.wait(), 60)
            assert 1 == neighbour.made

    ended = asyncio.Event()
    asyncio.run(go())


@pytest.mark.parametrize("url", ["closed", None, ""])
def test_what_never_left_is_not_counted(url: str | None) -> None:
    """A neighbour that is not there, or is not configured, is a connection error, and no request was made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    neighbour = Neighbour(lambda: f"http://127.0.0.1:{port}" if url == "closed" else url)

    async def go() -> str:
        end = await end_of(neighbour)
        await neighbour.aclose()
        return end

    assert ("ConnectError", 0) == (asyncio.run(go()), neighbour.made)


def test_what_waits_for_a_connection_is_not_counted() -> None:
    """A neighbour that is too busy to accept anybody has received nothing, however the wait for it ends."""
    with contextlib.ExitStack() as open_now:
        busy = open_now.enter_context(socket.socket())
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        # One more than the queue holds: the system lets whoever comes after them wait.
        for _ in range(2):
            waiting = open_now.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(busy.getsockname())
        url = f"http://127.0.0.1:{busy.getsockname()[1]}"
        brief, patient = Neighbour(lambda: url, send_s=0.2), Neighbour(lambda: url, send_s=60)

        async def go() -> list[str]:
            ends = [await end_of(brief)]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await patient.send("GET", "x/1")
            await brief.aclose()
            await patient.aclose()
            return ends

        assert ["ConnectTimeout"] == asyncio.run(go())
    assert (0, 0) == (brief.made, patient.made)


def test_closed_and_used_again() -> None:
    """Who sends after the end opens new connections."""

    async def go() -> list[str]:
        async with upstream({}) as (url, _):
            neighbour = Neighbour(lambda: f"{url}/")
            ends = []
            for _ in range(2):
                ends.append(await end_of(neighbour))
                await neighbour.aclose()
            return ends

    assert ["200", "200"] == asyncio.run(go())


@pytest.mark.parametrize(
    ("status", "may_redirect", "is_raised"),
    [
        (200, False, False),
        (204, False, False),
        (301, False, True),
        (301, True, False),
        (304, True, False),
        (404, False, False),
        (422, False, False),
        (408, True, True),
        (429, False, True),
        (500, True, True),
        (503, False, True),
    ],
)
def test_unwell(status: int, may_redirect: bool, is_raised: bool) -> None:
    """What the neighbour could not do now is an error; what its caller is to blame for is an answer."""
    headers = {"location": "/elsewhere"} if status == 301 else {}
    response = httpx.Response(status, headers=headers, request=httpx.Request("GET", "http://x/"))
    raised = None
    try:
        raise_if_unwell(response, may_redirect=may_redirect)
    except httpx.HTTPStatusError as error:
        raised = error

    assert is_raised is (raised is not None)
