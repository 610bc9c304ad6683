"""``oms env``: move a code base's environment reads onto `unified_env`, and keep new ones out."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oms.cli.codemod import (
    add_options,
    add_path,
    module_name,
    print_lines,
    print_text,
    show_diff,
    tell_written,
    write_plan,
)
from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.cli.parsing import Parser
from oms.domain.errors import BadInput, CouldNot, OmsError

if TYPE_CHECKING:
    from oms.migration.gate.baseline import Baseline
    from oms.migration.gate.judging import Judgement

_ANALYZE = """\
examples:
  oms env analyze src
  oms env analyze src --json | jq '.conflicts[].variable'
"""
_MIGRATE = """\
examples:
  oms env migrate src                      what would change, and why the rest would not
  oms env migrate src --file src/app.py --diff
  oms env migrate src --write              change it, evaluated before and after

exit code 3 if the work tree is dirty or an expression differs, 4 if a file could not be written
"""
_GATE = """\
examples:
  oms env gate src --baseline env-baseline.json --update     the first baseline, then every smaller one
  oms env gate src --baseline env-baseline.json
  oms env gate src --baseline env-baseline.json --format github

exit code 0 if nothing is new, 1 if something is, 2 for bad input and for files that do not parse
"""
_VALIDATE = """\
exit code 78 if the configuration is invalid; every problem is named, no value is shown
"""
_FORMATS = ("text", "github", "sarif", "json")


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the family."""
    usage = "oms env analyze|migrate|validate|gate ..."
    family = commands.add_parser(
        "env", help="look after a code base's environment reads", parents=[folders], usage=usage
    )
    family.set_defaults(parser=family)
    add_commands(family.add_subparsers(prog="oms env", metavar="COMMAND", dest="env_command"), folders)


