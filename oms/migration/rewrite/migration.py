"""The migration of a code base: what would change, and the change itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from oms.migration.rewrite.cycles import imported_by
from oms.migration.rewrite.grid import UnifiedReference
from oms.migration.rewrite.rewriting import Left, Options, Rewritten, leave, rewrite
from oms.migration.rewrite.verification import Verified, total, verify
from oms.migration.scan.files import Found, Note, find_files
from oms.migration.scan.pause import collection_paused
from oms.migration.scan.scanning import scan
from oms.migration.scan.source import Unparsed, read_source


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What would change. The accesses found are those that move and those that are left, no more and no less.

    Attributes:
        root: The folder.
        files: Python files looked at.
        changed: Files that change, in order of their path.
        left: Every access that stays, with the reason.
        unparsed: Files that could not be understood.
        notes: What the reader should know of single paths.
        verified: What the evaluation found, None if there was none.
    """

    root: Path
    files: int
    changed: tuple[Rewritten, ...]
    left: tuple[Left, ...]
    unparsed: tuple[Unparsed, ...]
    notes: tuple[Note, ...]
    verified: Verified | None

    @property
    def tool(self) -> str:
        """What the patch that takes it back is named after."""
        return "oms-env-migrate"

    @property
    def moved(self) -> int:
        """How many reads move."""
        return sum(len(each.moves) for each in self.changed)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """How many accesses are left for each reason, most first."""
        return Counter(each.reason for each in self.left).most_common()


def plan_migration(
    path: Path,
    options: Options,
    *,
    only: Sequence[Path] = (),
    exclude: Sequence[str] = (),
    verified: bool = False,
    unified: Callable[[Mapping[str, str]], object] = UnifiedReference,
) -> Plan:
    """Work out the migration of *path*, or of the files *only* below it. Nothing is written.

    Args:
        verified: Evaluate each moved expression before and after; a file in which one differs is left.
        unified: What stands for `unified_env` then: takes an environment, has ``getenv``, ``require`` and ``contains``.

    Raises:
        BadInput: a path is not there, or one of *only* is not below *path*.
    """
    found = find_files(path, exclude=exclude, only=only)
    with collection_paused():
        # A test that is named by itself is meant.
        options = replace(options, include_tests=options.include_tests or bool(only))
        return _plan(found, options, partial(verify, unified=unified) if verified else None)


def _plan(found: Found, options: Options, evaluate: Callable[[Rewritten], Verified] | None) -> Plan:
    cycle = imported_by(options.target, found.root)
    changed: list[Rewritten] = []
    left: list[Left] = []
    unparsed: list[Unparsed] = []
    notes = [*found.notes] if found.files else [*found.notes, Note(".", "no Python file here")]
    evaluated: list[Verified] = []
    for file in found.files:
        source = read_source(file, found.name(file))
        if isinstance(source, Unparsed):
            unparsed.append(source)
            continue
        if source.tree is None:
            continue
        rewritten = rewrite(scan(source), options, cycle=file.resolve() in cycle)
        if rewritten.changed and evaluate is not None:
            evaluated.append(evaluate(rewritten))
            if evaluated[-1].differences:
                rewritten = leave(rewritten, "verification-differs")
        left += rewritten.left
        if source.marks and (rewritten.changed or rewritten.left):
            notes.append(Note(source.file, f"{', '.join(source.marks)}; kept as is"))
        if rewritten.changed:
            changed.append(rewritten)
    result = total(evaluated) if evaluate is not None else None
    return Plan(found.root, len(found.files), tuple(changed), tuple(left), tuple(unparsed), tuple(notes), result)
