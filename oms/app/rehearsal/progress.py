"""How far the rehearsal is, on stderr: a bar for people, plain lines for everything else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TextIO

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn

_REFRESH_S = 0.1


class Progress(Protocol):
    """What the rehearsal tells while it runs."""

    def stage(self, name: str) -> None:
        """A stage begins."""

    def sent(self, calls: int) -> None:
        """So many requests have been sent in all."""


class Lines:
    """One line a stage, with what had been sent when it began."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream, self._total, self._sent = stream, total, 0

    def stage(self, name: str) -> None:
        """Write the line."""
        self._stream.write(f"oms rehearse: {self._sent:,} of {self._total:,} calls, {name}\n")
        self._stream.flush()

    def sent(self, calls: int) -> None:
        """Remember it for the next line."""
        self._sent = calls


@contextlib.asynccontextmanager
async def progress(stream: TextIO, total: int, sent: Callable[[], int]) -> AsyncIterator[Progress]:
    """Show progress on *stream* until the block ends: a bar on a terminal (rich leaves colours out under NO_COLOR), else lines.

    Args:
        sent: Returns how many requests have been sent; asked ten times a second.
    """
    with contextlib.ExitStack() as stack:
        shown = stack.enter_context(_bar(stream, total)) if stream.isatty() else Lines(stream, total)
        follow = asyncio.create_task(_follow(shown, sent))
        try:
            yield shown
        finally:
            follow.cancel()
            shown.sent(sent())


async def _follow(shown: Progress, sent: Callable[[], int]) -> None:
    while True:
        shown.sent(sent())
        await asyncio.sleep(_REFRESH_S)


@contextlib.contextmanager
def _bar(stream: TextIO, total: int) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description:18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("calls"),
        TimeElapsedColumn(),
    )
    with rich.progress.Progress(*columns, console=Console(file=stream)) as shown:
        yield Bar(shown, shown.add_task("starting", total=total))


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar with the stage before it."""

    shown: rich.progress.Progress
    task: TaskID

    def stage(self, name: str) -> None:
        """Write it before the bar."""
        self.shown.update(self.task, description=name)

    def sent(self, calls: int) -> None:
        """Move the bar."""
        self.shown.update(self.task, completed=calls)
