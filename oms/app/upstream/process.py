"""The neighbours as a process. Run as a module, by a rehearsal."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

from oms.app.child import say_where, stop_with_stdin
from oms.app.http_server import listen, serve
from oms.app.upstream.application import Upstream
from oms.app.upstream.faults import FaultSchedule
from oms.app.upstream.protocol import EndingProtocol
from oms.domain.errors import OmsError

KEEP_ALIVE_S = 600
"""How long an unused connection stays open, in seconds: longer than a client keeps it, so that no request meets its end."""


def main(argv: Sequence[str]) -> int:
    """Serve until stdin is closed. Exit code 4 if it cannot start."""
    parser = argparse.ArgumentParser(prog="oms rehearsal upstream")
    parser.add_argument("--seed", type=int, required=True)
    seed = parser.parse_args(argv).seed
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    try:
        asyncio.run(_serve(seed))
    except OmsError as error:
        sys.stderr.write(f"{error}\n")
        return 4
    return 0


async def _serve(seed: int) -> None:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    stop = asyncio.Event()
    stop_with_stdin(stop)
    await serve(
        Upstream(FaultSchedule(seed)),
        listener,
        stop=stop,
        ready=lambda: say_where(port),
        protocol=EndingProtocol,
        keep_alive_s=KEEP_ALIVE_S,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
