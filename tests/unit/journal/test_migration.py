"""A journal of the version before: moved up in place by whoever writes, refused in one line by whoever reads."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oms.domain.divergence import Divergence
from oms.domain.errors import CouldNot
from oms.domain.record import Flip, Place, Tally
from oms.journal import Journal, JournalReader, append_flip
from oms.journal.schema import APPLICATION, SCHEMA, open_journal
from tests.unit.journal.conftest import NOW, Feed

MINUTE = int(NOW // 60)
_SCHEMA_1 = """
CREATE TABLE place (
    id INTEGER PRIMARY KEY, phase TEXT NOT NULL, seam TEXT NOT NULL, operation TEXT NOT NULL, stage TEXT NOT NULL,
    UNIQUE (phase, seam, operation, stage));
CREATE TABLE tally (
    minute INTEGER, place INTEGER, name TEXT, count INTEGER NOT NULL, PRIMARY KEY (minute, place, name)) WITHOUT ROWID;
CREATE TABLE latency (
    minute INTEGER, place INTEGER, side TEXT, buckets TEXT NOT NULL, PRIMARY KEY (minute, place, side)) WITHOUT ROWID;
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
"""The tables of version 1, as it shipped."""

PLACES = 40
MINUTES = 1_000
OLD = Place("cache", "types", "op0", "shadow")


@pytest.fixture
def old(path: Path) -> Path:
    """A journal of version 1 with 120,000 rows of counts: two days of a busy service."""
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA_1)
        connection.executemany(
            "INSERT INTO place VALUES (?, 'cache', 'types', ?, 'shadow')",
            [(number + 1, f"op{number}") for number in range(PLACES)],
        )
        minutes = range(MINUTE - MINUTES, MINUTE)
        connection.executemany(
            "INSERT INTO tally VALUES (?, ?, ?, 3)",
            [(m, place, name) for m in minutes for place in range(1, PLACES + 1) for name in ("calls", "matched")],
        )
        connection.executemany(
            "INSERT INTO latency VALUES (?, ?, 'legacy', '{\"80\":3}')",
            [(m, place) for m in minutes for place in range(1, PLACES + 1)],
        )
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    return path


