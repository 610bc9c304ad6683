"""One process of a rehearsal: the service with the identity check, and perhaps faults, around it. Run as a module, by the rehearsal only."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.child import say_where, stop_with_stdin
from oms.app.http import JsonResponse
from oms.app.http_server import listen
from oms.app.identity import IDENTITY_PATH, IdentityCheck
from oms.app.injection import Order, follow
from oms.app.neighbour import MADE_PATH, Neighbour
from oms.app.pace import PACE, Paced, paced
from oms.app.process import application, configuration, run_until_stopped
from oms.app.rehearsal.burst import Bursts
from oms.domain.errors import OmsError
from oms.domain.phase import Seam
from oms.domain.stage import Side
from oms.routing import LaneLimits
from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION, AsyncCache, Cache
from oms.seams.config import SETTINGS
from oms.seams.resilience import BACKOFF, BREAKER, RETRY, Backoff, Breaker, Retry
from oms.unified.config import ConfigurationError
from oms.wiring import build

_LIMITS = LaneLimits(pause_s=1.0)
"""A lane that rests for half a minute, as it does in service, would sleep through the whole rehearsal."""

_ANSWER_S = 1.0
"""How long an answer of a neighbour may take here, in seconds: 40 s by the phase. Shorter, a busy machine looks like a fault."""


@dataclass(frozen=True, slots=True)
class CheckedFacades:
    """The facades of the service, each call checked."""

    types: Cache
    validation: Cache
    documents: AsyncCache
    retry: Retry
    breaker: Breaker
    backoff: Backoff


def main(argv: Sequence[str]) -> int:
    """Serve until stdin is closed. Exit code 4 if it cannot start, 78 if the environment is not fit for it."""
    parser = argparse.ArgumentParser(prog="oms rehearsal worker")
    parser.add_argument("--flags", type=Path, required=True)
    parser.add_argument("--var", type=Path, required=True)
    Order.add_to(parser)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # Legacy logs each attempt that fails, and here they fail by schedule: what comes of it stands in the journal.
    logging.getLogger("oms.legacy").setLevel(logging.CRITICAL)
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
        check.facade(RETRY, oms.retry),
        check.facade(BREAKER, oms.breaker),
        check.facade(BACKOFF, oms.backoff),
    )
    configured = configuration(oms, check.facade(SETTINGS, oms.settings))
    neighbour = Neighbour(configured.actions_url, answer_s=_ANSWER_S)
    bursts = Bursts(oms.runtime, facades.documents)

    async def made(request: Request) -> Response:
        return JsonResponse({"made": neighbour.made})

    def in_loop(stop: asyncio.Event) -> None:
        if not order.faults.is_none:
            follow(order.switch, injection, asyncio.get_running_loop())
        stop_with_stdin(stop)

    more = (Route(IDENTITY_PATH, identity), Route(MADE_PATH, made), bursts.route())
    app = Paced(application(oms, configured, neighbour, facades=facades, more=more), paced(PACE))
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    run_until_stopped(
        oms,
        configured,
        app,
        listener,
        neighbour=neighbour,
        ready=lambda: say_where(port),
        stop_when=in_loop,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
