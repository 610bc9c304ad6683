"""One process of the service whose unified caches go wrong on demand. Run as a module, by the end-to-end tests only.

While a file ``var/raise``, ``var/hang`` or ``var/deaf`` exists, a read of unified whose key contains the file's text raises, does not
return until the file is gone, or (async only) does not return and ignores its cancellation too. With ``--children N`` it builds and starts,
then forks N processes that serve, and serves nobody itself.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.http import JsonResponse
from oms.app.http_server import address_of, listen
from oms.app.neighbour import Neighbour
from oms.app.process import application, configuration, run_until_stopped
from oms.domain.phase import Seam
from oms.domain.stage import Side
from oms.journal.journal import Journal
from oms.journal.limits import JournalLimits
from oms.wiring import Oms, build


class Odd:
    """The unified side of one seam, with its faults."""

    def __init__(self, side: Any, var: Path) -> None:
        self._side, self._var = side, var

    def __getattr__(self, name: str) -> Any:
        return getattr(self._side, name)

    def get(self, key: str) -> Any:
        """Read, or raise, or hang in the caller's thread."""
        self._raise_on(key)
        while self._is_meant("hang", key):
            time.sleep(0.005)
        return self._side.get(key)

    async def aget(self, key: str) -> Any:
        """Read, or raise, or hang in the caller's task."""
        self._raise_on(key)
        while self._is_meant("hang", key):
            await asyncio.sleep(0.005)
        while self._is_meant("deaf", key):
            try:
                await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                continue
        return await self._side.aget(key)

    def _raise_on(self, key: str) -> None:
        if self._is_meant("raise", key):
            raise ConnectionError("unified lost its store")

    def _is_meant(self, fault: str, key: str) -> bool:
        try:
            return (self._var / fault).read_text() in key
        except FileNotFoundError:
            return False


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--flags", type=Path, required=True)
    parser.add_argument("--var", type=Path, required=True)
    parser.add_argument("--children", type=int, default=0)
    parser.add_argument("--narrow-journal", action="store_true")
    arguments = parser.parse_args()

    def wrap(seam: Seam[Any, Any], side: Side, implementation: object) -> object:
        return Odd(implementation, arguments.var) if side is Side.UNIFIED else implementation

    oms = build(flags=arguments.flags, var=arguments.var, wrap=wrap)
    if arguments.narrow_journal:
        narrow = JournalLimits(pending_counts=3)
        oms = dataclasses.replace(oms, journal=Journal(arguments.var / "journal.db", oms.runtime.drain, limits=narrow))
    if arguments.children:
        return lead(oms, arguments.children)
    return serve(oms, listen("127.0.0.1", 0))


def serve(oms: Oms, listener: socket.socket) -> int:
    """Serve on *listener*; ``/_probe/{key}`` reads the types in a thread of its own, as a threaded service would."""

    def probe(request: Request) -> Response:
        return JsonResponse(oms.types.get(request.path_params["key"]))

    def say_where() -> None:
        # In one write: several processes share this pipe.
        os.write(1, f"pid {os.getpid()} listening on {address_of(listener)}, as told\n".encode())

    configured = configuration(oms)
    neighbour = Neighbour(configured.actions_url)
    app = application(oms, configured, neighbour, more=(Route("/_probe/{key}", probe),))
    run_until_stopped(oms, configured, app, listener, neighbour=neighbour, ready=say_where, stop_when=lambda stop: None)
    return 0


def lead(oms: Oms, count: int) -> int:
    """Start everything, make some calls, fork *count* children that serve, and end after them."""
    oms.start()
    for _ in range(7):
        oms.types.get("from the parent")
    children = [pid for _ in range(count) if (pid := fork(oms))]
    signal.signal(signal.SIGTERM, lambda *_: [os.kill(pid, signal.SIGTERM) for pid in children] and None)
    os.write(1, f"parent {os.getpid()} of {children}\n".encode())
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    oms.stop()
    return max(codes)


def fork(oms: Oms) -> int:
    """Fork one child that serves and ends; return its pid."""
    listener = listen("127.0.0.1", 0)
    pid = os.fork()
    if pid == 0:
        os._exit(serve(oms, listener))
    listener.close()
    return pid


if __name__ == "__main__":
    sys.exit(main())
