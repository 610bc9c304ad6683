"""Virtual time for what retries and breaks: a sleep moves the clock and takes none."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any

from oms.seams.resilience import TimeSource


class VirtualTime:
    """Stands until somebody sleeps, or it is moved.

    Attributes:
        source: For ``living_in``.
        now_s: The present second, of the monotonic clock and of the wall's alike.
        sleeps: Seconds of each sleep, oldest first.
    """

    def __init__(self, now_s: float = 1_750_000_000.0, *, seed: int = 1) -> None:
        self.now_s = now_s
        self.sleeps: list[float] = []
        self._ends: ContextVar[float | None] = ContextVar("ends", default=None)
        self.source = TimeSource(
            monotonic=lambda: self.now_s,
            wall=lambda: self.now_s,
            sleep=self._sleep,
            asleep=self._asleep,
            wait_for=self._wait_for,
            random=random.Random(seed).random,
        )

    def advance(self, seconds: float) -> None:
        """Move on by *seconds*; nobody slept."""
        self.now_s += seconds

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now_s += max(0.0, seconds)

    async def _asleep(self, seconds: float) -> None:
        ends = self._ends.get()
        if ends is not None and self.now_s + seconds > ends:
            self._sleep(ends - self.now_s)
            raise asyncio.CancelledError
        self._sleep(seconds)
        await asyncio.sleep(0)

    async def _wait_for(self, awaitable: Awaitable[Any], limit_s: float | None) -> Any:
        if limit_s is None:
            return await awaitable
        outer, ends = self._ends.get(), self.now_s + limit_s
        token = self._ends.set(ends if outer is None else min(ends, outer))
        try:
            answer = await awaitable
        except asyncio.CancelledError:
            if self.now_s < ends or (task := asyncio.current_task()) is None or task.cancelling():
                raise
            raise TimeoutError from None
        finally:
            self._ends.reset(token)
        if self.now_s > ends:  # it never slept, so nobody could cut it
            self.now_s = ends
            raise TimeoutError
        return answer
