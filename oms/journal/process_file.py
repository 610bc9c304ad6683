"""How a process shows where it stands: a small mapped file, readable while it is written, written while the disk is full."""

from __future__ import annotations

import contextlib
import json
import logging
import mmap
import os
import socket
import threading
import time
import weakref
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

from oms.domain.standing import PhaseStanding
from oms.journal.identity import start_ticks
from oms.journal.run_folder import HEADER, MAGIC, remove_stale
from oms.journal.signals import without_file_size_signal

_log = logging.getLogger(__name__)

_SLOT_BYTES = 8 * 1024
_BEAT_S = 0.1
_FIELDS = tuple(field.name for field in fields(PhaseStanding))


class ProcessFile:
    """The file of this process in *run_dir*, named ``<pid>-<start ticks>``.

    Args:
        run_dir: Made when it is missing.
        standing: Where each phase stands, by name; called at each beat, from any thread.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        run_dir: Path,
        standing: Callable[[], Mapping[str, PhaseStanding]],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._run_dir, self._standing, self._clock = run_dir, standing, clock
        self._map: mmap.mmap | None = None
        self._reset()
        _restart_after_fork(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._beat_s = _BEAT_S
        self._problem: str | None = None
        self._unmap_locked()
        self._path = self._run_dir / f"{os.getpid()}-{start_ticks(os.getpid()) or 0}"
        self._descriptor_stat: tuple[int, int] | None = None
        self._sequence = 0
        self._slot_bytes = _SLOT_BYTES

    @property
    def path(self) -> Path:
        """Where this process's file stands, or would."""
        return self._path

    @property
    def problem(self) -> str | None:
        """Why this process cannot show where it stands, on one line; None when all is well. It then counts as silent."""
        return self._problem

    def open(self) -> None:
        """Make the file and write the first beat. Old files of processes that are gone are removed."""
        remove_stale(self._run_dir)
        self.beat()

    def beat(self) -> None:
        """Write where the process stands now; never raises. Call it right after each publish."""
        with self._lock, without_file_size_signal():
            try:
                self._beat_locked()
            except Exception as error:  # a beat that fails must not end the thread, nor a publish
                self._tell(error)
            else:
                self._problem = None

    def start(self, *, beat_s: float = _BEAT_S) -> None:
        """Open the file and beat every *beat_s* seconds in a daemon thread; does nothing while one runs."""
        if self._thread is None:
            self._beat_s = beat_s
            self._stopping.clear()
            self.open()
            self._start_thread()

    def stop(self) -> None:
        """End the thread and remove the file: the process ended cleanly."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self.close()

    def close(self) -> None:
        """Remove the file."""
        with self._lock:
            self._unmap_locked()
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="oms-process-file", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        stopping, beat_s = self._stopping, self._beat_s
        while not stopping.wait(beat_s):
            self.beat()

    def _beat_locked(self) -> None:
        phases = {
            name: {field: getattr(standing, field) for field in _FIELDS} for name, standing in self._standing().items()
        }
        text = json.dumps({"host": socket.gethostname(), "beat_at": self._clock(), "phases": phases}).encode()
        if self._map is None or not self._is_sound_locked() or HEADER.size + len(text) > self._slot_bytes:
            self._make_locked(text)
        else:
            self._write_locked(self._map, text)

    def _is_sound_locked(self) -> bool:
        """Tell whether the mapped file still stands there in full: writing to a page that was cut off would kill the process."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_ino, found.st_size) == self._descriptor_stat

    def _make_locked(self, text: bytes) -> None:
        """Make the file with its first beat in it, under another name, and move it to its own: no reader sees it empty."""
        self._unmap_locked()
        self._run_dir.mkdir(parents=True, exist_ok=True)
        while HEADER.size + len(text) > self._slot_bytes:
            self._slot_bytes *= 2
        size = len(MAGIC) + 2 * self._slot_bytes
        made = self.path.with_suffix(".new")
        descriptor = os.open(made, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            # Every block is taken now: a page that finds no block later is a SIGBUS.
            os.posix_fallocate(descriptor, 0, size)
            os.pwrite(descriptor, MAGIC + bytes(size - len(MAGIC)), 0)
            mapped = mmap.mmap(descriptor, size)
            self._write_locked(mapped, text)
            made.replace(self.path)
            found = os.fstat(descriptor)
        except BaseException:
            made.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        self._map, self._descriptor_stat = mapped, (found.st_ino, found.st_size)

    def _write_locked(self, mapped: mmap.mmap, text: bytes) -> None:
        self._sequence += 1
        start = len(MAGIC) + (self._sequence % 2) * self._slot_bytes
        length, checksum = len(text), zlib.crc32(text)
        HEADER.pack_into(mapped, start, self._sequence, length, checksum, self._sequence - 1)
        mapped[start + HEADER.size : start + HEADER.size + length] = text
        HEADER.pack_into(mapped, start, self._sequence, length, checksum, self._sequence)

    def _unmap_locked(self) -> None:
        mapped, self._map = self._map, None
        if mapped is not None:
            mapped.close()

    def _tell(self, error: Exception) -> None:
        found = f"{type(error).__name__}: {error}"
        problem = (
            f"{self.path}: cannot beat ({found}), wanted a folder with room for 16 KiB; this process counts as silent"
        )
        if problem != self._problem:
            _log.warning("%s", problem)
        self._problem = problem

    def after_fork_in_child(self) -> None:
        """Leave the parent's file alone and beat in one of the child's own, if the parent did."""
        was_running, beat_s = self._thread is not None and not self._stopping.is_set(), self._beat_s
        self._reset()
        if was_running:
            self._beat_s = beat_s
            self._start_thread()


def _restart_after_fork(file: ProcessFile) -> None:
    """Register the hook without keeping *file* alive: the interpreter never forgets a hook."""
    reference = weakref.ref(file)

    def in_child() -> None:
        alive = reference()
        if alive is not None:
            alive.after_fork_in_child()

    os.register_at_fork(after_in_child=in_child)
