"""The worker processes of a rehearsal: started together, ready by their own word, never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass, field
from types import TracebackType

from oms.app.identity import IDENTITY_PATH
from oms.app.injection import Order
from oms.app.rehearsal.driver import AnswerBroken, Connection
from oms.app.rehearsal.folder import Folder
from oms.app.rehearsal.request import request
from oms.domain.errors import CouldNot

READY_S = 30.0
"""How long a worker may take until it answers requests, in seconds."""

_END_S = 15.0


@dataclass(frozen=True, slots=True)
class Worker:
    """One process that serves HTTP on loopback."""

    number: int
    process: asyncio.subprocess.Process
    port: int


@dataclass(slots=True)
class Fleet:
    """Starts *size* workers on the flags and the journal of *folder*; an async context manager.

    However the block is left, the workers are told to end, waited for, and killed if they do not.

    Attributes:
        environment: What the workers read; None for this process's own.
        order: Faults to be had in them; None for none.
        workers: Those that run, once it is entered.
        broken_ends: How many workers did not end in good order; known once it is left.
    """

    folder: Folder
    size: int
    environment: dict[str, str] | None = None
    order: Order | None = None
    workers: list[Worker] = field(default_factory=list)
    broken_ends: int = 0
    _processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def __aenter__(self) -> Fleet:
        """Start all of them.

        Raises:
            CouldNot: if one of them does not come to answer requests.
        """
        try:
            for number in range(self.size):
                self._processes.append(await self._start(number))
            self.workers = list(await asyncio.gather(*map(self._ready, range(self.size), self._processes)))
        except BaseException:
            await self._end_all()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end_all()

    @property
    def ports(self) -> list[int]:
        """Where they listen."""
        return [worker.port for worker in self.workers]

    async def identity(self) -> dict[str, int]:
        """Return the sum of what the identity checks of the workers counted; one that does not tell counts as a violation."""
        sums = {"checked": 0, "rescued": 0, "violations": 0}
        for worker in self.workers:
            try:
                counts = await _counts_of(worker.port)
            except (OSError, EOFError, AnswerBroken, ValueError):
                counts = {"violations": 1}
            for name, count in counts.items():
                sums[name] += count
        return sums

    async def _start(self, number: int) -> asyncio.subprocess.Process:
        command = ["-m", "oms.app.worker", "--flags", str(self.folder.flags), "--var", str(self.folder.var)]
        command += self.order.words(number) if self.order else []
        try:
            with self.folder.log(number).open("wb") as log:
                return await asyncio.create_subprocess_exec(
                    sys.executable,
                    *command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    env=self.environment,
                    # Ctrl-C is for the rehearsal alone: it ends its workers itself, in good order.
                    start_new_session=True,
                )
        except OSError as error:
            raise CouldNot(f"worker {number}: cannot be started: {error}") from error

    async def _ready(self, number: int, process: asyncio.subprocess.Process) -> Worker:
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), READY_S)
            return Worker(number, process, int(json.loads(line)["port"]))
        except TimeoutError:
            raise CouldNot(
                f"worker {number}: does not answer after {READY_S:g} s; see {self.folder.log(number)}"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise CouldNot(f"worker {number}: {self._last_words(number)}") from None

    def _last_words(self, number: int) -> str:
        lines = self.folder.log(number).read_text(errors="replace").strip().splitlines()
        return f"ended at its start: {lines[-1] if lines else 'without a word'}; see {self.folder.log(number)}"

    async def _end_all(self) -> None:
        ends = await asyncio.gather(*map(_end, self._processes))
        self.broken_ends = sum(code != 0 for code in ends)


async def _end(process: asyncio.subprocess.Process) -> int:
    assert process.stdin is not None
    process.stdin.close()
    try:
        return await asyncio.wait_for(process.wait(), _END_S)
    except TimeoutError:
        return await _killed(process)
    except asyncio.CancelledError:
        await _killed(process)
        raise


async def _killed(process: asyncio.subprocess.Process) -> int:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    return await process.wait()


async def _counts_of(port: int) -> dict[str, int]:
    connection = Connection(port)
    try:
        _, body = await connection.send(request("identity", "GET", IDENTITY_PATH).text)
    finally:
        await connection.close()
    counts: dict[str, int] = json.loads(body)
    return counts
