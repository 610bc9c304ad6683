"""Expressions around a moved read that can stand alone: closed, they need nothing of the program they come from."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from oms.migration.rewrite.rewriting import Rewritten
from oms.migration.scan.site import Form, Site

_Read = Callable[[ast.AST, Site], ast.expr]
BUILTINS: Mapping[str, Callable[..., Any]] = {
    each.__name__: each for each in (int, float, bool, str, len, list, tuple, set, frozenset, sorted, repr, any, all)
}
# Methods of text, and of the lists it splits into, that end by themselves and change nothing.
_CHANGES = {
    "lower",
    "upper",
    "casefold",
    "title",
    "capitalize",
    "strip",
    "lstrip",
    "rstrip",
    "replace",
    "removeprefix",
    "removesuffix",
}
_PARTS = {"split", "rsplit", "splitlines", "partition", "rpartition", "encode"}
_QUESTIONS = {"startswith", "endswith", "isdigit", "isnumeric", "count", "find"}
_DISPLAYS = (ast.Tuple, ast.List, ast.Set)
_METHODS = frozenset(_CHANGES | _PARTS | _QUESTIONS)


class Closing:
    """Which expressions of a file can stand alone, and what they are when they do."""

    def __init__(self, rewritten: Rewritten) -> None:
        self._sites: Mapping[ast.AST, Site] = {move.site.node: move.site for move in rewritten.moves}
        self._places = rewritten.places
        self._parents = rewritten.scanned.scopes.parents
        self._bound = rewritten.scanned.scopes.bound

    def roots(self) -> list[ast.expr]:
        """Return the widest closed expression around each read, each once, without those inside another."""
        wide = {id(root): root for root in (self._widest(node) for node in self._sites)}
        inner = {id(each) for root in wide.values() for each in ast.walk(root) if each is not root}
        return [root for key, root in wide.items() if key not in inner]

    def variables(self, root: ast.expr) -> list[str]:
        """Return the names of the variables that *root* reads."""
        names = {self._sites[node].variable for node in ast.walk(root) if node in self._sites}
        return sorted(name for name in names if name is not None)

    def closed_before(self, root: ast.expr) -> ast.expr:
        """Return *root* as it was, with `os` under that name whatever the file calls it."""
        return self._copy(root, self._read_before)

    def closed_after(self, root: ast.expr) -> ast.expr:
        """Return *root* as it stands in the rewritten file."""
        return self._copy(root, self._read_after)

    def _widest(self, node: ast.AST) -> ast.expr:
        above = self._parents.get(node)
        # A display is no conversion: each of its items is a case of its own.
        while isinstance(above, ast.expr) and not isinstance(above, _DISPLAYS) and self._closed(above):
            node, above = above, self._parents.get(above)
        assert isinstance(node, ast.expr)
        return node

    def _closed(self, node: ast.AST) -> bool:
        """Return whether *node* calls nothing but what Python itself brings, and names nothing of the program."""
        if node in self._sites or isinstance(
            node, (ast.Constant, ast.expr_context, ast.boolop, ast.unaryop, ast.cmpop)
        ):
            return True
        if isinstance(node, ast.Call):
            return self._callable(node.func) and all(map(self._closed, node.args)) and not node.keywords
        if isinstance(node, ast.BinOp):
            arithmetic = isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv))
            return arithmetic and self._closed(node.left) and self._closed(node.right)
        plain = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.IfExp, *_DISPLAYS)
        return isinstance(node, plain) and all(map(self._closed, ast.iter_child_nodes(node)))

    def _callable(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Name):
            return function.id in BUILTINS and function.id not in self._bound
        return isinstance(function, ast.Attribute) and function.attr in _METHODS and self._closed(function.value)

    def _copy(self, node: ast.AST, read: _Read) -> ast.expr:
        if node in self._sites:
            return read(node, self._sites[node])
        copy: Any = type(node)()
        for name, value in ast.iter_fields(node):
            setattr(copy, name, self._copied(value, read))
        result: ast.expr = copy
        return result

    def _copied(self, value: object, read: _Read) -> object:
        if isinstance(value, list):
            return [self._copied(each, read) for each in value]
        return self._copy(value, read) if isinstance(value, ast.AST) else value

    def _default(self, site: Site, read: _Read) -> list[ast.expr]:
        if site.default is None:
            return []
        closed = self._closed(site.default)
        return [self._copy(site.default, read) if closed else ast.Constant(f"stand-in {ast.dump(site.default)}")]

    def _read_before(self, node: ast.AST, site: Site) -> ast.expr:
        name = ast.Constant(site.variable)
        environ = ast.Attribute(ast.Name("os", ast.Load()), "environ", ast.Load())
        if isinstance(node, ast.Compare):
            return ast.Compare(name, node.ops, [environ])
        if site.form is Form.ITEM:
            return ast.Subscript(environ, name, ast.Load())
        function = ast.Attribute(environ, "get", ast.Load())
        if site.idiom == "os.getenv":
            function = ast.Attribute(ast.Name("os", ast.Load()), "getenv", ast.Load())
        return ast.Call(function, [name, *self._default(site, self._read_before)], [])

    def _read_after(self, _node: ast.AST, site: Site) -> ast.expr:
        new = self._places[site.node]
        negated = isinstance(new, ast.UnaryOp)
        call = new.operand if isinstance(new, ast.UnaryOp) else new
        assert isinstance(call, ast.Call)
        read = ast.Call(call.func, [ast.Constant(site.variable), *self._default(site, self._read_after)], [])
        return ast.UnaryOp(ast.Not(), read) if negated else read
