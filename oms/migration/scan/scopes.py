"""One scope of a file and what it binds, after Python's own rules."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a scope belongs to."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    COMPREHENSION = "comprehension"


@dataclass(frozen=True, slots=True)
class Import:
    """A name bound by an import: ``os``, or ``os.environ`` by ``from os import environ``."""

    dotted: str


@dataclass(frozen=True, slots=True, eq=False)
class Alias:
    """A name bound to an expression by a plain assignment, or as the default of a parameter.

    Attributes:
        value: The expression.
        parameter: It is only a default: a caller may hand in something else, and it is evaluated in the scope around.
    """

    value: ast.expr
    parameter: bool = False


Binding = Import | Alias | None  # None: bound to what this page does not follow, by a loop for example


@dataclass(slots=True, eq=False)
class Scope:
    """One scope, with every binding of each name in it, in source order. It knows its parent but not its children: no cycles, no garbage.

    Attributes:
        outward: Names that ``global`` or ``nonlocal`` hand to another scope.
        starred: Modules whose names are all imported here.
    """

    kind: Kind
    parent: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    outward: dict[str, Kind] = field(default_factory=dict)
    starred: set[str] = field(default_factory=set)

    def bind(self, name: str, binding: Binding) -> None:
        """Note that *name* is bound here, or where ``global`` and ``nonlocal`` say."""
        self._home(name).bindings.setdefault(name, []).append(binding)

    def find(self, name: str) -> tuple[Scope, list[Binding]] | None:
        """Return the scope that a load of *name* from here looks into and its bindings there, None if no scope of the file binds it."""
        home = self._home(name)
        scope: Scope | None = home
        while scope is not None:
            if name in scope.bindings and (scope is home or scope.kind is not Kind.CLASS):
                return scope, scope.bindings[name]
            scope = scope.parent
        return None

    @property
    def module(self) -> Scope:
        """The scope of the whole file."""
        return self if self.parent is None else self.parent.module

    @property
    def at_import(self) -> bool:
        """Whether code here runs when the module is imported: no function is around it."""
        return self.kind is not Kind.FUNCTION and (self.parent is None or self.parent.at_import)

    @property
    def around(self) -> Scope:
        """The nearest scope that is no comprehension: where ``:=`` binds."""
        return self.parent.around if self.kind is Kind.COMPREHENSION and self.parent else self

    def _home(self, name: str) -> Scope:
        moved = self.outward.get(name)
        if moved is Kind.MODULE:
            return self.module
        scope = self.parent if moved is Kind.FUNCTION else None
        while scope is not None and (scope.kind is not Kind.FUNCTION or name not in scope.bindings):
            scope = scope.parent
        return scope or self
