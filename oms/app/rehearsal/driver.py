"""Sends errands over keep-alive connections on raw asyncio streams, and counts what comes back."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from oms.app.rehearsal.request import Errand, Request
from oms.domain.histogram import bucket_of, quantile_ns

ANSWER_S = 10.0
"""How long a client waits for one answer, in seconds; a caller who waits longer has seen an error."""

_MAX_HEAD = 64 * 1024
_KEPT_FAULTS = 20
_AFTER_FAULT_S = 0.02


class AnswerBroken(Exception):
    """What came back is not an HTTP/1.1 response that the driver can read."""


class Connection:
    """One keep-alive connection to a process on loopback; opened when it is first used, and again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def is_closed(self) -> bool:
        """True if it is not open, or the server has closed it, as they do with one that is idle for long."""
        return self._streams is None or self._streams[0].at_eof()

    async def send(self, text: bytes) -> tuple[int, bytes]:
        """Send one request and return status and body.

        Raises:
            OSError, EOFError, AnswerBroken: if no whole answer came; the connection is then closed.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._send(text)
        except asyncio.LimitOverrunError as error:
            await self.close()
            raise AnswerBroken(f"a head of more than {_MAX_HEAD} bytes") from error
        except (OSError, EOFError, AnswerBroken):
            await self.close()
            raise

    async def close(self) -> None:
        """Close it, if it is open."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            try:
                await streams[1].wait_closed()
            except OSError:
                return

    async def _send(self, text: bytes) -> tuple[int, bytes]:
        if self.is_closed:
            # Perhaps by the server while nothing was asked for: that is its right, and no answer was lost.
            await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=_MAX_HEAD)
        reader, writer = self._streams
        writer.write(text)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status, length = _status_of(head), _length_of(head)
        body = await reader.readexactly(length) if length else b""
        if b"\r\nconnection: close" in head:
            await self.close()
        return status, body


def _status_of(head: bytes) -> int:
    if not head.startswith(b"http/1.1 ") or not head[9:12].isdigit():
        raise AnswerBroken("no status line")
    return int(head[9:12])


def _length_of(head: bytes) -> int:
    """Return the body's length. A response without one (204) has no body; chunked ones are none of this service's."""
    _, found, rest = head.partition(b"\r\ncontent-length:")
    value = rest.partition(b"\r\n")[0].strip()
    if not found:
        if b"\r\ntransfer-encoding:" in head:
            raise AnswerBroken("a chunked body")
        return 0
    if not value.isdigit():
        raise AnswerBroken("no usable content-length")
    return int(value)


@dataclass(slots=True)
class Counts:
    """What came back.

    Attributes:
        sent: Requests, answered or not.
        faults: Requests without a whole answer, or with a status that a good service does not give.
        examples: Some of the faults, one line each, without what was sent.
        by_status: Answers by status.
        latencies: Durations as counts per bucket of :mod:`oms.domain.histogram`.
    """

    sent: int = 0
    faults: int = 0
    examples: list[str] = field(default_factory=list)
    by_status: Counter[int] = field(default_factory=Counter)
    latencies: Counter[int] = field(default_factory=Counter)

    def answered(self, request: Request, status: int, duration_ns: int) -> None:
        """Count an answer."""
        self.sent += 1
        self.by_status[status] += 1
        self.latencies[bucket_of(duration_ns)] += 1
        if status not in request.expected:
            self._fault(f"{request.name}: status {status}, wanted {' or '.join(map(str, sorted(request.expected)))}")

    def failed(self, request: Request, error: Exception) -> None:
        """Count a request without an answer."""
        self.sent += 1
        self._fault(f"{request.name}: {type(error).__name__}: {error}")

    def add(self, other: Counts) -> None:
        """Add what *other* has counted."""
        self.sent += other.sent
        self.faults += other.faults
        self.examples += other.examples[: _KEPT_FAULTS - len(self.examples)]
        self.by_status += other.by_status
        self.latencies += other.latencies

    def quantile_ms(self, q: float) -> float:
        """Return the *q* quantile of the durations in milliseconds, 0 without any."""
        return (quantile_ns(self.latencies, q) or 0) / 1e6

    def _fault(self, text: str) -> None:
        self.faults += 1
        if len(self.examples) < _KEPT_FAULTS:
            self.examples.append(text)


class Driver:
    """Keeps clients busy: each has one connection to one process and sends as soon as it has its answer.

    A client takes errands that are meant for its process first, then those of the common stream. No more is sent than was
    allowed; between two allowances the clients wait.
    """

    def __init__(self, ports: Sequence[int], errands: Iterable[Errand], *, clients_per_process: int = 4) -> None:
        self.counts = Counts()
        self._ports = ports
        self._errands: Iterator[Errand] = iter(errands)
        self._queues: dict[int, deque[Errand]] = {port: deque() for port in ports}
        self._clients = clients_per_process
        self._allowed = 0
        self._taken = 0
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Driver:
        ports = itertools.chain.from_iterable(itertools.repeat(self._ports, self._clients))
        self._tasks = [asyncio.create_task(self._client(port)) for port in ports]
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def enqueue(self, port: int, errands: Iterable[Errand]) -> None:
        """Have *errands* begun at the process at *port* in this order, ahead of the common stream, as part of what is allowed."""
        self._queues[port].extend(errands)

    async def drive(self, calls: int) -> None:
        """Allow *calls* more requests and wait until all that is allowed was sent and answered.

        Raises:
            Exception: whatever ended a client early; it is a defect of the driver.
        """
        async with self._changed:
            self._allowed += calls
            self._changed.notify_all()
        finished = asyncio.create_task(self._finished())
        ended, _ = await asyncio.wait({finished, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        finished.cancel()
        for task in ended:
            task.result()

    async def _finished(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.counts.sent >= self._allowed)

    async def _client(self, port: int) -> None:
        connection = Connection(port)
        try:
            while True:
                for request in await self._next(port):
                    await self._send(connection, request)
                if self.counts.sent >= self._allowed:
                    async with self._changed:
                        self._changed.notify_all()
        finally:
            await connection.close()

    async def _next(self, port: int) -> Errand:
        """Wait until something may be sent; an errand is cut short where the allowance ends."""
        if self._taken >= self._allowed:
            async with self._changed:
                await self._changed.wait_for(lambda: self._taken < self._allowed)
        queue = self._queues[port]
        errand = queue.popleft() if queue else next(self._errands)
        errand = errand[: self._allowed - self._taken]
        self._taken += len(errand)
        return errand

    async def _send(self, connection: Connection, request: Request) -> None:
        if request.after_s:
            await asyncio.sleep(request.after_s)
        began = time.perf_counter_ns()
        try:
            status, _ = await connection.send(request.text)
        except (OSError, EOFError, AnswerBroken) as error:
            self.counts.failed(request, error)
            await asyncio.sleep(_AFTER_FAULT_S)
        else:
            self.counts.answered(request, status, time.perf_counter_ns() - began)
