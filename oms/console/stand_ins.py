"""Source text for values that a sample does not show: of the same type and length, and marked as such."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

_BY_TYPE = {
    "NoneType": "None",
    "bool": "True",
    "int": "1",
    "float": "1.5",
    "complex": "1j",
    "str": '"x" * {length}',
    "bytes": 'b"x" * {length}',
    "list": "[1] * {length}",
    "tuple": "(1,) * {length}",
    "dict": '{{f"k{{place}}": place for place in range({length})}}',
    "set": "set(range({length}))",
    "frozenset": "frozenset(range({length}))",
    "date": "datetime.date(2025, 7, 2)",
    "datetime": "datetime.datetime(2025, 7, 2, 12, tzinfo=datetime.UTC)",
    "timedelta": "datetime.timedelta(seconds=90)",
    "Decimal": 'decimal.Decimal("1.5")',
    "UUID": "uuid.UUID(int=1)",
}
_KNOWN_WHOLE = ("NoneType",)
_MODULE = re.compile(r"^\{?(datetime|decimal|uuid)\.")
_TIMEDELTA = re.compile(r"datetime\.timedelta\((?:(?:days|seconds|microseconds)=-?\d+(?:, )?)*\)")


@dataclass(frozen=True, slots=True)
class Source:
    """A value as Python source.

    Attributes:
        text: One expression.
        stands_for: What a reader is to fill in, ``str of length 18, hash 5f0c2a1b9d3e4f60``; empty if *text* is the value itself.
    """

    text: str
    stands_for: str = ""

    @property
    def modules(self) -> frozenset[str]:
        """The modules of the standard library that it names."""
        return frozenset(_MODULE.findall(self.text))


def source_of(described: Mapping[str, object]) -> Source | None:
    """Return the value that a sample describes if it is shown and can be written down, else one that stands for it.

    None where nothing can: a type of somebody else's.
    """
    if (shown := _literal(described.get("value"))) is not None:
        return Source(shown)
    kind = str(described.get("type"))
    if kind not in _BY_TYPE:
        return None
    length = described.get("length", 0)
    text = _BY_TYPE[kind].format(length=length if isinstance(length, int) else 0)
    if kind in _KNOWN_WHOLE:
        return Source(text)
    parts = [f"{kind} of length {length}" if "length" in described else kind]
    if described.get("hash"):
        parts.append(f"hash {described['hash']}")
    return Source(text, ", ".join(parts))


def _literal(text: object) -> str | None:
    """Return *text* if it is the whole source of a literal or of a timedelta; a text that was cut is none."""
    if not isinstance(text, str):
        return None
    if _TIMEDELTA.fullmatch(text):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return _double_quoted(value) if isinstance(value, str) else text


def _double_quoted(text: str) -> str:
    quoted = ascii(text)
    return quoted if '"' in quoted or quoted.startswith('"') else f'"{quoted[1:-1]}"'.replace("\\'", "'")
