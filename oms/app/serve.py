"""``oms serve``: keeps the service up until it is told to stop."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from opentelemetry.metrics import get_meter_provider

from oms.app.http_server import address_of, listen
from oms.app.neighbour import Neighbour
from oms.app.process import application, configuration, run_until_stopped
from oms.unified.config.settings import OmsSettings
from oms.wiring import build


def run(host: str, port: int, flags: Path, var: Path) -> int:
    """Serve on *host* and *port* (0: any free one) until SIGTERM or SIGINT. Return the exit code.

    Counts go to the meter provider of the process, which exports nothing unless whoever started it has set one up.

    Raises:
        BadInput: if host or port are none, or ``REDIS_URL`` is unusable.
        CouldNot: if the port is taken, or *var* cannot be written.
        ConfigurationError: if unified answers for the configuration, and the environment is not fit.
    """
    listener = listen(host, port)
    where = address_of(listener)
    oms = build(flags=flags, var=var, redis_url=OmsSettings.read().redis_url, meter_provider=get_meter_provider())

    def say_where() -> None:
        sys.stdout.write(f"oms serve: listening on {where}, flags {flags}, var {var}; stop with Ctrl-C\n")
        sys.stdout.flush()

    configured = configuration(oms)
    neighbour = Neighbour(configured.actions_url)
    app = application(oms, configured, neighbour)
    run_until_stopped(oms, configured, app, listener, neighbour=neighbour, ready=say_where, stop_when=_nothing_else)
    return 0


def _nothing_else(stop: asyncio.Event) -> None:
    """Signals alone end the service."""
