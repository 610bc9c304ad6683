"""Variables that different places read in different ways."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from oms.migration.scan.scanning import Access
from oms.migration.scan.site import READS, Form

_TYPED = frozenset({"int", "float", "bool", "list", "json"})


@dataclass(frozen=True, slots=True)
class Reading:
    """One place of a conflict.

    Attributes:
        value: What stands there: the default, the type or the vocabulary.
    """

    file: str
    line: int
    column: int
    value: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A variable whose readers do not agree. It can be meant: the tool reports it and changes nothing.

    Attributes:
        variable: Its name.
        kind: ``default``, ``type`` or ``vocabulary``.
        sites: Every place that takes part, by file and line.
        secret: The values are literals of a secret: show where, not what.
    """

    variable: str
    kind: str
    sites: tuple[Reading, ...]
    secret: bool


def conflicts_of(accesses: Iterable[Access]) -> tuple[Conflict, ...]:
    """Return the conflicts among *accesses*, by variable and kind.

    A place without a default takes no part in a conflict of defaults: it is mostly a test of presence. Text takes no part in a conflict of
    types.
    """
    by_variable: dict[str, list[Access]] = defaultdict(list)
    for access in accesses:
        if access.variable is not None and access.form in {*READS, Form.FIELD}:
            by_variable[access.variable].append(access)
    kinds: dict[str, Callable[[Access], str | None]] = {"default": _default, "type": _type, "vocabulary": _vocabulary}
    found = [
        _conflict(variable, kind, read, value)
        for variable, read in sorted(by_variable.items())
        for kind, value in kinds.items()
    ]
    return tuple(conflict for conflict in found if conflict is not None)


def _conflict(
    variable: str, kind: str, accesses: list[Access], value: Callable[[Access], str | None]
) -> Conflict | None:
    readings = [
        Reading(each.file, each.line, each.column, shown) for each in accesses if (shown := value(each)) is not None
    ]
    if len({_plain(reading.value) if kind == "default" else reading.value for reading in readings}) < 2:
        return None
    return Conflict(variable, kind, tuple(readings), accesses[0].secret and kind == "default")


def _default(access: Access) -> str | None:
    return access.default if access.default not in {None, "None"} else access.conversion.instead


def _type(access: Access) -> str | None:
    return access.conversion.kind if access.conversion.kind in _TYPED else None


def _vocabulary(access: Access) -> str | None:
    return access.conversion.vocabulary


def _plain(default: str) -> str:
    """Return a default so that ``"10"``, ``'10'`` and ``10`` are one; an expression stays as it is written."""
    try:
        return f"literal {ast.literal_eval(default)}"
    except (ValueError, SyntaxError):
        return " ".join(default.split())
