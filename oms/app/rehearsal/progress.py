"""How far the rehearsal is, on stderr: a bar for people, plain lines for everything else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TextIO

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

Say = Callable[[str], None]

_REFRESH_S = 0.1


@contextlib.asynccontextmanager
async def progress(stream: TextIO, total: int, sent: Callable[[], int]) -> AsyncIterator[Say]:
    """Show progress on *stream* until the block ends: a bar on a terminal (rich leaves colours out under NO_COLOR), else a line a stage.

    Yields a function that is told the name of each stage as it begins.

    Args:
        sent: Returns how many requests have been sent; asked ten times a second.
    """
    if not stream.isatty():
        yield lambda stage: _write_line(stream, total, sent(), stage)
        return
    with _bar(stream, total) as move:
        stages = ["starting"]
        follow = asyncio.create_task(_follow(lambda: move(stages[-1], sent())))
        try:
            yield stages.append
        finally:
            follow.cancel()
            move(stages[-1], sent())


def _write_line(stream: TextIO, total: int, sent: int, stage: str) -> None:
    stream.write(f"oms rehearse: {sent:,} of {total:,} calls, {stage}\n")
    stream.flush()


async def _follow(look: Callable[[], None]) -> None:
    while True:
        look()
        await asyncio.sleep(_REFRESH_S)


@contextlib.contextmanager
def _bar(stream: TextIO, total: int) -> Iterator[Callable[[str, int], None]]:
    stage, calls = TextColumn("{task.description:18}"), TextColumn("calls")
    columns = (stage, BarColumn(), MofNCompleteColumn(), calls, TimeElapsedColumn())
    with rich.progress.Progress(*columns, console=Console(file=stream)) as shown:
        task = shown.add_task("starting", total=total)
        yield lambda name, done: shown.update(task, description=name, completed=done)
