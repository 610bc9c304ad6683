"""The disk is full, locked, gone, damaged or forbidden: calls go on, and so does the journal as soon as it can."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3

import pytest

from oms.domain.errors import CouldNot
from oms.domain.record import Place
from oms.journal import Journal, JournalLimits, JournalReader
from oms.journal.schema import APPLICATION


@pytest.fixture
def locked(path, journal):
    """A journal on which another program holds the lock."""
    journal.start()
    journal.stop(2.0)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def test_locked_file_keeps_counts_in_memory(path, feed, locked, total, caplog):
    """What could not be written is merged, and written once the lock is free."""
    journal = Journal(path, feed)
    feed.calls(1)
    feed.calls(2)
    results = [journal.flush(), journal.flush()]
    problem = journal.problem
    locked.execute("ROLLBACK")

    assert [False, False] == results
    assert problem is not None
    assert "the lock, which another program holds" in problem
    assert journal.flush()
    assert (3, None, 0) == (total(), journal.problem, journal.lost)
    assert journal.stop(1.0)


def test_problem_is_logged_once(path, feed, locked, caplog):
    """A full disk must not be filled by lines about it."""
    now = [1_000_000.0]
    journal = Journal(path, feed, clock=lambda: now[0])
    feed.calls(1)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            journal.flush()
            now[0] += 6.0

    assert 1 == len(caplog.records)
    assert "the lock, which another program holds" in caplog.text


def test_short_lock_is_no_news(path, feed, locked, total, caplog):
    """Processes that write at once wait for each other; for some seconds nothing is said of it, each time anew, and no count is lost."""
    now = [1_000_000.0]
    journal = Journal(path, feed, clock=lambda: now[0])
    problems = []
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            feed.calls(4)
            journal.flush()
            now[0] += 0.9
            journal.flush()
            problems.append(journal.problem)
            locked.execute("ROLLBACK")
            journal.flush()
            problems.append(journal.problem)
            now[0] += 60.0
            journal.stop(1.0)
            locked.execute("BEGIN IMMEDIATE")
        locked.execute("ROLLBACK")
    with JournalReader(path) as reader:
        gaps = reader.gaps()

    assert [] == caplog.records
    assert [True, False] * 2 == ["the lock" in (problem or "") for problem in problems]
    assert (8, []) == (total(), gaps)


def test_folder_that_others_have_locked_is_no_news(path, feed, total, caplog):
    """Nor is it when several processes start at once and one of them makes the file."""
    now = [1_000_000.0]
    journal = Journal(path, feed, clock=lambda: now[0])
    feed.calls(4)
    path.parent.mkdir()
    folder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with caplog.at_level(logging.WARNING):
        written = journal.flush()
        short = len(caplog.records)
        now[0] += 6.0
        journal.flush()
    os.close(folder)

    assert (False, 0, 1) == (written, short, len(caplog.records))
    assert journal.stop(1.0)
    assert 4 == total()


def test_memory_is_bounded_by_keys_and_the_rest_is_counted(path, feed, locked, total):
    """Beyond the bound new counters are lost, and the report says how many and why."""
    journal = Journal(path, feed, limits=JournalLimits(pending_counts=2))
    for seam in ("one", "two", "three"):
        feed.calls(5, place=Place("cache", seam, "get", "shadow"))
    feed.calls(7, place=Place("cache", "one", "get", "shadow"))
    for _ in range(4):
        journal.flush()
    locked.execute("ROLLBACK")
    journal.flush()
    journal.flush()
    with JournalReader(path) as reader:
        gaps = {gap.reason: gap.lost for gap in reader.gaps()}

    assert (5, 17) == (journal.lost, total())
    assert 5 == gaps["more counters than fit in memory"]
    assert any("not writable" in reason for reason in gaps)


def test_minutes_fold_into_hours_before_anything_is_lost(path, feed, locked, total):
    """A long outage costs the minutes, not the counts."""
    clock = iter(range(3600 * 1000, 3600 * 1001, 60))
    journal = Journal(path, feed, limits=JournalLimits(pending_counts=4), clock=lambda: next(clock, 3600 * 1001))
    for _ in range(6):
        feed.calls(1)
        journal.flush()
    locked.execute("ROLLBACK")
    journal.flush()

    assert (0, 6) == (journal.lost, total())


def test_divergences_in_memory_are_bounded(path, feed, locked, divergence):
    """More causes than fit are counted."""
    journal = Journal(path, feed, limits=JournalLimits(pending_divergences=3))
    feed.divergences(*(divergence(fingerprint=f"{number:012x}") for number in range(5)))
    journal.flush()

    assert 2 == journal.lost


def test_removed_file_is_made_anew(journal, feed, path, total):
    """A journal that somebody deleted starts again with the next flush, and says so."""
    feed.calls(1)
    journal.flush()
    path.unlink()
    feed.calls(2)
    journal.flush()
    journal.flush()
    with JournalReader(path) as reader:
        reasons = [gap.reason for gap in reader.gaps()]

    assert (2, ["the journal's file was removed or replaced"]) == (total(), reasons)


def test_removed_folder_is_made_anew(journal, feed, path, total):
    """So does a journal whose folder is gone."""
    import shutil

    feed.calls(1)
    journal.flush()
    shutil.rmtree(path.parent)
    feed.calls(2)
    journal.flush()

    assert 2 == total()


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to look at " * 200, b"SQLite format 3\x00" + b"\xff" * 8000]
)
def test_damaged_file_is_put_aside(path, feed, total, content):
    """What was there is kept under another name; the journal begins anew."""
    path.parent.mkdir()
    path.write_bytes(content)
    journal = Journal(path, feed)
    feed.calls(4)
    journal.flush()
    journal.flush()

    assert 4 == total()
    assert content == path.with_name("journal.db.corrupt").read_bytes()
    assert journal.stop(1.0)


def test_file_damaged_while_open_is_put_aside(feed, path, total):
    """Rubbish over an open journal is noticed when it is next pruned; it costs what was in the file, and no call."""
    journal = Journal(path, feed, limits=JournalLimits(prune_every_s=0))
    feed.calls(1)
    journal.flush()
    with path.open("r+b") as file:
        file.write(b"\xa5" * path.stat().st_size)
    feed.calls(6)
    journal.flush()
    feed.calls(8)
    journal.flush()

    assert journal.stop(1.0)
    assert (None, 8) == (journal.problem, total())
    assert path.with_name("journal.db.corrupt").exists()
    with JournalReader(path) as reader:
        assert ["the journal's file was damaged; it is put aside as .corrupt"] == [gap.reason for gap in reader.gaps()]


def test_truncated_file_recovers(journal, feed, path, total):
    """An emptied file is filled again."""
    feed.calls(1)
    journal.flush()
    with path.open("r+b") as file:
        file.truncate(0)
    feed.calls(2)
    for _ in range(3):
        journal.flush()

    assert journal.problem is None
    assert total() >= 2


def test_folder_that_cannot_be_made(tmp_path, feed):
    """A file where the folder should be is a problem with a name; once it is gone, writing goes on."""
    (tmp_path / "var").write_text("in the way")
    path = tmp_path / "var" / "journal.db"
    journal = Journal(path, feed)
    feed.calls(3)
    written, problem = journal.flush(), journal.problem
    (tmp_path / "var").unlink()

    assert not written
    assert problem is not None
    assert str(path) in problem
    assert journal.flush()
    assert journal.stop(1.0)


FORBIDDEN = """
    path.parent.mkdir()
    is_root = os.geteuid() == 0
    os.chmod(path.parent, 0o500)
    if is_root:
        os.seteuid(65534)
    queue = [Batch([Tally(GET, "calls", 3)])]
    journal = Journal(path, lambda: queue.pop() if queue else Batch(), flush_s=0.01)
    journal.start()
    until(lambda: journal.problem)
    print(journal.problem, flush=True)
    if is_root:
        os.seteuid(0)
    os.chmod(path.parent, 0o700)
    until(lambda: journal.problem is None)
    sys.exit(0 if journal.stop(10.0) else 1)
