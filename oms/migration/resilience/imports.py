"""The imports of a file whose legacy names move: each statement keeps what is still used and brings what is new."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from oms.migration.rewrite.edits import Edit
from oms.migration.scan.source import Spans, parse_text

_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, eq=False)
class ImportChange:
    """What becomes of one statement.

    Attributes:
        edit: The bytes.
        node: The statement.
        expected: The statements that must then stand in its place, none if it goes.
    """

    edit: Edit
    node: ast.ImportFrom
    expected: tuple[ast.stmt, ...]


class OddLayout(Exception):
    """The statement cannot be replaced without touching something else."""


def change_import(
    node: ast.ImportFrom, spans: Spans, *, gone: Collection[str], new: Iterable[str], target: str
) -> ImportChange:
    """Return what becomes of *node* when the names *gone* leave it and the names *new* come from *target*.

    Raises:
        OddLayout: if a comment or another statement is in the way.
    """
    kept = [each for each in node.names if each.name not in gone or each.asname is not None]
    names = sorted(new)
    lines = [_kept(node, kept, spans)] if kept else []
    if names:
        lines.append(f"from {target} import {', '.join(names)}")
    start, end = spans.start(node), spans.end(node)
    if b"#" in spans.data[start:end]:
        raise OddLayout
    line_start = spans.line_start(node.lineno)
    before = spans.data[line_start:start]
    rest_end = spans.line_start((node.end_lineno or node.lineno) + 1)
    after = spans.data[end:rest_end]
    alone = not before.strip()
    if len(lines) != 1 and not (alone and (not after.strip() or after.lstrip().startswith(b"#"))):
        raise OddLayout
    if not lines:
        # A comment behind it stays, on the line that it has to itself now.
        comment = end + len(after) - len(after.lstrip())
        gone_edit = Edit(start, comment, b"") if after.strip() else Edit(line_start, rest_end, b"")
        return ImportChange(gone_edit, node, ())
    between = line_end(spans) + before
    text = between.join(line.encode() for line in lines)
    return ImportChange(Edit(start, end, text), node, tuple(parse_text("\n".join(lines)).body))


def line_end(spans: Spans) -> bytes:
    """Return what ends the lines of the file."""
    found = _LINE_END.search(spans.data)
    return found.group() if found else b"\n"


def _kept(node: ast.ImportFrom, kept: list[ast.alias], spans: Spans) -> str:
    if len(kept) == len(node.names):
        return spans.text(node)
    module = "." * node.level + (node.module or "")
    names = (each.name if each.asname is None else f"{each.name} as {each.asname}" for each in kept)
    return f"from {module} import {', '.join(names)}"


def first_places(wanted: Mapping[ast.ImportFrom, set[str]]) -> dict[ast.ImportFrom, set[str]]:
    """Return *wanted* with each name once at the top of the file, at the first statement that wants it; in functions as it is."""
    seen: set[str] = set()
    result: dict[ast.ImportFrom, set[str]] = {}
    for node in sorted(wanted, key=lambda each: each.lineno):
        result[node] = wanted[node] if node.col_offset else wanted[node] - seen
        if not node.col_offset:
            seen |= wanted[node]
    return result
