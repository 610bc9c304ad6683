"""Which process this is, and whether another one is still there."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that no other is taken for.

    Attributes:
        boot: Id of the host's boot; pids and start times begin anew with each.
        started: Start time of *pid* in clock ticks since boot, 0 where the system does not tell.
    """

    host: str
    boot: str
    pid: int
    started: int

    @classmethod
    def own(cls) -> Identity:
        """Return the identity of the calling process."""
        return cls(socket.gethostname(), boot_id(), os.getpid(), start_ticks(os.getpid()) or 0)

    def is_alive(self) -> bool:
        """Tell whether this process of this host still runs; one of another host or another boot does not."""
        return self.host == socket.gethostname() and self.boot == boot_id() and is_alive(self.pid, self.started)


def is_alive(pid: int, started: int) -> bool:
    """Tell whether *pid* runs now with that start time. A zombie does not run."""
    found = start_ticks(pid)
    if found is not None or _PROC.joinpath("self/stat").exists():
        return found == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def start_ticks(pid: int) -> int | None:
    """Return when *pid* started, in clock ticks since boot; None if there is no such process, or only its zombie.

    Source: proc(5), fields 3 (state) and 22 (starttime), counted after the command's closing bracket, which may itself hold brackets.
    """
    try:
        stat = Path(f"{_PROC}/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat.rpartition(b")")[2].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def boot_id() -> str:
    """Return the id of this boot, empty where the system does not tell."""
    try:
        return _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
