"""The migration of a code base: what would change, and the change itself."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from oms.domain.errors import BadInput, CouldNot
from oms.migration.rewrite.cycles import imported_by
from oms.migration.rewrite.grid import UnifiedReference
from oms.migration.rewrite.rewriting import Left, Options, Rewritten, leave, rewrite
from oms.migration.rewrite.verification import Verified, total, verify
from oms.migration.rewrite.worktree import is_mute, keep_patch, patch_of, top_of, unsaved
from oms.migration.rewrite.writing import replace_file
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
    def moved(self) -> int:
        """How many reads move."""
        return sum(len(each.moves) for each in self.changed)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """How many accesses are left for each reason, most first."""
        return Counter(each.reason for each in self.left).most_common()


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        files: Files that changed.
        failed: One line for each file that could not be replaced; such a file is as it was.
        undo: The command that takes everything back.
    """

    files: tuple[str, ...]
    failed: tuple[str, ...]
    undo: str


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
    found = find_files(path, exclude=exclude)
    if only:
        found = replace(found, files=tuple(_below(found, each) for each in only), notes=())
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


def dirt(plan: Plan) -> list[str]:
    """Return what git could not bring back: paths that are changed already, and files of *plan* that git does not track."""
    top = top_of(plan.root)
    if top is not None:
        return unsaved(top, [each.scanned.source.path for each in plan.changed])
    return ["a work tree that git does not speak about"] if is_mute(plan.root) else []


def write(plan: Plan) -> Written:
    """Write *plan*, each file as a whole, after the patch that takes it back.

    Raises:
        CouldNot: that patch cannot be written; nothing is changed.
    """
    base = (top_of(plan.root) or plan.root).resolve()
    patch = keep_patch(patch_of(plan.changed, base), base)
    done: list[str] = []
    failed: list[str] = []
    for each in plan.changed:
        source = each.scanned.source
        try:
            replace_file(source.path, before=source.raw, after=each.raw)
            done.append(source.file)
        except CouldNot as error:
            failed.append(str(error))
    undo = f"git -C {shlex.quote(str(base))} apply --reverse --whitespace=nowarn {shlex.quote(str(patch))}"
    return Written(tuple(done), tuple(failed), undo)


def _below(found: Found, path: Path) -> Path:
    """Return *path* as the search would have found it: relative to here, or else to the folder."""
    file = path if path.exists() else found.root / path
    if not file.is_file():
        raise BadInput(f"--file {path}", found="no such file", wanted=f"a Python file below {found.root}")
    if not file.resolve().is_relative_to(found.root.resolve()):
        raise BadInput(
            f"--file {path}",
            found=f"a file outside of {found.root}",
            wanted="one below it",
            mend="name its folder as PATH",
        )
    return found.root / file.resolve().relative_to(found.root.resolve())