def add_commands(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the commands of the family."""
    _add_analyze(commands, folders)
    _add_migrate(commands, folders)
    _add_validate(commands, folders)
    _add_gate(commands, folders)


def _add_analyze(commands: Any, folders: argparse.ArgumentParser) -> None:
    parser: Parser = commands.add_parser(
        "analyze",
        help="every access, and where readers do not agree",
        parents=[folders],
        usage="oms env analyze [PATH] [--json | --markdown | --sarif] [--exclude PATTERN]",
        epilog=_ANALYZE,
    )
    add_path(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print it for a pull request")
    form.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0 for code scanning")
    parser.set_defaults(run=_analyze, parser=parser)


def _add_migrate(commands: Any, folders: argparse.ArgumentParser) -> None:
    parser: Parser = commands.add_parser(
        "migrate",
        help="move reads onto unified_env; a dry run unless --write",
        parents=[folders],
        usage="oms env migrate [PATH] [--file FILE] [--write] [--verify] [--diff] [--json] ...",
        epilog=_MIGRATE,
    )
    add_path(parser)
    add_options(parser, moves="reads", suspect="reads that look like a defect too, as they are")
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="evaluate each moved expression before and after (default with --write)",
    )
    parser.add_argument(
        "--target", metavar="MODULE", help="where unified_env is imported from (default oms.unified.config)"
    )
    parser.set_defaults(run=_migrate, parser=parser)


def _add_validate(commands: Any, folders: argparse.ArgumentParser) -> None:
    parser: Parser = commands.add_parser(
        "validate",
        help="validate the configuration as at start-up",
        parents=[folders],
        usage="oms env validate [--json]",
        epilog=_VALIDATE,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_validate, parser=parser)


def _add_gate(commands: Any, folders: argparse.ArgumentParser) -> None:
    parser: Parser = commands.add_parser(
        "gate",
        help="fail on accesses that the baseline does not know",
        parents=[folders],
        usage="oms env gate [PATH] --baseline FILE [--format text|github|sarif|json] [--update] ...",
        epilog=_GATE,
    )
    add_path(parser)
    parser.add_argument(
        "--baseline", metavar="FILE", type=Path, required=True, help="what is known; a file in the repository"
    )
    parser.add_argument(
        "--format", metavar="FORMAT", choices=_FORMATS, default="text", help="text, github, sarif or json"
    )
    for form in _FORMATS[1:]:
        parser.add_argument(
            f"--{form}", action="store_const", const=form, dest="format", help=f"the same as --format {form}"
        )
    parser.add_argument("--update", action="store_true", help="make the baseline the present code; it may only shrink")
    parser.add_argument("--allow-increase", action="store_true", help="with --update: let it grow; needs --reason")
    parser.add_argument("--reason", metavar="TEXT", help="why it grows; kept in the baseline")
    parser.add_argument("--strict", action="store_true", help="fail as well if the baseline could shrink")
    parser.set_defaults(run=_gate, parser=parser)


def _analyze(arguments: argparse.Namespace, out: Output) -> int:
    from oms.migration.analysis import report
    from oms.migration.analysis.analysis import analyze

    analysis = analyze(arguments.path, exclude=arguments.exclude)
    if arguments.json:
        out.result(report.as_json(analysis))
    elif arguments.sarif:
        print_text(out, json.dumps(report.as_sarif(analysis, _base(arguments.path))))
    else:
        print_text(out, report.as_markdown(analysis) if arguments.markdown else report.as_text(analysis))
    return Exit.GOOD


def _migrate(arguments: argparse.Namespace, out: Output) -> int:
    from oms.migration.rewrite import report
    from oms.migration.rewrite.migration import plan_migration
    from oms.migration.rewrite.rewriting import TARGET, Options

    target = module_name("--target", arguments.target or TARGET, example=TARGET)
    options = Options(target, include_tests=arguments.include_tests, suspect=arguments.suspect)
    verified = arguments.write if arguments.verify is None else arguments.verify
    plan = plan_migration(arguments.path, options, only=arguments.file, exclude=arguments.exclude, verified=verified)
    show_diff(plan, arguments, out)
    written, code = write_plan(plan, arguments, out)
    if not arguments.json:
        print_lines(out, report.as_text(plan))
    out.result(report.as_json(plan, written))
    tell_written(written, arguments, out)
    if code is Exit.GOOD and plan.verified is not None and plan.verified.differences:
        return Exit.REFUSED
    return code


def _validate(arguments: argparse.Namespace, out: Output) -> int:
    config = import_module("oms.unified.config")
    try:
        config.validate()
    except (BadInput, CouldNot):
        raise
    except OmsError as error:
        problems = [line.strip() for line in str(error).splitlines()]
        for problem in problems:
            out.warn(problem)
        out.result({"schema": 1, "valid": False, "problems": problems})
        return Exit.CONFIGURATION
    out.line("the configuration is valid")
    out.result({"schema": 1, "valid": True, "problems": []})
    return Exit.GOOD


def _gate(arguments: argparse.Namespace, out: Output) -> int:
    from oms.migration.analysis.analysis import analyze
    from oms.migration.gate.baseline import Baseline, read_baseline
    from oms.migration.gate.judging import judge

    first = arguments.update and not arguments.baseline.exists()
    baseline = Baseline() if first else read_baseline(arguments.baseline)
    analysis = analyze(arguments.path, exclude=arguments.exclude)
    if not analysis.files:
        raise BadInput(str(arguments.path), found="no Python file", wanted="the code that the baseline is about")
    judgement = judge(analysis, baseline)
    if arguments.update:
        return _update(arguments, out, baseline, judgement, first=first)
    _print_judgement(arguments, out, judgement)
    if judgement.unparsed:
        return Exit.BAD_INPUT
    worse = judgement.worse or (arguments.strict and judgement.can_shrink)
    return Exit.NOT_YET if worse else Exit.GOOD


def _update(
    arguments: argparse.Namespace, out: Output, baseline: Baseline, judgement: Judgement, *, first: bool
) -> int:
    from oms.migration.gate.baseline import write_baseline
    from oms.migration.gate.judging import updated

    grows = not first and bool(judgement.worse or judgement.unparsed)
    if arguments.allow_increase and not arguments.reason:
        raise BadInput("--allow-increase", found="no --reason", wanted="one sentence, which the baseline keeps")
    if grows and not arguments.allow_increase:
        _print_judgement(arguments, out, judgement)
        out.warn(
            f"{arguments.baseline}: found more than it knows, wanted less or the same; --allow-increase --reason lets it grow"
        )
        return Exit.NOT_YET
    write_baseline(arguments.baseline, updated(baseline, judgement, arguments.reason if grows else None))
    out.line(f"{arguments.baseline}: {sum(judgement.counts.values())} accesses known")
    return Exit.GOOD


def _print_judgement(arguments: argparse.Namespace, out: Output, judgement: Judgement) -> None:
    from oms.migration.gate import report

    base = _base(arguments.path)
    if arguments.format == "json":
        out.result(report.as_json(judgement))
    elif arguments.format == "sarif":
        print_text(out, json.dumps(report.as_sarif(judgement, base)))
    else:
        lines = report.as_github(judgement, base) if arguments.format == "github" else report.as_text(judgement, base)
        print_text(out, "\n".join(lines))


def _base(path: Path) -> str:
    """Return what goes before a reported path, so that it is relative to the folder the command was started in."""
    folder = path if path.is_dir() else path.parent
    here = Path.cwd().resolve()
    inside = folder.resolve().is_relative_to(here)
    shown = folder.resolve().relative_to(here).as_posix() if inside else folder.as_posix()
    return "" if shown == "." else f"{shown}/"
