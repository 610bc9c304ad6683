"""``oms guard`` over the folder of a rehearsal: a process of its own, as in service, whose verdicts are told as they come."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from oms.app.rehearsal.folder import Folder
from oms.domain.errors import CouldNot

PROFILE = "rehearsal"
"""The profile of the policy that a rehearsal goes by."""

EVERY_S = 0.2
"""Seconds between two looks."""

_END_S = 10.0
_FIGURES = re.compile(r"\d[\d.,e%+-]*")


@dataclass(slots=True)
class Watch:
    """The controller of one phase; an async context manager, at whose end the process is told to end and waited for.

    It ends with the rehearsal, however that ends.

    Attributes:
        tell: Told of each verdict, a line.
    """

    folder: Folder
    phase: str
    tell: Callable[[str], None]
    _process: asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = field(default=None, repr=False)

    async def __aenter__(self) -> Watch:
        """Start it.

        Raises:
            CouldNot: if that is not possible.
        """
        command = [
            "-m",
            "oms.app.leash",
            "-m",
            "oms.cli",
            "guard",
            self.phase,
            "--profile",
            PROFILE,
            "--every",
            f"{EVERY_S}s",
        ]
        folders = ["--flags", str(self.folder.flags), "--var", str(self.folder.var)]
        try:
            with self.folder.guard_log.open("wb") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *command,
                    *folders,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise CouldNot(f"oms guard: cannot be started: {error}") from error
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END_S)
        except (TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        finally:
            if self._reader is not None:
                self._reader.cancel()

    def check(self) -> None:
        """See to it that it runs.

        Raises:
            CouldNot: with its last words, if it has ended.
        """
        if self._process is not None and self._process.returncode is not None:
            lines = self.folder.guard_log.read_text(errors="replace").strip().splitlines()
            raise CouldNot(f"oms guard: ended early: {lines[-1] if lines else 'without a word'}")

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        told = ""
        async for line in self._process.stdout:
            text = line.decode(errors="replace").strip()
            # Only the figures move from look to look; who wants each of them reads oms status.
            if (kind := _FIGURES.sub("", text)) != told:
                told = kind
                self.tell(f"[{PROFILE}] {text}")
