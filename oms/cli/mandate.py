"""Who asks for something, and why: what the audit will say."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from oms.cli.output import one_line
from oms.domain.errors import BadInput

if TYPE_CHECKING:
    from oms.rollout.switchboard import Mandate

_WHY_LIMIT = 1000


def mandate_of(arguments: argparse.Namespace, option: str, text: str | None, *, needed: bool = True) -> Mandate:
    """Return the mandate of a command; *text* is the reason that was given with *option*.

    Raises:
        BadInput: if there is none although it is *needed*, or it is too long.
    """
    from oms.rollout.switchboard import Mandate

    why = one_line(text or "")
    if needed and not why:
        raise BadInput(option, found="no reason", wanted=arguments.parser.wanted)
    if len(why) > _WHY_LIMIT:
        raise BadInput(option, found=f"{len(why)} characters", wanted=f"at most {_WHY_LIMIT}")
    who = one_line(arguments.who or "") or _login()
    return Mandate(who=who, why=why or "not given", force=getattr(arguments, "force", False))


def _login() -> str:
    import getpass
    import os

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
