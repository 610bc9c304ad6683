"""The switch of an injection: a file. Once it is there, the faults are on in every process that follows it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from oms.app.injection.faulty import Injection

_LOOK_S = 0.01


def turn_on(path: Path) -> None:
    """Begin the injection: every process that follows *path* sees it within a hundredth of a second, unless its loop is held up."""
    path.touch()


def follow(path: Path, injection: Injection, loop: asyncio.AbstractEventLoop) -> None:
    """Turn *injection* on once *path* is there, looked for on *loop* for as long as that runs."""
    if path.exists():
        injection.is_on = True
    else:
        loop.call_later(_LOOK_S, follow, path, injection, loop)
