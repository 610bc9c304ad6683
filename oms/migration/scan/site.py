"""One place in a file that reaches the environment, by the form it takes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from oms.migration.scan.references import Reference
from oms.migration.scan.scope_map import ScopeMap
from oms.migration.scan.scopes import Alias


class Form(Enum):
    """What a site does, as far as a rewrite is concerned."""

    GET = "get"
    ITEM = "item"
    CONTAINS = "contains"
    WRITE = "write"
    DELETE = "delete"
    ITERATE = "iterate"
    SNAPSHOT = "snapshot"
    VALUE = "value"
    ESCAPE = "escape"
    STAR = "star"
    IMPORT = "import"
    FIELD = "field"


WRITES = frozenset({Form.WRITE, Form.DELETE})
READS = frozenset({Form.GET, Form.ITEM, Form.CONTAINS})


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One access.

    Attributes:
        node: The whole access: the call, the subscript, the comparison, or the bare reference.
        idiom: Its spelling in terms of `os`: ``os.getenv``, ``os.environ[]``, ``in os.environ`` ...
        form: What it does.
        variable: The variable's name, None if the text does not say.
        key: The expression of the name, if there is one.
        default: The expression of the default, if there is one.
        reference: The member of `os` in it; None for a field of a settings class.
    """

    node: ast.expr | ast.stmt
    idiom: str
    form: Form
    variable: str | None = None
    key: ast.expr | None = None
    default: ast.expr | None = None
    reference: Reference | None = None


# Methods of os.environ: form, and whether the first argument is the name.
_METHODS: Mapping[str, Form] = {
    "get": Form.GET,
    "__getitem__": Form.GET,
    "__contains__": Form.GET,
    "setdefault": Form.WRITE,
    "__setitem__": Form.WRITE,
    "update": Form.WRITE,
    "clear": Form.WRITE,
    "pop": Form.DELETE,
    "popitem": Form.DELETE,
    "__delitem__": Form.DELETE,
    "copy": Form.SNAPSHOT,
    "keys": Form.ITERATE,
    "values": Form.ITERATE,
    "items": Form.ITERATE,
}
_KEYED = frozenset({"get", "__getitem__", "__contains__", "setdefault", "__setitem__", "pop", "__delitem__"})
_COPYING = frozenset({"dict", "copy", "deepcopy", "ChainMap", "OrderedDict"})
_ITERATING = frozenset({"list", "tuple", "set", "frozenset", "sorted", "iter", "len", "any", "all", "max", "min"})


def site_of(reference: Reference, scopes: ScopeMap) -> Site:
    """Return the access that *reference* is part of; each reference is part of exactly one."""
    above = scopes.parents.get(reference.node)
    if reference.member.startswith("environ"):
        return _of_mapping(reference, above, scopes)
    idiom = f"os.{reference.member}"
    if not (isinstance(above, ast.Call) and above.func is reference.node):
        return Site(reference.node, f"{idiom} (as a value)", Form.VALUE, reference=reference)
    form = {"putenv": Form.WRITE, "unsetenv": Form.DELETE}.get(reference.member, Form.GET)
    return _call(above, idiom, form, reference, keyed=True)


def _of_mapping(reference: Reference, above: ast.AST | None, scopes: ScopeMap) -> Site:
    node, idiom = reference.node, f"os.{reference.member}"
    if isinstance(above, ast.Attribute):
        return _method(reference, above, scopes)
    if isinstance(above, ast.Subscript) and above.value is node:
        return _item(reference, above, scopes)
    if isinstance(above, ast.Compare) and _contains(above, node):
        return _keyed(Site(above, f"in {idiom}", Form.CONTAINS, key=above.left, reference=reference))
    if isinstance(above, ast.AugAssign) and above.target is node:
        return Site(above, f"{idiom} |=", Form.WRITE, reference=reference)
    form, word = _whole(node, above)
    return Site(node, f"{idiom} ({word})", form, reference=reference)