"""


def test_read_only_folder_recovers(child, path, total):
    """No right to write is a problem on one line, until the right is back."""
    one = child(FORBIDDEN, path)
    problem = one.line()

    assert "counts wait in memory, calls go on" in problem
    assert 0 == one.end()
    assert 3 == total()


FULL = """
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    drained = [0]
    def drain():
        drained[0] += 1
        return Batch([Tally(Place("cache", f"seam-{drained[0]}", "get", "shadow"), "calls", 1)])
    journal = Journal(path, drain, flush_s=0.002)
    journal.start()
    until(lambda: drained[0] > 5)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    until(lambda: journal.problem)
    print(journal.problem, flush=True)
    during = drained[0]
    until(lambda: drained[0] > during + 20)
    print(journal.problem is not None, journal.lost, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    until(lambda: journal.problem is None)
    print(journal.stop(10.0), journal.lost, drained[0], flush=True)
"""


def test_full_disk_costs_no_call_and_no_count(child, path, total):
    """At the file size limit the process lives on (even where SIGXFSZ would kill), and writes all of it once there is room."""
    one = child(FULL, path)
    problem, during, after = one.line(), one.line(), one.line().split()

    assert "wanted" in problem
    assert "True 0" == during
    assert ["True", "0"] == after[:2]
    assert 0 == one.end()
    assert int(after[2]) == total()


def test_newer_journal_is_left_alone(journal, path, feed):
    """A file of a later version is not written to, and the problem says what to do."""
    journal.start()
    journal.stop(2.0)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    other = Journal(path, feed)
    feed.calls(1)
    other.flush()

    assert other.problem is not None
    assert "found schema 99, wanted 2" in other.problem
    with pytest.raises(CouldNot, match="found schema 99"):
        JournalReader(path)


def test_database_of_another_program_is_left_alone(path, feed):
    """A typing error in a path must not put our tables into somebody's database."""
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.commit()
    journal = Journal(path, feed)
    feed.calls(1)
    journal.flush()
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
    connection.close()

    assert ["theirs"] == tables
    assert journal.problem is not None
    assert APPLICATION == int.from_bytes(b"omsj")
