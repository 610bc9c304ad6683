"""What the reader answers, and what it says when it cannot."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace

import pytest

from oms.domain.errors import CouldNot
from oms.domain.record import Flip
from oms.journal import Journal, JournalReader, Window, append_flip
from tests.unit.journal.conftest import GET

HOUR = 3600.0
NOON = (time.time() // 60) * 60


def test_window_leaves_out_what_is_outside(path, feed, divergence):
    """Counts, histograms and divergences of other minutes do not count."""
    now = [NOON - HOUR]
    journal = Journal(path, feed, clock=lambda: now[0])
    for count in (1, 10, 100):
        feed.calls(count)
        feed.latencies({count: count})
        feed.divergences(*[divergence(now[0])] * count)
        for _ in range(3):
            journal.flush()
        now[0] += HOUR / 2
    window = Window(NOON - HOUR / 2 - 1, NOON - 1)
    with JournalReader(path) as reader:
        counts = [tally.count for tally in reader.tallies(window)]
        buckets = [latency.buckets for latency in reader.latencies(window)]
        groups = [group.count for group in reader.divergences(window)]
        everything = [group.count for group in reader.divergences()]

    assert ([10], [{10: 10}], [10], [111]) == (counts, buckets, groups, everything)
    journal.stop(1.0)


def test_span_is_the_first_and_last_minute(path, feed):
    """A report says from when to when it tells."""
    now = [NOON]
    journal = Journal(path, feed, clock=lambda: now[0])
    feed.calls(1)
    journal.flush()
    now[0] += 120
    feed.calls(1)
    journal.flush()
    with JournalReader(path) as reader:
        span = reader.span()

    assert (NOON, NOON + 180) == span
    journal.stop(1.0)


def test_empty_journal_answers_with_nothing(path, journal):
    """A service without traffic has a report too."""
    journal.start()
    journal.stop(2.0)
    with JournalReader(path) as reader:
        found = (reader.span(), reader.tallies(), reader.latencies(), reader.divergences(), reader.flips(), reader.trips(),
                 reader.open_repairs(), reader.gaps())  # fmt: skip

    assert (None, [], [], [], [], [], [], []) == found


def test_missing_journal_is_named(path):
    """The message says which file was looked for."""
    with pytest.raises(CouldNot, match=r"journal\.db: found no journal"):
        JournalReader(path)


def test_file_that_is_no_journal_is_named(path):
    """So it does when the file is something else."""
    path.parent.mkdir()
    path.write_bytes(b"flags" * 1000)

    with pytest.raises(CouldNot, match="file is not a database"):
        JournalReader(path)


def test_reader_sees_what_is_written_after_it_opened(journal, feed, path):
    """A report that stays open is not a photograph of an hour ago."""
    feed.calls(1)
    journal.flush()
    with JournalReader(path) as reader:
        before = sum(tally.count for tally in reader.tallies())
        feed.calls(1)
        journal.flush()
        after = sum(tally.count for tally in reader.tallies())

    assert (1, 2) == (before, after)


def test_copied_journal_can_be_read(journal, feed, path, tmp_path):
    """A copy of the file alone, with no service near it, makes a report."""
    feed.calls(6)
    journal.stop(2.0)
    (tmp_path / "copy.db").write_bytes(path.read_bytes())
    with JournalReader(tmp_path / "copy.db") as reader:
        assert [6] == [tally.count for tally in reader.tallies()]


FLIP = Flip("cache", "dualwrite", "shadow", "0123456789abcdef", "ann", "night shift", NOON, forced=True)


def test_flips_come_back_in_their_order(path):
    """The command line's processes write without a journal of their own."""
    later = Flip("cache", "shadow", "live=5", "fedcba9876543210", "bob", "looks good", NOON + 60)
    append_flip(path, later)
    append_flip(path, FLIP)
    with JournalReader(path) as reader:
        flips = reader.flips()

    assert [FLIP, later] == flips


def test_flip_that_cannot_be_written_says_so(path):
    """The caller reports it and goes on."""
    append_flip(path, FLIP)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(CouldNot, match="the flip of cache is not in the journal"):
        append_flip(path, FLIP, limit_s=0.05)
    holder.close()


def test_spans_are_of_one_tally(path, feed):
    """By place, when a tally came first and last; another tally, another place and what is before the window do not count."""
    now, other = [NOON], replace(GET, version="v2")
    journal = Journal(path, feed, clock=lambda: now[0])
    for minute, place, name in (
        (0, GET, "shadowed"),
        (1, GET, "calls"),
        (3, GET, "calls"),
        (5, other, "calls"),
        (9, GET, "shadowed"),
    ):
        now[0] = NOON + minute * 60
        feed.calls(1, place=place, name=name)
        journal.flush()
    journal.stop(1.0)
    with JournalReader(path) as reader:
        calls, late = reader.spans("calls"), reader.spans("calls", Window(NOON + 120))

    assert {GET: (NOON + 60, NOON + 180), other: (NOON + 300, NOON + 300)} == calls
    assert {GET: (NOON + 180, NOON + 180), other: (NOON + 300, NOON + 300)} == late


def test_by_minute_sums_a_phase(path, feed):
    """What all operations of a phase counted in a minute is one sum, the oldest first, of the tallies that are asked for."""
    now = [NOON]
    journal = Journal(path, feed, clock=lambda: now[0])
    for minute, place, name in (
        (0, GET, "calls"),
        (0, replace(GET, operation="set"), "calls"),
        (0, GET, "matched"),
        (2, GET, "calls"),
    ):
        now[0] = NOON + minute * 60
        feed.calls(4, place=place, name=name)
        journal.flush()
    journal.stop(1.0)
    with JournalReader(path) as reader:
        found = reader.by_minute(["calls"])
        late = reader.by_minute(["calls", "matched"], Window(NOON + 60))

    assert [("cache", NOON, "calls", 8), ("cache", NOON + 120, "calls", 4)] == found
    assert [("cache", NOON + 120, "calls", 4)] == late
