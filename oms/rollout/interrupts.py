"""Ctrl-C at the right moment: never between a flag and its audit line."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Interrupt:
    """Tells, once the block has ended, whether somebody pressed Ctrl-C in it."""

    came: bool = False


@contextmanager
def held_back() -> Iterator[Interrupt]:
    """Hold back Ctrl-C until the block has ended, and tell of it there instead of raising."""
    interrupt = Interrupt()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield interrupt
    finally:
        if signal.SIGINT not in before and signal.SIGINT in signal.sigpending():
            signal.sigwait({signal.SIGINT})
            interrupt.came = True
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
