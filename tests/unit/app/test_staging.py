"""An incident as it is staged and measured; the controller is played by the test."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import replace
from pathlib import Path

from oms.app.injection import Faults
from oms.app.rehearsal.board import switchboard
from oms.app.rehearsal.driver import Driver
from oms.app.rehearsal.folder import Folder, prepare
from oms.app.rehearsal.incident import Incident
from oms.app.rehearsal.probes import Probes
from oms.app.rehearsal.request import request
from oms.app.rehearsal.staging import Staging
from oms.domain.record import Batch, Place, Tally, Trip
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.domain.standing import PhaseStanding
from oms.flagging.files import FlagFiles
from oms.journal import Journal, ProcessFile
from oms.rollout.guard.latches import Latches, Tripped
from oms.seams import PHASES
from oms.seams.cache import CACHE
from tests.unit.app.answering import ok, on_server

FLAGS = Path(__file__).resolve().parents[3] / "flags"
HALF = Split(((Stage.LIVE, 5_000), (Stage.SHADOW, 5_000)))


class Controller:
    """Trips at its second look: one process by itself, then the flag.

    Args:
        late_s: How long that process takes to write its trip; 0 for at once.
    """

    def __init__(self, folder: Folder, *, late_s: float = 0.0) -> None:
        self.folder, self.looks, self._late_s = folder, 0, late_s
        self.flags = FlagFiles(folder.flags, PHASES)
        self.digest = self.flags.write("cache", HALF, based_on=None)
        self.batch = Batch()
        self.journal = Journal(folder.journal, self.drain)
        self.count(100)

    def drain(self) -> Batch:
        """Hand over what was counted."""
        batch, self.batch = self.batch, Batch()
        return batch

    def count(self, calls: int) -> None:
        """Count *calls* of one operation, half of them at live, and some of another."""
        for stage in ("live", "shadow"):
            self.batch.tallies.append(Tally(Place("cache", "types", "get", stage, self.digest), "calls", calls // 2))
        self.batch.tallies.append(Tally(Place("cache", "documents", "aget", "live", self.digest), "calls", 7))
        self.journal.flush()

    def look(self) -> None:
        """Look once."""
        self.looks += 1
        assert self.folder.switch.exists()
        if self.looks == 2:
            self.count(60)
            self.batch.trips.append(Trip("cache", "types", "get", "watchdog", "live", "shadow", "hung", time.time()))
            if self._late_s:
                threading.Timer(self._late_s, self.journal.flush).start()
            else:
                self.journal.flush()
            self.flags.write("cache", Split.whole(Stage.SHADOW), based_on=None)
            tripped = Tripped(
                guard="watchdog", operation="types.get", version="v", why="a process went back", at_s=time.time(), before="live=50",
                to="shadow", calls=160, done=True, seconds=0.25,
            )  # fmt: skip
            Latches(self.folder.latches).change("cache", lambda latch: replace(latch, tripped=tripped))


def test_an_incident(tmp_path: Path) -> None:
    """The phase is frozen before the faults begin; both trips are told with the calls and seconds since then; the way back with its time."""
    folder = prepare(tmp_path / "out", flags=FLAGS, phases=[CACHE])
    controller, said = Controller(folder), []
    faults, board = Faults(hang=True), switchboard(folder)

    async def use(port: int) -> Incident:
        async with Driver([port], itertools.repeat((request("common", "GET", "/"),)), clients_per_process=2) as driver:
            probes = Probes("cache")
            return await Staging(
                folder, board, CACHE, driver, [port], probes, faults, controller.look, said.append
            ).go()

    incident: Incident = on_server(ok, use)
    controller.journal.stop(5)
    local, flag = incident.trips

    assert ["cache live=50: hang begins"] == said
    assert "an injection begins" in Latches(folder.latches).read().standstill("cache", now_s=time.time())[-1]
    assert ("live=50", 67, 0) == (incident.at, incident.calls, incident.reads_inside)
    assert ("watchdog", "live", "shadow", 60) == (local.guard, local.before, local.after, local.calls_to_trip)
    assert ("live=50", "shadow", 60, None) == (flag.before, flag.after, flag.calls_to_trip, flag.pid)
    assert 0 < (local.seconds or 0) <= (flag.seconds or 0) < 60
    assert incident.rolled_back is not None
    assert 0.25 == incident.rolled_back.seconds


def test_a_process_that_writes_late(tmp_path: Path) -> None:
    """A live process is waited for until it has written: on a busy machine its trip comes long after the flag is back."""
    folder = prepare(tmp_path / "out", flags=FLAGS, phases=[CACHE])
    controller = Controller(folder, late_s=1.5)
    file = ProcessFile(
        folder.var / "run", lambda: {"cache": PhaseStanding(controller.flags.read("cache").digest, time.time())}
    )
    file.start(beat_s=0.01)

    async def use(port: int) -> Incident:
        async with Driver([port], itertools.repeat((request("common", "GET", "/"),)), clients_per_process=2) as driver:
            staging = Staging(
                folder, switchboard(folder), CACHE, driver, [port], Probes("cache"), Faults(hang=True), controller.look, [].append
            )  # fmt: skip
            return await staging.go()

    incident: Incident = on_server(ok, use)
    file.stop()
    controller.journal.stop(5)

    assert [True, False] == [trip.pid is not None for trip in incident.trips]
