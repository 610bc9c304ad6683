"""The journal's file: its tables, how it is made, opened and put aside.

A file that was removed or replaced must not be opened over what SQLite left beside it: a write-ahead log or an index of the old file would be
taken for the new one's. So files are made, opened and put aside under a lock on the folder, which needs no space on the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from oms.domain.errors import CouldNot
from oms.journal.samples import add_buckets, dump_buckets, keep, load_buckets

SCHEMA = 2
"""Version of the tables below, kept in ``user_version``."""

APPLICATION = 0x6F6D736A
"""``omsj``, kept in ``application_id``: what another program wrote is never written to."""

_TABLES = """
CREATE TABLE place (
    id INTEGER PRIMARY KEY, phase TEXT NOT NULL, seam TEXT NOT NULL, operation TEXT NOT NULL, stage TEXT NOT NULL,
    plan TEXT NOT NULL DEFAULT '', version TEXT NOT NULL DEFAULT '', UNIQUE (phase, seam, operation, stage, plan, version));
CREATE TABLE tally (
    minute INTEGER, place INTEGER, name TEXT, count INTEGER NOT NULL, PRIMARY KEY (minute, place, name)) WITHOUT ROWID;
CREATE TABLE latency (
    minute INTEGER, place INTEGER, side TEXT, buckets TEXT NOT NULL, PRIMARY KEY (minute, place, side)) WITHOUT ROWID;
CREATE TABLE unit (minute INTEGER, place INTEGER, buckets TEXT NOT NULL, PRIMARY KEY (minute, place)) WITHOUT ROWID;
CREATE TABLE divergence (
    id INTEGER PRIMARY KEY, fingerprint TEXT NOT NULL, known TEXT NOT NULL, place INTEGER NOT NULL, kind TEXT NOT NULL, path TEXT NOT NULL,
    legacy_type TEXT NOT NULL, unified_type TEXT NOT NULL, first_seen REAL NOT NULL, last_seen REAL NOT NULL, samples TEXT NOT NULL,
    UNIQUE (fingerprint, known, place));
CREATE TABLE divergence_count (
    minute INTEGER, divergence INTEGER, count INTEGER NOT NULL, PRIMARY KEY (minute, divergence)) WITHOUT ROWID;
CREATE TABLE process (
    id INTEGER PRIMARY KEY, host TEXT NOT NULL, boot TEXT NOT NULL, pid INTEGER NOT NULL, started INTEGER NOT NULL,
    started_at REAL NOT NULL, seen_at REAL NOT NULL, ended_at REAL, ending TEXT, UNIQUE (host, boot, pid, started));
CREATE TABLE repair (
    process INTEGER, id INTEGER, phase TEXT NOT NULL, seam TEXT NOT NULL, side TEXT NOT NULL, key TEXT, opened_at REAL NOT NULL,
    closed_at REAL, process_local INTEGER NOT NULL, PRIMARY KEY (process, id)) WITHOUT ROWID;
