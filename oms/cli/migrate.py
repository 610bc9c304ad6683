"""``oms migrate``: move a code base's own use of a legacy family onto the unified one."""

from __future__ import annotations

import argparse
from typing import Any

from oms.cli.codemod import (
    add_options,
    add_path,
    module_name,
    print_lines,
    show_diff,
    tell_written,
    write_plan,
)
from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.cli.parsing import Parser
from oms.domain.errors import BadInput

_RESILIENCE = """\
examples:
  oms migrate resilience src                 what would change, with the behaviour before and after
  oms migrate resilience src --file src/client.py --diff
  oms migrate resilience src --write         change it; the last line takes it back
  oms migrate resilience src --check         exit code 1 if something would change, for CI
  oms migrate resilience src --to shared.resilience --from shared.retries

exit code 0 if all is well, 1 with --check if something would change, 2 for bad input, 3 if the work
tree is dirty, 4 if a file could not be written
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the family."""
    usage = "oms migrate resilience ..."
    family = commands.add_parser(
        "migrate",
        help="move a code base's retries onto the unified ones",
        parents=[folders],
        usage=usage,
        epilog=_RESILIENCE,
    )
    family.set_defaults(parser=family)
    _add_resilience(family.add_subparsers(prog="oms migrate", metavar="COMMAND", dest="migrate_command"), folders)


def _add_resilience(commands: Any, folders: argparse.ArgumentParser) -> None:
    parser: Parser = commands.add_parser(
        "resilience",
        help="retries: retry_with_backoff, with_retry of retry_strategy, RetryExecutor; a dry run unless --write",
        parents=[folders],
        usage="oms migrate resilience [PATH] [--to MODULE] [--write | --check] [--diff] [--json] ...",
        epilog=_RESILIENCE,
    )
    add_path(parser)
    add_options(parser, moves="retries", suspect="what looks like a mistake too: errors named Exception")
    parser.add_argument("--check", action="store_true", help="exit 1 if something would change; write nothing")
    parser.add_argument(
        "--to", metavar="MODULE", help="where the unified names come from (default oms.unified.resilience)"
    )
    parser.add_argument(
        "--from",
        metavar="MODULE",
        dest="more",
        action="append",
        default=[],
        help="legacy's names come from here too, beside utils.retry_strategy and middleware.common; may come again",
    )
    parser.set_defaults(run=_resilience, parser=parser)


def _resilience(arguments: argparse.Namespace, out: Output) -> int:
    from oms.migration.resilience import report
    from oms.migration.resilience.migration import plan_migration
    from oms.migration.resilience.rewriting import TARGET, Options
    from oms.migration.resilience.terms import Unified
    from oms.unified.resilience.policies import RETRIED_STATUS, RETRY_POLICIES

    if arguments.check and arguments.write:
        raise BadInput("--check", found="--write beside it", wanted="one of them")
    options = Options(
        Unified(RETRY_POLICIES, RETRIED_STATUS),
        module_name("--to", arguments.to or TARGET, example=TARGET),
        tuple(module_name("--from", each, example="shared.retries") for each in arguments.more),
        include_tests=arguments.include_tests,
        suspect=arguments.suspect,
    )
    plan = plan_migration(arguments.path, options, only=arguments.file, exclude=arguments.exclude)
    show_diff(plan, arguments, out)
    written, code = write_plan(plan, arguments, out)
    if not arguments.json:
        print_lines(out, report.as_text(plan))
    out.result(report.as_json(plan, written))
    tell_written(written, arguments, out)
    return Exit.NOT_YET if arguments.check and plan.changed else code
