"""One file, rewritten."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from oms.migration.rewrite.edits import Edit, splice
from oms.migration.rewrite.import_place import import_edit, is_import
from oms.migration.rewrite.moves import NAME, Move, move_of
from oms.migration.rewrite.proof import compiled, in_step
from oms.migration.rewrite.reasons import reason_to_leave
from oms.migration.scan.scanning import Access, Scanned
from oms.migration.scan.scopes import Import
from oms.migration.scan.site import Site
from oms.migration.scan.source import Source

TARGET = "oms.unified.config"


@dataclass(frozen=True, slots=True)
class Options:
    """What may be moved, and to where.

    Attributes:
        target: Module that `unified_env` is imported from.
        include_tests: Move reads in tests too.
        suspect: Move reads that look like a defect too, as they are.
    """

    target: str = TARGET
    include_tests: bool = False
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """An access that stays as it is; *reason* is a key of `REASONS`."""

    access: Access
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Rewritten:
    """What became of one file.

    Attributes:
        scanned: The file as it is.
        raw: Its bytes afterwards; the same bytes if nothing moves.
        moves: The reads that move.
        places: For each moved read's node, the node that stands in its place.
        left: Every other access.
    """

    scanned: Scanned
    raw: bytes
    moves: tuple[Move, ...]
    places: dict[ast.AST, ast.AST]
    left: tuple[Left, ...]

    @property
    def source(self) -> Source:
        """The file as it was read."""
        return self.scanned.source

    @property
    def changed(self) -> bool:
        """Whether any byte changes."""
        return self.raw != self.source.raw


def rewrite(scanned: Scanned, options: Options, *, cycle: bool = False) -> Rewritten:
    """Move what can be moved; *cycle* says that the target imports this file. Nothing is written."""
    reasons = {site: _reason(scanned, site, access, options, cycle=cycle) for site, access in _rows(scanned)}
    moves: list[Move] = []
    for site, reason in reasons.items():
        move = move_of(site, scanned.spans, scanned.scopes) if reason is None else None
        if move is not None:
            moves.append(move)
        elif reason is None:
            reasons[site] = "odd-layout"
    if not moves:
        return Rewritten(scanned, scanned.source.raw, (), {}, _left(scanned, reasons))
    edit = _import(scanned, options.target)
    for move in [move for move in moves if scanned.spans.start(move.site.node) < edit.start]:
        reasons[move.site] = "import-order"
        moves.remove(move)
    return _proven(scanned, moves, edit, reasons, options.target)


def leave(rewritten: Rewritten, reason: str) -> Rewritten:
    """Return the file with all its moves taken back for *reason*."""
    moved = {move.site for move in rewritten.moves}
    back = [Left(access, reason) for site, access in _rows(rewritten.scanned) if site in moved]
    left = sorted([*rewritten.left, *back], key=lambda each: (each.access.line, each.access.column))
    return Rewritten(rewritten.scanned, rewritten.scanned.source.raw, (), {}, tuple(left))


def is_test(file: str) -> bool:
    """Return whether a file of this path is a test."""
    path = PurePosixPath(file)
    name = path.name
    return (
        not {"test", "tests"}.isdisjoint(path.parts[:-1])
        or name.startswith(("test_", "conftest."))
        or name.endswith("_test.py")
    )


def _rows(scanned: Scanned) -> Iterable[tuple[Site, Access]]:
    return zip(scanned.sites, scanned.accesses, strict=True)


def _reason(scanned: Scanned, site: Site, access: Access, options: Options, *, cycle: bool) -> str | None:
    reason = reason_to_leave(site, access, suspect=options.suspect)
    if reason is not None:
        return reason
    source = scanned.source
    whole_file = {
        "import-cycle": cycle,
        "build-script": PurePosixPath(source.file).name == "setup.py",
        "test-file": is_test(source.file) and not options.include_tests,
        "name-taken": _taken(scanned, options.target),
        "encoding-not-round-trip": source.encode(source.text) != source.raw,
    }
    return next((reason for reason, so in whole_file.items() if so), None)


def _left(scanned: Scanned, reasons: Mapping[Site, str | None]) -> tuple[Left, ...]:
    return tuple(Left(access, reason) for site, access in _rows(scanned) if (reason := reasons[site]) is not None)


def _taken(scanned: Scanned, target: str) -> bool:
    bindings = scanned.scopes.module.bindings.get(NAME, [])
    ours = [binding for binding in bindings if binding == Import(f"{target}.{NAME}")]
    return len(scanned.scopes.bound.get(NAME, [])) != len(ours)


def _import(scanned: Scanned, target: str) -> Edit:
    """Return the edit that makes `unified_env` known, an empty one where an import of it stands already."""
    tree = _tree(scanned)
    for node in tree.body:
        if is_import(node, target):
            end = scanned.spans.end(node)
            return Edit(end, end, b"")
    return import_edit(tree, scanned.spans, target)


def _proven(scanned: Scanned, moves: list[Move], edit: Edit, reasons: dict[Site, str | None], target: str) -> Rewritten:
    """Return the rewritten file if it is provably the same program, the file as it is otherwise."""
    source = scanned.source
    left = _left(scanned, reasons)
    if not moves:
        return Rewritten(scanned, source.raw, (), {}, left)
    edits = [each for move in moves for each in move.edits]
    text = splice(scanned.spans, [*edits, *([edit] if edit.text else [])])
    places = _same_program(scanned, text, moves, target if edit.text else None)
    rewritten = Rewritten(scanned, source.encode(text), tuple(moves), places or {}, left)
    return leave(rewritten, "not-provable") if places is None else rewritten


def _same_program(
    scanned: Scanned, text: str, moves: list[Move], imported: str | None
) -> dict[ast.AST, ast.AST] | None:
    """Return where each moved read went, None unless *text* compiles and differs in nothing but the moves and the import."""
    before = _tree(scanned)
    after = compiled(text, scanned.source.file)
    if after is None:
        return None
    expected: dict[ast.AST, ast.AST] = {move.site.node: move.expected for move in moves}
    if imported is None:
        return in_step(before, after, expected)
    new = next((index for index, node in enumerate(after.body) if is_import(node, imported)), 0)
    if new == 0 and ast.get_docstring(before, clean=False) is not None:
        return None
    del after.body[new]
    return in_step(before, after, expected)


def _tree(scanned: Scanned) -> ast.Module:
    return scanned.source.tree or ast.Module([], [])
