"""Driving a coroutine step by step, to see how long each step holds the loop and to arm a deadline only where it waits at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Continued(Generic[R]):
    """The rest of a coroutine whose first step has yielded *waits_for* already."""

    __slots__ = ("_coroutine", "_note", "_waits_for")

    def __init__(
        self, coroutine: Coroutine[Any, Any, R], waits_for: Any, note: Callable[[float], None] | None = None
    ) -> None:
        """Continue *coroutine*; *note* gets the seconds that each further step held the loop."""
        self._coroutine = coroutine
        self._waits_for = waits_for
        self._note = note

    def __await__(self) -> Generator[Any, Any, R]:
        waits_for = self._waits_for
        while True:
            sent, error = None, None
            try:
                sent = yield waits_for
            except BaseException as thrown:  # passed on to the coroutine, which decides
                error = thrown
            began = time.perf_counter() if self._note else 0.0
            try:
                waits_for = self._coroutine.send(sent) if error is None else self._coroutine.throw(error)
            except StopIteration as end:
                result: R = end.value
                return result
            finally:
                if self._note:
                    self._note(time.perf_counter() - began)


class Cut(TimeoutError):
    """Our deadline ran out. A TimeoutError that a side raises by itself is its answer, and compared as such."""


async def within(deadline_s: float, coroutine: Coroutine[Any, Any, R]) -> R:
    """Await *coroutine*, cut after *deadline_s* seconds. One that never waits is not slowed by a timer.

    Raises:
        Cut: if it was cut. Whatever the coroutine raises is passed on as it is.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration as end:
        result: R = end.value
        return result
    limit = asyncio.timeout(deadline_s)
    try:
        async with limit:
            return await Continued(coroutine, waits_for)
    except TimeoutError as error:
        if limit.expired():
            raise Cut(f"no answer within {deadline_s:g} s") from error
        raise


async def timed(coroutine: Coroutine[Any, Any, R], note: Callable[[float], None]) -> R:
    """Await *coroutine*; *note* gets the seconds that each of its steps held the loop."""
    began = time.perf_counter()
    try:
        waits_for = coroutine.send(None)
    except StopIteration as end:
        result: R = end.value
        return result
    finally:
        note(time.perf_counter() - began)
    return await Continued(coroutine, waits_for, note)
