"""How a faulty call tells the time and spends it: really, or virtually in a simulation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_SPIN_BELOW_S = 0.001


def spend(seconds: float) -> None:
    """Hold up this thread for *seconds*."""
    if seconds >= _SPIN_BELOW_S:
        time.sleep(seconds)
        return
    # A sleep takes tens of microseconds at least: of a call of one it would make fifty.
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


async def aspend(seconds: float) -> None:
    """Hold up this task for *seconds*."""
    if seconds >= _SPIN_BELOW_S:
        await asyncio.sleep(seconds)
    else:
        spend(seconds)


@dataclass(frozen=True, slots=True)
class Pace:
    """The two things that a fault does with time. The default is real.

    Attributes:
        now: Seconds of a clock that only goes forward.
        wait: Spends seconds in a thread; 0 and less are none.
        await_: Spends seconds in a task.
    """

    now: Callable[[], float] = time.perf_counter
    wait: Callable[[float], None] = spend
    await_: Callable[[float], Awaitable[None]] = aspend
