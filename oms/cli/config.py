"""``oms config explain``: where a setting comes from, who owns it, who reads it; never the value of a secret."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from oms.cli.exits import Exit
from oms.cli.output import Output
from oms.domain.errors import BadInput

_EXAMPLES = """\
examples:
  oms config explain IAM_TIMEOUT
  oms config explain JWT_SECRET --json

exit code 78 if what is set is not fit, 2 if nobody declares the name
"""


def add(commands: Any, folders: argparse.ArgumentParser) -> None:
    """Add the family."""
    usage = "oms config explain NAME [--json]"
    family = commands.add_parser("config", help="look into the configuration", usage=usage, epilog=_EXAMPLES)
    family.set_defaults(parser=family)
    explain = family.add_subparsers(prog="oms config", metavar="COMMAND", dest="config_command").add_parser(
        "explain", help="where a setting comes from and who reads it", usage=usage, epilog=_EXAMPLES
    )
    explain.add_argument("name", metavar="NAME", help="a variable, such as JWT_SECRET; older names are known too")
    explain.add_argument("--json", action="store_true", help="print one JSON object")
    explain.set_defaults(run=_explain, parser=explain)


def _explain(arguments: argparse.Namespace, out: Output) -> int:
    from oms.seams.config import sites
    from oms.unified.config import UnknownVariable, unified_env

    try:
        found = unified_env.explain(arguments.name)
    except UnknownVariable as error:
        raise BadInput(
            "NAME", found=repr(arguments.name), wanted="a variable that is declared", mend=_near(str(error))
        ) from None
    places = [(name, site) for name in (found.name, *found.aliases) for site in sorted(sites().get(name, ()))]
    readers = tuple(site if name == found.name else f"{site} (as {name})" for name, site in places)
    found = replace(found, readers=readers)
    if not out.as_json:
        out.stdout.writelines(f"{line}\n" for line in found.lines())
    out.result({"schema": 1, **found.as_json()})
    return Exit.CONFIGURATION if found.problems else Exit.GOOD


def _near(message: str) -> str:
    """Return the end of the registry's own message that names a near word, empty without one."""
    return message.partition("; ")[2]
