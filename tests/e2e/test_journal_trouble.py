"""A journal that cannot be written while a process serves: full, locked, gone. Calls and flips go on; what it costs is shown."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oms.domain.stage import Stage
from tests.e2e.command import WAIT_S, wait_until
from tests.e2e.fleet import Fleet, Traffic, Worker

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Folders of its own, in shadow."""
    fleet = Fleet(tmp_path)
    fleet.put(Stage.SHADOW)
    return fleet


@contextmanager
def full_disk(worker: Worker) -> Iterator[None]:
    """Let no file of *worker* grow."""
    before = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    yield
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, before)


def flip_and_back(fleet: Fleet) -> None:
    """Move the flag on and back; all processes must confirm."""
    for words in (("flip", "cache", "live"), ("rollback", "cache")):
        report = fleet.moved(*words)

        assert (1, 1) == (report["processes"], report["acknowledged"])


def test_full_disk_while_serving(fleet: Fleet) -> None:
    """Calls and flips go on, one line says so, counts wait in memory and are all there once there is room; the report shows the gap."""
    with fleet.some(1) as (worker,):
        with Traffic(worker) as traffic:
            traffic.goes_on()
            with full_disk(worker):
                worker.command.wait_for_line(containing="calls go on, writing resumes by itself")
                flip_and_back(fleet)
                traffic.goes_on(300)
        wait_until(lambda: traffic.type_calls <= counted(fleet), "what was counted meanwhile is written")
        worker.command.end(signal.SIGTERM)
        report = json.loads(fleet.oms("report", "--format", "json").stdout)

    assert [] == traffic.wrong
    assert 0 == report["lost"]
    assert traffic.type_calls == counted(fleet)
    assert fleet.total(stage="live") > 0
    assert [worker.pid] == [gap["pid"] for gap in report["gaps"] if "not writable" in gap["reason"]]


def counted(fleet: Fleet) -> int:
    """Return how often the types were read, as the journal has it."""
    return sum(fleet.total(stage=stage) for stage in ("shadow", "live"))


def test_loss_is_counted_and_shown(fleet: Fleet) -> None:
    """What no longer fits in memory while the disk is full is counted, and the report tells."""
    with fleet.some(1, "--narrow-journal", module="tests.e2e.odd_worker") as (worker,), Traffic(worker) as traffic:
        traffic.goes_on()
        with full_disk(worker):
            worker.command.wait_for_line(containing="calls go on")
            traffic.goes_on(200)
        wait_until(lambda: _lost(fleet) > 0, "the loss is in the journal")
        screen = fleet.oms("report", "cache").stdout

    assert [] == traffic.wrong
    assert "more counters than fit in memory" in " ".join(screen.split())


def _lost(fleet: Fleet) -> int:
    lost: int = json.loads(fleet.oms("report", "--format", "json").stdout)["lost"]
    return lost


def test_start_on_a_full_disk(fleet: Fleet) -> None:
    """A process that has been there before starts again on a full disk, answers and follows its flag."""
    with fleet.some(1):
        pass
    with fleet.some(1, module="tests.e2e.full_disk_worker") as (worker,):
        assert ["Organization", "Place", "Thing"] == worker.ancestors("LocalBusiness")
        assert "shadow" == worker.stage()
        fleet.put(Stage.DUALWRITE)
        wait_until(lambda: "dualwrite" == worker.stage(), "it follows its flag")
        assert 0 == worker.command.end(signal.SIGTERM)


def test_locked_journal(fleet: Fleet) -> None:
    """Another program holds the journal's lock for seconds: nobody waits for it, and afterwards not one count is missing."""
    with fleet.some(1) as (worker,):
        for _ in range(10):
            worker.ancestors()
        wait_until(lambda: 10 == fleet.total(), "the journal is there")
        other = sqlite3.connect(fleet.var / "journal.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for _ in range(505):
            worker.ancestors()
        worker.command.wait_for_line(containing="the lock, which another program holds")
        # In dualwrite a read is not compared, and counted elsewhere.
        flipped = fleet.oms("rollback", "cache", "--wait", WAIT_S)
        other.execute("ROLLBACK")
        other.close()
        wait_until(lambda: 515 == fleet.total(), "every count is written")
        stage = worker.stage()
        assert 0 == worker.command.end(signal.SIGTERM)
    assert 515 == fleet.total()
    assert (0, "dualwrite") == (flipped.returncode, stage)
    assert "1 of 1 processes confirmed" in flipped.stdout
    assert "not in the journal" in flipped.stderr


def test_var_is_gone(fleet: Fleet) -> None:
    """Somebody removes the whole folder: calls go on, the process shows itself again, and flips are confirmed."""
    with fleet.some(1) as (worker,), Traffic(worker) as traffic:
        traffic.goes_on()
        shutil.rmtree(fleet.var)
        wait_until(lambda: 1 == len(fleet.standings()), "it shows where it stands again")
        flip_and_back(fleet)
        traffic.goes_on()
        wait_until(lambda: fleet.total() > 0, "it counts again")

    assert [] == traffic.wrong
