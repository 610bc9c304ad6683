"""Reading arguments so that whatever is wrong is said on one line: found, wanted, the nearest valid word."""

from __future__ import annotations

import argparse
import difflib
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from oms.domain.errors import BadInput

WIDTH = 98
_ABOUT_ARGUMENT = re.compile(r"argument (?P<name>[^:]+): (?P<rest>.*)", re.DOTALL)
_REQUIRED = re.compile(r"the following arguments are required: (?P<names>.*)", re.DOTALL)


class Format(argparse.RawDescriptionHelpFormatter):
    """Help of at most 100 columns, with examples left as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=WIDTH)


class Parser(argparse.ArgumentParser):
    """A parser that raises ``BadInput`` where argparse would print its usage and leave."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, "formatter_class": Format, **kwargs})

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found as one line."""
        if missing := _REQUIRED.fullmatch(message):
            raise BadInput(self.prog, found=f"no {missing['names']}", wanted=self.wanted)
        about = _ABOUT_ARGUMENT.fullmatch(message)
        where, what = (f"{self.prog} {about['name']}", about["rest"]) if about else (self.prog, message)
        raise BadInput(where, found=f"a mistake ({what})", wanted=self.wanted)

    @property
    def wanted(self) -> str:
        """The command as it is to be typed, on one line."""
        return " ".join((self.usage or f"{self.prog} ...").split())

    def options(self) -> list[str]:
        """Return every option this command takes, long ones only."""
        return [name for name in self._option_string_actions if name.startswith("--")]

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            name = action.option_strings[-1] if action.option_strings else action.metavar or action.dest
            where = f"{self.prog} {name}"
            raise unknown_word(where, str(value), [str(choice) for choice in action.choices])


def unknown_word(where: str, found: str, known: Iterable[str]) -> BadInput:
    """Return the error for a word that is none of *known*, with the nearest one."""
    words = list(known)
    near = difflib.get_close_matches(found, words, n=1)
    mend = f"did you mean {near[0]}?" if near else ""
    return BadInput(where, found=repr(found), wanted=f"one of {' '.join(words)}", mend=mend)


def unknown_arguments(parser: Parser, rest: list[str]) -> BadInput:
    """Return the error for arguments that *parser* does not take."""
    option = next((word for word in rest if word.startswith("-")), None)
    if option is None:
        return BadInput(parser.prog, found=f"{rest[0]!r} too much", wanted=parser.wanted)
    name = option.partition("=")[0]
    if name in parser.options():
        return BadInput(parser.prog, found=f"{name} before the command", wanted=parser.wanted)
    return unknown_word(parser.prog, name, parser.options())


def phase_name(text: str) -> str:
    """Read a PHASE."""
    from oms.seams import PHASES

    if text not in PHASES:
        raise unknown_word("PHASE", text, PHASES)
    return text


def seconds(text: str) -> float:
    """Read a number of seconds: 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise BadInput("SECONDS", found=repr(text), wanted="a number of seconds, 0 or more, as in 2.5")
    return value


def whole_number(name: str, *, least: int, most: int) -> Any:
    """Return a reader of whole numbers from *least* to *most*."""

    def read(text: str) -> int:
        value = int(text) if re.fullmatch(r"\d{1,12}", text) else least - 1
        if not least <= value <= most:
            raise BadInput(name, found=repr(text), wanted=f"a whole number from {least} to {most}")
        return value

    return read
