"""Proof that a rewritten file is the same program but for what was moved: it compiles, and both trees are walked in step."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from oms.migration.scan.source import parse_text

Expected = Mapping[ast.AST, ast.AST | Sequence[ast.stmt]]
"""For a node of the file as it was, what must stand in its place: a node, or for a statement any number of them."""


def compiled(text: str, file: str) -> ast.Module | None:
    """Return the tree of *text*, None unless it compiles."""
    try:
        tree = parse_text(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tree, file, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree


def in_step(before: ast.AST, after: ast.AST, expected: Expected) -> dict[ast.AST, ast.AST] | None:
    """Return for each key of *expected* that became one node the node that stands in its place in *after*; None if anything else differs.

    Positions do not count. A node of *before* that is a key of *expected* is compared by its value instead.
    """
    places: dict[ast.AST, ast.AST] = {}
    several = {node: list(found) for node, found in expected.items() if not isinstance(found, ast.AST)}
    todo: list[tuple[Any, Any]] = [(before, after)]
    while todo:
        old, new = todo.pop()
        if isinstance(old, ast.AST):
            if old in expected:
                places[old] = new
                old = expected[old]
            if type(old) is not type(new):
                return None
            todo += [(getattr(old, name, None), getattr(new, name, None)) for name in old._fields]
        elif isinstance(old, list):
            if not several.keys().isdisjoint(old):
                old = [part for each in old for part in several.get(each, [each])]
            if not isinstance(new, list) or len(old) != len(new):
                return None
            todo += zip(old, new, strict=True)
        elif type(old) is not type(new) or repr(old) != repr(new):
            return None
    return places
