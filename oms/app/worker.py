"""One process of a rehearsal: the service with the identity check, and perhaps faults, around it. Run as a module, by the rehearsal only.

It says where it listens as one line of JSON on stdout, and ends in good order when its stdin is closed, which the end of its parent does too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.http import JsonResponse
from oms.app.http_server import listen
from oms.app.identity import IDENTITY_PATH, IdentityCheck
from oms.app.injection import Order, follow
from oms.app.process import application, configuration, run_until_stopped
from oms.app.rehearsal.burst import Bursts
from oms.domain.errors import OmsError
from oms.domain.phase import Seam
from oms.domain.stage import Side
from oms.routing import LaneLimits
from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION, AsyncCache, Cache
from oms.seams.config import SETTINGS
from oms.unified.config import ConfigurationError
from oms.wiring import build

_LIMITS = LaneLimits(pause_s=1.0)
"""A lane that rests for half a minute, as it does in service, would sleep through the whole rehearsal."""


@dataclass(frozen=True, slots=True)
class CheckedFacades:
    """The facades of the service, each call checked."""

    types: Cache
    validation: Cache
    documents: AsyncCache


def main(argv: Sequence[str]) -> int:
    """Serve until stdin is closed. Exit code 4 if it cannot start, 78 if the environment is not fit for it."""
    parser = argparse.ArgumentParser(prog="oms rehearsal worker")
    parser.add_argument("--flags", type=Path, required=True)
    parser.add_argument("--var", type=Path, required=True)
    Order.add_to(parser)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    try:
        return _work(arguments.flags, arguments.var, Order.read(arguments))
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 78
    except OmsError as error:
        sys.stderr.write(f"{error}\n")
        return 4


def _work(flags: Path, var: Path, order: Order) -> int:
    check, injection = IdentityCheck(), order.injection()

    def wrap(seam: Seam[Any, Any], side: Side, implementation: object) -> object:
        return check.side(seam, order.around(injection, seam, side, implementation))

    async def identity(request: Request) -> Response:
        return JsonResponse(check.as_json())

    oms = build(flags=flags, var=var, wrap=wrap, limits=_LIMITS)
    facades = CheckedFacades(
        check.facade(TYPES, oms.types),
        check.facade(VALIDATION, oms.validation),
        check.facade(DOCUMENTS, oms.documents),
    )
    configured = configuration(oms, check.facade(SETTINGS, oms.settings))
    bursts = Bursts(oms.runtime, facades.documents)
    app = application(oms, configured, facades=facades, more=(Route(IDENTITY_PATH, identity), bursts.route()))
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]

    def say_where() -> None:
        sys.stdout.write(json.dumps({"pid": os.getpid(), "port": port}) + "\n")
        sys.stdout.flush()

    def in_loop(stop: asyncio.Event) -> None:
        if not order.faults.is_none:
            follow(order.switch, injection, asyncio.get_running_loop())
        _stop_with_stdin(stop)

    run_until_stopped(oms, configured, app, listener, ready=say_where, stop_when=in_loop)
    return 0


def _stop_with_stdin(stop: asyncio.Event) -> None:
    """Set *stop* at the end of stdin. What is written to it is read and means nothing."""
    loop = asyncio.get_running_loop()
    stdin = sys.stdin.fileno()

    def read() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            stop.set()

    loop.add_reader(stdin, read)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
