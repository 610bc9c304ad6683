"""The driver against a real server, good and bad."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from oms.app.http_server import listen, serve
from oms.app.rehearsal.driver import AnswerBroken, Connection, Counts, Driver
from oms.app.rehearsal.request import Request, request
from tests.unit.app.answering import ok, on_server


def get(path: str) -> Request:
    """Return a request without a tenant."""
    return request("get", "GET", path)


def test_requests_on_one_connection() -> None:
    """Answers are read to their end, so the next one begins where it should."""

    async def use(port: int) -> list[tuple[int, bytes]]:
        connection = Connection(port)
        found = [await connection.send(get(path).text) for path in ("/a", "/bb", "/")]
        await connection.close()
        return found

    assert [(200, b"/a"), (200, b"/bb"), (200, b"/")] == on_server(ok, use)


def test_no_content() -> None:
    """An answer without a length has no body."""

    async def use(port: int) -> tuple[int, bytes]:
        connection = Connection(port)
        found = await connection.send(get("/").text)
        await connection.close()
        return found

    assert (204, b"") == on_server(lambda head: b"HTTP/1.1 204 No Content\r\n\r\n", use)


def test_server_that_closes() -> None:
    """A connection that the server ends is opened again."""

    async def use(port: int) -> list[int]:
        connection = Connection(port)
        found = [(await connection.send(get("/").text))[0] for _ in range(2)]
        await connection.close()
        return found

    assert [200, 200] == on_server(
        lambda head: b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", use
    )


def test_server_that_tires_of_waiting() -> None:
    """A connection that the server ends without a word while it is idle is opened again, and nobody sees an error."""

    async def brief(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(await reader.readuntil(b"\r\n\r\n")))
        writer.close()

    async def use() -> list[int]:
        async with await asyncio.start_server(brief, "127.0.0.1", 0) as server:
            connection = Connection(server.sockets[0].getsockname()[1])
            found = [(await connection.send(get("/").text))[0]]
            assert connection._streams is not None
            async with asyncio.timeout(60):
                while not connection._streams[0].at_eof():
                    await asyncio.sleep(0.001)
            found.append((await connection.send(get("/").text))[0])
            await connection.close()
        return found

    assert [200, 200] == asyncio.run(use())


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=str.split("other-protocol chunked no-number endless-head"),
)
def test_answers_that_cannot_be_read(answer: bytes) -> None:
    """Whatever else comes back is an error, never a wrong answer."""

    async def use(port: int) -> None:
        with pytest.raises(AnswerBroken):
            await Connection(port).send(get("/").text)

    on_server(lambda head: answer, use)


def test_sends_exactly_what_is_allowed() -> None:
    """Three clients of two processes share one stream; no request is sent twice, none beyond the allowance."""
    seen: Counter[bytes] = Counter()

    def note(head: bytes) -> bytes:
        seen[head.split()[1]] += 1
        return ok(head)

    async def use(port: int) -> Driver:
        errands = ((get(f"/{n}/a"), get(f"/{n}/b")) for n in itertools.count())
        async with Driver([port], errands, clients_per_process=3) as driver:
            await driver.drive(50)
            await driver.drive(25)
        return driver

    driver = on_server(note, use)

    assert 75 == driver.counts.sent == sum(seen.values())
    assert 1 == max(seen.values())
    assert 0 == driver.counts.faults


def test_requests_for_one_process_go_first() -> None:
    """What is meant for a process is sent there, in order, before the common stream goes on."""
    seen: list[bytes] = []

    def note(head: bytes) -> bytes:
        seen.append(head.split()[1])
        return ok(head)

    async def use(port: int) -> None:
        async with Driver([port], itertools.repeat((get("/common"),)), clients_per_process=1) as driver:
            driver.enqueue(port, [(get("/first"),), (get("/second"),)])
            await driver.drive(3)

    on_server(note, use)

    assert [b"/first", b"/second", b"/common"] == seen


def test_an_errand_stays_with_its_client() -> None:
    """One client sends the whole errand, in order, and thinks before a request for as long as that says; others go on meanwhile."""
    seen: list[tuple[bytes, float]] = []

    def note(head: bytes) -> bytes:
        seen.append((head.split()[1], time.monotonic()))
        return ok(head)

    async def use(port: int) -> None:
        thoughtful = replace(get("/then"), after_s=0.05)
        async with Driver([port], itertools.repeat((get("/common"),)), clients_per_process=2) as driver:
            driver.enqueue(port, [(get("/first"), thoughtful, get("/last"))])
            await driver.drive(12)

    on_server(note, use)
    errand = [(path, at) for path, at in seen if path != b"/common"]
    paths = [path for path, _ in seen]

    assert [b"/first", b"/then", b"/last"] == [path for path, _ in errand]
    assert 0.05 <= errand[1][1] - errand[0][1]
    assert b"/common" in paths[paths.index(b"/first") : paths.index(b"/then")]


def test_a_connection_that_the_server_has_closed() -> None:
    """A server that ends an idle connection costs nobody an answer: the next request opens another one."""

    async def use() -> list[tuple[int, bytes]]:
        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(ok(await reader.readuntil(b"\r\n\r\n")))
            writer.close()
            closed.set()

        closed = asyncio.Event()
        async with await asyncio.start_server(once, "127.0.0.1", 0) as server:
            connection, found = Connection(server.sockets[0].getsockname()[1]), []
            for path in ("/a", "/b"):
                found.append(await connection.send(get(path).text))
                await asyncio.wait_for(closed.wait(), 60)
                # What the server has sent is read by the loop, not by us: let it.
                async with asyncio.timeout(60):
                    while not connection.is_closed:
                        await asyncio.sleep(0.001)
            await connection.close()
        return found

    assert [(200, b"/a"), (200, b"/b")] == asyncio.run(use())


def test_counts_are_added_up() -> None:
    """What two drivers have counted is one sum."""
    one, other = Counts(), Counts()
    one.answered(get("/"), 200, 10)
    other.answered(get("/"), 500, 10)
    other.failed(get("/"), OSError("gone"))
    one.add(other)

    assert (3, 2, 2, {200: 1, 500: 1}, 2) == (
        one.sent,
        one.faults,
        len(one.examples),
        dict(one.by_status),
        sum(one.latencies.values()),
    )


def test_unexpected_statuses_are_faults() -> None:
    """A status that a good service would not give is a fault and is described without what was sent."""

    async def use(port: int) -> Driver:
        async with Driver([port], itertools.repeat((get("/secret"),))) as driver:
            await driver.drive(30)
        return driver

    counts = on_server(lambda head: b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", use).counts

    assert 30 == counts.faults
    assert {"get: status 500, wanted 200"} == set(counts.examples)
    assert {500: 30} == counts.by_status


def test_nobody_there() -> None:
    """A process that is gone makes a fault of each call, and the drive ends all the same."""

    async def go() -> Driver:
        with listen("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
        async with Driver([port], itertools.repeat((get("/"),)), clients_per_process=2) as driver:
            await driver.drive(4)
        return driver

    counts = asyncio.run(go()).counts

    assert (4, 4) == (counts.sent, counts.faults)


def test_a_defect_of_the_driver_is_not_hidden() -> None:
    """An exception in a client ends the drive with it."""

    def broken() -> Any:
        yield (get("/"),)
        raise ZeroDivisionError

    async def use(port: int) -> None:
        async with Driver([port], broken(), clients_per_process=1) as driver:
            await driver.drive(5)

    with pytest.raises((ZeroDivisionError, RuntimeError)):
        on_server(ok, use)


def test_server_ends_when_told() -> None:
    """The server answers once it says so, and ends when it is stopped although a client keeps its connection open."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def go() -> tuple[int, bytes]:
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        stop, ready = asyncio.Event(), asyncio.Event()
        server = asyncio.create_task(serve(app, listener, stop=stop, ready=ready.set))
        await asyncio.wait_for(ready.wait(), 60)
        connection = Connection(port)
        found = await connection.send(get("/").text)
        stop.set()
        await asyncio.wait_for(server, 60)
        await connection.close()
        return found

    assert (200, b"ok") == asyncio.run(go())
