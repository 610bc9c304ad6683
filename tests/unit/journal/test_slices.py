"""Counts by place and minute: what guards and verdicts are made of."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oms.domain.record import Batch, Latency, Place, Slice, Tally, Units
from oms.journal import Journal, JournalLimits, JournalReader

GET = Place("cache", "types", "get", "shadow", "plan-1", "version-1")
LIVE = Place("cache", "types", "get", "live", "plan-2", "version-1")
READ = Place("config", "settings", "read", "shadow", "plan-3", "version-1")
NOON = 1_700_000_000.0 // 3600 * 3600
"""The beginning of an hour, Unix time in seconds."""


@pytest.fixture
def write(path: Path) -> Callable[..., None]:
    """Write batches, each at its time, through a journal of its own."""

    def write(*batches: tuple[float, Batch], limits: JournalLimits | None = None) -> None:
        clock, waiting = [0.0], list(batches)
        journal = Journal(
            path,
            lambda: waiting.pop(0)[1] if waiting else Batch(),
            limits=limits or JournalLimits(),
            clock=lambda: clock[0],
        )
        while waiting:
            clock[0] = waiting[0][0]
            assert journal.flush()
        journal.stop(1.0)

    return write


def batch(place: Place, units: dict[int, int] | None = None, **counts: int) -> Batch:
    """Return a batch of *counts* (two underscores stand for a dot), one duration a call, and *units*."""
    made = Batch([Tally(place, name.replace("__", "."), count) for name, count in counts.items()])
    made.latencies.append(Latency(place, "legacy", {80: counts.get("calls", 0), 90: 1}))
    if units:
        made.units.append(Units(place, units))
    return made


def slices(path: Path, *args: object, **more: object) -> list[Slice]:
    """Read slices."""
    with JournalReader(path) as reader:
        return reader.slices(*args, **more)


def test_by_minute(write: Callable[..., None], path: Path) -> None:
    """Each minute of a place is a slice with what guards need, the oldest first; other tallies and durations are left out."""
    write(
        (NOON, batch(GET, {95: 1}, calls=2, errors__none=1, noise__at=1, uncomparable__raced=1, sampled_out=1)),
        (NOON + 59.0, batch(GET, calls=3)),
        (NOON + 60.0, batch(GET, {95: -1, 99: 1}, calls=4, unit_errors=2, noise=1)),
    )

    assert [
        Slice(GET, NOON, {"calls": 5, "errors.none": 1}, {}, {95: 1}),
        Slice(GET, NOON + 60.0, {"calls": 4, "unit_errors": 2, "noise": 1}, {}, {95: -1, 99: 1}),
    ] == slices(path)


def test_summed_begins_with_whatever_was_first(write: Callable[..., None], path: Path) -> None:
    """A duration may be written a minute before the counts of its place; both are of the one slice, which begins there."""
    write((NOON, batch(GET)), (NOON + 60.0, batch(GET, calls=4)))

    assert [(NOON, {"calls": 4})] == [(one.at_s, one.counts) for one in slices(path, by_minute=False)]


def test_summed(write: Callable[..., None], path: Path) -> None:
    """All minutes of a place together: every count, all durations, units where they ended; one place a plan, stage and version."""
    newer = replace(GET, version="version-2")
    write(
        (NOON, batch(GET, {95: 1}, calls=2, noise__at=1)),
        (NOON + 60.0, batch(GET, {95: -1, 99: 1}, calls=4, noise__at=1)),
        (NOON + 60.0, batch(LIVE, calls=1)),
        (NOON + 60.0, batch(newer, calls=1)),
    )

    assert [
        Slice(GET, NOON, {"calls": 6, "noise.at": 2}, {"legacy": {80: 6, 90: 2}}, {99: 1}),
        Slice(LIVE, NOON + 60.0, {"calls": 1}, {"legacy": {80: 1, 90: 1}}, {}),
        Slice(newer, NOON + 60.0, {"calls": 1}, {"legacy": {80: 1, 90: 1}}, {}),
    ] == slices(path, by_minute=False)
    assert all(not one.durations for one in slices(path, by_minute=False, durations=False))


def test_chosen(write: Callable[..., None], path: Path) -> None:
    """A phase, a plan and a time may be asked for; what is unknown is empty."""
    write((NOON, batch(GET, calls=1)), (NOON + 60.0, batch(LIVE, calls=2)), (NOON + 120.0, batch(READ, calls=3)))

    assert [GET, LIVE] == [one.place for one in slices(path, "cache")]
    assert [LIVE] == [one.place for one in slices(path, "cache", plan="plan-2")]
    assert [LIVE, READ] == [one.place for one in slices(path, since_s=NOON + 119.0)]
    assert [READ] == [one.place for one in slices(path, since_s=NOON + 120.0, by_minute=False)]
    assert [] == slices(path, "security") == slices(path, plan="nobody's") == slices(path, since_s=NOON + 180.0)


def test_tallies_are_over_all_plans(write: Callable[..., None], path: Path) -> None:
    """What was seen is asked for by place alone: plans and versions are added up, as reports want it."""
    write((NOON, batch(GET, calls=1)), (NOON, batch(replace(GET, plan="other", version="other"), calls=2)))
    place = Place("cache", "types", "get", "shadow")
    with JournalReader(path) as reader:
        assert [Tally(place, "calls", 3)] == reader.tallies()
        assert [Latency(place, "legacy", {80: 3, 90: 2})] == reader.latencies()


def test_old_minutes_become_hours(write: Callable[..., None], path: Path) -> None:
    """Folding keeps every sum, of units too, and old minutes go with age."""
    limits = JournalLimits(fold_after_s=3600.0, age_s=86_400.0)
    early = [(NOON + minute * 60.0, batch(GET, {95: 1}, calls=1, errors__none=1)) for minute in range(10)]
    write(*early, (NOON + 10_800.0, batch(GET, {99: 1}, calls=1)), limits=limits)

    assert [(NOON, 10, {95: 10}), (NOON + 10_800.0, 1, {99: 1})] == [
        (one.at_s, one.counts["calls"], one.units) for one in slices(path)
    ]
    write((NOON + 100_000.0, batch(GET, {7: 1}, calls=1)), limits=limits)

    assert [{7: 1}] == [one.units for one in slices(path)]


def test_units_wait_in_memory_within_the_bound(path: Path) -> None:
    """Units that cannot be written wait with all other counts, and are counted as lost beyond the bound."""
    waiting = [Batch(units=[Units(replace(GET, plan=str(number)), {95: 2})]) for number in range(5)]
    clock = [NOON]
    path.parent.mkdir()
    path.mkdir()  # a folder: nothing can be written there
    journal = Journal(
        path,
        lambda: waiting.pop(0) if waiting else Batch(),
        limits=JournalLimits(pending_counts=3),
        clock=lambda: clock[0],
    )
    while waiting:
        assert not journal.flush()
    path.rmdir()

    assert 4 == journal.lost
    assert journal.flush()
    assert journal.stop(1.0)
    assert [{95: 2}] * 3 == [one.units for one in slices(path)]


def test_many_places_are_pruned(write: Callable[..., None], path: Path) -> None:
    """Places that nothing is counted at any more go, so that flips and releases do not fill the file; a number that went is not used."""
    limits = JournalLimits(age_s=3600.0, fold_after_s=600.0)
    flips = Batch([Tally(replace(GET, plan=f"{number:04}"), "calls", 1) for number in range(2_100)])
    waiting, clock = [(NOON, flips)], [NOON]
    journal = Journal(path, lambda: waiting.pop(0)[1] if waiting else Batch(), limits=limits, clock=lambda: clock[0])
    journal.flush()
    write((NOON + 7_200.0, batch(LIVE, calls=1)), limits=limits)
    pruned = [one.place for one in slices(path, by_minute=False)]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert 1 == connection.execute("SELECT count(*) FROM place").fetchone()[0]
    # The first process knows the number of each of its places, which the other one has deleted.
    waiting.append((NOON, Batch([Tally(replace(GET, plan="0007"), "calls", 5)])))
    clock[0] = NOON + 7_201.0
    journal.flush()
    journal.stop(1.0)

    assert [LIVE] == pruned
    assert {"plan-2": 1, "0007": 5} == {one.place.plan: one.counts["calls"] for one in slices(path, by_minute=False)}
