"""Real journals on real files, and real child processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import oms
from oms.domain.divergence import Divergence
from oms.domain.record import Batch, Latency, Place, Tally
from oms.journal import Journal, JournalReader

NOW = float(int(time.time()))
GET = Place("cache", "types", "get", "shadow")
PRELUDE = """
import os, resource, signal, sqlite3, sys, threading, time
from pathlib import Path
from oms.domain.record import Batch, Latency, Place, Tally
from oms.domain.standing import PhaseStanding
from oms.journal import Journal, JournalReader, ProcessFile, read_processes
GET = Place("cache", "types", "get", "shadow")
path = Path(sys.argv[1])

def until(condition, limit_s=60.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("waited in vain")
        time.sleep(0.005)
"""


class Feed:
    """What a process hands over: each batch once, then empty ones."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def __call__(self) -> Batch:
        return self.batches.pop(0) if self.batches else Batch()

    def calls(self, count: int, *, place: Place = GET, name: str = "calls") -> None:
        """Have *count* calls drained next."""
        self.batches.append(Batch([Tally(place, name, count)]))

    def latencies(self, buckets: dict[int, int], *, side: str = "legacy", place: Place = GET) -> None:
        """Have a histogram drained next."""
        self.batches.append(Batch(latencies=[Latency(place, side, buckets)]))

    def divergences(self, *divergences: Divergence) -> None:
        """Have *divergences* drained next."""
        self.batches.append(Batch(divergences=list(divergences)))


@pytest.fixture
def feed() -> Feed:
    """A process that hands over what the test says."""
    return Feed()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal stands."""
    return tmp_path / "var" / "journal.db"


@pytest.fixture
def journal(path: Path, feed: Feed) -> Iterator[Journal]:
    """A journal without a thread: the test flushes."""
    journal = Journal(path, feed)
    yield journal
    journal.stop(1.0)


@pytest.fixture
def total(path: Path) -> Callable[..., int]:
    """Return how often *name* stands in the journal."""

    def total(name: str = "calls") -> int:
        with JournalReader(path) as reader:
            return sum(tally.count for tally in reader.tallies() if tally.name == name)

    return total


@pytest.fixture
def divergence() -> Callable[..., Divergence]:
    """Build a divergence, all of one fingerprint unless the test says otherwise."""

    def build(seen_at: float = NOW, **other: object) -> Divergence:
        fields: dict[str, object] = {
            "fingerprint": "0123456789ab", "phase": "cache", "seam": "types", "operation": "get", "stage": "shadow", "kind": "value",
            "path": "price", "types": ("int", "str"), "known": None, "seen_at": seen_at, "sample": {"at": seen_at},
        }  # fmt: skip
        return Divergence(**{**fields, **other})

    return build


class Child:
    """A Python process that runs the test's code; the journal's path is its first argument."""

    def __init__(self, code: str, *arguments: object) -> None:
        root = str(Path(oms.__file__).parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", PRELUDE + textwrap.dedent(code), *map(str, arguments)],
            stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root},
        )  # fmt: skip

    def line(self) -> str:
        """Return the next line it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, text: str) -> None:
        """Write a line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(90)


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    """Start child processes; those left over are killed at the end."""
    children: list[Child] = []

    def start(code: str, *arguments: object) -> Child:
        children.append(Child(code, *arguments))
        return children[-1]

    yield start
    for one in children:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for a condition, 60 s at most."""

    def until(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60.0
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.005)

    return until
