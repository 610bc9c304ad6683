"""A walk over a syntax tree that finds every scope and what is bound in it; nothing in here knows about the environment.

Class scopes are skipped from the functions inside them, comprehensions have a scope of their own but for their first iterable, ``:=``
binds outside of them, ``global`` and ``nonlocal`` move a name, and decorators, defaults, annotations and bases belong to the scope around.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from oms.migration.scan.scopes import Alias, Binding, Import, Kind, Scope

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
# What binds nothing, reads nothing and has nothing below.
_BARE = frozenset({ast.Constant, ast.Pass, ast.Break, ast.Continue, type(None)})
_NO_NODES = frozenset(
    (
        "ctx",
        "op",
        "ops",
        "id",
        "attr",
        "arg",
        "kind",
        "type_comment",
        "conversion",
        "simple",
        "is_async",
        "name",
        "rest",
        "kwd_attrs",
    ),
)
# The fields of each class that can hold nodes.
_INSIDE: Mapping[type, tuple[str, ...]] = {
    cls: ()
    if cls in {ast.Constant, ast.MatchSingleton}
    else tuple(name for name in cls._fields if name not in _NO_NODES)
    for cls in vars(ast).values()
    if isinstance(cls, type) and issubclass(cls, ast.AST)
}


@dataclass(slots=True, eq=False)
class ScopeMap:
    """What one walk over a tree finds.

    Attributes:
        module: The outermost scope.
        parents: Each node's parent.
        loads: Names that are read, with the scope each is read in.
        calls: Calls, with the scope each stands in.
        classes: Class definitions, with the scope each stands in.
        from_imports: Each ``from ... import ...``.
        bound: Everything that each name is bound to, in whatever scope.
    """

    module: Scope
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    loads: list[tuple[ast.Name, Scope]] = field(default_factory=list)
    calls: list[tuple[ast.Call, Scope]] = field(default_factory=list)
    classes: list[tuple[ast.ClassDef, Scope]] = field(default_factory=list)
    from_imports: list[ast.ImportFrom] = field(default_factory=list)
    bound: dict[str, list[Binding]] = field(default_factory=dict)

    def bind(self, scope: Scope, name: str, binding: Binding) -> None:
        """Bind *name* in *scope* and remember it."""
        self.bound.setdefault(name, []).append(binding)
        scope.bind(name, binding)


Child = tuple[ast.AST, Scope]


def map_scopes(tree: ast.Module) -> ScopeMap:
    """Walk *tree* once and return what it binds and reads.

    Without recursion: a sum of a thousand terms is nested a thousand deep.
    """
    module = Scope(Kind.MODULE, None)
    found = ScopeMap(module)
    parents, loads = found.parents, found.loads
    todo: list[Child] = [(tree, module)]
    while todo:
        node, scope = todo.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            loads.append((node, scope))
            continue
        visit = _VISITS.get(type(node))
        below = [(child, scope) for child in _fields(node)] if visit is None else list(visit(node, scope, found))
        for child, _scope in below:
            parents[child] = node
        # Last in, first out: reversed, so that bindings come in source order.
        below.reverse()
        todo += below
    return found


def _fields(node: ast.AST) -> list[ast.AST]:
    below: list[ast.AST] = []
    for name in _INSIDE[type(node)]:
        value = getattr(node, name, None)
        if isinstance(value, list):
            below += [each for each in value if type(each) not in _BARE]
        elif value is not None and type(value) not in _BARE:
            below.append(value)
    return below


def _same_scope(node: ast.AST, scope: Scope) -> list[Child]:
    return [(child, scope) for child in _fields(node)]


def _name(node: ast.Name, scope: Scope, found: ScopeMap) -> list[Child]:
    found.bind(scope, node.id, None)
    return []


def _call(node: ast.Call, scope: Scope, found: ScopeMap) -> list[Child]:
    found.calls.append((node, scope))
    return _same_scope(node, scope)


def _assign(node: ast.Assign, scope: Scope, found: ScopeMap) -> Iterator[Child]:
    for target in node.targets:
        if isinstance(target, ast.Name):
            found.bind(scope, target.id, Alias(node.value))
        else:
            yield target, scope
    yield node.value, scope


def _annotated(node: ast.AnnAssign, scope: Scope, found: ScopeMap) -> Iterator[Child]:
    yield node.annotation, scope
    if not isinstance(node.target, ast.Name):
        yield node.target, scope
    elif node.value is not None:
        found.bind(scope, node.target.id, Alias(node.value))
    if node.value is not None:
        yield node.value, scope


def _walrus(node: ast.NamedExpr, scope: Scope, found: ScopeMap) -> Iterator[Child]:
    found.bind(scope.around, node.target.id, Alias(node.value))
    yield node.value, scope


def _import(node: ast.Import, scope: Scope, found: ScopeMap) -> list[Child]:
    for name in node.names:
        top = name.name.partition(".")[0]
        found.bind(scope, name.asname or top, Import(name.name if name.asname else top))
    return []


def _import_from(node: ast.ImportFrom, scope: Scope, found: ScopeMap) -> list[Child]:
    found.from_imports.append(node)
    module = "." * node.level + (node.module or "")
    for name in node.names:
        if name.name == "*":
            scope.starred.add(module)
        else:
            found.bind(scope, name.asname or name.name, Import(f"{module}.{name.name}"))
    return []


def _moved(node: ast.Global | ast.Nonlocal, scope: Scope, found: ScopeMap) -> list[Child]:
    kind = Kind.MODULE if isinstance(node, ast.Global) else Kind.FUNCTION
    scope.outward.update(dict.fromkeys(node.names, kind))
    return []


def _named(attribute: str) -> Callable[[ast.AST, Scope, ScopeMap], list[Child]]:
    def visit(node: ast.AST, scope: Scope, found: ScopeMap) -> list[Child]:
        name: str | None = getattr(node, attribute)
        if name:
            found.bind(scope, name, None)
        return _same_scope(node, scope)

    return visit


def _function(node: FunctionNode, scope: Scope, found: ScopeMap) -> Iterator[Child]:
    inside = Scope(Kind.FUNCTION, scope)
    _parameters(node.args, inside, found)
    yield node.args, scope
    if isinstance(node, ast.Lambda):
        yield node.body, inside
        return
    found.bind(scope, node.name, None)
    yield from ((each, scope) for each in node.decorator_list)
    if node.returns is not None:
        yield node.returns, scope
    yield from ((each, inside) for each in node.body)


def _parameters(arguments: ast.arguments, inside: Scope, found: ScopeMap) -> None:
    positional = [*arguments.posonlyargs, *arguments.args]
    bare = len(positional) - len(arguments.defaults)
    defaults = [*[None] * bare, *arguments.defaults, *arguments.kw_defaults]
    for parameter, default in zip([*positional, *arguments.kwonlyargs], defaults, strict=True):
        found.bind(inside, parameter.arg, None if default is None else Alias(default, parameter=True))
    for extra in (arguments.vararg, arguments.kwarg):
        if extra is not None:
            found.bind(inside, extra.arg, None)


def _class(node: ast.ClassDef, scope: Scope, found: ScopeMap) -> Iterator[Child]:
    found.classes.append((node, scope))
    found.bind(scope, node.name, None)
    yield from ((each, scope) for each in (*node.decorator_list, *node.bases, *node.keywords))
    inside = Scope(Kind.CLASS, scope)
    yield from ((each, inside) for each in node.body)


def _comprehension(node: Comprehension, scope: Scope, found: ScopeMap) -> Iterator[Child]:
    inside = Scope(Kind.COMPREHENSION, scope)
    yield from ((each, inside) for each in _fields(node))


def _generator(node: ast.comprehension, scope: Scope, found: ScopeMap) -> Iterator[Child]:
    whole = found.parents[node]
    first = isinstance(whole, Comprehension) and whole.generators[0] is node
    yield node.target, scope
    yield node.iter, scope.parent if first and scope.parent else scope
    yield from ((each, scope) for each in node.ifs)


_VISITS: Mapping[type[ast.AST], Callable[..., Iterable[Child]]] = {
    ast.Name: _name,
    ast.Call: _call,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.NamedExpr: _walrus,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Global: _moved,
    ast.Nonlocal: _moved,
    ast.ExceptHandler: _named("name"),
    ast.MatchAs: _named("name"),
    ast.MatchStar: _named("name"),
    ast.MatchMapping: _named("rest"),
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.Lambda: _function,
    ast.ClassDef: _class,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.comprehension: _generator,
}
