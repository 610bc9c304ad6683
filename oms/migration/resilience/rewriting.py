"""One file, with what can move of its legacy retries moved."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from oms.migration.resilience.imports import ImportChange, OddLayout, change_import, first_places, line_end
from oms.migration.resilience.layout import laid_out
from oms.migration.resilience.loops import Loop, find_loops
from oms.migration.resilience.origins import Origins
from oms.migration.resilience.reading import Told, keep_cap
from oms.migration.resilience.reasons import SUSPECT
from oms.migration.resilience.sites import Finder, Site
from oms.migration.resilience.terms import UNKNOWN, Terms, Unified, kept, of_backoff, of_policy, of_strategy
from oms.migration.rewrite.edits import Edit, splice
from oms.migration.rewrite.proof import compiled, in_step
from oms.migration.rewrite.rewriting import is_test
from oms.migration.scan.scope_map import ScopeMap, map_scopes
from oms.migration.scan.scopes import Import
from oms.migration.scan.source import Source, Spans

TARGET = "oms.unified.resilience"
_POLICIES = "RETRY_POLICIES"
_WORDS = (b"retry_strategy", b"with_retry", b"retry_with_backoff", b"RetryExecutor", b"on_exception", b"on_predicate")


@dataclass(frozen=True, slots=True)
class Options:
    """What may be moved, and to where.

    Attributes:
        unified: What the unified retries are.
        target: Module that they are imported from.
        more: Further modules that legacy names are imported from.
        include_tests: Move in tests too.
        suspect: Move what looks like a defect too.
    """

    unified: Unified
    target: str = TARGET
    more: tuple[str, ...] = ()
    include_tests: bool = False
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """A site that moves.

    Attributes:
        line, column: From 1.
        name: Legacy's name.
        where: The function that is decorated, or the name that is assigned.
        text: What stands there afterwards.
        before, after: The terms.
    """

    file: str
    line: int
    column: int
    name: str
    where: str
    text: str
    before: Terms
    after: Terms


@dataclass(frozen=True, slots=True)
class Left:
    """A site that stays as it is; *reason* is a key of ``REASONS``."""

    file: str
    line: int
    column: int
    name: str
    where: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Rewritten:
    """What became of one file.

    Attributes:
        source: The file as it was read.
        raw: Its bytes afterwards; the same bytes if nothing moves.
    """

    source: Source
    raw: bytes
    moved: tuple[Moved, ...] = ()
    left: tuple[Left, ...] = ()
    loops: tuple[Loop, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether any byte changes."""
        return self.raw != self.source.raw


Elsewhere = Callable[[str], bool]
"""Whether another file has the word."""


def may_retry(raw: bytes) -> bool:
    """Return whether a file of these bytes can have anything to report."""
    return (b"sleep" in raw and b"except" in raw) or b"tenacity" in raw or any(word in raw for word in _WORDS)


def rewrite(source: Source, options: Options, *, elsewhere: Elsewhere, cycle: bool = False) -> Rewritten:
    """Move what can be moved. Nothing is written."""
    tree = source.tree or ast.Module([], [])
    return _File(source, tree, options, elsewhere).rewritten(cycle=cycle)


