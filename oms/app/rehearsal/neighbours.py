"""The upstream of a rehearsal as a process, and the comparison of what it received with what the service made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType

from oms.app.rehearsal.children import asked, end, ready, start
from oms.app.rehearsal.folder import Folder
from oms.app.upstream.application import COUNTS_PATH

_NAME = "upstream"


@dataclass(frozen=True, slots=True)
class Reached:
    """Requests to the upstream, counted at both ends.

    Attributes:
        received: What has reached it, by its own count.
        made: What the callers' own calls have sent: those of the control, for the candidate is replayed and sends nothing.
    """

    received: int
    made: int

    def as_json(self) -> dict[str, int]:
        """Return what ``--json`` says of it."""
        return {"received": self.received, "made": self.made}


class Neighbours:
    """Runs the upstream while a block goes on; an async context manager. However the block is left, the process is ended.

    Args:
        seed: Of its faults.
    """

    def __init__(self, folder: Folder, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._process: asyncio.subprocess.Process | None = None
        self._port = 0

    async def __aenter__(self) -> Neighbours:
        """Start it.

        Raises:
            CouldNot: if it does not come to answer requests.
        """
        command = ["-m", "oms.app.upstream.process", "--seed", str(self._seed)]
        log = self._folder.root / f"{_NAME}.log"
        process = await start(_NAME, command, log=log)
        try:
            self._port = await ready(_NAME, process, log=log)
        except BaseException:
            await end(process)
            raise
        self._process = process
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            await end(self._process)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    async def reached(self, *, made: int) -> Reached:
        """Return how many requests have reached it, beside those that the callers have *made*; 0 have if it does not tell."""
        by_endpoint = await asked(self._port, COUNTS_PATH) or {}
        return Reached(sum(by_endpoint.values()), made)
