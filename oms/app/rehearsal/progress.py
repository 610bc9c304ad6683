"""How far the rehearsal is, on stderr: a bar for people, plain lines for everything else; and what the controller says, either way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TextIO

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

_REFRESH_S = 0.1


@dataclass(frozen=True, slots=True)
class Say:
    """Where the rehearsal tells what happens.

    Attributes:
        stage: Told the name of each stage as it begins.
        verdict: Told each line of the controller.
    """

    stage: Callable[[str], None]
    verdict: Callable[[str], None]


@contextlib.asynccontextmanager
async def progress(stream: TextIO, total: int, sent: Callable[[], int]) -> AsyncIterator[Say]:
    """Show progress on *stream* until the block ends: a bar on a terminal (rich leaves colours out under NO_COLOR), else a line a stage.

    Args:
        sent: Returns how many requests have been sent; asked ten times a second. More than *total* count as *total*.
    """

    def done() -> int:
        return min(total, sent())

    if not stream.isatty():
        yield Say(
            stage=lambda stage: _write_line(stream, f"{done():,} of {total:,} calls, {stage}"),
            verdict=lambda text: _write_line(stream, text),
        )
        return
    with _bar(stream, total) as (shown, move):
        stages = ["starting"]

        def begin(stage: str) -> None:
            shown.console.print(stage, markup=False, highlight=False)
            stages.append(stage)

        follow = asyncio.create_task(_follow(lambda: move(stages[-1], done())))
        try:
            yield Say(
                stage=begin,
                verdict=lambda text: shown.console.print(
                    f"  {text}", markup=False, highlight=False, no_wrap=True, overflow="ellipsis"
                ),
            )
        finally:
            follow.cancel()
            move(stages[-1], done())


def _write_line(stream: TextIO, text: str) -> None:
    stream.write(f"oms rehearse: {text}\n")
    stream.flush()


async def _follow(look: Callable[[], None]) -> None:
    while True:
        look()
        await asyncio.sleep(_REFRESH_S)


@contextlib.contextmanager
def _bar(stream: TextIO, total: int) -> Iterator[tuple[rich.progress.Progress, Callable[[str, int], None]]]:
    stage, calls = TextColumn("{task.description:18}"), TextColumn("calls")
    columns = (stage, BarColumn(), MofNCompleteColumn(), calls, TimeElapsedColumn())
    with rich.progress.Progress(*columns, console=Console(file=stream)) as shown:
        task = shown.add_task("starting", total=total)
        yield shown, lambda name, done: shown.update(task, description=name, completed=done)
