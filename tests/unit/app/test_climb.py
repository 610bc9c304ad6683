"""Traffic until the controller has moved the phase up the steps of its policy."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from oms.app.rehearsal.board import switchboard
from oms.app.rehearsal.climb import Climb
from oms.app.rehearsal.driver import Driver
from oms.app.rehearsal.folder import Folder, prepare
from oms.app.rehearsal.probes import Probes
from oms.app.rehearsal.request import request
from oms.app.rehearsal.watch import Watch
from oms.domain.errors import CouldNot
from oms.domain.split import Split, parse_wish
from oms.domain.stage import Stage
from oms.flagging.files import FlagFiles
from oms.rollout.guard.latches import Latches, Tripped
from oms.seams import PHASES
from oms.seams.cache import CACHE
from tests.unit.app.answering import ok, on_server

FLAGS = Path(__file__).resolve().parents[3] / "flags"
TRIPPED = Tripped(
    guard="errors", operation="types.get", version="v", why="too many", at_s=1.0, before="live=5", to="shadow"
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with the cache phase in shadow."""
    made = prepare(tmp_path / "out", flags=FLAGS, phases=[CACHE])
    (made.var).mkdir()
    stand(made, "shadow")
    return made


def stand(folder: Folder, stage: str) -> None:
    """Put the phase somewhere, as a controller does."""
    wish = parse_wish(stage, writes=True)
    rest = 10_000 - wish.weight
    split = Split(((wish.stage, wish.weight), (Stage.SHADOW, rest))) if rest else Split.whole(wish.stage)
    FlagFiles(folder.flags, PHASES).write("cache", split, based_on=None)


def climb(folder: Folder, check: Callable[[], None], *, calls: int = 500) -> tuple[list[str], list[str], int]:
    """Climb against a server that says yes to everything; *check* plays the controller, once a chunk."""
    steps: list[str] = []
    said: list[str] = []

    async def use(port: int) -> int:
        async with Driver([port], itertools.repeat((request("common", "GET", "/"),)), clients_per_process=2) as driver:
            up = Climb(folder, switchboard(folder), CACHE, driver, [port], Probes("cache"), check, said.append)
            await replace(up, reads_first=400).prepare()
            await up.go(calls, steps.append)
            return driver.counts.sent

    return steps, said, on_server(ok, use)


def test_to_the_top(folder: Folder) -> None:
    """Each step is told, traffic goes on until the last one of the profile, and all that was asked for is sent."""
    moves = iter(("shadow", "live=5", "live=5", "live=50"))
    steps, said, sent = climb(folder, lambda: stand(folder, next(moves)))

    assert (["live=5", "live=50"], ["cache live=5", "cache live=50"]) == (steps, said)
    assert sent >= 500 + 4


def test_a_trip_ends_it(folder: Folder) -> None:
    """A phase that is taken back on the way is not waited for: the error names the guard and why."""

    def trip() -> None:
        Latches(folder.latches).change("cache", lambda latch: replace(latch, tripped=TRIPPED))

    with pytest.raises(CouldNot, match=r"taken back live=5 > shadow: errors types.get tripped: too many"):
        climb(folder, trip)


def test_a_controller_that_has_ended(folder: Folder) -> None:
    """What the controller's own check raises ends it, too."""

    def ended() -> None:
        raise CouldNot("oms guard: ended early")

    with pytest.raises(CouldNot, match="ended early"):
        climb(folder, ended)


def test_watch(folder: Folder) -> None:
    """The controller leads, tells its verdicts with the profile beside each, and ends in good order with the block."""
    told: list[str] = []

    async def watched() -> Watch:
        async with Watch(folder, "cache", told.append) as watch, asyncio.timeout(60):
            while len(told) < 2:
                watch.check()
                await asyncio.sleep(0.01)
        return watch

    watch = asyncio.run(watched())

    assert "[rehearsal] oms guard: leads (term 1)" == told[0]
    assert any(line.startswith("[rehearsal] cache: shadow | guards no data | hold: ") for line in told)
    assert watch._process is not None
    assert watch._process.returncode is not None


def test_watch_that_ends(folder: Folder) -> None:
    """A controller that ends early is an error with its last words."""

    async def watched() -> None:
        async with Watch(folder, "nobody", lambda line: None) as watch, asyncio.timeout(60):
            while True:
                watch.check()
                await asyncio.sleep(0.01)

    with pytest.raises(CouldNot, match="oms guard: ended early: oms: PHASE: found 'nobody'"):
        asyncio.run(watched())
