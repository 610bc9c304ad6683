"""What a file does with legacy retries: each use of a legacy name is part of one site, which moves or is left."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from oms.migration.resilience.origins import DECORATORS, PRESET_NAMES, Origins, is_library, module_imports
from oms.migration.resilience.reading import (
    NameOf,
    Told,
    Unreadable,
    arguments,
    plain,
    preset,
    read_backoff,
    read_config,
    read_strategy,
)
from oms.migration.scan.scope_map import ScopeMap
from oms.migration.scan.scopes import Alias, Import, Kind, Scope
from oms.migration.scan.source import Spans

_LEADING = DECORATORS | {"RetryExecutor", "RetryConfig"}
"""Names whose use can be a site of its own; of the others what moves is part of one of these."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One site.

    Attributes:
        node: What would be replaced, or what is left.
        name: Legacy's name for it.
        reason: Why it is left, a key of ``REASONS``; None if it can move.
        where: The function that is decorated, or the name that is assigned.
        told: What it was told, if that could be read.
        uses: The names of legacy that are part of it.
        constant: The name of the module's own constant that holds its configuration, or that this site assigns.
        methods: Of an executor, its calls of ``execute``.
        is_plain: Whether what it decorates is certainly no async function.
    """

    node: ast.expr | ast.stmt
    name: str
    reason: str | None = None
    where: str = ""
    told: Told | None = None
    uses: frozenset[ast.Name] = frozenset()
    constant: str | None = None
    methods: tuple[ast.Attribute, ...] = ()
    is_plain: bool = False


class Finder:
    """Finds the sites of one file.

    Args:
        origins: Which modules are legacy's.
        target: Where the unified names come from.
    """

    def __init__(self, tree: ast.Module, scopes: ScopeMap, spans: Spans, origins: Origins, target: str) -> None:
        self._tree, self._scopes, self._spans = tree, scopes, spans
        self._origins, self._target = origins, target
        self._meaning: dict[ast.Name, str] = {}

    def sites(self) -> list[Site]:
        """Return every site in source order."""
        loads = [(node, scope) for node, scope in self._scopes.loads if scope.find(node.id) or node.id in DECORATORS]
        unsure: list[Site] = []
        for node, scope in loads:
            name, reason = self._means(node, scope)
            if reason is not None:
                unsure.append(Site(node, name, reason))
            elif name:
                self._meaning[node] = name
        found = [*unsure, *self._imports(), *self._libraries()]
        taken: set[ast.AST] = set()
        for node, scope in sorted(loads, key=lambda each: self._spans.start(each[0])):
            # Outer ones first: what is part of a decorator is no site of its own.
            if node in self._meaning and node not in taken and self._meaning[node] in _LEADING:
                site = self._site(node, scope)
                taken |= site.uses
                found.append(site)
        rest = (node for node in self._meaning if node not in taken)
        found += [self._rest(node) for node in rest]
        return sorted(found, key=lambda site: (site.node.lineno, site.node.col_offset))

    def name_of(self, node: ast.expr) -> str | None:
        """Return the legacy name that *node* means."""
        return self._meaning.get(node) if isinstance(node, ast.Name) else None

    def _means(self, node: ast.Name, scope: Scope) -> tuple[str, str | None]:
        found = scope.find(node.id)
        bindings = found[1] if found else []
        names = {self._origins.name(each) for each in bindings}
        legacy = next((name for name in names if name), "")
        if legacy and len(names) > 1:
            return legacy, "rebound-name"
        if legacy:
            return legacy, None if legacy == node.id else "aliased"
        alias = bindings[0] if len(bindings) == 1 else None
        if isinstance(alias, Alias) and isinstance(alias.value, ast.Name) and found:
            behind = found[0].find(alias.value.id)
            name = next((name for each in (behind[1] if behind else ()) if (name := self._origins.name(each))), "")
            # The alias itself is a use of the name, which is left; so is what is done through it.
            return (name, "aliased") if name in _LEADING else ("", None)
        return self._stranger(node, bindings)

    def _stranger(self, node: ast.Name, bindings: Sequence[object]) -> tuple[str, str | None]:
        """Return the name and the reason of what is called like a decorator of legacy's and is none that is known."""
        if node.id not in DECORATORS or not self._decorates(node):
            return "", None
        binding = bindings[0] if bindings else None
        if self._origins.is_hollow(binding):
            return node.id, "hollow"
        if bindings and not isinstance(binding, Import):
            # Its own definition, whose loop is told as one that was written by hand.
            return "", None
        module = binding.dotted.rpartition(".")[0] if isinstance(binding, Import) else ""
        unified = module == self._target or module.endswith("resilience")
        return ("", None) if unified else (node.id, "unknown-origin")

    def _imports(self) -> Iterator[Site]:
        for node in module_imports(self._scopes.parents, self._origins):
            starred = any(each.name == "*" for each in node.names)
            yield Site(node, "import", "star-import" if starred else "through-module")
        loaded = {name.id for name, _scope in self._scopes.loads}
        for node in self._scopes.from_imports:
            module = "." * node.level + (node.module or "")
            for each in node.names:
                name = self._origins.name(Import(f"{module}.{each.name}"))
                if name and (each.asname or each.name) not in loaded:
                    executor = name == "RetryExecutor" and each.asname is None
                    yield Site(node, name, None if executor else "unused-import")

    def _libraries(self) -> Iterator[Site]:
        for node, scope in self._scopes.loads:
            found = scope.find(node.id)
            above = self._scopes.parents.get(node)
            attribute = above if isinstance(above, ast.Attribute) else None
            whole = attribute or node
            decorating = self._decorated(whole) or self._decorated(self._scopes.parents.get(whole))
            if (
                found
                and decorating
                and any(is_library(each, attribute.attr if attribute else None) for each in found[1])
            ):
                yield Site(whole, ast.unparse(whole), "library-retry", decorating.name)

    def _site(self, node: ast.Name, scope: Scope) -> Site:
        name = self._meaning[node]
        if name == "RetryExecutor":
            return self._executor(node, scope)
        if name in DECORATORS:
            return self._decorator(node, name, scope)
        return self._constant(node, name, scope)

    def _rest(self, node: ast.Name) -> Site:
        name = self._meaning[node]
        known = {"RetryConfig": "dynamic-config", **dict.fromkeys((*PRESET_NAMES, "RetryStrategy"), "handed-on")}
        return Site(node, name, known.get(name, "no-counterpart"), uses=frozenset({node}))

    def _decorator(self, node: ast.Name, name: str, scope: Scope) -> Site:
        call = self._scopes.parents.get(node)
        if not (isinstance(call, ast.Call) and call.func is node):
            bare = self._decorated(node) is not None
            return Site(node, name, "odd-call" if bare else "handed-on", uses=frozenset({node}))
        site = Site(call, name, uses=self._uses(call))
        function = self._decorated(call)
        if function is None:
            return replace(site, reason="not-a-decorator")
        # With a decorator between, nobody can tell.
        plain = isinstance(function, ast.FunctionDef) and function.decorator_list[-1] is call
        site = replace(site, where=function.name, is_plain=plain)
        try:
            told, constant = self._told(call, name, scope)
        except Unreadable as error:
            return replace(site, reason=str(error))
        limited = bool(told.legacy.timeout)
        return replace(
            site, told=told, constant=constant, reason=_misfit(function, call, limited=limited) or _broad(told)
        )

    def _told(self, call: ast.Call, name: str, scope: Scope) -> tuple[Told, str | None]:
        if name == "retry_with_backoff":
            return read_backoff(call, self._spans), None
        given = arguments(call, ("operation", "config", "bulkhead_resource"))
        if not isinstance(given.get("operation"), (ast.Constant, ast.Name, ast.Attribute)):
            raise Unreadable("dynamic-arguments")
        if not isinstance(given.get("bulkhead_resource", ast.Constant(None)), (ast.Constant, ast.Name, ast.Attribute)):
            raise Unreadable("dynamic-arguments")
        return self.config(given.get("config"), scope)

    def config(self, node: ast.expr | None, scope: Scope) -> tuple[Told, str | None]:
        """Return what the configuration *node* says, with the name of the module's own constant that says it, if one does.

        Raises:
            Unreadable: if nobody can tell.
        """
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return plain(), None
        name = self.name_of(node)
        if name in PRESET_NAMES:
            return preset(name), None
        if isinstance(node, ast.Call):
            return self._read(node), None
        constant = self._constant_of(node, scope) if isinstance(node, ast.Name) else None
        if isinstance(node, ast.Name) and constant is not None:
            return self._read(constant), node.id
        raise Unreadable("dynamic-config")

    def _read(self, call: ast.Call) -> Told:
        name_of: NameOf = self.name_of
        if name_of(call.func) == "RetryConfig":
            return read_config(call, self._spans)
        func = call.func
        if isinstance(func, ast.Attribute) and func.attr == "for_strategy" and name_of(func.value) == "RetryConfig":
            return read_strategy(call, name_of)
        raise Unreadable("dynamic-config")

    def _constant_of(self, node: ast.Name, scope: Scope) -> ast.Call | None:
        """Return the call that *node* is a constant of the module for, None if it is none."""
        found = scope.find(node.id)
        binding = found[1][0] if found and found[0].kind is Kind.MODULE and len(found[1]) == 1 else None
        return binding.value if isinstance(binding, Alias) and isinstance(binding.value, ast.Call) else None

    def _constant(self, node: ast.Name, name: str, scope: Scope) -> Site:
        """Return the site of ``NAME = RetryConfig(...)`` at the top of the module; anything else is the business of `_rest`."""
        call = self._scopes.parents.get(node)
        if isinstance(call, ast.Attribute):
            call = self._scopes.parents.get(call)
        above = self._scopes.parents.get(call) if isinstance(call, ast.Call) else None
        single = isinstance(above, ast.Assign) and len(above.targets) == 1 and isinstance(above.targets[0], ast.Name)
        if not isinstance(call, ast.Call) or not isinstance(above, ast.Assign) or not single:
            return self._rest(node)
        target = above.targets[0]
        label = target.id if isinstance(target, ast.Name) else ""
        site = Site(call, name, where=label, uses=self._uses(call), constant=label)
        if scope.kind is not Kind.MODULE or len(self._scopes.bound.get(label, [])) != 1:
            return replace(site, reason="dynamic-config")
        try:
            told = self._read(call)
        except Unreadable as error:
            return replace(site, reason=str(error))
        return replace(site, told=told, reason=_broad(told))

    def _executor(self, node: ast.Name, scope: Scope) -> Site:
        call = self._scopes.parents.get(node)
        if not (isinstance(call, ast.Call) and call.func is node):
            return Site(node, "RetryExecutor", "unknown-use", uses=frozenset({node}))
        site = Site(call, "RetryExecutor", uses=self._uses(call))
        methods = self._methods(call)
        if methods is None:
            return replace(site, reason="unknown-use")
        try:
            told, constant = self.config(arguments(call, ("config",)).get("config"), scope)
        except Unreadable as error:
            return replace(site, reason=str(error))
        return replace(site, told=told, constant=constant, methods=methods, reason=_broad(told))

    def _methods(self, call: ast.Call) -> tuple[ast.Attribute, ...] | None:
        """Return the awaited calls of ``execute`` on what *call* makes, None if anything else is done with it."""
        above = self._scopes.parents.get(call)
        if isinstance(above, ast.Attribute):
            return (above,) if self._is_execute(above) else None
        target = above.targets[0] if isinstance(above, ast.Assign) and len(above.targets) == 1 else None
        uses: list[ast.AST | None]
        if isinstance(target, ast.Name) and len(self._scopes.bound.get(target.id, [])) == 1:
            uses = [self._scopes.parents.get(name) for name, _scope in self._scopes.loads if name.id == target.id]
        elif isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
            same = [
                each for each in ast.walk(self._tree) if isinstance(each, ast.Attribute) and each.attr == target.attr
            ]
            if any(ast.unparse(each.value) != "self" for each in same):
                return None
            if [each for each in same if not isinstance(each.ctx, ast.Load)] != [target]:
                return None
            uses = [self._scopes.parents.get(each) for each in same if each is not target]
        else:
            return None
        found = [each for each in uses if isinstance(each, ast.Attribute) and self._is_execute(each)]
        return tuple(found) if len(found) == len(uses) else None

    def _is_execute(self, attribute: ast.Attribute) -> bool:
        call = self._scopes.parents.get(attribute)
        if attribute.attr != "execute" or not isinstance(call, ast.Call) or call.func is not attribute:
            return False
        return isinstance(self._scopes.parents.get(call), ast.Await)

    def _uses(self, node: ast.AST) -> frozenset[ast.Name]:
        return frozenset(each for each in ast.walk(node) if isinstance(each, ast.Name) and each in self._meaning)

    def _decorated(self, node: ast.AST | None) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        above = self._scopes.parents.get(node) if node is not None else None
        return above if isinstance(above, FUNCTIONS) and node in above.decorator_list else None

    def _decorates(self, node: ast.Name) -> bool:
        return self._decorated(node) is not None or self._decorated(self._scopes.parents.get(node)) is not None


def _misfit(function: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call, *, limited: bool) -> str | None:
    """Return why *function* cannot be decorated by the unified one; *limited* says that attempts are to be cut."""
    below = function.decorator_list[function.decorator_list.index(call) + 1 :]
    names = {each.id if isinstance(each, ast.Name) else "" for each in below}
    if (below and limited) or not names.isdisjoint({"staticmethod", "classmethod", "property"}):
        return "odd-decorators"
    if _yields(function):
        return "generator"
    # A plain one moves: legacy awaited what it returned, so it could only fail (RT-15, RB-05).
    return "sync-timeout" if limited and isinstance(function, ast.FunctionDef) else None


def _yields(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            todo += ast.iter_child_nodes(node)
    return False


def _broad(told: Told | None) -> str | None:
    names: tuple[str, ...] = (told.legacy.retryable_exceptions or ()) if told else ()
    return "broad-errors" if any(name.rpartition(".")[2] == "Exception" for name in names) else None
