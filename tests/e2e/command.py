"""The oms command as a process of its own, for the end-to-end tests."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]

DEADLINE_S = 120.0
"""How long anything may take here; far more than it does, because a machine may be busy."""

WAIT_S = "60"
"""How long a command that moves a flag waits for all processes, so that it says what they do and not how busy the machine is."""


def oms(
    *arguments: str | Path, env: dict[str, str] | None = None, limit_s: float = DEADLINE_S
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, for at most *limit_s* seconds."""
    return subprocess.run(
        _command(arguments),
        cwd=ROOT,
        env=_environment(env),
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


class Running:
    """The command while it runs.

    Attributes:
        lines: What was read of its stdout and stderr so far.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._coming: queue.Queue[str] = queue.Queue()
        self._readers = [self._reader(stream) for stream in (process.stdout, process.stderr)]

    def wait_for_line(self, *, containing: str, limit_s: float = DEADLINE_S) -> str:
        """Read both streams until a line has *containing* in it, for at most *limit_s* seconds, and return that line."""
        deadline = time.monotonic() + limit_s
        while (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self.lines.append(self._coming.get(timeout=min(left, 0.5)))
                if containing in self.lines[-1]:
                    return self.lines[-1]
            if self._coming.empty() and not any(reader.is_alive() for reader in self._readers):
                break
        raise AssertionError(f"no line with {containing!r} in {self.lines}")

    def lines_so_far(self, *, containing: str) -> list[str]:
        """Return every line that has come until now and has *containing* in it."""
        with contextlib.suppress(queue.Empty):
            while True:
                self.lines.append(self._coming.get_nowait())
        return [line for line in self.lines if containing in line]

    def _reader(self, stream: IO[str] | None) -> threading.Thread:
        assert stream is not None
        thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        thread.start()
        return thread

    def _read(self, stream: IO[str]) -> None:
        # A stream that its process or its owner has closed has nothing more to say.
        with contextlib.suppress(ValueError):
            for line in stream:
                self._coming.put(line)

    def end(self, signal_: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(signal_)
        return self.process.wait(DEADLINE_S)


@contextlib.contextmanager
def running(*arguments: str | Path, env: dict[str, str] | None = None, module: str = "oms.cli") -> Iterator[Running]:
    """Run the command, or another *module*, while the block does; it is killed at the block's end, with all that it has forked."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        _command(arguments, module),
        cwd=ROOT,
        env=_environment(env),
        stdout=pipe,
        stderr=pipe,
        text=True,
        bufsize=1,
        start_new_session=True,
    )
    with process:
        try:
            yield Running(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Ask until *condition* holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Tell whether *pid* is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def worker_pids(folder: Path) -> list[int]:
    """Return the pids that have a process file under *folder*."""
    return [int(each.name.partition("-")[0]) for each in (folder / "var" / "run").glob("[0-9]*-*")]


def _command(arguments: tuple[str | Path, ...], module: str = "oms.cli") -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


def _environment(more: dict[str, str] | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OMS_")}
    return {**kept, **(more or {})}