class _File:
    """One file on its way."""

    def __init__(self, source: Source, tree: ast.Module, options: Options, elsewhere: Elsewhere) -> None:
        self._source, self._tree, self._options, self._elsewhere = source, tree, options, elsewhere
        self._spans = Spans(source.text)
        self._scopes: ScopeMap = map_scopes(tree)
        self._origins = Origins(source.file, options.more)
        self._sites = Finder(tree, self._scopes, self._spans, self._origins, options.target).sites()
        self._reasons = {site: self._first_reason(site) for site in self._sites}

    def rewritten(self, *, cycle: bool) -> Rewritten:
        """Return the file as it will be."""
        loops = tuple(find_loops(self._tree, self._spans, self._source.file))
        whole = {
            "import-cycle": cycle,
            "test-file": is_test(self._source.file) and not self._options.include_tests,
            "encoding-not-round-trip": self._source.encode(self._source.text) != self._source.raw,
        }
        for reason in (reason for reason, so in whole.items() if so):
            self._leave(self._moving(), reason)
        self._settle()
        raw = self._raw() if self._moving() else None
        if raw is None:
            return Rewritten(self._source, self._source.raw, (), self._left(), loops)
        moved = tuple(self._moved(site) for site in self._moving())
        return Rewritten(self._source, raw, moved, self._left(), loops)

    def _first_reason(self, site: Site) -> str | None:
        if site.reason is not None and not (self._options.suspect and site.reason in SUSPECT):
            return site.reason
        if site.told is not None:
            try:
                self._policy(site.told)
            except ValueError:
                return "invalid-number"
        return None if self._plain(site.node) else "odd-layout"

    def _plain(self, node: ast.expr | ast.stmt) -> bool:
        """Return whether no comment stands inside *node*."""
        text = self._spans.text(node)
        if "#" not in text:
            return True
        tokens = tokenize.generate_tokens(io.StringIO(f"({text})").readline)
        return not any(token.type == tokenize.COMMENT for token in tokens)

    def _moving(self) -> list[Site]:
        return [site for site in self._sites if self._reasons[site] is None]

    def _leave(self, sites: Iterable[Site], reason: str) -> None:
        self._reasons.update(dict.fromkeys(sites, reason))

    def _settle(self) -> None:
        """Leave what depends on something that is left, until nothing does."""
        while True:
            before = self._moving()
            for site in before:
                self._reasons[site] = self._dependent(site)
            if before == self._moving():
                return

    def _dependent(self, site: Site) -> str | None:
        if site.constant is not None and not self._constant_moves(site.constant):
            return "config-shared"
        if not self._name_is_free(site):
            return "shared-name"
        taken = any(self._is_taken(name) for name in self._needs(site))
        return "name-taken" if taken else None

    def _constant_moves(self, constant: str) -> bool:
        moving = self._moving()
        assigned = [site for site in moving if site.constant == constant and site.name == "RetryConfig"]
        users = [site for site in moving if site.constant == constant and site.name != "RetryConfig"]
        loads = {name for name, _scope in self._scopes.loads if name.id == constant}
        used = {node for site in users for node in ast.walk(site.node) if isinstance(node, ast.Name)}
        listed = any(isinstance(node, ast.Constant) and node.value == constant for node in ast.walk(self._tree))
        return bool(assigned and loads) and loads <= used and not listed and not self._elsewhere(constant)

    def _name_is_free(self, site: Site) -> bool:
        """Return whether the new name can take the place of the old one, if they are the same."""
        return site.name != "with_retry" or self._is_gone("with_retry")

    def _is_gone(self, name: str) -> bool:
        """Return whether every use of the legacy *name* moves."""
        uses = {each for site in self._moving() for each in site.uses}
        return all(load in uses for load, _scope in self._scopes.loads if load.id == name)

    def _is_taken(self, name: str) -> bool:
        ours = Import(f"{self._options.target}.{name}")
        others = [each for each in self._scopes.bound.get(name, []) if each != ours]
        return not all(self._origins.name(each) == name and self._is_gone(name) for each in others)

    def _needs(self, site: Site) -> set[str]:
        """Return the unified names that *site* needs, by itself and not through a constant."""
        own = site.told is not None and (site.constant is None or site.name == "RetryConfig")
        policies = {_POLICIES} if own and site.told and _POLICIES in self._text(site) else set()
        if site.name == "RetryConfig":
            return policies
        if isinstance(site.node, ast.ImportFrom):
            return {_POLICIES, "with_retry"}
        return policies | {"UnifiedRetry" if site.name == "RetryExecutor" else "with_retry"}

    def _policy(self, told: Told, *, is_plain: bool = False) -> tuple[Told, Terms]:
        """Return *told* for the unified policy that stands for it, with the terms. ValueError if that refuses a number."""
        policy = self._options.unified.policies[told.policy]
        told = keep_cap(told, policy.max_delay)
        changed = policy.but(**told.changes)
        return told, of_policy(changed, self._options.unified, kept(told.legacy), is_plain=is_plain)

    def _text(self, site: Site) -> str:
        """Return what stands in the place of *site*."""
        if site.told is None:
            return f"from {self._options.target} import {_POLICIES}, with_retry"
        told = self._policy(site.told)[0]
        if site.name == "RetryConfig":
            # A policy's name is a text, and a constant of that is as good.
            return told.as_policy()
        if site.name == "RetryExecutor":
            return f"UnifiedRetry({site.constant or told.as_policy()})"
        return f"with_retry(policy={site.constant})" if site.constant else f"with_retry({told.as_arguments()})"

    def _moved(self, site: Site) -> Moved:
        told = site.told
        after = self._policy(told, is_plain=site.is_plain)[1] if told is not None else UNKNOWN
        if site.name == "RetryExecutor" or told is None:
            before = UNKNOWN
        else:
            terms = of_backoff if site.name == "retry_with_backoff" else of_strategy
            before = terms(told.legacy, is_plain=site.is_plain)
        text = self._text(site)
        place = site.node.lineno, self._spans.column(site.node)
        return Moved(self._source.file, *place, site.name, site.where, text, before, after)

    def _left(self) -> tuple[Left, ...]:
        rows = ((site, reason) for site in self._sites if (reason := self._reasons[site]) is not None)
        return tuple(
            Left(self._source.file, site.node.lineno, self._spans.column(site.node), site.name, site.where, reason)
            for site, reason in rows
        )

    def _raw(self) -> bytes | None:
        """Return the bytes of the rewritten file if it is provably the same program; else leave everything."""
        moving = self._moving()
        try:
            imports = self._imports(moving)
        except OddLayout:
            self._leave(moving, "odd-layout")
            return None
        edits = [each.edit for each in imports]
        expected: dict[ast.AST, ast.AST | tuple[ast.stmt, ...]] = {each.node: each.expected for each in imports}
        for site in moving:
            if isinstance(site.node, ast.expr):
                text = self._text(site)
                edits.append(self._edit(site.node, text))
                expected[site.node] = ast.parse(text, mode="eval").body
            for method in site.methods:
                end = self._spans.end(method)
                edits.append(Edit(end - len("execute"), end, b"acall"))
        for method in (method for site in moving for method in site.methods):
            value = expected.get(method.value, method.value)
            assert isinstance(value, ast.expr)
            expected[method] = ast.Attribute(value, "acall", method.ctx)
        text = splice(self._spans, edits)
        after = compiled(text, self._source.file)
        if after is None or in_step(self._tree, after, expected) is None:
            self._leave(moving, "not-provable")
            return None
        return self._source.encode(text)

    def _edit(self, node: ast.expr, text: str) -> Edit:
        start, end = self._spans.start(node), self._spans.end(node)
        line = self._spans.data[self._spans.line_start(node.lineno) : start]
        indent = line[: len(line) - len(line.lstrip())]
        rest = self._spans.data[end : self._spans.line_start((node.end_lineno or node.lineno) + 1)]
        broken = laid_out(
            text,
            column=len(line),
            # A comment behind it may stand out; it did before.
            rest=len(rest.partition(b"#")[0].rstrip()),
            indent=indent.decode(),
            line_end=line_end(self._spans).decode(),
        )
        return Edit(start, end, broken.encode())

    def _imports(self, moving: list[Site]) -> list[ImportChange]:
        """Return what becomes of the imports. Raises OddLayout."""
        wanted: dict[ast.ImportFrom, set[str]] = {}
        gone: dict[ast.ImportFrom, set[str]] = {}
        used = {name.id for site in moving for name in site.uses}
        for node in self._scopes.from_imports:
            module = "." * node.level + (node.module or "")
            names = {each.name for each in node.names if self._origins.name(Import(f"{module}.{each.name}"))}
            here = {site for site in moving if site.node is node}
            leaving = {name for name in names if (name in used and self._is_gone(name)) or here}
            sites = here | {site for site in moving if site.name in names and not isinstance(site.node, ast.ImportFrom)}
            needs = {name for site in sites for name in self._needs(site)} - self._known()
            if leaving or needs:
                wanted[node], gone[node] = needs, leaving
        places = first_places(wanted)
        changes = []
        for node, new in places.items():
            if new or gone[node]:
                changes.append(change_import(node, self._spans, gone=gone[node], new=new, target=self._options.target))
        return changes

    def _known(self) -> set[str]:
        """Return the unified names that the top of the file imports already."""
        bindings = self._scopes.module.bindings
        target = self._options.target
        return {name for name, bound in bindings.items() if Import(f"{target}.{name}") in bound}
