"""What git knows about the files that are to change, and the way back."""

from __future__ import annotations

import difflib
import subprocess
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from oms.domain.errors import CouldNot
from oms.migration.scan.source import Source

_LIMIT_S = 60.0
_NO_LINE_END = b"\n\\ No newline at end of file\n"
_MOST_NAMED = 3


class Changed(Protocol):
    """A file that changes."""

    @property
    def source(self) -> Source:
        """The file as it was read."""

    @property
    def raw(self) -> bytes:
        """Its bytes afterwards."""


def top_of(folder: Path) -> Path | None:
    """Return the top of the work tree that *folder* lies in, None if there is none or no git."""
    answer = _git(folder, "rev-parse", "--show-toplevel")
    return Path(answer.rstrip("\n")) if answer else None


def is_mute(folder: Path) -> bool:
    """Return whether *folder* lies in a work tree that git does not speak about: no git, or somebody else's tree."""
    here = folder.resolve()
    return top_of(folder) is None and any((each / ".git").exists() for each in (here, *here.parents))


def unsaved(top: Path, files: Iterable[Path]) -> list[str]:
    """Return what git could not bring back: tracked paths of the work tree that are changed, and those of *files* that it does not track."""
    changed = _split(_must(top, "status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames"))
    tracked = set(_split(_must(top, "ls-files", "-z", "--full-name")))
    names = [file.resolve().relative_to(top.resolve()).as_posix() for file in files]
    return sorted({*(line[3:] for line in changed), *(name for name in names if name not in tracked)})


def few(names: Sequence[str]) -> str:
    """Return the first of *names*, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def patch_of(changed: Iterable[Changed], base: Path) -> bytes:
    """Return the changes as a patch that ``git apply`` takes, with paths relative to *base*."""
    return b"".join(_file_patch(each, base) for each in changed)


def keep_patch(patch: bytes, folder: Path, tool: str) -> Path:
    """Write *patch* where it is in nobody's way, git's own folder if there is one, and return its place.

    Raises:
        CouldNot: it cannot be written; then nothing must be changed.
    """
    name = f"{tool}-{sha256(patch).hexdigest()[:12]}.patch"
    inside = _git(folder, "rev-parse", "--git-path", name)
    place = folder / inside.rstrip("\n") if inside else folder / f".{name}"
    try:
        place.write_bytes(patch)
    except OSError as error:
        raise CouldNot(
            f"{place}: the patch that undoes the change cannot be written: {error.strerror}; nothing was changed"
        ) from error
    return place


def diff_of(changed: Changed) -> str:
    """Return the change of one file as a unified diff for people."""
    source = changed.source
    after = changed.raw.decode(source.encoding).removeprefix("\ufeff")
    lines = difflib.unified_diff(_lines(source.text), _lines(after), f"a/{source.file}", f"b/{source.file}")
    return "".join(line if line.endswith("\n") else f"{line}{_NO_LINE_END.decode()}" for line in lines)


def _file_patch(changed: Changed, base: Path) -> bytes:
    source = changed.source
    path = source.path.resolve().relative_to(base.resolve()).as_posix()
    old, new = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    before, after = _byte_lines(source.raw), _byte_lines(changed.raw)
    lines = difflib.diff_bytes(difflib.unified_diff, before, after, old, new)
    return b"".join([b"diff --git " + old + b" " + new + b"\n", *map(_ended, lines)])


def _quoted(path: str) -> bytes:
    """Return a path as git writes it in a patch: in quotes, with escapes, if it holds anything but plain characters."""
    raw = path.encode("utf-8", "surrogateescape")
    if all(_is_plain(byte) for byte in raw):
        return raw
    escaped = (chr(byte) if _is_plain(byte) else "\\" + format(byte, "03o") for byte in raw)
    return ('"' + "".join(escaped) + '"').encode()


def _is_plain(byte: int) -> bool:
    return 0x20 <= byte < 0x7F and byte not in b'"\\'


def _byte_lines(raw: bytes) -> list[bytes]:
    return [line + b"\n" for line in raw[:-1].split(b"\n")] if raw.endswith(b"\n") else _open_ended(raw)


def _open_ended(raw: bytes) -> list[bytes]:
    *whole, last = raw.split(b"\n")
    return [*(line + b"\n" for line in whole), *([last] if last else [])]


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + _NO_LINE_END


def _lines(text: str) -> list[str]:
    return [line for line in text.replace("\n", "\n\0").split("\0") if line]


def _split(answer: str) -> list[str]:
    return [each for each in answer.split("\0") if each]


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *words],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "surrogateescape") if done.returncode == 0 else None


def _must(folder: Path, *words: str) -> str:
    answer = _git(folder, *words)
    if answer is None:
        raise CouldNot(
            f"{folder}: git {words[0]} does not answer, so nobody knows what could be brought back; nothing was changed"
        )
    return answer
