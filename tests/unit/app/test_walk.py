"""One phase through its stages: budgets, flips, and what happens when one is refused."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oms.app.injection import Faults
from oms.app.rehearsal.board import switchboard
from oms.app.rehearsal.driver import Driver
from oms.app.rehearsal.folder import Folder, prepare
from oms.app.rehearsal.incident import Incident
from oms.app.rehearsal.request import Errand, request
from oms.app.rehearsal.walk import Walk, Walked
from oms.domain.phase import Phase
from oms.domain.split import parse_wish
from oms.domain.standing import PhaseStanding, ProcessStanding
from oms.flagging.files import FlagFiles
from oms.rollout.acknowledgement import Acknowledgement
from oms.rollout.flip import flip
from oms.rollout.switchboard import Mandate, Switchboard
from oms.seams import PHASES
from oms.seams.cache import CACHE
from oms.seams.config import CONFIG
from tests.unit.app.answering import ok, on_server

WAY = ["off", "dualwrite", "shadow", "live=5", "live"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with the project's flags, every phase off."""
    flags = Path(__file__).resolve().parents[3] / "flags"
    return prepare(tmp_path / "out", flags=flags, phases=PHASES.values())


Standings = Callable[[Folder], list[ProcessStanding]]


def process(folder: Folder, *, behind: int = 0, tripped: str | None = None) -> ProcessStanding:
    """Return a process that serves what the flag says now, or something else for its last *behind* asked stages."""
    digest = "0" * 16 if behind else FlagFiles(folder.flags, PHASES).read("cache").digest
    standing = PhaseStanding(digest, time.time(), tripped=tripped)
    return ProcessStanding(4711, 1, "here", time.time() + 600, alive=True, phases={"cache": standing})


@dataclasses.dataclass
class OneStep:
    """Climbs by a flip, as no journal is there to judge by: one step to 5 %."""

    board: Switchboard
    phase: Phase
    driver: Driver

    async def prepare(self) -> None:
        """Send a request more."""
        await self.driver.drive(1)

    async def go(self, calls: int, reached: Callable[[str], None]) -> None:
        """Flip, and send what is there for it."""
        flip(self.board, self.phase, parse_wish("live=5", writes=self.phase.writes), Mandate(who="test", why="test"))
        reached("live=5")
        await self.driver.drive(calls)


def walk(
    folder: Folder, standings: Standings, *, calls: int = 300, phase: Any = CACHE, incident: Incident | None = None
) -> tuple[Walked, Driver, list[str]]:
    """Walk against a server that says yes to everything and processes that stand as *standings* says."""
    said: list[str] = []
    board = dataclasses.replace(switchboard(folder), processes=lambda: standings(folder))

    async def use(port: int) -> tuple[Walked, Driver]:
        async with Driver([port], itertools.repeat((request("common", "GET", "/"),)), clients_per_process=2) as driver:
            climb = OneStep(board, phase, driver)

            async def happen() -> Incident:
                assert incident is not None
                return incident

            inject = happen if incident else None
            walked = await Walk(board, phase, driver, [port], calls, deployment, climb, said.append, inject=inject).go()
        return walked, driver

    walked, driver = on_server(ok, use)
    return walked, driver, said


def deployment() -> list[Errand]:
    """Return a deployment of one request."""
    return [(request("import", "GET", "/import"),)]


def test_all_the_way_and_back(folder: Folder) -> None:
    """Every stage is asked for and acknowledged, the way back too, and not one request too many or too few is sent."""
    walked, driver, said = walk(folder, lambda folder: [process(folder)])

    assert ("", WAY) == (walked.problem, walked.stages)
    assert walked.rollback is not None
    assert ("live", "shadow", True) == (
        walked.rollback.move.before,
        walked.rollback.move.after,
        walked.rollback.confirmed,
    )
    assert [f"cache {stage}" for stage in (*WAY, "rollback") if stage != "live=5"] == said
    assert (301, 0) == (driver.counts.sent, driver.counts.faults)


def test_every_call_has_a_stage(folder: Folder) -> None:
    """Shares that do not come out even lose no request."""
    _, driver, _ = walk(folder, lambda folder: [process(folder)], calls=101)

    assert 102 == driver.counts.sent


def test_a_phase_without_writes_has_fewer_stages(folder: Folder) -> None:
    """Where nothing is written, nothing is written twice."""
    walked, driver, _ = walk(folder, lambda folder: [], phase=CONFIG)

    assert ["off", "shadow", "live=5", "live"] == walked.stages
    assert 301 == driver.counts.sent


def test_an_incident_in_the_place_of_live(folder: Folder) -> None:
    """What a guard took back is not rolled back once more; what none took back is, and the walk tells of the incident either way."""
    found = Incident(Faults(hang=True), "live=5", 0.0, rolled_back=Acknowledgement(1, 1))
    walked, driver, said = walk(folder, lambda folder: [process(folder)], incident=found)

    assert (WAY[:-1], found, None) == (walked.stages, walked.incident, walked.rollback)
    assert "cache rollback" not in said
    assert driver.counts.sent < 301

    walked, _, _ = walk(folder, lambda folder: [process(folder)], incident=Incident(Faults(hang=True), "live=5", 0.0))

    assert walked.rollback is not None


def test_a_refused_flip_ends_the_way_forward(folder: Folder) -> None:
    """A process that has tripped stands in the way: the walk says so, goes no further, and comes back."""

    def trips_in_shadow(folder: Folder) -> list[ProcessStanding]:
        split = FlagFiles(folder.flags, PHASES).read("cache").split
        return [process(folder, tripped="dualwrite" if str(split) == "shadow" else None)]

    walked, _, _ = walk(folder, trips_in_shadow)

    assert ["off", "dualwrite", "shadow"] == walked.stages
    assert "pid 4711 has tripped to dualwrite" in walked.problem
    assert walked.rollback is not None
    assert "dualwrite" == walked.rollback.move.after


def test_a_rollback_that_nobody_acknowledges(folder: Folder) -> None:
    """A process that does not follow is in the report by its pid after a second; the rollback itself stands."""

    def deaf_to_rollbacks(folder: Folder) -> list[ProcessStanding]:
        audit = folder.var / "audit.jsonl"
        was_live = audit.is_file() and '"to":"live"' in audit.read_text().replace(" ", "")
        is_live = str(FlagFiles(folder.flags, PHASES).read("cache").split) == "live"
        return [process(folder, behind=was_live and not is_live)]

    walked, _, _ = walk(folder, deaf_to_rollbacks)

    assert WAY == walked.stages
    assert walked.rollback is not None
    assert (4711,) == walked.rollback.silent
    assert not walked.rollback.confirmed
    assert "shadow" == str(FlagFiles(folder.flags, PHASES).read("cache").split)
