"""One flip at a time: an exclusive lock between processes that ends with its holder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oms.domain.errors import CouldNot

_POLL_S = 0.005


@contextmanager
def exclusive(path: Path, *, limit_s: float) -> Iterator[None]:
    """Hold the lock file *path*, waiting at most *limit_s* seconds for it.

    The kernel lets go of it when the holder ends, however it ends, so a lock file that lies about holds nobody up.

    Raises:
        CouldNot: if the file cannot be opened, or somebody else holds it for longer than that; names the pid.
    """
    descriptor = _open(path)
    try:
        _take(descriptor, path, limit_s)
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise CouldNot(f"{path}: {error.strerror}, wanted a file that can be locked") from error


def _take(descriptor: int, path: Path, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise CouldNot(f"{path}: held by pid {holder} for more than {limit_s:g} s, wanted it free") from error
        except OSError as error:
            raise CouldNot(f"{path}: {error.strerror}, wanted a file that can be locked") from error
        else:
            return
        time.sleep(_POLL_S)


def _sign(descriptor: int) -> None:
    """Leave our pid for whoever waits. A full disk must not stop a flip that holds the lock."""
    try:
        os.pwrite(descriptor, f"{os.getpid():<19}\n".encode(), 0)
    except OSError:
        return
