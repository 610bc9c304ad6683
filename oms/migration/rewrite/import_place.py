"""Where ``from ... import unified_env`` goes in a file."""

from __future__ import annotations

import ast
import re

from oms.migration.rewrite.edits import Edit
from oms.migration.rewrite.moves import NAME
from oms.migration.scan.source import Spans

_LINE_END = re.compile(rb"\r\n|\r|\n")


def import_edit(tree: ast.Module, spans: Spans, target: str) -> Edit:
    """Return the edit that imports `unified_env` from *target*.

    It goes after the first block of imports, but after every statement that changes ``sys.path``: what comes before such a statement may not
    find the package. In a file without imports it goes before the first statement that is neither docstring nor ``from __future__``.
    """
    position = _position(tree)
    after = tree.body[position - 1] if position else None
    before = tree.body[position] if position < len(tree.body) else None
    line = f"from {target} import {NAME}".encode()
    if after is None or (before is not None and _first_line(before) <= (after.end_lineno or 0)):
        return _line_before(tree, position, spans, line)
    start = spans.line_start((after.end_lineno or 0) + 1)
    ends = _LINE_END.findall(spans.data[spans.end(after) : start])
    # A file that ends without a line end, right after its imports, gets one.
    return Edit(start, start, line + ends[-1] if ends else b"\n" + line)


def is_import(node: ast.stmt, target: str) -> bool:
    """Return whether *node* imports `unified_env` from *target* under that name."""
    if not isinstance(node, ast.ImportFrom) or node.level or node.module != target:
        return False
    return any(name.name == NAME and name.asname in {None, NAME} for name in node.names)


def _position(tree: ast.Module) -> int:
    """Return the index of the statement before which the import is to stand."""
    body = tree.body
    position = 0
    while position < len(body) and (_is_docstring(body[position], position) or _is_future(body[position])):
        position += 1
    while position < len(body) and isinstance(body[position], (ast.Import, ast.ImportFrom)):
        position += 1
    paths = [index for index, node in enumerate(body) if _changes_path(node)]
    return max([position, *(index + 1 for index in paths)])


def _line_before(tree: ast.Module, position: int, spans: Spans, line: bytes) -> Edit:
    """Return the edit that puts *line* on a line of its own before statement *position* and all that share its line."""
    while position and _first_line(tree.body[position]) <= (tree.body[position - 1].end_lineno or 0):
        position -= 1
    start = spans.line_start(_first_line(tree.body[position]))
    end = _LINE_END.search(spans.data)
    return Edit(start, start, line + (end.group() if end else b"\n"))


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _is_docstring(node: ast.stmt, position: int) -> bool:
    return (
        position == 0
        and isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _changes_path(node: ast.stmt) -> bool:
    """Return whether *node*, when the module is imported, may change where modules are found."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
        return False
    dotted = {
        ast.unparse(each)
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute) and each.attr in {"path", "addsitedir"}
    }
    return not dotted.isdisjoint({"sys.path", "site.addsitedir"})
