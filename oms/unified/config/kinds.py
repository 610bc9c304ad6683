"""From the text of an environment variable to its value: one vocabulary for all."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from oms.seams.config import Secret
from oms.unified.config.profile import Profile, profile_named
from oms.unified.config.variables import Variable

TRUE = frozenset({"true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off"})
"""Words for yes and no, in any letter case. Any other word is a problem, not a no."""

LEVELS: Mapping[str, str] = {
    "TRACE": "DEBUG", "DEBUG": "DEBUG", "INFO": "INFO", "WARN": "WARNING", "WARNING": "WARNING", "ERROR": "ERROR", "FATAL": "CRITICAL",
    "CRITICAL": "CRITICAL",
}  # fmt: skip


class Level(str):
    """A level of logging, in upper case."""

    __slots__ = ()


class LogFormat(str):
    """``text`` or ``json``."""

    __slots__ = ()


class Lower(str):
    """A word in lower case."""

    __slots__ = ()


class Unfit(ValueError):
    """A text that is no value of its variable. Says what was found and what is wanted, never the text."""

    def __init__(self, found: str, wanted: str) -> None:
        super().__init__(f"found {found}, wanted {wanted}")
        self.found, self.wanted = found, wanted


def value_of(variable: Variable, kind: Any, text: str) -> Any:
    """Return the value of *text* for *variable*, declared with the type *kind*.

    Raises:
        Unfit: if it is none.
    """
    if variable.is_security:
        return _secret(variable, text)
    return _PARSERS[base_of(kind)](text)


def base_of(kind: Any) -> Any:
    """Return the type without ``| None`` and without what it contains: ``tuple`` of ``tuple[str, ...]``."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        kind = next(each for each in typing.get_args(kind) if each is not type(None))
    return typing.get_origin(kind) or kind


def is_declarable(kind: Any) -> bool:
    """Tell whether a variable may have this type."""
    return base_of(kind) in _PARSERS or base_of(kind) is Secret


def _secret(variable: Variable, text: str) -> Secret:
    if not text.strip():
        raise Unfit("blanks only" if text else "an empty text", variable.wanted)
    for check in variable.checks:
        if found := check(text):
            raise Unfit(found, variable.wanted)
    return Secret(text)


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise Unfit("another word", "true, 1, yes, on, or false, 0, no, off")
    return word in TRUE


def _number(kind: Callable[[str], Any], wanted: str) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            # Outside of the handler: the error that Python raises quotes the text.
            found = "something else"
        raise Unfit(found, wanted)

    return parse


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for each in text.split(",") if (word := each.strip()))


def _one_of(known: Mapping[str, str], wanted: str, kind: type[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        found = known.get(text.strip().upper())
        if found is None:
            raise Unfit("another word", wanted)
        return kind(found)

    return parse


def _profile(text: str) -> Profile:
    found = profile_named(text)
    if found is None:
        raise Unfit("another word", "production, staging, development or test")
    return found


_PARSERS: Mapping[Any, Callable[[str], Any]] = {
    str: str,
    bool: _truth,
    int: _number(int, "a whole number"),
    float: _number(float, "a number"),
    tuple: _words,
    Lower: lambda text: Lower(text.lower()),
    Level: _one_of(LEVELS, "DEBUG, INFO, WARNING, ERROR or CRITICAL", Level),
    LogFormat: _one_of({"TEXT": "text", "JSON": "json"}, "text or json", LogFormat),
    Profile: _profile,
}
