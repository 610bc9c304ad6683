"""Ctrl-C at the right moment: never between a flag and its audit line."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Interrupt:
    """Tells, once the block has ended, whether somebody pressed Ctrl-C in it."""

    came: bool = False


@contextmanager
def held_back() -> Iterator[Interrupt]:
    """Hold back Ctrl-C until the block has ended, and tell of it there instead of raising.

    By a handler and not by a signal mask: a mask holds for one thread, and the kernel gives the signal to another one of the process.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread() or not callable(signal.getsignal(signal.SIGINT)):
        # Ctrl-C raises in the main thread alone, and nowhere while it is ignored.
        yield interrupt
        return
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
        interrupt.came = bool(heard)
