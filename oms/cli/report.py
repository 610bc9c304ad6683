"""``oms report``: what the shadow found, and whether it is enough."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oms.cli.context import folders_of, wants_colour
from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.cli.parsing import phase_name
from oms.domain.errors import BadInput, CouldNot

if TYPE_CHECKING:
    from oms.console.report import Demands, ReportData
    from oms.journal.reader import JournalReader

_FORMATS = ("text", "json", "html", "markdown")
_STDOUT = "-"
_EXAMPLES = """\
examples:
  oms report cache
  oms report --html report.html
  oms report cache --markdown - --since 2026-03-02T03:00Z
  oms report --var out/rehearsal/var --flags out/rehearsal/flags --profile rehearsal

--html, --markdown and --json may stand together; with none of them text goes to stdout

exit code 0 if every operation is READY, 1 if one is NOT YET, 3 if one says NO
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report",
        help="what the shadow found, and whether it is enough",
        epilog=_EXAMPLES,
        parents=[folders],
        usage="oms report [PHASE] [--html F] [--markdown F] [--json] [--since T] [--profile P]\n"
        "                  [--format F] [--out F]",
    )
    parser.add_argument("phase", metavar="PHASE", nargs="?", type=phase_name, help="only this one")
    parser.add_argument("--html", metavar="F", help="file to write a page to, - for stdout")
    parser.add_argument("--markdown", metavar="F", help="file to write Markdown for a pull request to, - for stdout")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--since", metavar="T", type=_time, help="a time; leave out what is older: 2026-03-02T03:00Z")
    parser.add_argument("--profile", metavar="P", help="judge by this profile of rollout.toml")
    parser.add_argument(
        "--format", metavar="F", choices=_FORMATS, default="text", help=f"of --out or stdout: {', '.join(_FORMATS)}"
    )
    parser.add_argument("--out", metavar="F", help="file to write it to in that format (default: stdout)")
    parser.set_defaults(run=_report, parser=parser)


def html_report(journal: JournalReader, *, flags: Path, profile: str) -> str:
    """Return the report over everything in *journal* as one HTML page, judged by *profile* of the policy in the folder *flags*."""
    command = shlex.join(
        ["oms", "report", "--var", str(journal.path.parent), "--flags", str(flags), "--profile", profile]
    )
    return rendered(data_of(journal, command=command, demands=demands_of(flags, profile=profile)), "html")


def data_of(
    journal: JournalReader,
    *,
    command: str,
    demands: Demands,
    phase: str | None = None,
    since: float | None = None,
) -> ReportData:
    """Return what *journal* says, as of now."""
    import time

    from oms.console.report import build_report

    return build_report(
        journal,
        demands=demands,
        bound=bound_operations(),
        phase=phase,
        since=since,
        made_at=time.time(),
        command=command,
    )


def demands_of(
    flags: Path, *, profile: str | None = None, warn: Callable[[str], None] = lambda problem: None
) -> Demands:
    """Return what the policy in the folder *flags* wants of each phase, under *profile*; its defaults where it is missing or broken.

    Args:
        warn: Told of what is wrong with the policy.

    Raises:
        BadInput: if there is no such *profile*.
    """
    from oms.console.report import Wanted
    from oms.rollout.guard.policy_file import FILE, read_policy
    from oms.seams import PHASES

    policy, is_there = read_policy(flags / FILE, PHASES, profile=profile), (flags / FILE).exists()
    for problem in policy.problems:
        if problem.path == f"profile.{profile}" or (profile is not None and not is_there):
            raise problem
        if is_there:
            warn(f"{problem}; the report goes by the defaults there")
    standings = policy.phases

    def wanted(phase: str) -> Wanted:
        it = standings[phase].policy
        return Wanted(
            demand=it.ready,
            waived=it.waived,
            unseen_holds=it.unseen_holds,
            cap_per_request=it.cap_per_request,
            quiet_s=it.step_at(0).min_time_s,
        )

    return wanted


def bound_operations() -> dict[str, list[str]]:
    """Return by phase the full name of each operation that the service hands out."""
    from oms.wiring import BOUND_SEAMS

    found: dict[str, list[str]] = {}
    for seam in BOUND_SEAMS:
        names = [f"{seam.full_name}.{name}" for name in seam.operations() if hasattr(seam.port, name)]
        found.setdefault(seam.phase.name, []).extend(names)
    return found


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
    if form == "markdown":
        from oms.console.report_markdown import render_markdown

        return render_markdown(data)
    try:
        from oms.console.report_html import render_html
    except ModuleNotFoundError as error:
        raise CouldNot(
            f"report: found no package {error.name}, wanted it for HTML; pip install 'oms[report]'"
        ) from error
    return render_html(data)


def _report(arguments: argparse.Namespace, out: Output) -> int:
    from oms.journal.reader import JournalReader

    wanted = _wanted(arguments)
    folders = folders_of(arguments)
    words = ["oms", "report", *([arguments.phase] if arguments.phase else [])]
    words += ["--var", str(folders.var), "--flags", str(folders.flags)]
    if arguments.since is not None:
        words += ["--since", f"{arguments.since:.0f}"]
    if arguments.profile is not None:
        words += ["--profile", arguments.profile]
    with JournalReader(folders.var / "journal.db") as journal:
        data = data_of(
            journal,
            command=shlex.join(words),
            demands=demands_of(folders.flags, profile=arguments.profile, warn=out.warn),
            phase=arguments.phase,
            since=arguments.since,
        )
    for form, target in wanted:
        text = rendered(data, form, colour=target == _STDOUT and wants_colour(out.stdout))
        if target == _STDOUT:
            out.stdout.write(text if text.endswith("\n") else f"{text}\n")
        else:
            _write(Path(target), text)
            out.stderr.write(f"report: {target}\n")
    return _code(data)


def _wanted(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """Return each format with where it goes; text to stdout unless something else was asked for.

    Raises:
        BadInput: if two of them go to stdout.
    """
    wanted = [(form, target) for form in ("html", "markdown") if (target := getattr(arguments, form)) is not None]
    if arguments.out is not None or arguments.format != "text":
        wanted.append((arguments.format, arguments.out or _STDOUT))
    if arguments.json:
        wanted.append(("json", _STDOUT))
    to_stdout = [form for form, target in wanted if target == _STDOUT]
    if len(to_stdout) > 1:
        raise BadInput(
            "oms report", found=f"{' and '.join(to_stdout)} for stdout", wanted="one of them; give FILE for the rest"
        )
    return wanted or [("text", _STDOUT)]


def _time(text: str) -> float:
    """Read a TIME: ISO 8601, UTC unless it says otherwise, or seconds since 1970."""
    import datetime as dt

    try:
        found = dt.datetime.fromisoformat(text)
        at = (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()
    except ValueError:
        at = float(text) if text.isascii() and text.isdigit() else -1.0
    if at < 0:
        raise BadInput("--since", found=repr(text), wanted="a time such as 2026-03-02T03:00Z")
    return at


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CouldNot(f"{path}: {error.strerror}, wanted a file for the report") from error


def _code(data: ReportData) -> Exit:
    from oms.domain.readiness import Readiness

    return {Readiness.NO: Exit.REFUSED, Readiness.NOT_YET: Exit.NOT_YET, Readiness.READY: Exit.GOOD}[data.readiness]
