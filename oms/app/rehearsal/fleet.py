"""The worker processes of a rehearsal: started together, ready by their own word, never left behind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import TracebackType

from oms.app.identity import IDENTITY_PATH
from oms.app.injection import Order
from oms.app.neighbour import MADE_PATH
from oms.app.rehearsal.children import asked, end, ready, start
from oms.app.rehearsal.folder import Folder


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
            for name, count in (await asked(worker.port, IDENTITY_PATH) or {"violations": 1}).items():
                sums[name] += count
        return sums

    async def made(self) -> int:
        """Return how many requests the workers have made to their neighbours, as far as they tell."""
        return sum([(await asked(worker.port, MADE_PATH) or {"made": 0})["made"] for worker in self.workers])

    async def _start(self, number: int) -> asyncio.subprocess.Process:
        command = ["-m", "oms.app.worker", "--flags", str(self.folder.flags), "--var", str(self.folder.var)]
        command += self.order.words(number) if self.order else []
        return await start(_name(number), command, log=self.folder.log(number), environment=self.environment)

    async def _ready(self, number: int, process: asyncio.subprocess.Process) -> Worker:
        return Worker(number, process, await ready(_name(number), process, log=self.folder.log(number)))

    async def _end_all(self) -> None:
        ends = await asyncio.gather(*map(end, self._processes))
        self.broken_ends = sum(code != 0 for code in ends)


def _name(number: int) -> str:
    return f"worker {number}"
