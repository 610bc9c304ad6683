"""``oms status``: what stands where, and what to type next."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from oms.cli.context import folders_of, sources, switchboard, terms, wants_colour
from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.cli.parsing import phase_name

if TYPE_CHECKING:
    from oms.rollout.status import StatusReport

_EXAMPLES = """\
examples:
  oms status
  oms status cache --json

exit code 1 if a process does not serve the flags as they are,
3 if a flag file is broken or a guard has tripped
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "status",
        help="where every phase and every process stands",
        epilog=_EXAMPLES,
        parents=[folders],
        usage="oms status [PHASE] [--json]",
    )
    parser.add_argument("phase", metavar="PHASE", nargs="?", type=phase_name, help="only this one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_status, parser=parser)


def _status(arguments: argparse.Namespace, out: Output) -> int:
    from oms.rollout.guard.leader import newest_term
    from oms.rollout.status import gather
    from oms.seams import PHASES

    names = [arguments.phase] if arguments.phase else list(PHASES)
    folders = folders_of(arguments)
    board, term = switchboard(folders, warn=out.warn), newest_term(terms(folders))
    found = sources(folders, board, profile=term.profile if term else None)
    report = gather(board, [PHASES[name] for name in names], sources=found, term=term)
    if out.as_json:
        out.result(report.as_json())
        for note in report.notes:
            out.warn(note)
    else:
        from oms.console.status_text import print_status

        print_status(report, out.stdout, colour=wants_colour(out.stdout))
    return _code(report)


def _code(report: StatusReport) -> Exit:
    if report.has_bad_news:
        return Exit.REFUSED
    return Exit.GOOD if report.agreed else Exit.NOT_YET
