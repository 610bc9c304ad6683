"""``oms report``: what the shadow found."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oms.cli.context import folders_of, wants_colour
from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.cli.parsing import phase_name
from oms.domain.errors import CouldNot

if TYPE_CHECKING:
    from oms.console.report import ReportData
    from oms.journal.reader import JournalReader

_FORMATS = ("text", "json", "html")
_EXAMPLES = """\
examples:
  oms report cache
  oms report --format html --out report.html

exit code 0 if every phase in it is clean, 1 if one was not compared yet, 3 if one diverges
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report",
        help="what the shadow found",
        epilog=_EXAMPLES,
        parents=[folders],
        usage="oms report [PHASE] [--format text|json|html] [--out FILE]",
    )
    parser.add_argument("phase", metavar="PHASE", nargs="?", type=phase_name, help="only this one")
    parser.add_argument(
        "--format", metavar="FORMAT", choices=_FORMATS, default="text", help="text, json or html (default text)"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="where to write it (default: stdout)")
    parser.set_defaults(run=_report, parser=parser)


def html_report(journal: JournalReader) -> str:
    """Return the report over everything in *journal* as one HTML page."""
    return rendered(data_of(journal, command=f"oms report --var {shlex.quote(str(journal.path.parent))}"), "html")


def data_of(journal: JournalReader, *, command: str, phase: str | None = None) -> ReportData:
    """Return what *journal* says, as of now."""
    import time

    from oms.console.report import build_report

    return build_report(journal, phase=phase, made_at=time.time(), command=command)


def rendered(data: ReportData, form: str, *, colour: bool = False) -> str:
    """Return *data* in the format *form*.

    Raises:
        CouldNot: if the packages for that format are not installed.
    """
    if form == "json":
        from oms.console.report_json import render_json

        return render_json(data)
    if form == "text":
        from oms.console.report_text import render_text

        return render_text(data, colour=colour)
    try:
        from oms.console.report_html import render_html
    except ModuleNotFoundError as error:
        raise CouldNot(
            f"report: found no package {error.name}, wanted it for HTML; pip install 'oms[report]'"
        ) from error
    return render_html(data)


def _report(arguments: argparse.Namespace, out: Output) -> int:
    from oms.journal.reader import JournalReader

    folders = folders_of(arguments)
    command = shlex.join(["oms", "report", *([arguments.phase] if arguments.phase else []), "--var", str(folders.var)])
    with JournalReader(folders.var / "journal.db") as journal:
        data = data_of(journal, command=command, phase=arguments.phase)
    text = rendered(data, arguments.format, colour=arguments.out is None and wants_colour(out.stdout))
    if arguments.out is None:
        out.stdout.write(text if text.endswith("\n") else f"{text}\n")
    else:
        _write(arguments.out, text)
        out.stderr.write(f"report: {arguments.out}\n")
    return _code(data)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CouldNot(f"{path}: {error.strerror}, wanted a file for the report") from error


def _code(data: ReportData) -> Exit:
    from oms.console.report import Finding

    findings = {phase.finding for phase in data.phases} or {Finding.NOT_COMPARED}
    if Finding.DIVERGES in findings:
        return Exit.REFUSED
    return Exit.NOT_YET if Finding.NOT_COMPARED in findings else Exit.GOOD
