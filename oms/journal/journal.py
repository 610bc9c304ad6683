"""The journal of one process: a background thread that drains, merges and writes, and never disturbs a call."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from oms.domain.errors import CouldNot
from oms.domain.record import Batch
from oms.journal.limits import JournalLimits
from oms.journal.pending import Loss, Pending
from oms.journal.signals import without_file_size_signal
from oms.journal.store import Store, StoreSettings, is_corrupt

_log = logging.getLogger(__name__)

_SHOWN_AFTER_S = 1.0
"""A gap of less is none."""

_LOCK_IS_NEWS_S = 5.0
"""A lock that others have held for less is no news: processes that write at once wait for each other."""

_FORK_WAIT_S = 1.0
_SEEN_EVERY_S = 5.0
_DEFAULT_LIMITS = JournalLimits()


class Journal:
    """Writes what *drain* returns to the SQLite file at *path*, every *flush_s* seconds, from one thread.

    Many processes may write to one file. What cannot be written waits in memory, merged by key and within bounds; what does not fit them
    is counted in ``lost``. A forked child gets a thread and a connection of its own.

    Args:
        path: The file; it and its folder are made when they are missing.
        drain: Returns everything since its last call. Called by this thread only, and by ``flush`` and ``stop``.
        flush_s: Seconds between two writes, and so how much ``kill -9`` may lose.
        limits: Bounds on disk and in memory.
        hash_key: Keys of repairs are written as hashes keyed with it; without it they are left out.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        path: Path,
        drain: Callable[[], Batch],
        *,
        flush_s: float = 0.25,
        limits: JournalLimits = _DEFAULT_LIMITS,
        hash_key: bytes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = StoreSettings(path, limits, hash_key)
        self._drain, self._flush_s, self._clock = drain, flush_s, clock
        self._held_by: int | None = None
        self._reset()
        _restart_after_fork(self)

    def _reset(self) -> None:
        """Begin anew, with nothing of the parent's."""
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._pending = Pending(self._settings.limits)
        self._thread: threading.Thread | None = None
        self._store: Store | None = None
        self._deadline = 0.0
        self._problem: str | None = None
        self._told: str | None = None
        self._drain_problem: str | None = None
        self._failing_since: float | None = None
        self._lost_before = 0
        self._seen_at = 0.0
        self._pruned_at = 0.0
        self._is_announced = True
        self._is_ended = False

    @property
    def lost(self) -> int:
        """How many divergences, repairs, trips and counted events of this process will never be in the file."""
        return self._pending.lost

    @property
    def problem(self) -> str | None:
        """Why nothing can be written at present, on one line; None when all is well."""
        return self._problem or self._drain_problem

    def start(self) -> None:
        """Start the thread, which makes the file and records the process; does nothing while it runs."""
        with self._lock:
            if self._thread is None:
                self._stopping.clear()
                self._is_announced = False
                self._start_thread()

    def flush(self) -> bool:
        """Drain and write now. Return whether everything is in the file; never raises."""
        with self._lock, without_file_size_signal():
            self._take_locked()
            return self._write_locked()

    def wake(self) -> None:
        """Have the thread drain and write at once: something came that must not wait for the next flush. Never waits."""
        self._wake.set()

    def stop(self, limit_s: float) -> bool:
        """Write what is left, record the clean end and stop the thread, within *limit_s* seconds. Return whether all of it was written."""
        self._deadline = time.monotonic() + limit_s
        self._stopping.set()
        self._wake.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(limit_s)
        elif not self._is_ended:
            self._finish()
        if not self._is_ended:
            _log.warning(
                "journal %s: the end of this process is not recorded: %s",
                self._settings.path,
                self._problem or "no time",
            )
        return self._is_ended

    def _start_thread(self) -> None:
        self._is_ended = False
        self._thread = threading.Thread(target=self._run, name="oms-journal", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.flush()
        while not self._stopping.is_set():
            self._wake.wait(self._flush_s)
            self._wake.clear()
            if not self._stopping.is_set():
                self.flush()
        self._finish()

    def _finish(self) -> None:
        while not self._end() and time.monotonic() < self._deadline:
            time.sleep(0.02)

    def _end(self) -> bool:
        with self._lock, without_file_size_signal():
            self._take_locked()
            if self._store is not None:
                self._try_locked(lambda store: store.wait_at_most(self._deadline - time.monotonic()))
            self._is_ended = self._write_locked(ended=True) and (not self._pending or self._write_locked(ended=True))
            self._close_locked()
            return self._is_ended

    def _take_locked(self) -> None:
        try:
            self._pending.add(self._drain(), self._clock())
        except Exception as error:  # whatever it is, the next drain must come
            if self._drain_problem is None:
                _log.exception("journal %s: draining failed", self._settings.path)
            self._drain_problem = (
                f"journal {self._settings.path}: draining failed with {type(error).__name__}, wanted a batch"
            )
        else:
            self._drain_problem = None

    def _write_locked(self, *, ended: bool = False) -> bool:
        """Write if there is anything to say; an idle process says that it is there every few seconds."""
        now = self._clock()
        is_idle = not self._pending and self._is_announced and self._failing_since is None
        if not ended and is_idle and (self._store is None or abs(now - self._seen_at) < _SEEN_EVERY_S):
            return True
        if not self._try_locked(lambda store: store.write(self._pending, now, ended=ended)):
            return False
        self._pending.clear()
        self._is_announced, self._seen_at = True, now
        self._recover(now)
        self._prune_locked(now)
        return True

    def _prune_locked(self, now: float) -> None:
        if abs(now - self._pruned_at) >= self._settings.limits.prune_every_s and self._try_locked(
            lambda store: store.prune_if_due(now)
        ):
            self._pruned_at = now

    def _try_locked(self, action: Callable[[Store], object]) -> bool:
        """Do *action* with an open store. After any error the store is closed: the next try begins with a new one."""
        try:
            action(self._current_store_locked())
        except (sqlite3.OperationalError, OSError, CouldNot) as error:
            self._fail(_what(error), error)
        except Exception as error:
            self._fail(_what(error), error)
            if not is_corrupt(error):
                # Rows that SQLite refuses would be refused for ever, and hold up all that come after them.
                self._pending.drop(self._clock(), f"rows that cannot be stored ({type(error).__name__})")
        else:
            return True
        return False

    def _current_store_locked(self) -> Store:
        if self._store is not None and not self._store.is_current:
            self._pending.note(Loss(self._clock(), self._clock(), 0, "the journal's file was removed or replaced"))
            self._close_locked()
        if self._store is None:
            self._store = Store(self._settings)
        return self._store

    def _close_locked(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _fail(self, what: str, error: Exception) -> None:
        self._close_after(error)
        problem = (
            f"journal {self._settings.path}: {what}; counts wait in memory, calls go on, writing resumes by itself"
        )
        if self._failing_since is None:
            self._failing_since, self._lost_before = self._clock(), self._pending.lost
        self._problem = problem
        is_news = not _is_lock(error) or abs(self._clock() - self._failing_since) > _LOCK_IS_NEWS_S
        if is_news and problem != self._told:
            _log.warning("%s", problem)
            self._told = problem

    def _close_after(self, error: Exception) -> None:
        if is_corrupt(error):
            self._pending.note(
                Loss(self._clock(), self._clock(), 0, "the journal's file was damaged; it is put aside as .corrupt")
            )
        store, self._store = self._store, None
        if store is None:
            return
        try:
            if is_corrupt(error):
                store.put_aside()
            else:
                store.close()
        except (sqlite3.Error, OSError):
            _log.debug("journal %s: closing failed", self._settings.path, exc_info=True)

    def _recover(self, now: float) -> None:
        since, self._failing_since = self._failing_since, None
        if since is None:
            return
        _log.info("journal %s: writing again", self._settings.path)
        if self._pending.lost > self._lost_before or now - since > _SHOWN_AFTER_S:
            self._pending.note(Loss(since, now, 0, f"not writable: {self._problem}"))
        self._problem = self._told = None

    # A connection must not cross a fork, not even to be closed there. So the parent closes it before, under the lock
    # that every write holds, and opens another when it next writes.

    def before_fork(self) -> None:
        """Wait for a write under way and close the connection."""
        if self._lock.acquire(timeout=_FORK_WAIT_S):
            self._held_by = threading.get_ident()
            with without_file_size_signal():
                self._close_locked()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        if self._held_by == threading.get_ident():
            self._held_by = None
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Forget the parent's rows and connection; run a thread if the parent did."""
        was_running, store = self._thread is not None and not self._stopping.is_set(), self._store
        if store is not None:
            store.abandon()
        self._held_by = None
        self._reset()
        if was_running:
            self._start_thread()


def _restart_after_fork(journal: Journal) -> None:
    """Register the three hooks without keeping *journal* alive: the interpreter never forgets a hook."""
    reference = weakref.ref(journal)

    def hook(method: Callable[[Journal], None]) -> Callable[[], None]:
        def call() -> None:
            alive = reference()
            if alive is not None:
                method(alive)

        return call

    os.register_at_fork(
        before=hook(Journal.before_fork),
        after_in_parent=hook(Journal.after_fork_in_parent),
        after_in_child=hook(Journal.after_fork_in_child),
    )


def _is_lock(error: Exception) -> bool:
    """Tell whether somebody else is writing, or makes or opens the file."""
    return isinstance(error, BlockingIOError) or _primary_code(error) == sqlite3.SQLITE_BUSY


def _primary_code(error: Exception) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def _what(error: Exception) -> str:
    """Say what happened in an operator's words, and what mends it."""
    primary = _primary_code(error)
    if primary in _MENDS:
        return f"{error}, wanted {_MENDS[primary]}"
    return f"{error}" if isinstance(error, CouldNot) else f"{type(error).__name__}: {error}"


_MENDS = {
    sqlite3.SQLITE_FULL: "space on its disk",
    sqlite3.SQLITE_IOERR: "a disk that takes writes (full, over a size limit, or failing)",
    sqlite3.SQLITE_BUSY: "the lock, which another program holds; end that program",
    sqlite3.SQLITE_READONLY: "a file and folder that this user may write",
    sqlite3.SQLITE_CANTOPEN: "a folder that this user may write",
    sqlite3.SQLITE_CORRUPT: "a sound file; it is put aside as .corrupt",
    sqlite3.SQLITE_NOTADB: "a SQLite file; it is put aside as .corrupt",
}
