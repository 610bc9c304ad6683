"""The migration of a code base's retries: what would change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from oms.migration.resilience.loops import Loop
from oms.migration.resilience.rewriting import Left, Moved, Options, Rewritten, may_retry, rewrite
from oms.migration.rewrite.cycles import imported_by
from oms.migration.scan.files import Found, Note, find_files
from oms.migration.scan.pause import collection_paused
from oms.migration.scan.source import Unparsed, read_source


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What would change. The sites found are those that move and those that are left, no more and no less; loops are counted apart.

    Attributes:
        root: The folder.
        files: Python files looked at.
        changed: Files that change, in order of their path.
        left: Every use of a legacy retry that stays, with the reason.
        loops: Retries written by hand.
        unparsed: Files that could not be understood.
        notes: What the reader should know of single paths.
    """

    root: Path
    files: int
    changed: tuple[Rewritten, ...]
    left: tuple[Left, ...]
    loops: tuple[Loop, ...]
    unparsed: tuple[Unparsed, ...]
    notes: tuple[Note, ...]

    @property
    def tool(self) -> str:
        """What the patch that takes it back is named after."""
        return "oms-migrate-resilience"

    @property
    def moved(self) -> list[Moved]:
        """The sites that move."""
        return [site for each in self.changed for site in each.moved]

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """How many sites are left for each reason, most first."""
        return Counter(each.reason for each in self.left).most_common()


def plan_migration(path: Path, options: Options, *, only: Sequence[Path] = (), exclude: Sequence[str] = ()) -> Plan:
    """Work out the migration of *path*, or of the files *only* below it. Nothing is written.

    Raises:
        BadInput: a path is not there, or one of *only* is not below *path*.
    """
    # Who else speaks of a configuration is looked for in the whole folder, whatever part of it moves.
    everything = find_files(path.parent if path.is_file() else path, exclude=exclude)
    found = find_files(path, exclude=exclude, only=only)
    # A test that is named by itself is meant.
    options = replace(options, include_tests=options.include_tests or bool(only))
    with collection_paused():
        return _plan(found, everything, options)


def _plan(found: Found, everything: Found, options: Options) -> Plan:
    cycle = imported_by(options.target, found.root)
    words = _Words(everything.files)
    changed: list[Rewritten] = []
    left: list[Left] = []
    loops: list[Loop] = []
    unparsed: list[Unparsed] = []
    notes = [*found.notes] if found.files else [*found.notes, Note(".", "no Python file here")]
    for file in found.files:
        source = read_source(file, found.name(file), wanted=may_retry)
        if isinstance(source, Unparsed):
            unparsed.append(source)
            continue
        if source.tree is None:
            continue
        rewritten = rewrite(source, options, elsewhere=partial(words.beside, file), cycle=file.resolve() in cycle)
        left += rewritten.left
        loops += rewritten.loops
        if source.marks and (rewritten.changed or rewritten.left):
            notes.append(Note(source.file, f"{', '.join(source.marks)}; kept as is"))
        if rewritten.changed:
            changed.append(rewritten)
    rows = tuple(changed), tuple(left), tuple(loops), tuple(unparsed), tuple(notes)
    return Plan(found.root, len(found.files), *rows)


class _Words:
    """Which files have a word. Each word is looked for once."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        self._known: dict[str, set[Path]] = {}

    def beside(self, file: Path, word: str) -> bool:
        """Return whether another file than *file* has *word*."""
        if word not in self._known:
            pattern = re.compile(rb"\b" + re.escape(word.encode()) + rb"\b")
            self._known[word] = {each for each in self._files if pattern.search(_read_bytes(each))}
        return bool(self._known[word] - {file})


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        # It is told where files are read.
        return b""
