"""Which expressions of a file are members of `os` that reach the environment, under whatever name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from oms.migration.scan.scope_map import ScopeMap
from oms.migration.scan.scopes import Alias, Binding, Import, Scope

MEMBERS = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})
_IMPORTERS = frozenset({"importlib", "importlib.import_module"})
# What is asked by a name as text.
_ASKING = frozenset({"__import__", "import_module", "getattr"})
_DEPTH = 8


class Via(Enum):
    """How a name came to mean a member of `os`."""

    IMPORT = "import"
    STAR = "star-import"
    ALIAS = "alias"
    PARAMETER = "parameter default"
    DYNAMIC = "dynamic import"


@dataclass(frozen=True, slots=True)
class Target:
    """What an expression means.

    Attributes:
        dotted: ``os`` or ``os.environ``, say.
        via: The least direct step on the way there.
        certain: No other binding of the same name means something else.
    """

    dotted: str
    via: Via
    certain: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """One expression that is a member of `os`.

    Attributes:
        node: The whole of it: ``os.environ``, or ``environ`` after a from-import.
        member: ``environ``, ``getenv`` ...
        target: How it got its meaning.
        scope: Where it stands.
    """

    node: ast.expr
    member: str
    target: Target
    scope: Scope


class Resolver:
    """Says what names and expressions of one file mean."""

    def __init__(self, scopes: ScopeMap) -> None:
        self._scopes = scopes
        # By identity of the list of bindings: every load of one name in one scope asks for the same list.
        self._known: dict[int, Target | None] = {}

    def references(self) -> Iterator[Reference]:
        """Yield every reference of the file, in no particular order."""
        names = self._names()
        for name, scope in self._scopes.loads:
            if name.id in names:
                yield from self._reference(name, scope, self.name(name.id, scope))
        for call, scope in self._scopes.calls:
            if _last(call.func) in names:
                yield from self._reference(call, scope, self._call(call, scope, 0))

    def _names(self) -> set[str]:
        """Return every name that may mean something of `os` in some scope: most names do not, and need no look at their scope."""
        names = {*MEMBERS, *_ASKING}
        rest = dict(self._scopes.bound)
        found = {
            name
            for name, bindings in rest.items()
            if any(isinstance(each, Import) and _is_known(each) for each in bindings)
        }
        while found:
            names |= found
            rest = {name: bindings for name, bindings in rest.items() if name not in found}
            found = {
                name
                for name, bindings in rest.items()
                if any(isinstance(each, Alias) and _last(each.value) in names for each in bindings)
            }
        return names

    def _reference(self, node: ast.expr, scope: Scope, target: Target | None) -> Iterator[Reference]:
        if target is None:
            return
        module, _, member = target.dotted.partition(".")
        above = self._scopes.parents.get(node)
        if module == "os" and member:
            yield Reference(node, member, target, scope)
        elif module == "os" and isinstance(above, ast.Attribute) and above.attr in MEMBERS:
            yield Reference(above, above.attr, target, scope)

    def name(self, name: str, scope: Scope, depth: int = 0) -> Target | None:
        """Return what *name* means in *scope*, None if nothing of `os`."""
        found = scope.find(name)
        if found is None:
            starred = name in MEMBERS and ("os" in scope.starred or "os" in scope.module.starred)
            return Target(f"os.{name}", Via.STAR) if starred else None
        home, bindings = found
        key = id(bindings)
        if key not in self._known:
            self._known[key] = None  # a name bound to itself means nothing
            self._known[key] = _together([self._bound(each, home, depth) for each in bindings])
        return self._known[key]

    def expression(self, node: ast.expr, scope: Scope, depth: int = 0) -> Target | None:
        """Return what *node* means in *scope*, None if nothing of `os`."""
        if depth > _DEPTH:
            return None
        if isinstance(node, ast.Name):
            return self.name(node.id, scope, depth)
        if isinstance(node, ast.Attribute):
            base = self.expression(node.value, scope, depth + 1)
            return _member(base, node.attr) if base is not None else None
        if isinstance(node, ast.Call):
            return self._call(node, scope, depth)
        return None

    def _bound(self, binding: Binding, home: Scope, depth: int) -> Target | None:
        if isinstance(binding, Import):
            return Target(binding.dotted, Via.IMPORT) if _is_known(binding) else None
        if isinstance(binding, Alias):
            scope = home.parent if binding.parameter and home.parent else home
            target = self.expression(binding.value, scope, depth + 1)
            return target and replace(target, via=Via.PARAMETER if binding.parameter else Via.ALIAS)
        return None

    def _call(self, node: ast.Call, scope: Scope, depth: int) -> Target | None:
        """Return the meaning of ``__import__("os")``, ``importlib.import_module("os")`` and ``getattr(os, "environ")``."""
        words = [each.value if isinstance(each, ast.Constant) else None for each in node.args]
        called = node.func.id if isinstance(node.func, ast.Name) and scope.find(node.func.id) is None else ""
        if called == "getattr" and len(words) > 1 and words[1] in MEMBERS:
            base = self.expression(node.args[0], scope, depth + 1)
            return Target(f"os.{words[1]}", Via.DYNAMIC) if base is not None and base.dotted == "os" else None
        if words[:1] != ["os"]:
            return None
        importer = called == "__import__" or self._imports(node.func, scope, depth)
        return Target("os", Via.DYNAMIC) if importer else None

    def _imports(self, node: ast.expr, scope: Scope, depth: int) -> bool:
        target = self.expression(node, scope, depth + 1)
        return target is not None and target.dotted == "importlib.import_module"


def _last(node: ast.expr) -> str:
    """Return the name that decides what *node* may mean: the attribute, what is called, or the name itself."""
    while isinstance(node, ast.Call):
        node = node.func
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_known(binding: Import) -> bool:
    return binding.dotted == "os" or binding.dotted in _IMPORTERS or _is_member(binding.dotted)


def _is_member(dotted: str) -> bool:
    return dotted.startswith("os.") and dotted[3:] in MEMBERS


def _member(base: Target, attribute: str) -> Target | None:
    dotted = f"{base.dotted}.{attribute}"
    return replace(base, dotted=dotted) if _is_member(dotted) or dotted in _IMPORTERS else None


def _together(targets: list[Target | None]) -> Target | None:
    """Return the one meaning of several bindings, uncertain where they do not agree."""
    first = next((each for each in targets if each is not None), None)
    if first is None:
        return None
    agreed = all(each is not None and each.dotted == first.dotted and each.certain for each in targets)
    return first if agreed else replace(first, certain=False)