CREATE TABLE trip (
    process INTEGER NOT NULL, phase TEXT NOT NULL, seam TEXT NOT NULL, operation TEXT NOT NULL, guard TEXT NOT NULL,
    from_stage TEXT NOT NULL, to_stage TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE flip (
    phase TEXT NOT NULL, from_split TEXT NOT NULL, to_split TEXT NOT NULL, digest TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL,
    at REAL NOT NULL, forced INTEGER NOT NULL);
CREATE TABLE loss (
    process INTEGER, since REAL, reason TEXT, until REAL NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (process, since, reason)) WITHOUT ROWID;
CREATE TABLE pruned (id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL);
"""

_FROM_1 = """
CREATE TABLE place_2 (
    id INTEGER PRIMARY KEY, phase TEXT NOT NULL, seam TEXT NOT NULL, operation TEXT NOT NULL, stage TEXT NOT NULL,
    plan TEXT NOT NULL DEFAULT '', version TEXT NOT NULL DEFAULT '', UNIQUE (phase, seam, operation, stage, plan, version));
INSERT INTO place_2 (id, phase, seam, operation, stage) SELECT id, phase, seam, operation, stage FROM place;
DROP TABLE place;
ALTER TABLE place_2 RENAME TO place;
CREATE TABLE unit (minute INTEGER, place INTEGER, buckets TEXT NOT NULL, PRIMARY KEY (minute, place)) WITHOUT ROWID;
"""

_MIGRATIONS = {1: _FROM_1}
"""What makes the next version's tables of each older one's. Counts stay where they are: a large file takes no longer than a small one."""

_WAL_LIMIT_BYTES = 4 * 1024 * 1024


def open_journal(path: Path, *, busy_s: float) -> sqlite3.Connection:
    """Open the journal at *path* for writing, made first if there is none. Waits at most about *busy_s* for a lock, twice.

    Raises:
        OSError, sqlite3.Error: if the machine does not let us.
        CouldNot: if the file is another program's, or a newer version's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _folder_lock(path.parent, busy_s):
        if not _has_content(path):
            # An emptied file goes too: whoever still has it open must see that the new one is another.
            path.unlink(missing_ok=True)
            _remove_what_is_beside(path)
            _make(path)
        connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def put_aside(path: Path, inode: int, *, busy_s: float) -> None:
    """Rename a corrupt journal to ``<name>.corrupt``, over the one before; not if the file at *path* is no longer *inode*."""
    with _folder_lock(path.parent, busy_s):
        if inode_of(path) == inode:
            path.replace(path.with_name(path.name + ".corrupt"))
            _remove_what_is_beside(path)


def inode_of(path: Path) -> int | None:
    """Return the number of the file at *path*, None if there is none or nothing in it."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino if found.st_size else None


def check_is_readable(path: Path) -> None:
    """Read the file as a newcomer does: a connection with warm pages would not notice for long that somebody has overwritten it.

    By SQLite only: POSIX locks of the whole process fall when any descriptor of the file is closed, so nobody else may open it here.

    Raises:
        sqlite3.Error: if it cannot be read.
    """
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


@contextlib.contextmanager
def _folder_lock(folder: Path, limit_s: float) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(descriptor, time.monotonic() + limit_s)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _remove_what_is_beside(path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _make(path: Path) -> None:
    """Make the file under another name and move it to its own: nobody reads half a journal."""
    made = path.with_name(path.name + ".new")
    for leftover in (made, made.with_name(made.name + "-journal")):
        leftover.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.executescript(
            f"BEGIN; {_TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA}; COMMIT;"
        )
    made.replace(path)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    check_is_ours(connection, path, oldest=min(_MIGRATIONS))
    connection.execute("PRAGMA journal_mode = WAL")
    _migrate(connection)
    # NORMAL: a commit survives kill -9 of any process; the last ones may go when the machine itself loses power.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    connection.create_function("add_buckets", 2, _add_buckets, deterministic=True)
    connection.create_function("add_samples", 4, _add_samples, deterministic=True)
    connection.create_aggregate("sum_buckets", 1, _SumBuckets)  # type: ignore[arg-type]  # typeshed wants its own class


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to this version, under the folder's lock: all of it or nothing.

    A process of the older version that has the file open goes on writing.
    """
    while (version := _pragma(connection, "user_version")) < SCHEMA:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in filter(str.strip, _MIGRATIONS[version].split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def check_is_ours(connection: sqlite3.Connection, path: Path, *, oldest: int = SCHEMA) -> None:
    """Refuse a file that this version must not touch, and one that is older than *oldest*.

    Raises:
        CouldNot: if it is another program's database, a newer journal, or an older one than the caller can do with.
    """
    version, application = _pragma(connection, "user_version"), _pragma(connection, "application_id")
    if not version and not application and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise CouldNot(f"{path}: found an empty file, wanted a journal; a running service makes one in its place")
    if application != APPLICATION:
        raise CouldNot(f"{path}: found another program's database, wanted a journal of oms; name another file")
    if 0 < version < oldest:
        raise CouldNot(
            f"{path}: found schema {version}, wanted {SCHEMA}; start the service once, which moves the file up as it is"
        )
    if not oldest <= version <= SCHEMA:
        raise CouldNot(
            f"{path}: found schema {version}, wanted {SCHEMA}; use the oms that wrote it, or move the file away"
        )


def _add_buckets(one: str, other: str) -> str:
    merged = load_buckets(one)
    add_buckets(merged, load_buckets(other))
    return dump_buckets(merged)


def _add_samples(one: str, other: str, first: int, newest: int) -> str:
    return json.dumps(keep(json.loads(one) + json.loads(other), first=first, newest=newest))


class _SumBuckets:
    """The sum of a column of histograms."""

    def __init__(self) -> None:
        self._sum: dict[int, int] = {}

    def step(self, buckets: str) -> None:
        """Take one row."""
        add_buckets(self._sum, load_buckets(buckets))

    def finalize(self) -> str:
        """Return the sum."""
        return dump_buckets(self._sum)
