"""Single flight: of all who want the same missing key at once, one loads and the others wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from threading import Event, Lock, get_ident

from oms.seams.cache import Value
from oms.unified.cache.copies import Sealed
from oms.unified.cache.errors import RecursiveLoad
from oms.unified.cache.fork import renew_in_child

Seal = Callable[[Value], Sealed]


class _Flight:
    """One load in progress: who flies it, and how it landed."""

    __slots__ = ("error", "landed", "owner", "sealed")

    def __init__(self) -> None:
        self.owner = get_ident()
        self.landed = Event()
        self.sealed: Sealed | None = None
        self.error: Exception | None = None


class Flights:
    """Loads of threads. The leader gets the loader's own object, the others copies; a loader's exception goes to all of them."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._renew()
        renew_in_child(self._renew)

    def run(self, key: str, load: Callable[[], Value]) -> Value:
        """Return what *load* returns, to everybody who asks for *key* meanwhile.

        Raises:
            RecursiveLoad: if *load* asks for *key* in its own thread.
        """
        while True:
            flight, leads = self._join(key)
            if leads:
                return self._fly(key, flight, load)
            if flight.owner == get_ident():
                raise _recursive()
            flight.landed.wait()
            if flight.error is not None:
                raise flight.error
            if flight.sealed is not None:
                return flight.sealed.opened()
            # The leader was interrupted (KeyboardInterrupt, SystemExit): that was meant for its thread only.

    def _join(self, key: str) -> tuple[_Flight, bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = _Flight()
            return flight, True

    def _fly(self, key: str, flight: _Flight, load: Callable[[], Value]) -> Value:
        try:
            value = load()
            flight.sealed = self._seal(value)
        except Exception as fault:
            flight.error = fault
            raise
        finally:
            with self._lock:
                self._flights.pop(key, None)
            flight.landed.set()
        return value

    def _renew(self) -> None:
        self._lock = Lock()
        self._flights: dict[str, _Flight] = {}


class AsyncFlights:
    """Loads of tasks, one flight for each loop and key.

    The loader runs in a task of its own: whoever is cancelled, leader or not, leaves alone, and the load goes on for the others. If
    nobody is left it still ends and fills the cache.
    """

    def __init__(self, seal: Seal) -> None:
        self._seal = seal
        self._tasks: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[tuple[Value, Sealed]]] = {}

    async def run(self, key: str, load: Callable[[], Awaitable[Value]]) -> Value:
        """Return what *load* returns, to everybody on this loop who asks for *key* meanwhile.

        Raises:
            RecursiveLoad: if *load* asks for *key* in its own task.
        """
        loop = asyncio.get_running_loop()
        task = self._tasks.get((loop, key))
        if task is None:
            value, _ = await asyncio.shield(self._start(loop, key, load))
            return value
        if task is asyncio.current_task():
            raise _recursive()
        _, sealed = await asyncio.shield(task)
        return sealed.opened()

    def _start(
        self, loop: asyncio.AbstractEventLoop, key: str, load: Callable[[], Awaitable[Value]]
    ) -> asyncio.Task[tuple[Value, Sealed]]:
        task = self._tasks[loop, key] = loop.create_task(self._fly(load))
        task.add_done_callback(partial(self._land, (loop, key)))
        return task

    async def _fly(self, load: Callable[[], Awaitable[Value]]) -> tuple[Value, Sealed]:
        value = await load()
        return value, self._seal(value)

    def _land(self, place: tuple[asyncio.AbstractEventLoop, str], task: asyncio.Task[tuple[Value, Sealed]]) -> None:
        del self._tasks[place]
        if not task.cancelled():
            # Read here, or asyncio complains about an error that everybody left before hearing of.
            task.exception()


def _recursive() -> RecursiveLoad:
    return RecursiveLoad(
        "get_or_set",
        found="a loader that asks for its own key",
        wanted="one that computes the value",
        mend="call the function behind the loader directly",
    )
