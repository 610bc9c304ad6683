"""``oms flip`` and ``oms rollback``: what moves a phase."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from oms.cli.context import folders_of, switchboard
from oms.cli.exits import Exit
from oms.cli.mandate import mandate_of
from oms.cli.output import Output
from oms.cli.parsing import Parser, phase_name, seconds
from oms.domain.errors import BadInput

if TYPE_CHECKING:
    from oms.domain.stage import Stage
    from oms.rollout.flip_report import FlipReport, NotDone
    from oms.rollout.switchboard import Mandate

_FLIP = """\
examples:
  oms flip cache shadow --why "dualwrite was clean for a day"
  oms flip cache live=5 --why "evidence is READY" --wait 10

STAGE is one of off dualwrite shadow live rampdown complete
(in config, resilience and security: off shadow live complete).
With =PERCENT that share moves and the rest stays where it is.
"""
_ROLLBACK = """\
examples:
  oms rollback cache
  oms rollback cache --to off --why "legacy only until Monday"
  oms rollback --all

From rampdown and live it goes to shadow, from shadow to dualwrite (off in a phase without writes),
from dualwrite to off. It needs no reason, no lock and no good flag file.
Typed again it goes one further; with --to it does not.
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add both commands."""
    _add_flip(
        commands.add_parser(
            "flip",
            help="move a phase one stage on, or a share of it",
            epilog=_FLIP,
            parents=[folders],
            usage="oms flip PHASE STAGE[=PERCENT] --why TEXT [--who NAME] [--wait SECONDS] [--force] [--json]",
        )
    )
    _add_rollback(
        commands.add_parser(
            "rollback",
            help="take a phase back, always possible",
            epilog=_ROLLBACK,
            parents=[folders],
            usage="oms rollback PHASE|--all [--to STAGE] [--why TEXT] [--who NAME]\n                    [--wait SECONDS] [--force] [--json]",
        )
    )


def _add_flip(parser: Parser) -> None:
    parser.add_argument("phase", metavar="PHASE", type=phase_name, help="the phase to move")
    parser.add_argument("wish", metavar="STAGE[=PERCENT]", help="where to, and for which share of the traffic")
    _add_common(parser, why="the reason, for the audit (required)", force="override what stands in the way; audited")
    parser.set_defaults(run=_flip, parser=parser)


def _add_rollback(parser: Parser) -> None:
    parser.add_argument("phase", metavar="PHASE", nargs="?", type=phase_name, help="the phase to take back")
    parser.add_argument("--all", action="store_true", help="every phase that can be taken back")
    parser.add_argument("--to", metavar="STAGE", help="any lower stage, instead of the usual one")
    _add_common(parser, why="the reason, for the audit", force="also from complete, where legacy has missed writes")
    parser.set_defaults(run=_rollback, parser=parser)


def _add_common(parser: Parser, *, why: str, force: str) -> None:
    parser.add_argument("--why", metavar="TEXT", help=why)
    parser.add_argument("--who", metavar="NAME", help="who asks for it (default: the login name)")
    parser.add_argument(
        "--wait", metavar="SECONDS", type=seconds, default=5.0, help="how long to wait for all processes (default 5)"
    )
    parser.add_argument("--force", action="store_true", help=force)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _flip(arguments: argparse.Namespace, out: Output) -> int:
    from oms.domain.split import parse_wish
    from oms.rollout.flip import flip
    from oms.seams import PHASES

    phase = PHASES[arguments.phase]
    wish = parse_wish(arguments.wish, writes=phase.writes)
    mandate = mandate_of(arguments, "--why", arguments.why)
    report = flip(switchboard(folders_of(arguments), warn=out.warn), phase, wish, mandate, wait_s=arguments.wait)
    _tell(report, out)
    out.result(report.as_json())
    # A flip that the audit does not know of must not pass for a good one.
    return _code(report) if report.move.recorded else Exit.COULD_NOT


def _rollback(arguments: argparse.Namespace, out: Output) -> int:
    from oms.rollout.rollback import rollback
    from oms.seams import PHASES

    if arguments.all is (arguments.phase is not None):
        found = f"both {arguments.phase} and --all" if arguments.all else "no PHASE"
        raise BadInput("oms rollback", found=found, wanted=f"one of {' '.join(PHASES)}, or --all")
    to, mandate = _goal(arguments), mandate_of(arguments, "--why", arguments.why, needed=False)
    if arguments.all:
        return _rollback_all(arguments, to, mandate, out)
    report = rollback(
        switchboard(folders_of(arguments), warn=out.warn),
        PHASES[arguments.phase],
        mandate,
        to=to,
        wait_s=arguments.wait,
    )
    _tell(report, out)
    out.result(report.as_json())
    return _code(report)


def _rollback_all(arguments: argparse.Namespace, to: Stage | None, mandate: Mandate, out: Output) -> int:
    from oms.rollout.flip_report import NotDone
    from oms.rollout.rollback import rollback_all
    from oms.seams import PHASES

    results = rollback_all(
        switchboard(folders_of(arguments), warn=out.warn), PHASES.values(), mandate, to=to, wait_s=arguments.wait
    )
    for result in results:
        if isinstance(result, NotDone):
            out.warn(f"{result.phase} was NOT taken back: {result.error}")
        else:
            _tell(result, out)
    out.result({"schema": 1, "phases": [result.as_json() for result in results]})
    return max(_code(result) for result in results)


def _goal(arguments: argparse.Namespace) -> Stage | None:
    from oms.domain.split import WHOLE, parse_wish
    from oms.seams import PHASES

    if arguments.to is None:
        return None
    writes = arguments.all or PHASES[arguments.phase].writes
    wish = parse_wish(arguments.to, writes=writes)
    if wish.weight != WHOLE:
        raise BadInput("--to", found=repr(arguments.to), wanted=f"a stage without a share, as in {wish.stage.value}")
    return wish.stage


def _tell(report: FlipReport, out: Output) -> None:
    move, end = report.move, report.acknowledgement
    moved = f"{move.before} -> {move.after}" if move.changed else f"{move.after} already, nothing changed"
    confirmed = (
        f"{end.acknowledged} of {end.processes} processes confirmed"
        if end.processes
        else "no running process follows it"
    )
    took = "in" if report.confirmed else "within"
    out.line(f"{move.phase}: {moved} | digest {move.digest or '-'} | {confirmed} | {took} {end.seconds:.3f} s")
    for sentence in end.in_flight:
        out.line(f"  still running: {sentence}")
    for warning in report.warnings:
        out.warn(f"{move.phase}: {warning}")


def _code(result: FlipReport | NotDone) -> Exit:
    from oms.rollout.flip_report import NotDone

    if isinstance(result, NotDone):
        return Exit.REFUSED if result.refused else Exit.COULD_NOT
    return Exit.GOOD if result.confirmed and not result.acknowledgement.interrupted else Exit.NOT_YET
