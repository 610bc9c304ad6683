"""What one moved read becomes: the bytes to replace, and the expression that must then stand there."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from oms.migration.rewrite.edits import Edit
from oms.migration.scan.scope_map import ScopeMap
from oms.migration.scan.site import Form, Site
from oms.migration.scan.source import Spans

NAME = "unified_env"
_OPENING = re.compile(rb"[ \t\r\n]*\[")
_COMPARED = re.compile(rb"[ \t]+(not[ \t]+)?in[ \t]+[\w.]+")


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """One read that moves.

    Attributes:
        site: The read.
        edits: Its edits, apart from those of other reads inside it.
        expected: The expression that must stand in its place; parts that do not change are the same nodes.
    """

    site: Site
    edits: tuple[Edit, ...]
    expected: ast.expr


def move_of(site: Site, spans: Spans, scopes: ScopeMap) -> Move | None:
    """Return how *site* moves, None if its layout does not allow to replace it without touching anything else."""
    if not _spans_are_right(site.node, spans, scopes):
        return None
    if site.form is Form.GET and isinstance(site.node, ast.Call):
        return _call(site, site.node, spans)
    if site.form is Form.ITEM and isinstance(site.node, ast.Subscript):
        return _item(site, site.node, spans)
    if site.form is Form.CONTAINS and isinstance(site.node, ast.Compare):
        return _contains(site, site.node, spans)
    return None


def _call(site: Site, node: ast.Call, spans: Spans) -> Move | None:
    if not _on_one_line(spans.text(node.func)):
        return None
    edit = Edit(spans.start(node.func), spans.end(node.func), f"{NAME}.getenv".encode())
    return Move(site, (edit,), ast.Call(func=_method("getenv"), args=node.args, keywords=node.keywords))


def _item(site: Site, node: ast.Subscript, spans: Spans) -> Move | None:
    opening = _OPENING.fullmatch(spans.data[spans.end(node.value) : spans.start(node.slice)].rstrip(b" \t\r\n"))
    if opening is None or not _on_one_line(spans.text(node.value)):
        return None
    bracket = spans.end(node.value) + opening.end()
    edits = (
        Edit(spans.start(node.value), spans.end(node.value), f"{NAME}.require".encode()),
        Edit(bracket - 1, bracket, b"("),
        Edit(spans.end(node) - 1, spans.end(node), b")"),
    )
    return Move(site, edits, ast.Call(func=_method("require"), args=[node.slice], keywords=[]))


def _contains(site: Site, node: ast.Compare, spans: Spans) -> Move | None:
    middle = spans.data[spans.end(node.left) : spans.end(node)]
    if spans.start(node) != spans.start(node.left) or _COMPARED.fullmatch(middle) is None:
        return None
    negated = isinstance(node.ops[0], ast.NotIn)
    call: ast.expr = ast.Call(func=_method("contains"), args=[node.left], keywords=[])
    edits = (
        Edit(spans.start(node), spans.start(node), (b"not " if negated else b"") + f"{NAME}.contains(".encode()),
        Edit(spans.end(node.left), spans.end(node), b")"),
    )
    return Move(site, edits, ast.UnaryOp(op=ast.Not(), operand=call) if negated else call)


def _method(name: str) -> ast.Attribute:
    return ast.Attribute(value=ast.Name(id=NAME, ctx=ast.Load()), attr=name, ctx=ast.Load())


def _on_one_line(text: str) -> bool:
    return "\n" not in text and "\r" not in text and "#" not in text


def _spans_are_right(node: ast.AST, spans: Spans, scopes: ScopeMap) -> bool:
    """Return whether the bytes that the parser names for *node* are its bytes. Inside f-strings they may not be, before Python 3.12."""
    above: ast.AST | None = node
    while isinstance(above, ast.expr) and not isinstance(above, ast.JoinedStr):
        above = scopes.parents.get(above)
    if not isinstance(above, (ast.JoinedStr, ast.FormattedValue)) or not isinstance(node, ast.expr):
        return True
    try:
        alone = ast.parse(f"({spans.text(node)})", mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return ast.dump(alone) == ast.dump(node)
