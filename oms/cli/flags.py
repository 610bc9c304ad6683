"""``oms flags check``: whether flag files are fit to be served, and the policy to be gone by, before anybody does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from oms.cli.context import folders_of
from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.domain.errors import BadInput

_EXAMPLES = """\
examples:
  oms flags check
  oms flags check flags --json

exit code 2 if a file must not be served, or the policy is not fit or has expired
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the family."""
    family = commands.add_parser(
        "flags",
        help="look after flag files",
        parents=[folders],
        usage="oms flags check [DIR] [--json]",
        epilog=_EXAMPLES,
    )
    family.set_defaults(parser=family)
    check = family.add_subparsers(prog="oms flags", metavar="COMMAND", dest="flags_command").add_parser(
        "check",
        help="check every flag file of a folder",
        parents=[folders],
        usage="oms flags check [DIR] [--json]",
        epilog=_EXAMPLES,
    )
    check.add_argument("folder", metavar="DIR", nargs="?", help="the folder (default: --flags)")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.set_defaults(run=_check, parser=check)


def _check(arguments: argparse.Namespace, out: Output) -> int:
    from oms.flagging.check import check_folder
    from oms.seams import PHASES

    folder = Path(arguments.folder) if arguments.folder else folders_of(arguments).flags
    if not folder.is_dir():
        raise BadInput(str(folder), found="no folder", wanted="a folder with one flag file a phase")
    problems = [problem.message for problem in check_folder(folder, PHASES)]
    problems += _policy_problems(folder)
    for problem in problems:
        out.line(problem)
    if not problems:
        out.line(f"{folder}: all {len(PHASES)} flag files are good")
    out.result({"schema": 1, "folder": str(folder), "problems": problems})
    return Exit.BAD_INPUT if problems else Exit.GOOD


def _policy_problems(folder: Path) -> list[str]:
    """Return what is wrong with the policy; a folder without one only keeps ``oms guard`` from moving anything on."""
    import datetime as dt

    from oms.rollout.guard.policy_file import FILE, check_policy
    from oms.seams import PHASES

    path = folder / FILE
    return check_policy(path, PHASES, today=dt.datetime.now(dt.UTC).date()) if path.exists() else []