def _method(reference: Reference, attribute: ast.Attribute, scopes: ScopeMap) -> Site:
    idiom = f"os.{reference.member}.{attribute.attr}"
    call = scopes.parents.get(attribute)
    if not (isinstance(call, ast.Call) and call.func is attribute):
        form = _METHODS.get(attribute.attr, Form.ESCAPE)
        form = Form.VALUE if form is Form.GET else form
        return Site(attribute, f"{idiom} (as a value)", form, reference=reference)
    form = _METHODS.get(attribute.attr, Form.ESCAPE)
    return _call(call, idiom, form, reference, keyed=attribute.attr in _KEYED)


def _item(reference: Reference, item: ast.Subscript, scopes: ScopeMap) -> Site:
    idiom, form = f"os.{reference.member}[]", Form.ITEM
    above = scopes.parents.get(item)
    if isinstance(item.ctx, ast.Store):
        idiom, form = f"{idiom} =", Form.WRITE
        if isinstance(above, ast.AugAssign):
            idiom = f"os.{reference.member}[] +="
    elif isinstance(item.ctx, ast.Del):
        idiom, form = f"del {idiom}", Form.DELETE
    return _keyed(Site(item, idiom, form, key=item.slice, reference=reference))


def _call(call: ast.Call, idiom: str, form: Form, reference: Reference, *, keyed: bool) -> Site:
    if not keyed:
        return Site(call, idiom, form, reference=reference)
    named = {each.arg: each.value for each in call.keywords}
    key = call.args[0] if call.args else named.get("key")
    default = call.args[1] if len(call.args) > 1 else named.get("default")
    if form is not Form.GET and not idiom.endswith((".setdefault", ".pop")):
        default = None
    return _keyed(Site(call, idiom, form, key=key, default=default, reference=reference))


def _keyed(site: Site) -> Site:
    assert site.reference is not None
    variable = _text(site.key, site.reference)
    return Site(site.node, site.idiom, site.form, variable, site.key, site.default, site.reference)


def _text(key: ast.expr | None, reference: Reference) -> str | None:
    """Return the name that *key* stands for: a literal, or a name that is bound once, to a literal."""
    if isinstance(key, ast.Name):
        found = reference.scope.find(key.id)
        bindings = found[1] if found else []
        only = bindings[0] if len(bindings) == 1 else None
        key = only.value if isinstance(only, Alias) and not only.parameter else None
    value = key.value if isinstance(key, ast.Constant) else None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else None


def _contains(compare: ast.Compare, node: ast.expr) -> bool:
    return len(compare.ops) == 1 and isinstance(compare.ops[0], (ast.In, ast.NotIn)) and compare.comparators[0] is node


def _whole(node: ast.expr, above: ast.AST | None) -> tuple[Form, str]:
    """Return what happens to the whole mapping when it stands alone."""
    copied, iterated = (Form.SNAPSHOT, "copied"), (Form.ITERATE, "iterated")
    called = ""
    if isinstance(above, ast.Call) and node in above.args:
        called = getattr(above.func, "id", getattr(above.func, "attr", ""))
    outcomes = {
        copied: isinstance(above, (ast.Dict, ast.BinOp)) or _unpacked(above) or called in _COPYING,
        iterated: isinstance(above, (ast.For, ast.AsyncFor, ast.comprehension, ast.Starred, ast.YieldFrom))
        or called in _ITERATING,
    }
    return next((outcome for outcome, so in outcomes.items() if so), (Form.ESCAPE, "passed on"))


def _unpacked(above: ast.AST | None) -> bool:
    return isinstance(above, ast.keyword) and above.arg is None


def imported_sites(scopes: ScopeMap, members: frozenset[str]) -> Iterator[Site]:
    """Yield the imports that are accesses themselves: ``from os import *``, and a member that is imported but not used in the file."""
    loaded = {name.id for name, _scope in scopes.loads}
    for node in scopes.from_imports:
        if node.module != "os" or node.level:
            continue
        for name in node.names:
            if name.name == "*":
                yield Site(node, "from os import *", Form.STAR)
            elif name.name in members and (name.asname or name.name) not in loaded:
                yield Site(node, f"from os import {name.name} (not used here)", Form.IMPORT)
