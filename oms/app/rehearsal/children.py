"""Processes that a rehearsal starts: ready by their own word, asked for what they count, told to end by the end of their stdin."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from oms.app.rehearsal.driver import AnswerBroken, Connection
from oms.app.rehearsal.request import request
from oms.domain.errors import CouldNot

READY_S = 120.0
"""How long one may take until it answers requests, in seconds; one that ends before is not waited for."""

_END_S = 30.0
"""More than all that a process may wait for at its end, in seconds."""


async def start(
    name: str, command: Sequence[str], *, log: Path, environment: dict[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start Python with *command*; what it complains about goes to *log*.

    Raises:
        CouldNot: if it cannot be started.
    """
    try:
        with log.open("wb") as complaints:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
                env=environment,
                # Ctrl-C is for the rehearsal alone: it ends its processes itself, in good order.
                start_new_session=True,
            )
    except OSError as error:
        raise CouldNot(f"{name}: cannot be started: {error}") from error


async def ready(name: str, process: asyncio.subprocess.Process, *, log: Path) -> int:
    """Wait until *process* says that it answers requests, and return its port.

    Raises:
        CouldNot: if it does not; its last words are in the message.
    """
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_S)
        return int(json.loads(line)["port"])
    except TimeoutError:
        raise CouldNot(f"{name}: does not answer after {READY_S:g} s; see {log}") from None
    except (ValueError, KeyError, TypeError):
        raise CouldNot(f"{name}: {_last_words(log)}") from None


async def end(process: asyncio.subprocess.Process) -> int:
    """Tell *process* to end, wait for it, kill it if it takes long; return its exit code."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        return await asyncio.wait_for(process.wait(), _END_S)
    except TimeoutError:
        return await _killed(process)
    except asyncio.CancelledError:
        await _killed(process)
        raise


async def asked(port: int, path: str) -> dict[str, int] | None:
    """Return the counts at *path*, None if there is no usable answer."""
    connection = Connection(port)
    try:
        _, body = await connection.send(request("counts", "GET", path).text)
        counts: dict[str, int] = json.loads(body)
    except (OSError, EOFError, AnswerBroken, ValueError):
        return None
    finally:
        await connection.close()
    return counts


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return f"ended at its start: {lines[-1] if lines else 'without a word'}; see {log}"


async def _killed(process: asyncio.subprocess.Process) -> int:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    return await process.wait()
