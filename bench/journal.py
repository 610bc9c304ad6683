"""A million comparisons through the journal and out as a report, beside one row per comparison in the same database engine."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.results import Line, within
from oms.console.report import Wanted, build_report
from oms.console.report_html import render_html
from oms.console.report_json import render_json
from oms.console.report_markdown import render_markdown
from oms.console.report_text import render_text
from oms.domain.divergence import Divergence
from oms.domain.histogram import bucket_of
from oms.domain.record import Batch, Latency, Place, Tally
from oms.domain.standing import PhaseStanding
from oms.journal import Journal, JournalReader, ProcessFile, read_processes

_COMPARISONS = 1_000_000
_ROUNDS = 5
_A_FLUSH = 5_000
"""Comparisons of one process in 250 ms at 20,000 calls a second."""

_SECONDS_A_FLUSH = 20.0
"""So that the million is spread over more than an hour of minutes."""

_PLACES = [Place("cache", seam, operation, stage) for seam, operation, stage in (
    ("types", "get", "shadow"), ("types", "set", "shadow"), ("types", "delete", "shadow"), ("types", "get", "live"),
    ("validation", "get", "shadow"), ("validation", "set", "shadow"), ("documents", "aget", "shadow"), ("documents", "aset", "shadow"),
)]  # fmt: skip

_MANY = [
    Place(phase, "seam", f"operation{number}", "shadow", "0123456789ab", "fedcba987654")
    for phase in ("config", "resilience", "cache", "security", "observability")
    for number in range(50)
]
"""As many operations as all phases will ever have."""


def measure() -> list[Line]:
    """Return the lines of this section."""
    with TemporaryDirectory() as folder:
        return _journal(Path(folder)) + _process_file(Path(folder) / "run")


def _journal(folder: Path) -> list[Line]:
    began_at = time.time() - _COMPARISONS / _A_FLUSH * _SECONDS_A_FLUSH
    clock, batches = [began_at], list(_batches(began_at))
    flushes = len(batches)
    journal = Journal(folder / "journal.db", lambda: batches.pop(0) if batches else Batch(), clock=lambda: clock[0])
    taken, cpu = 0.0, time.process_time()
    for _ in range(flushes):
        began = time.perf_counter()
        journal.flush()
        taken += time.perf_counter() - began
        clock[0] += _SECONDS_A_FLUSH
    cpu = time.process_time() - cpu
    journal.stop(5.0)
    rowwise, rowwise_report = _row_by_row(folder / "rows.db")
    size, peer_size = (_megabytes(folder / name) for name in ("journal.db", "rows.db"))
    report = _fastest(lambda: _report(folder / "journal.db", render_text))
    page = _fastest(lambda: _report(folder / "journal.db", render_html))
    note = _fastest(lambda: _report(folder / "journal.db", render_json))
    short = _fastest(lambda: _report(folder / "journal.db", render_markdown))
    wide, wide_cpu = _wide_page(folder / "wide.db")
    counts_only = f"one row each, counts only: {rowwise_report:.2f} s, ratio {rowwise_report / report:.0f}"
    rate, peer_rate = _COMPARISONS / taken, _COMPARISONS / rowwise
    return [
        Line("comparisons journalled a second", rate, "/s", peer=f"one row each: {peer_rate:,.0f} /s, ratio {rate / peer_rate:.1f}"),
        Line("one flush of 5,000 comparisons, 50 divergences", taken / flushes * 1e3, "ms", peer=f"of these {cpu / flushes * 1e3:.2f} ms CPU"),
        within("report over 1,000,000 comparisons, text", report, "s", 1.0, counts_only),
        within("the same as an HTML page, with charts", page, "s", 2.0),
        Line("the same as JSON", note, "s"),
        Line("the same as Markdown", short, "s"),
        within("HTML over 1,000,000 comparisons of 5 phases x 50 operations", wide, "s", 2.0, f"of these {wide_cpu:.2f} s CPU"),
        Line("size of that journal", size, "MB", peer=f"one row each: {peer_size:.0f} MB"),
    ]  # fmt: skip


def _batches(began_at: float) -> Iterator[Batch]:
    chance = random.Random(7)
    share = _A_FLUSH // len(_PLACES)
    for number in range(_COMPARISONS // _A_FLUSH):
        batch, seen_at = Batch(), began_at + number * _SECONDS_A_FLUSH
        for place in _PLACES:
            counts = {"calls": share, "shadowed": share, "matched": share - 20, "ignored": 13, "mismatched": 7}
            batch.tallies += [Tally(place, name, count) for name, count in counts.items()]
            for side, typical_ns in (("legacy", 3_000), ("unified", 2_000)):
                buckets: dict[int, int] = {}
                for _ in range(share):
                    bucket = bucket_of(int(chance.lognormvariate(0, 0.6) * typical_ns))
                    buckets[bucket] = buckets.get(bucket, 0) + 1
                batch.latencies.append(Latency(place, side, buckets))
        batch.divergences = [_divergence(chance.randrange(40), seen_at) for _ in range(_A_FLUSH // 100)]
        yield batch


def _divergence(cause: int, seen_at: float) -> Divergence:
    side = {"type": "str", "length": 12, "hash": "5f0c2a1b9d3e4f60"}
    return Divergence(
        fingerprint=f"{cause:012x}", phase="cache", seam="types", operation="get", stage="shadow", kind="value", path=f"field{cause}",
        types=("str", "str"), known=f"TC-{cause:02}" if cause % 2 else None, seen_at=seen_at,
        sample={"path": f"field{cause}", "control": "legacy", "legacy": side, "unified": side},
    )  # fmt: skip


def _report(path: Path, render: Callable[..., str]) -> None:
    with JournalReader(path) as reader:
        render(build_report(reader, demands=lambda _: Wanted(), bound={}, made_at=time.time(), command="oms report"))


def _wide_page(path: Path) -> tuple[float, float]:
    """Return the seconds of the page over a million comparisons of 250 operations in two hours, and those of the CPU."""
    minutes, calls = 120, _COMPARISONS // 120 // len(_MANY)
    clock, batches, chance = [time.time() - minutes * 60.0], [], random.Random(11)
    histograms = [
        {bucket: 1 + chance.randrange(3) for bucket in range(first, first + 24)} for first in range(80, 96, 2)
    ]
    for number in range(minutes):
        batch = Batch()
        for place in _MANY:
            counts = {"calls": calls, "shadowed": calls, "matched": calls, "errors.none": calls}
            batch.tallies += [Tally(place, name, count) for name, count in counts.items()]
            batch.latencies += [Latency(place, side, histograms[chance.randrange(8)]) for side in ("legacy", "unified")]
        batch.divergences = [_divergence(chance.randrange(40), clock[0] + number * 60.0)]
        batches.append(batch)
    journal = Journal(path, lambda: batches.pop(0) if batches else Batch(), clock=lambda: clock[0])
    for _ in range(minutes):
        journal.flush()
        clock[0] += 60.0
    journal.stop(5.0)
    cpu = time.process_time()
    fastest = _fastest(lambda: _report(path, render_html))
    return fastest, (time.process_time() - cpu) / _ROUNDS


def _row_by_row(path: Path) -> tuple[float, float]:
    """Do it without adding up first, in the same transactions. Return the seconds to write and the seconds to sum."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        connection.execute("CREATE TABLE comparison (at, seam, operation, stage, outcome, legacy_ns, unified_ns)")
        rows = [
            (time.time(), _PLACES[number % 8].seam, "get", "shadow", "matched", number, number)
            for number in range(_A_FLUSH)
        ]
        began = time.perf_counter()
        for _ in range(_COMPARISONS // _A_FLUSH):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO comparison VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        written = time.perf_counter() - began
        statement = "SELECT seam, operation, stage, outcome, count(*) FROM comparison GROUP BY 1, 2, 3, 4"
        return written, _fastest(lambda: connection.execute(statement).fetchall())


def _process_file(run_dir: Path) -> list[Line]:
    standing = {
        name: PhaseStanding("0123456789abcdef", time.time())
        for name in ("config", "resilience", "cache", "security", "observability")
    }
    file = ProcessFile(run_dir, lambda: standing)
    file.open()
    beat = _fastest(lambda: _repeat(file.beat, 1_000)) / 1_000
    # Eight times the same content: the cost of reading does not ask whose it is.
    content = file.path.read_bytes()
    for pid in range(7):
        (run_dir / f"{4_000_000 + pid}-1").write_bytes(content)
    read = _fastest(lambda: _repeat(lambda: read_processes(run_dir), 100)) / 100
    file.close()
    return [
        Line("one beat of a process file, five phases", beat * 1e6, "us"),
        Line("reading eight process files", read * 1e6, "us"),
    ]


def _repeat(action: Callable[[], object], times: int) -> None:
    for _ in range(times):
        action()


def _fastest(action: Callable[[], object]) -> float:
    """Return the seconds of the fastest of several rounds."""
    taken = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return min(taken)


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6
