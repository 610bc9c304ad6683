"""The entrance of ``oms``: find the command, run it, turn what went wrong into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import pairwise

from oms.cli import config, env, flags, guard, moves, orders, report, service, status
from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.cli.parsing import Parser, unknown_arguments
from oms.domain.errors import BadInput, CouldNot, FlipRefused, OmsError

_ABOUT = """\
Move the OMS from legacy to unified, one phase at a time, and back at once.

At 3 a.m.:
  oms status                          what stands where, and what to type next
  oms rollback PHASE                  take it back; always possible
"""
_CODES = """\
exit codes: 0 good | 1 not yet | 2 bad input | 3 refused or bad news | 4 could not | 78 configuration invalid
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    out = Output(as_json=_wants_json(words), stdout=sys.stdout, stderr=sys.stderr)
    try:
        code = _run(words, out)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read us has left; keep the interpreter from failing once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.COULD_NOT
    return code


def parser() -> Parser:
    """Return the parser of the whole command."""
    folders = argparse.ArgumentParser(add_help=False)
    folders.add_argument(
        "--flags", metavar="DIR", default=argparse.SUPPRESS, help="folder of the flag files (OMS_FLAGS, default flags)"
    )
    folders.add_argument(
        "--var", metavar="DIR", default=argparse.SUPPRESS, help="folder of journal and processes (OMS_VAR, default var)"
    )
    top = Parser("oms", usage="oms COMMAND ...", description=_ABOUT, epilog=_CODES, parents=[folders])
    commands = top.add_subparsers(prog="oms", metavar="COMMAND", dest="command", title="commands")
    for family in (status, moves, guard, orders, flags, config, report, service, env):
        family.add(commands, folders)
    return top


def _wants_json(words: list[str]) -> bool:
    """Tell before anything is parsed, because a mistake in the words is told as JSON as well."""
    return "--json" in words or "--format=json" in words or ("--format", "json") in pairwise(words)


def _run(words: list[str], out: Output) -> int:
    try:
        arguments = _parse(words)
        code: int = arguments.run(arguments, out)
    except BadInput as error:
        return _failed(out, error, Exit.BAD_INPUT)
    except FlipRefused as error:
        return _failed(out, error, Exit.REFUSED)
    except BrokenPipeError:
        raise
    except (CouldNot, OSError) as error:
        return _failed(out, error, Exit.COULD_NOT)
    except OmsError as error:
        return _failed(out, error, Exit.CONFIGURATION)
    except KeyboardInterrupt:
        return _failed(out, "interrupted; oms status tells what stands now", Exit.NOT_YET)
    return code


def _parse(words: list[str]) -> argparse.Namespace:
    top = parser()
    arguments, rest = top.parse_known_args(words)
    chosen: Parser = getattr(arguments, "parser", top)
    if rest:
        raise unknown_arguments(chosen, rest)
    if not hasattr(arguments, "run"):
        raise BadInput(
            chosen.prog,
            found="no command",
            wanted=f"one of {' '.join(_commands(chosen))}",
            mend=f"see {chosen.prog} --help",
        )
    return arguments


def _commands(chosen: Parser) -> list[str]:
    return [name for action in chosen._actions for name in (action.choices or ()) if action.metavar == "COMMAND"]


def _failed(out: Output, error: object, code: Exit) -> Exit:
    out.error(str(error))
    return code
