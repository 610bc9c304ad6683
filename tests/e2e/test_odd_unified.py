"""A unified side that raises or hangs in a process that serves: what callers see, what trips, how it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from oms.domain.stage import Stage
from oms.journal.reader import JournalReader
from tests.e2e.command import DEADLINE_S, wait_until
from tests.e2e.fleet import Fleet, Traffic, Worker

pytestmark = pytest.mark.timeout(900)

ODD = "tests.e2e.odd_worker"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Folders that the tests of this module share."""
    return Fleet(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def workers(fleet: Fleet) -> Iterator[list[Worker]]:
    """One process that can go wrong, and one that does not."""
    with fleet.some(1, module=ODD) as odd, fleet.some(1) as sound:
        yield [*odd, *sound]


@pytest.fixture
def fault(fleet: Fleet) -> Iterator[Path]:
    """Where faults are turned on; all are off at the end."""
    yield fleet.var
    for name in ("raise", "hang", "deaf"):
        (fleet.var / name).unlink(missing_ok=True)


def test_unified_raises_in_live(fleet: Fleet, workers: list[Worker], fault: Path) -> None:
    """Callers see no failure; the guard trips that process at once and no other, and status says so until somebody rolls back."""
    odd, sound = workers
    fleet.wait_for(Stage.LIVE, *workers)
    with Traffic(*workers) as traffic:
        traffic.goes_on()
        (fault / "raise").write_text(":")
        wait_until(lambda: "shadow" == odd.stage(), "the guard trips")
        traffic.goes_on()
        code, status = fleet.status()
        screen = fleet.oms("status", "cache").stdout
        refused = fleet.oms("flip", "cache", "rampdown", "--why", "on")
        other = sound.stage()
        report = fleet.moved("rollback", "cache")
        traffic.goes_on()

    assert [] == traffic.wrong
    assert "live" == other
    assert (3, "shadow") == (code, status["phases"]["cache"]["tripped"])
    assert "x  tripped" in screen
    assert f"a guard put shadow in force in pid {odd.pid};" in " ".join(screen.split())
    assert f"cache: pid {odd.pid}: hard_fail at " in " ".join(screen.split())
    assert 3 == refused.returncode
    assert f"pid {odd.pid} has tripped to shadow" in refused.stderr
    assert (2, 2) == (report["processes"], report["acknowledged"])
    wait_until(fleet.is_well, "nothing is left to tell")
    wait_until(lambda: fleet.total("rescued", stage="live") >= 15, "rescues are in the journal")
    with JournalReader(fleet.var / "journal.db") as journal:
        trips = journal.trips()
    assert [(odd.pid, "hard_fail", "live", "shadow")] == [
        (pid, trip.guard, trip.from_stage, trip.to_stage) for pid, trip in trips
    ]


def test_hung_unified_read_in_live(fleet: Fleet, workers: list[Worker], fault: Path) -> None:
    """The watchdog trips that process after the port's deadline; the caller in it waits and is counted, the others do not wait."""
    odd, sound = workers
    fleet.wait_for(Stage.LIVE, *workers)
    (fault / "hang").write_text("stuck")
    answers: list[int] = []
    delayed = threading.Thread(target=lambda: answers.append(odd.client.get("/_probe/stuck").status_code))
    with Traffic(*workers) as traffic:
        traffic.goes_on(5)
        delayed.start()
        wait_until(lambda: "shadow" == odd.stage(), "the watchdog trips")
        traffic.goes_on()
        code, status = fleet.status()
        still_waits = delayed.is_alive()
        (fault / "hang").unlink()
        delayed.join(DEADLINE_S)

    assert [] == traffic.wrong
    assert still_waits
    assert [200] == answers
    assert (3, "shadow") == (code, status["phases"]["cache"]["tripped"])
    assert "live" == sound.stage()
    wait_until(lambda: 1 == fleet.total("delayed", stage="live"), "the delayed caller is counted")
    with JournalReader(fleet.var / "journal.db") as journal:
        pid, trip = journal.trips()[-1]
    assert (odd.pid, "watchdog", "unified get() has not returned within 1 s") == (pid, trip.guard, trip.reason)
    fleet.moved("rollback", "cache")
    wait_until(fleet.is_well, "nothing is left to tell")


def test_hung_candidate(fleet: Fleet, workers: list[Worker], fault: Path) -> None:
    """In shadow callers feel nothing of it; the lane is paused until it returns, and then goes on."""
    fleet.wait_for(Stage.SHADOW, *workers)
    with Traffic(*workers) as traffic:
        traffic.goes_on()
        (fault / "hang").write_text("object-type:Zoo")

        def is_paused() -> bool:
            # One read may be sampled out while the lanes have used up their share of the CPU.
            assert 200 == workers[0].client.get("/types/Zoo").status_code
            return fleet.total("paused") > 0

        wait_until(is_paused, "the lane is paused")
        traffic.goes_on()
        (fault / "hang").unlink()
        matched = fleet.total("matched")
        wait_until(lambda: fleet.total("matched") > matched + 20, "comparisons go on")

    assert [] == traffic.wrong
    assert 1 <= fleet.total("timed_out")
    assert ["shadow"] * 2 == [each.stage() for each in workers]
    wait_until(fleet.is_well, "nothing is left to tell")


@pytest.mark.parametrize(
    ("fault_name", "path"),
    [("hang", "/types/Zoo"), ("hang", "/documents/d1"), ("deaf", "/documents/d1")],
    ids=["sync", "async", "async and deaf to its cancellation"],
)
def test_end_beside_a_hung_candidate(fleet: Fleet, fault: Path, fault_name: str, path: str) -> None:
    """A candidate that does not return, not even now, does not hold up the end: the process takes leave all the same."""
    fleet.put(Stage.SHADOW)
    with fleet.some(1, module=ODD) as (odd,):
        odd.client.put("/documents/d1", json={"@type": "Place", "name": "Kew"}).raise_for_status()
        (fault / fault_name).write_text(":")
        odd.client.get(path).raise_for_status()
        wait_until(lambda: odd.client.get("/health").is_success, "it still answers")

        assert 0 == odd.command.end(signal.SIGTERM)
    assert "clean" == fleet.endings()[odd.pid]