def schema(path: Path) -> tuple[int, set[str]]:
    """Return the version and the tables of the file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return connection.execute("PRAGMA user_version").fetchone()[0], {name for (name,) in tables}


def test_moved_up_in_place(old: Path, feed: Feed) -> None:
    """The first to write moves the file up: nothing is lost, and what comes is counted beside it."""
    inode = old.stat().st_ino
    new = Place("cache", "types", "op0", "shadow", "plan", "version")
    journal = Journal(old, feed)
    feed.calls(5, place=new)
    feed.calls(2, place=OLD)

    assert journal.flush()
    assert journal.flush()
    assert journal.stop(5.0)
    with JournalReader(old) as reader:
        calls = {one.place: one.counts["calls"] for one in reader.slices(by_minute=False)}
        durations = [row.buckets for row in reader.latencies()]
    assert inode == old.stat().st_ino
    assert {5, MINUTES * 3, MINUTES * 3 + 2} == set(calls.values())
    assert (5, MINUTES * 3 + 2, PLACES + 1) == (calls[new], calls[OLD], len(calls))
    assert [{80: MINUTES * 3}] * PLACES == durations


def test_same_tables_as_a_new_file(old: Path, tmp_path: Path) -> None:
    """A file that was moved up has the tables and columns of one that was made anew."""
    fresh = tmp_path / "fresh" / "journal.db"
    columns = []
    for file in (old, fresh):
        with contextlib.closing(open_journal(file, busy_s=1.0)) as connection:
            tables = sorted(schema(file)[1])
            columns.append({table: connection.execute(f"PRAGMA table_info({table})").fetchall() for table in tables})

    assert columns[0] == columns[1]
    assert SCHEMA == schema(old)[0] == schema(fresh)[0]


def test_reader_says_what_to_do(old: Path) -> None:
    """A reader changes nothing, and says on one line what was found, what was wanted, and what moves the file up."""
    with pytest.raises(CouldNot, match="found schema 1, wanted 2; start the service once") as told:
        JournalReader(old)

    assert "\n" not in str(told.value)
    assert 1 == schema(old)[0]


def test_flip_moves_it_up(old: Path) -> None:
    """The command line writes, too."""
    append_flip(old, Flip("cache", "off", "shadow", "d", "w", "y", NOW))
    with JournalReader(old) as reader:
        assert 1 == len(reader.flips())


def test_cut_short(old: Path) -> None:
    """What fails in the middle leaves the old file as it was: all of it or nothing."""
    with contextlib.closing(sqlite3.connect(old)) as connection:
        connection.execute("CREATE TABLE unit (mine INTEGER)")  # the last statement will not do
        connection.commit()
    before = schema(old)
    with pytest.raises(sqlite3.Error):
        open_journal(old, busy_s=1.0)

    assert before == schema(old)
    with contextlib.closing(sqlite3.connect(old)) as connection:
        assert PLACES == connection.execute("SELECT count(*) FROM place").fetchone()[0]
        assert 5 == len(connection.execute("PRAGMA table_info(place)").fetchall())


def test_several_at_once(old: Path) -> None:
    """Of several processes that come at once one moves the file up, and all go on."""
    feeds = [Feed() for _ in range(4)]
    journals = [Journal(old, feed, flush_s=0.01) for feed in feeds]
    for feed in feeds:
        feed.calls(1, place=OLD)
    threads = [threading.Thread(target=journal.stop, args=(20.0,)) for journal in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with JournalReader(old) as reader:
        found = {row.place.operation: row.count for row in reader.tallies() if row.name == "calls"}

    assert MINUTES * 3 + 4 == found["op0"]


def test_open_hand_of_the_old_version(old: Path, feed: Feed) -> None:
    """A process of the old version that has the file open goes on writing while a new one moves it up: releases roll."""
    with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("SELECT count(*) FROM place").fetchone()
        journal = Journal(old, feed)
        feed.calls(1, place=OLD)
        assert journal.flush()
        row = ("cache", "types", "late", "shadow")
        connection.execute(
            "INSERT INTO place (phase, seam, operation, stage) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row
        )
        connection.execute("INSERT INTO tally SELECT ?, id, 'calls', 7 FROM place WHERE operation = 'late'", (MINUTE,))
        journal.stop(5.0)
    with JournalReader(old) as reader:
        assert [Tally(Place(*row), "calls", 7)] == [one for one in reader.tallies() if one.place.operation == "late"]


def test_divergences_kept_before_versions(old: Path, feed: Feed, divergence: Callable[..., Divergence]) -> None:
    """What was found before divergences had a version is that of the only version counted; of several it stands apart, and is not lost."""
    with contextlib.closing(sqlite3.connect(old)) as connection:
        connection.execute(
            "INSERT INTO divergence VALUES (1, '0123456789ab', '', 1, 'value', 'price', 'int', 'str', ?, ?, '[]')",
            (NOW - 600, NOW - 60),
        )
        connection.executemany("INSERT INTO divergence_count VALUES (?, 1, 4)", [(MINUTE - 10,), (MINUTE - 1,)])
        connection.commit()
    with contextlib.closing(open_journal(old, busy_s=1.0)) as connection:
        connection.execute("UPDATE place SET version = 'only' WHERE id = 2")
        connection.execute(
            "INSERT INTO divergence VALUES (2, 'ffffffffffff', '', 2, 'value', 'price', 'int', 'str', ?, ?, '[]')",
            (NOW, NOW),
        )
        connection.execute(
            "INSERT INTO place (phase, seam, operation, stage) SELECT phase, seam, operation, stage FROM place WHERE id = 2"
        )
        connection.execute("UPDATE divergence SET place = (SELECT max(id) FROM place) WHERE id = 2")
        connection.execute("INSERT INTO divergence_count VALUES (?, 2, 1)", (MINUTE,))
    journal = Journal(old, feed)
    feed.calls(1, place=replace(OLD, version="v" * 16))
    found = divergence(operation="op0", version="v" * 16, plan="p" * 16)
    feed.divergences(found, replace(found, plan="q" * 16), replace(found, stage="live"))
    assert journal.flush()
    assert journal.flush()
    journal.stop(5.0)
    with JournalReader(old) as reader:
        groups = {group.version: group for group in reader.divergences()}

    assert {"": 8, "v" * 16: 3, "only": 1} == {version: group.count for version, group in groups.items()}
    assert ("shadow", "live") == groups["v" * 16].stages
    assert (NOW - 600, NOW - 60) == (groups[""].first_seen, groups[""].last_seen)
