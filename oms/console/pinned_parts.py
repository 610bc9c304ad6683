"""The parts that every pinned test is written from: its head, its arguments, its quotes."""

from __future__ import annotations

import keyword
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from oms.console.numbers import utc
from oms.console.stand_ins import Source, source_of
from oms.domain.errors import PinRefused
from oms.domain.phase import Operation
from oms.journal.entries import DivergenceGroup

_WIDTH = 118


def about(group: DivergenceGroup) -> str:
    """Return the docstring of its module."""
    kind = group.kind.replace("_", " ")
    times = "once" if group.count == 1 else f"{group.count:,} times"
    rule = f" The rule {group.known} accepts it." if group.known else ""
    what = (
        f" at {group.path}" if group.is_replayed else f", {group.types[0]} from legacy, {group.types[1]} from unified"
    )
    return (
        f"{group.phase}.{group.seam}.{group.operation}: {kind}{what}.\n\n"
        f"Seen {times} at {', '.join(group.stages)}, last {utc(group.last_seen)}.{rule}"
        f" Made by ``{shlex.join(['oms', 'pin', group.fingerprint])}``. It is red while the sides differ there; once it is green,"
        " state the promise in the contract of the phase and delete this file."
    )


def head(
    group: DivergenceGroup, values: Mapping[str, tuple[Source, str]], *, constant: str, kit: Iterable[str], promise: str
) -> Iterator[str]:
    """Yield its lines down to the first one of the test: *kit* is what it takes from ``oms.testing``, *promise* what the test states."""
    modules = sorted({module for source, _ in values.values() for module in source.modules})
    yield from docstring(about(group), "")
    yield ""
    yield "from __future__ import annotations"
    yield ""
    yield from (f"import {module}" for module in modules)
    yield "from collections.abc import Callable"
    yield "from typing import Any"
    yield ""
    yield "from oms.domain.phase import Seam"
    yield "from oms.domain.stage import Side"
    yield f"from oms.seams.{group.phase} import {constant}"
    yield f"from oms.testing import {', '.join(kit)}"
    yield ""
    yield ""
    yield f"def test_{group.operation}_{group.fingerprint}(both_sides: Callable[[Seam[Any, Any]], BothSides]) -> None:"
    yield f'    """{promise}"""'
    yield f"    both = both_sides({constant})"


def source_for(group: DivergenceGroup, what: str, described: Mapping[str, object]) -> Source:
    """Return the source of a value that a sample describes.

    Raises:
        PinRefused: if nothing can stand for it.
    """
    found = source_of(described)
    if found is None:
        raise PinRefused(
            f"{group.fingerprint}: found {what} of type {described.get('type')}, for which nothing can stand,"
            " wanted one of Python's own; write the case by hand"
        )
    return found


def given(
    operation: Operation, values: Mapping[str, tuple[Source, str]], described: Mapping[str, object], *, is_write: bool
) -> list[str]:
    """Return the parameters of *operation* that are given, in its order."""
    parameters = operation.signature.parameters.values()
    return [
        one.name
        for one in parameters
        if one.name in values and (one.name in described or (is_write and one.default is one.empty))
    ]


def call_text(operation: Operation, given: list[str], called: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the arguments of a call through ``BothSides``; *called* are variables that are not called as their parameter."""
    arguments = "".join(f", {name}={called.get(name, variable(name))}" for name in given)
    return f'"{operation.name}"{arguments}'


def variable(name: str) -> str:
    """Return what the variable for a parameter called *name* is called."""
    return f"{name}_" if name in ("both", "both_sides", "asked", "script") or keyword.iskeyword(name) else name


def quoted(text: str) -> str:
    """Return *text* as source, with double quotes where they will do."""
    plain = ascii(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in plain else plain


def docstring(text: str, indent: str) -> Iterator[str]:
    """Yield *text* as a docstring, which nothing in it can end."""
    safe = text.replace("\\", "/").replace('"""', "'''").encode("ascii", "replace").decode()
    paragraphs = [textwrap.wrap(one, _WIDTH, break_long_words=False) for one in safe.split("\n\n")]
    lines = [line for paragraph in paragraphs for line in (*paragraph, "")][:-1]
    lines[0] = f'"""{lines[0]}'
    yield from (f"{indent}{line}" if line else "" for line in lines)
    yield f'{indent}"""'
