"""``oms report``: what the shadow found."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from oms.cli.context import folders_of
from oms.cli.output import Output
from oms.cli.parsing import phase_name

_EXAMPLES = """\
examples:
  oms report cache
  oms report --format html --out report.html

exit code 0 if every phase in it is ready, 1 if not yet, 3 if it diverges
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report",
        help="what the shadow found, and whether a phase is ready",
        epilog=_EXAMPLES,
        parents=[folders],
        usage="oms report [PHASE] [--format text|json|html] [--out FILE]",
    )
    parser.add_argument("phase", metavar="PHASE", nargs="?", type=phase_name, help="only this one")
    parser.add_argument(
        "--format",
        metavar="text|json|html",
        choices=("text", "json", "html"),
        default="text",
        help="how to write it (default text)",
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="where to write it (default: stdout)")
    parser.set_defaults(run=_report, parser=parser)


def _report(arguments: argparse.Namespace, out: Output) -> int:
    from oms.console.report import run

    return run(
        phase=arguments.phase,
        form=arguments.format,
        out=arguments.out,
        var=folders_of(arguments).var,
        stdout=out.stdout,
    )
