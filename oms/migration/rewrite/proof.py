"""Proof that a rewritten file is the same program but for the moved reads: both trees, walked in step."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any


def in_step(before: ast.AST, after: ast.AST, expected: Mapping[ast.AST, ast.AST]) -> dict[ast.AST, ast.AST] | None:
    """Return for each key of *expected* the node that stands in its place in *after*; None if anything else differs.

    Positions do not count. A node of *before* that is a key of *expected* is compared by its value instead.
    """
    places: dict[ast.AST, ast.AST] = {}
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
            if not isinstance(new, list) or len(old) != len(new):
                return None
            todo += zip(old, new, strict=True)
        elif type(old) is not type(new) or repr(old) != repr(new):
            return None
    return places
