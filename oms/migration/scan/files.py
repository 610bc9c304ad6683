"""Which files of a folder are looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from oms.domain.errors import BadInput

SUFFIXES = (".py", ".pyw")
_SKIPPED = frozenset({"__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Note:
    """Something about one path that the reader of a report should know.

    Attributes:
        file: Path below the folder that was given, with forward slashes.
        text: The fact, on one line.
    """

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds.

    Attributes:
        root: The folder; of a single file, the folder it lies in.
        files: Python files below it, in order of their path.
        notes: Paths that were passed over, and why.
    """

    root: Path
    files: tuple[Path, ...]
    notes: tuple[Note, ...]

    def name(self, path: Path) -> str:
        """Return *path* below the root, printable, with forward slashes."""
        return printable(path.relative_to(self.root))


def printable(path: Path) -> str:
    """Return *path* with forward slashes; bytes of a name that are no text become escapes."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def find_files(path: Path, *, exclude: Sequence[str] = (), only: Sequence[Path] = ()) -> Found:
    """Find the Python files of *path*, a folder or one file; with *only*, just these below it.

    Not followed: symbolic links (so no loop and no file twice), hidden folders, virtual environments, ``__pycache__``, ``node_modules`` and
    whatever matches a pattern of *exclude* (``archive/*``, matched against the path below *path*).

    Raises:
        BadInput: *path* does not exist, leads in a circle or is neither a file nor a folder; or one of *only* is not below it.
    """
    found = _found(path, exclude)
    return replace(found, files=tuple(_below(found, each) for each in only), notes=()) if only else found


def _found(path: Path, exclude: Sequence[str]) -> Found:
    mode = _mode(path)
    if S_ISREG(mode):
        return Found(path.parent, (path,), ())
    if not S_ISDIR(mode):
        raise BadInput(str(path), found="neither a file nor a folder", wanted="a Python file or a folder")
    files: list[Path] = []
    notes: list[Note] = []
    for item in _walk(path, path, tuple(exclude)):
        if isinstance(item, Note):
            notes.append(item)
        else:
            files.append(item)
    return Found(path, tuple(sorted(files)), tuple(sorted(notes, key=lambda note: note.file)))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        raise BadInput(str(path), found="nothing", wanted="a Python file or a folder") from None
    except OSError as error:
        raise BadInput(
            str(path), found=f"{error.strerror}", wanted="a Python file or a folder that can be read"
        ) from None


def _walk(root: Path, folder: Path, exclude: tuple[str, ...]) -> Iterator[Path | Note]:
    folders = [folder]
    while folders:
        here = folders.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            yield Note(printable(here.relative_to(root)), f"folder cannot be read: {error.strerror}")
            continue
        for entry in entries:
            path = Path(entry.path)
            name = printable(path.relative_to(root))
            if any(fnmatch(name, pattern) or fnmatch(name, f"{pattern}/*") for pattern in exclude):
                yield Note(name, "excluded on the command line")
            elif entry.is_symlink():
                if entry.name.endswith(SUFFIXES) or path.is_dir() or not _leads_somewhere(path):
                    yield Note(name, _link(path))
            elif entry.is_dir():
                if (path / "pyvenv.cfg").exists():
                    yield Note(name, "virtual environment, not looked at")
                elif not entry.name.startswith(".") and entry.name not in _SKIPPED:
                    folders.append(path)
            elif entry.name.endswith(SUFFIXES):
                yield path if entry.is_file() else Note(name, "not a regular file, not looked at")


def _leads_somewhere(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _link(path: Path) -> str:
    if not _leads_somewhere(path):
        return "symbolic link that leads nowhere or in a circle, not followed"
    if path.is_dir() and path.parent.resolve().is_relative_to(path.resolve()):
        return "symbolic link to a folder above it (a loop), not followed"
    return "symbolic link, not followed"


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
