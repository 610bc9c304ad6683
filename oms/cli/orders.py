"""``oms pause``, ``resume``, ``freeze`` and ``unfreeze``: what keeps phases from being moved on. Rollbacks always go."""

from __future__ import annotations

import argparse
import datetime as dt
from typing import TYPE_CHECKING, Any

from oms.cli.context import folders_of, latches, sources, switchboard
from oms.cli.exits import Exit
from oms.cli.mandate import mandate_of
from oms.cli.output import Output
from oms.cli.parsing import Parser, phase_name
from oms.domain.errors import BadInput

if TYPE_CHECKING:
    from oms.domain.phase import Phase
    from oms.rollout.guard.orders import Ordered
    from oms.rollout.switchboard import Switchboard

_A_DAY = "24h"
_PAUSE = """\
example:
  oms pause cache --reason "watching the 5 % over lunch"

Guards go on, and so do rollbacks. oms resume ends it.
"""
_RESUME = """\
examples:
  oms resume cache --reason "fixed in the build of 14:10"
  oms resume cache --reason "was the network" --same-version

Ends a trip or a pause, and accepts a policy that was changed in the middle of a step.
After a trip it wants another version than the one that tripped, and evidence begins anew.
"""
_FREEZE = """\
examples:
  oms freeze cache --reason "stock-taking" --until 6h
  oms freeze --all --reason "weekend" --until 2027-01-04T06:00Z

Nothing is moved on, by hand neither, except with --force. Rollbacks always go.
"""
_UNFREEZE = """\
examples:
  oms unfreeze cache --reason "stock-taking is over"
  oms unfreeze --all --reason "Monday"
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the four commands."""
    end = "--reason TEXT [--who NAME] [--json]"
    pause = commands.add_parser(
        "pause",
        help="keep a phase from being moved on",
        epilog=_PAUSE,
        parents=[folders],
        usage=f"oms pause PHASE {end}",
    )
    _common(pause, one=True).set_defaults(run=_pause)
    resume = commands.add_parser(
        "resume",
        help="end a pause or a trip",
        epilog=_RESUME,
        parents=[folders],
        usage=f"oms resume PHASE {end[:-8]}[--same-version] [--json]",
    )
    _common(resume, one=True).set_defaults(run=_resume)
    resume.add_argument("--same-version", action="store_true", help="although what tripped is still served")
    freeze = commands.add_parser(
        "freeze",
        help="keep a phase, or all, from being moved on until some time",
        epilog=_FREEZE,
        parents=[folders],
        usage=f"oms freeze PHASE|--all [--until WHEN] {end}",
    )
    _common(freeze, one=False).set_defaults(run=_freeze)
    freeze.add_argument(
        "--until",
        metavar="WHEN",
        default=_A_DAY,
        help=f"a time such as 2027-01-04T06:00Z, or a duration (default {_A_DAY})",
    )
    unfreeze = commands.add_parser(
        "unfreeze",
        help="end a freeze",
        epilog=_UNFREEZE,
        parents=[folders],
        usage=f"oms unfreeze PHASE|--all {end}",
    )
    _common(unfreeze, one=False).set_defaults(run=_unfreeze)


def _common(parser: Parser, *, one: bool) -> Parser:
    if one:
        parser.add_argument("phase", metavar="PHASE", type=phase_name, help="the phase")
    else:
        parser.add_argument("phase", metavar="PHASE", nargs="?", type=phase_name, help="the phase")
        parser.add_argument("--all", action="store_true", help="every phase")
    parser.add_argument("--reason", metavar="TEXT", help="why, for the audit (required)")
    parser.add_argument("--who", metavar="NAME", help="who asks for it (default: the login name)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(parser=parser)
    return parser


def _pause(arguments: argparse.Namespace, out: Output) -> int:
    from oms.rollout.guard.orders import pause
    from oms.seams import PHASES

    board = _board(arguments, out)
    phase, mandate = PHASES[arguments.phase], mandate_of(arguments, "--reason", arguments.reason)
    return _told(phase.name, pause(board, latches(folders_of(arguments)), phase, mandate), out)


def _resume(arguments: argparse.Namespace, out: Output) -> int:
    from oms.rollout.guard.orders import resume
    from oms.seams import PHASES

    phase, mandate = PHASES[arguments.phase], mandate_of(arguments, "--reason", arguments.reason)
    found = sources(folders_of(arguments), _board(arguments, out), profile=None)
    return _told(phase.name, resume(found, phase, mandate, same_version=arguments.same_version), out)


def _freeze(arguments: argparse.Namespace, out: Output) -> int:
    from oms.rollout.guard.orders import freeze

    board, phase = _board(arguments, out), _phase_or_all(arguments)
    mandate = mandate_of(arguments, "--reason", arguments.reason)
    until_s = _until(arguments.until, board.clock())
    ordered = freeze(board, latches(folders_of(arguments)), phase, mandate, until_s=until_s)
    return _told(phase.name if phase else "all phases", ordered, out)


def _unfreeze(arguments: argparse.Namespace, out: Output) -> int:
    from oms.rollout.guard.orders import unfreeze

    board, phase = _board(arguments, out), _phase_or_all(arguments)
    mandate = mandate_of(arguments, "--reason", arguments.reason)
    ordered = unfreeze(board, latches(folders_of(arguments)), phase, mandate)
    return _told(phase.name if phase else "all phases", ordered, out)


def _board(arguments: argparse.Namespace, out: Output) -> Switchboard:
    return switchboard(folders_of(arguments), warn=out.warn)


def _phase_or_all(arguments: argparse.Namespace) -> Phase | None:
    from oms.seams import PHASES

    if arguments.all is (arguments.phase is not None):
        found = f"both {arguments.phase} and --all" if arguments.all else "no PHASE"
        raise BadInput(arguments.parser.prog, found=found, wanted=f"one of {' '.join(PHASES)}, or --all")
    return None if arguments.all else PHASES[arguments.phase]


def _until(text: str, now_s: float) -> float:
    """Return the end of a freeze, Unix time in seconds; a time without a zone is UTC."""
    from oms.rollout.guard.duration import parse_duration

    seconds = parse_duration(text)
    if seconds:
        return now_s + seconds
    try:
        at = dt.datetime.fromisoformat(text)
        until_s = (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        until_s = now_s
    if until_s <= now_s:
        raise BadInput(
            "--until", found=repr(text), wanted="a time to come such as 2027-01-04T06:00Z, or a duration such as 6h"
        )
    return until_s


def _told(name: str, ordered: Ordered, out: Output) -> int:
    out.line(f"{name}: {ordered.text}")
    for warning in ordered.warnings:
        out.warn(f"{name}: {warning}")
    out.result({"schema": 1, "phase": name, "said": ordered.text, "warnings": list(ordered.warnings)})
    return Exit.COULD_NOT if ordered.warnings else Exit.GOOD
