"""One file, replaced as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from oms.domain.errors import CouldNot


def replace_file(path: Path, *, before: bytes, after: bytes) -> None:
    """Put *after* in the place of *before*: a new file beside it takes over its mode, reaches the disk, then its name.

    Raises:
        CouldNot: the file is no longer what was read, or the machine did not comply; the file is as it was.
    """
    try:
        if path.read_bytes() != before:
            raise CouldNot(f"{path}: found another content than was read, wanted the same; run again")
        _replace(path, after)
    except OSError as error:
        raise CouldNot(f"{path}: cannot be written: {error.strerror}; the file is as it was") from error


def _replace(path: Path, after: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".oms", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        shutil.copystat(path, name)
        os.utime(name)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
