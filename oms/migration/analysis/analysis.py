"""Everything that a code base reads from and writes to the environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oms.migration.analysis.conflicts import Conflict, conflicts_of
from oms.migration.scan.files import Found, Note, find_files
from oms.migration.scan.pause import collection_paused
from oms.migration.scan.scanning import Access, scan
from oms.migration.scan.source import Source, Unparsed, read_source


@dataclass(frozen=True, slots=True)
class Analysis:
    """The findings about one path.

    Attributes:
        path: What was analyzed.
        files: Python files looked at, those that do not parse included.
        unparsed: Files that could not be understood: about these nothing is known.
        accesses: By file, then by place.
        conflicts: By variable, then by kind.
        notes: What the reader should know of single paths: links that were not followed, bytes that are unusual.
    """

    path: str
    files: int
    unparsed: tuple[Unparsed, ...]
    accesses: tuple[Access, ...]
    conflicts: tuple[Conflict, ...]
    notes: tuple[Note, ...]


def analyze(path: Path, *, exclude: Sequence[str] = ()) -> Analysis:
    """Analyze *path*, a folder or one file.

    Raises:
        BadInput: *path* is not there or cannot be looked at.
    """
    with collection_paused():
        return _analyze(path, find_files(path, exclude=exclude))


def _analyze(path: Path, found: Found) -> Analysis:
    unparsed: list[Unparsed] = []
    accesses: list[Access] = []
    notes = [*found.notes]
    for file in found.files:
        source = read_source(file, found.name(file))
        if isinstance(source, Unparsed):
            unparsed.append(source)
            continue
        rows = scan(source).accesses if source.tree is not None else ()
        accesses += rows
        notes += _notes(source, bool(rows))
    if not found.files:
        notes.append(Note(".", "no Python file here"))
    return Analysis(str(path), len(found.files), tuple(unparsed), tuple(accesses), conflicts_of(accesses), tuple(notes))


def _notes(source: Source, accesses: bool) -> list[Note]:
    """Return the marks of a file that hold for it: all where an access stands, the encoding everywhere."""
    marks = source.marks if accesses or source.encoding != "utf-8" or source.bom else ()
    return [Note(source.file, f"{', '.join(marks)}; kept as is")] if marks else []
