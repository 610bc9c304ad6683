"""What every codemod of the command has in common: its options, and a plan that is shown, written and taken back."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.cli.parsing import Parser
from oms.domain.errors import BadInput

if TYPE_CHECKING:
    from oms.migration.rewrite.applying import Changes, Written


def add_path(parser: Parser) -> None:
    """Add PATH and what is left out below it."""
    parser.add_argument(
        "path", metavar="PATH", nargs="?", type=Path, default=Path(), help="a folder or a file (default: here)"
    )
    parser.add_argument(
        "--exclude",
        metavar="PATTERN",
        action="append",
        default=[],
        help="leave out what matches, as in 'archive/*'; may come again",
    )


def add_options(parser: Parser, *, moves: str, suspect: str) -> None:
    """Add what every codemod can be told; *moves* and *suspect* say what is moved and what looks like a defect."""
    parser.add_argument(
        "--file", metavar="FILE", type=Path, action="append", default=[], help="only this one; may come again"
    )
    parser.add_argument("--write", action="store_true", help="change the files")
    parser.add_argument("--diff", action="store_true", help="print what changes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--allow-dirty", action="store_true", help="write although git could not bring back what is there now"
    )
    parser.add_argument("--include-tests", action="store_true", help=f"move {moves} in tests too")
    parser.add_argument("--suspect", action="store_true", help=f"move {suspect}")


def module_name(option: str, name: str, *, example: str) -> str:
    """Return *name* if it can be the name of a module.

    Raises:
        BadInput: if it cannot.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise BadInput(option, found=repr(name), wanted=f"a dotted module name, as in {example}")
    return name


def show_diff(plan: Changes, arguments: argparse.Namespace, out: Output) -> None:
    """Print the diff, if it was asked for."""
    from oms.migration.rewrite.worktree import diff_of

    if arguments.diff and not arguments.json:
        print_text(out, "".join(diff_of(each) for each in plan.changed).removesuffix("\n"))


def write_plan(plan: Changes, arguments: argparse.Namespace, out: Output) -> tuple[Written | None, Exit]:
    """Write *plan* if that was asked for and git could bring back what is there now."""
    from oms.migration.rewrite.applying import dirt, write
    from oms.migration.rewrite.worktree import few

    if not arguments.write or not plan.changed:
        return None, Exit.GOOD
    unsaved = [] if arguments.allow_dirty else dirt(plan)
    if unsaved:
        out.warn(
            f"{arguments.path}: found changes that git could not bring back ({few(unsaved)}), wanted a clean work tree; "
            "commit them, or say --allow-dirty; nothing was written"
        )
        return None, Exit.REFUSED
    written = write(plan)
    return written, Exit.COULD_NOT if written.failed else Exit.GOOD


def tell_written(written: Written | None, arguments: argparse.Namespace, out: Output) -> None:
    """Say what was written, and how to take it back."""
    if written is None:
        out.line("nothing was written" + ("" if arguments.write else ": --write does it"))
        return
    for line in written.failed:
        out.warn(line)
    out.line(f"wrote {len(written.files)} files")
    if not out.as_json:
        print_text(out, f"undo: {written.undo}")


def print_lines(out: Output, lines: Iterable[str]) -> None:
    """Print *lines* as they are."""
    print_text(out, "\n".join(lines))


def print_text(out: Output, text: str) -> None:
    """Print *text* line for line as it is; what the terminal's encoding lacks becomes an escape."""
    encoding = out.stdout.encoding or "utf-8"
    out.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
