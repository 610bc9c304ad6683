"""A journal as a night of rollout leaves it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from oms.console.report import ReportData, Wanted, build_report
from oms.domain.divergence import Divergence
from oms.domain.histogram import bucket_of
from oms.domain.record import Batch, Flip, Latency, Place, Repair, Tally, Trip
from oms.journal import Journal, JournalReader, append_flip

NIGHT = 1_772_420_400.0
"""2026-03-02 03:00:00Z."""

GET = Place("cache", "types", "get", "shadow")
GET_LIVE = Place("cache", "types", "get", "live")
SET = Place("cache", "types", "set", "shadow")
DELETE = Place("cache", "validation", "delete", "shadow")
OFF = Place("config", "settings", "read", "off")
OLD = Place("cache", "types", "get", "shadow", version="old")

BOUND = {
    "cache": ["cache.types.get", "cache.types.set", "cache.types.clear", "cache.validation.delete"],
    "config": ["config.settings.read"],
    "security": ["security.text.clean"],
}
"""What the service hands out; one operation of the cache was never called, and one phase not at all."""

COUNTS = {
    GET: {"calls": 30_000, "shadowed": 28_500, "sampled_out": 1_200, "paused": 300, "matched": 27_000, "reasonable": 600, "ignored": 480,
          "mismatched": 100, "uncomparable": 200, "uncomparable.raced": 180, "uncomparable.not_snapshottable": 20, "timed_out": 20,
          "dropped": 100, "empty": 900, "unscoped": 40, "repeated": 400, "errors.none": 28_100, "errors.unified": 60, "errors.legacy": 5,
          "errors.both": 15, "noise": 300, "noise.properties.*.range": 3},
    GET_LIVE: {"calls": 5_000, "shadowed": 5_000, "matched": 5_000, "rescued": 3},
    SET: {"calls": 4_000, "shadowed": 4_000, "matched": 4_000},
    DELETE: {"calls": 1_000, "shadowed": 1_000, "matched": 800, "ignored": 200},
    OFF: {"calls": 10, "unshadowed": 10},
}  # fmt: skip

OLD_COUNTS = {"calls": 50, "shadowed": 50, "matched": 30, "mismatched": 20}
"""Ten minutes before, with another version of the sources."""

SAMPLE = {
    "path": "properties.*.range", "control": "legacy",
    "legacy": {"type": "list", "length": 3, "hash": "5f0c2a1b9d3e4f60"}, "unified": {"type": "tuple", "length": 3, "hash": "5f0c2a1b9d3e4f60"},
}  # fmt: skip


def divergence(seen_at: float, **other: object) -> Divergence:
    """Build one divergence of the night."""
    fields: dict[str, object] = {
        "fingerprint": "4f3a90b1c2d3", "phase": "cache", "seam": "types", "operation": "get", "stage": "shadow", "kind": "type",
        "path": "properties.*.range", "types": ("list", "tuple"), "known": None, "seen_at": seen_at, "sample": SAMPLE,
    }  # fmt: skip
    return Divergence(**{**fields, **other})


def spread(median_ns: int, count: int) -> dict[int, int]:
    """Return a histogram around *median_ns* with a long tail."""
    found: dict[int, int] = {}
    for number in range(count):
        share = (number + 0.5) / count
        bucket = bucket_of(int(median_ns * (0.6 + 0.8 * share + (40 * (share - 0.97) if share > 0.97 else 0))))
        found[bucket] = found.get(bucket, 0) + 1
    return found


def night() -> list[Batch]:
    """Return what the processes handed over."""
    batch = Batch([Tally(place, name, count) for place, counts in COUNTS.items() for name, count in counts.items()])
    medians = {GET: (2_400, 1_900), GET_LIVE: (2_700, 1_500), SET: (5_200, 4_100), DELETE: (900, 260_000)}
    for place, (legacy, unified) in medians.items():
        batch.latencies += [
            Latency(place, "legacy", spread(legacy, 4_000)),
            Latency(place, "unified", spread(unified, 4_000)),
        ]
    batch.divergences = [divergence(NIGHT + 7 * number) for number in range(100)]
    batch.divergences += [
        divergence(
            NIGHT + number,
            known="TC-01",
            kind="unified_miss",
            fingerprint="aa00bb11cc22",
            path="",
            types=("dict", "NoneType"),
        )
        for number in range(480)
    ]
    batch.divergences += [
        divergence(NIGHT + 3 * number, known="VC-02", kind="value", fingerprint="0d1e2f304152", path="", types=("bool", "bool"),
                   seam="validation", operation="delete")
        for number in range(200)
    ]  # fmt: skip
    batch.repairs = [
        Repair(1, "cache", "types", "unified", "object-type:Person", NIGHT + 60, None, process_local=False)
    ]
    batch.trips = [
        Trip(
            "cache", "types", "get", "watchdog", "live", "shadow", "a unified read was in flight for 2.1 s", NIGHT + 700
        )
    ]
    return [batch]


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    """A journal of one night: two versions, two stages, three causes, one trip, one process that was killed, one loss."""
    path = tmp_path / "journal.db"
    batches = [
        Batch([Tally(OLD, name, count) for name, count in OLD_COUNTS.items()]),
        *night(),
        Batch(lost_divergences=7),
    ]
    clock = [NIGHT]
    journal = Journal(path, lambda: batches.pop(0) if batches else Batch(), clock=lambda: clock[0], hash_key=b"k" * 32)
    for at in (NIGHT, NIGHT + 600, NIGHT + 600):
        clock[0] = at
        journal.flush()
    journal.stop(5.0)
    for at, source, target, who, why in (
        (0, "off", "dualwrite", "ann", "start of the night"),
        (120, "dualwrite", "shadow", "ann", "dual write is clean"),
        (600, "shadow", "live=5", "ann", "rehearsed twice"),
        (702, "live=5", "shadow", "oms", "watchdog tripped"),
    ):
        append_flip(path, Flip("cache", source, target, "0123456789abcdef", who, why, NIGHT + at))
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO process (host, boot, pid, started, started_at, seen_at, ended_at, ending) VALUES"
        " ('worker-2', 'b', 4242, 7, ?, ?, ?, 'killed')",
        (NIGHT, NIGHT + 300, NIGHT + 300),
    )
    connection.commit()
    connection.close()
    return path


@pytest.fixture
def data(journal_path: Path) -> ReportData:
    """The report of that night."""
    with JournalReader(journal_path) as reader:
        return build_report(
            reader,
            demands=lambda phase: Wanted(),
            bound=BOUND,
            made_at=NIGHT + 720,
            command="oms report cache --var var --html report.html",
        )
