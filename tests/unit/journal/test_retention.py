"""The journal stays within its limits, and its sums stay right."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from oms.domain.record import Place
from oms.journal import Journal, JournalLimits, JournalReader

HOUR = 3600.0
START = (time.time() // HOUR) * HOUR


@pytest.fixture
def at(path, feed) -> Callable[..., None]:
    """Flush what is fed as if it were another time."""
    journals = []

    def at(now: float, limits: JournalLimits) -> None:
        journal = Journal(path, feed, limits=limits, clock=lambda: now)
        while feed.batches:
            journal.flush()
        journals.append(journal)
        journal.flush()

    yield at
    for journal in journals:
        journal.stop(1.0)


def rows(path, table: str) -> int:
    """Count the rows of *table*."""
    import sqlite3

    connection = sqlite3.connect(path)
    count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return int(count)


def test_old_rows_go(at, feed, path, total, divergence):
    """What is older than the age limit is no longer there."""
    limits = JournalLimits(age_s=HOUR)
    feed.calls(1)
    feed.divergences(divergence(START))
    at(START, limits)
    feed.calls(2)
    at(START + 2 * HOUR, limits)

    assert (2, 0) == (total(), rows(path, "divergence"))


def test_minutes_become_hours_with_the_same_sums(at, feed, path, divergence):
    """Folding costs resolution, not counts."""
    limits = JournalLimits(fold_after_s=HOUR)
    for minute in range(0, 30, 3):
        feed.calls(5)
        feed.latencies({7: 1, minute: 2})
        feed.divergences(divergence(START + 60 * minute))
        at(START + 60 * minute, limits)
    before = rows(path, "tally"), rows(path, "latency"), rows(path, "divergence_count")
    at(START + 3 * HOUR, limits)
    feed.calls(1)
    at(START + 3 * HOUR, limits)
    with JournalReader(path) as reader:
        calls = sum(tally.count for tally in reader.tallies())
        (latency,) = reader.latencies()
        (group,) = reader.divergences()

    assert (10, 10, 10) == before
    assert (2, 1, 1) == (rows(path, "tally"), rows(path, "latency"), rows(path, "divergence_count"))
    assert (51, 30, 10) == (calls, sum(latency.buckets.values()), group.count)
    assert 10 == latency.buckets[7]


def test_rows_are_bounded(at, feed, path):
    """Beyond the bound the oldest go first; the newest stay."""
    limits = JournalLimits(rows=20, prune_every_s=0)
    for minute in range(60):
        feed.calls(minute)
        at(START + 60 * minute, limits)
    with JournalReader(path) as reader:
        span = reader.span()

    assert rows(path, "tally") <= 20
    assert span is not None
    assert START + 60 * 60 == span[1]


def test_bytes_are_bounded(at, feed, path, divergence):
    """A file that grows by its samples shrinks again."""
    limits = JournalLimits(bytes=400_000, prune_every_s=0)
    for number in range(40):
        feed.divergences(
            *(
                divergence(START + number, fingerprint=f"{number:06x}{one:06x}", sample={"text": "x" * 1_900})
                for one in range(20)
            )
        )
        at(START + number, limits)

    assert path.stat().st_size <= 600_000
    assert 0 < rows(path, "divergence") < 800


def test_one_process_prunes_a_minute(at, feed, path, total):
    """Eight processes need not all do it."""
    feed.calls(1, place=Place("cache", "types", "get", "off"))
    at(START, JournalLimits(age_s=HOUR))
    feed.calls(2)
    at(START + 30, JournalLimits(age_s=0.0))

    assert 3 == total()
