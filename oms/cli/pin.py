"""``oms pin``: a stored divergence as a failing test."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oms.cli.context import folders_of
from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.domain.errors import BadInput, CouldNot, PinRefused

if TYPE_CHECKING:
    from oms.domain.stage import Side
    from oms.journal.entries import DivergenceGroup

_EXAMPLES = """\
examples:
  oms pin 4f3a90b1c2d3
  oms pin 4f3a --out tests/contract/cache

exit code 0 if the test fails as it should, 1 if it does not fail yet: fill in the values that were
not kept; 2 for a fingerprint that is not in the journal, 3 if no test can be made or one is there
"""
_TIME_LIMIT_S = 300.0
_LEAST = 4
_SHOWN = 5


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "pin",
        help="write a failing test from a stored divergence",
        epilog=_EXAMPLES,
        parents=[folders],
        usage="oms pin FINGERPRINT [--out FOLDER] [--json]",
    )
    parser.add_argument(
        "fingerprint", metavar="FINGERPRINT", help=f"from oms report; its first {_LEAST} digits will do"
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="where to write it (default tests/contract/PHASE)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_pin, parser=parser)


def _pin(arguments: argparse.Namespace, out: Output) -> int:
    from oms.console.pinned_case import case_of, file_name, side_to_mend
    from oms.journal.reader import JournalReader

    with JournalReader(folders_of(arguments).var / "journal.db") as journal:
        group = _found(journal.divergences(), arguments.fingerprint)
    source, mend = case_of(group), side_to_mend(group)
    path = _folder(arguments.out, group.phase) / file_name(group)
    _write(path, source)
    code, said = _tried(path, mend)
    to_fill_in = source.count("FILL IN")
    out.line(f"{path}: written; {said}")
    if to_fill_in and code is not Exit.GOOD:
        places = "place" if to_fill_in == 1 else "places"
        out.line(f"{to_fill_in} {places} to fill in: what the port does not let samples show is not in the journal")
    out.result(
        {"schema": 1, "file": str(path), "fingerprint": group.fingerprint, "mend": mend.value, "to_fill_in": to_fill_in, "says": said}
    )  # fmt: skip
    return code


def _found(groups: list[DivergenceGroup], prefix: str) -> DivergenceGroup:
    """Return the one group whose fingerprint begins with *prefix*; what no rule covers first, and of several versions the newest."""
    if len(prefix) < _LEAST:
        raise BadInput("FINGERPRINT", found=repr(prefix), wanted=f"{_LEAST} digits of it at least, as oms report shows")
    matching = [group for group in groups if group.fingerprint.startswith(prefix.lower())]
    names = sorted({group.fingerprint for group in matching})
    if not names:
        near = difflib.get_close_matches(prefix, [group.fingerprint for group in groups], n=1)
        mend = f"did you mean {near[0]}?" if near else "oms report lists them"
        raise BadInput("FINGERPRINT", found=repr(prefix), wanted="one that the journal holds", mend=mend)
    if len(names) > 1:
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        raise BadInput("FINGERPRINT", found=f"{prefix!r}, with which {len(names)} begin ({shown})", wanted="more of it")
    return min(matching, key=lambda group: (group.known is not None, -group.last_seen))


def _folder(given: Path | None, phase: str) -> Path:
    if given is not None:
        return given
    folder = Path("tests") / "contract" / phase
    if not folder.is_dir():
        raise BadInput(
            str(folder), found="no folder", wanted="the contract of the phase",
            mend="run it where the repository begins, or name one with --out",
        )  # fmt: skip
    return folder


def _write(path: Path, source: str) -> None:
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
    except OSError as error:
        raise CouldNot(f"{path.parent}: found {error.strerror or error}, wanted a folder for the test") from error
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(source)
    except FileExistsError:
        raise PinRefused(
            f"{path}: found a file, wanted none; it is pinned already: run it, or delete it first"
        ) from None
    except OSError as error:
        raise CouldNot(f"{path}: found {error.strerror or error}, wanted a folder that can be written") from error


def _tried(path: Path, mend: Side) -> tuple[Exit, str]:
    """Run the test; return the exit code, and what came of it in words."""
    again = f"pytest {path}"
    if importlib.util.find_spec("pytest") is None:
        return Exit.NOT_YET, f"not run, for there is no pytest here: {again}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIME_LIMIT_S, check=False)
    except (subprocess.TimeoutExpired, OSError) as error:
        return Exit.NOT_YET, f"not run to its end ({type(error).__name__}): {again}"
    if done.returncode == 0:
        return Exit.NOT_YET, f"it is green: these stand-ins do not show the difference; fill in, then {again}"
    if done.returncode == 1 and f"{mend.value} has to change" in done.stdout:
        return Exit.GOOD, f"it is red, for {mend.value} has to change: {again}"
    return Exit.NOT_YET, f"it fails for another reason than the divergence: {again}"
