"""``oms rehearse`` and ``oms serve``: the service itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oms.cli.context import folders_of
from oms.cli.output import Output
from oms.cli.parsing import phase_name, whole_number
from oms.domain.errors import BadInput, CouldNot

if TYPE_CHECKING:
    from oms.app.injection import Faults

_SEED = 1
_SEEDS = 20
_REHEARSE = """\
examples:
  oms rehearse
  oms rehearse --phase cache --calls 5000 --seed 7 --out out/rehearsal --json
  oms rehearse --inject unified-errors=3%
  oms rehearse --inject none --virtual --seeds 20
"""
_SERVE = """\
example:
  oms serve --port 8080
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add both commands."""
    rehearse = commands.add_parser(
        "rehearse",
        help="walk phases through their stages under traffic, with a report",
        epilog=_REHEARSE,
        parents=[folders],
        usage="oms rehearse [--phase P]... [--calls N] [--seed S] [--out DIR] [--json]\n"
        "                    [--inject FAULT[,FAULT]...] [--virtual [--seeds K]]",
    )
    rehearse.add_argument(
        "--phase",
        metavar="P",
        action="append",
        type=phase_name,
        help="a phase to walk; may be repeated (default: every one whose both wings stand)",
    )
    rehearse.add_argument(
        "--calls",
        metavar="N",
        type=whole_number("--calls", least=1, most=1_000_000_000),
        help="requests, at least; evidence takes what it takes (default 30,000; 6,000 where only resilience is walked,"
        " which calls a neighbour each time)",
    )
    rehearse.add_argument(
        "--seed",
        metavar="S",
        type=whole_number("--seed", least=0, most=2**32 - 1),
        default=_SEED,
        help=f"seed of the traffic (default {_SEED})",
    )
    rehearse.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("out/rehearsal"),
        help="where report and flags go (default out/rehearsal)",
    )
    rehearse.add_argument(
        "--inject",
        metavar="FAULT",
        type=_faults,
        help="what goes wrong in unified once live is reached, for the guards to find:"
        " unified-errors=3%% slow=2x tail=12x wrong-value=1%% hang none",
    )
    rehearse.add_argument(
        "--virtual",
        action="store_true",
        help="no service: seeds up the whole ladder in virtual time, with outages and drift, half a minute for 20",
    )
    rehearse.add_argument(
        "--seeds",
        metavar="K",
        type=whole_number("--seeds", least=1, most=10_000),
        help=f"with --virtual: how many, from --seed on (default {_SEEDS})",
    )
    rehearse.add_argument("--json", action="store_true", help="print one JSON object")
    rehearse.set_defaults(run=_rehearse, parser=rehearse)
    serve = commands.add_parser(
        "serve", help="keep the service up", epilog=_SERVE, parents=[folders], usage="oms serve [--host H] [--port N]"
    )
    serve.add_argument("--host", metavar="H", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument(
        "--port",
        metavar="N",
        type=whole_number("--port", least=0, most=65_535),
        default=8080,
        help="port to listen on, 0 for any free one (default 8080)",
    )
    serve.set_defaults(run=_serve, parser=serve)


def _rehearse(arguments: argparse.Namespace, out: Output) -> int:
    from oms.cli.report import html_report

    if arguments.virtual:
        return _virtual(arguments, out)
    if arguments.seeds is not None:
        raise BadInput("oms rehearse --seeds", found="no --virtual", wanted="--virtual, for real time has one seed")
    with _service_installed():
        from oms.app.rehearsal import PROFILE, run
    flags = folders_of(arguments).flags
    return run(
        phases=arguments.phase or (),
        calls=arguments.calls,
        seed=arguments.seed,
        out=arguments.out,
        as_json=out.as_json,
        flags=flags,
        faults=arguments.inject,
        html=partial(html_report, flags=flags, profile=PROFILE) if _has_html() else None,
        stdout=out.stdout,
        stderr=out.stderr,
    )


def _virtual(arguments: argparse.Namespace, out: Output) -> int:
    with _service_installed():
        from oms.app.injection import Faults
        from oms.app.virtual.seeds import run
    if arguments.phase not in (None, ["cache"]):
        raise BadInput("oms rehearse --phase", found=" ".join(arguments.phase), wanted="cache, with --virtual")
    return run(
        first_seed=arguments.seed,
        seeds=arguments.seeds or _SEEDS,
        faults=arguments.inject or Faults(),
        flags=folders_of(arguments).flags,
        as_json=out.as_json,
        stdout=out.stdout,
        stderr=out.stderr,
    )


def _faults(text: str) -> Faults:
    with _service_installed():
        from oms.app.injection import parse_faults
    return parse_faults(text)


def _serve(arguments: argparse.Namespace, out: Output) -> int:
    with _service_installed():
        from oms.app.serve import run
    folders = folders_of(arguments)
    return run(host=arguments.host, port=arguments.port, flags=folders.flags, var=folders.var)


@contextmanager
def _service_installed() -> Iterator[None]:
    """Name what to install where the service's packages, which not every host needs, are missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise CouldNot(f"service: found no package {error.name}, wanted it; pip install 'oms[service]'") from error


def _has_html() -> bool:
    """Tell whether the report can be a page; without its packages a rehearsal leaves text."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("jinja2", "pygal"))
