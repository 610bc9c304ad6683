"""Several processes of the service, under load, while flags move and processes stop, die and start."""

from __future__ import annotations

import functools
import json
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from oms.domain.stage import Stage
from tests.e2e.command import is_running, wait_until
from tests.e2e.fleet import Fleet, Traffic, Worker, worker

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Folders that the tests of this module share."""
    return Fleet(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def workers(fleet: Fleet) -> Iterator[list[Worker]]:
    """Three processes that outlive each test."""
    with fleet.some(3) as workers:
        yield workers


def test_flip_under_load(fleet: Fleet, workers: list[Worker]) -> None:
    """All the way to live and back while calls go on: each move is confirmed by all, and every answer is right."""
    fleet.wait_for(Stage.OFF, *workers)
    moves = [("flip", "cache", stage) for stage in ("dualwrite", "shadow", "live=5", "live")]
    with Traffic(*workers) as traffic:
        for words in [*moves, ("rollback", "cache")]:
            traffic.goes_on()
            report = fleet.moved(*words)

            assert (3, 3, []) == (report["processes"], report["acknowledged"], report["silent"])
        traffic.goes_on()

    assert [] == traffic.wrong
    assert ["shadow"] * 3 == [worker.stage() for worker in workers]
    wait_until(lambda: fleet.total(stage="live") > 0, "what unified answered is in the journal")


def test_kill_9(fleet: Fleet, workers: list[Worker]) -> None:
    """The others go on, a flip counts the living, the report names the dead; all that it had written is in the journal, and nothing else."""
    fleet.wait_for(Stage.SHADOW, *workers)
    with fleet.some(1) as (victim,), Traffic(*workers) as traffic:
        answers: list[int] = []

        def has_written(least: int) -> bool:
            answers.append(victim.client.delete("/cache/validation").raise_for_status().status_code)
            return cleared(fleet) >= least

        # Nobody asks it to write: three times it does so by itself.
        for _ in range(3):
            wait_until(functools.partial(has_written, cleared(fleet) + 1), "it writes by itself")
        written = cleared(fleet)
        victim.command.process.kill()
        victim.command.process.wait()
        traffic.goes_on()
        report = fleet.moved("flip", "cache", "live")
        traffic.goes_on()

    assert [] == traffic.wrong
    assert (3, 3) == (report["processes"], report["acknowledged"])
    assert 3 <= written <= cleared(fleet) <= len(answers)
    assert "killed" == fleet.endings()[victim.pid]
    assert f"pid {victim.pid}" in fleet.oms("report", "cache").stdout
    assert f"ended without taking leave: pid {victim.pid}" in fleet.oms("status").stdout


def cleared(fleet: Fleet) -> int:
    """Return how often the journal has it that the cache of validations was cleared."""
    return fleet.total(seam="validation", operation="clear")


def test_sigstop(fleet: Fleet, workers: list[Worker]) -> None:
    """A stopped process is not taken for one that follows: it is named, exit code 1; told to go on, it catches up."""
    fleet.wait_for(Stage.SHADOW, *workers)
    stopped, *others = workers
    stopped.command.process.send_signal(signal.SIGSTOP)
    try:
        with Traffic(*others) as traffic:
            done, report = rolled_back(fleet, confirmed_by=2)
            traffic.goes_on()
        code, status = fleet.status()
        screen = fleet.oms("status").stdout
    finally:
        stopped.command.process.send_signal(signal.SIGCONT)

    assert [] == traffic.wrong
    assert (1, 3, [stopped.pid]) == (done.returncode, report["processes"], report["silent"])
    assert f"pid {stopped.pid} is silent" in done.stderr
    assert 1 == code
    assert next(each["beat_age_s"] for each in status["processes"] if each["pid"] == stopped.pid) > 2
    assert f"kill -CONT {stopped.pid}" in screen

    wait_until(lambda: "dualwrite" == stopped.stage(), "it catches up")
    again = fleet.moved("flip", "cache", "dualwrite")
    assert (3, 3, []) == (again["processes"], again["acknowledged"], again["silent"])
    wait_until(fleet.is_well, "nothing is left to tell")


def rolled_back(fleet: Fleet, *, confirmed_by: int) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Take the cache back to dualwrite, and type it again, which waits again, until so many have confirmed; return what that command said."""
    said: list[subprocess.CompletedProcess[str]] = []

    def is_confirmed() -> bool:
        said.append(fleet.oms("rollback", "cache", "--to", "dualwrite", "--wait", "2.5", "--json"))
        return bool(json.loads(said[-1].stdout)["acknowledged"] == confirmed_by)

    wait_until(is_confirmed, f"{confirmed_by} confirm")
    return said[-1], json.loads(said[-1].stdout)


def start_under_flips(fleet: Fleet, count: int, chance: random.Random) -> None:
    """Start processes while the flag moves to and fro, up to a random moment of a start; all must end up serving the last one."""
    others = {each.pid for each in fleet.standings()}
    begun = chance.randint(0, count)
    with ExitStack() as stack:
        commands = [stack.enter_context(fleet.process("serve", "--port", "0")) for _ in range(count)]
        while True:
            last = fleet.put(chance.choice((Stage.OFF, Stage.DUALWRITE)))
            if len({each.pid for each in fleet.standings()} - others) >= begun and chance.random() < 0.2:
                break
        workers = [worker(command, stack) for command in commands]

        def laggards() -> set[int]:
            following = {each.pid for each in fleet.standings() if each.acknowledges("cache", last)}
            return {each.pid for each in workers} - following

        wait_until(lambda: not laggards(), f"all serve the last flip, after {begun} of them had begun")
        assert 1 == len({each.stage() for each in workers})


def test_flip_during_start(fleet: Fleet, workers: list[Worker]) -> None:
    """A flip that comes while processes start is not lost on any of them, nor on those that run."""
    start_under_flips(fleet, 3, random.Random(1))

    wait_until(lambda: 1 == len({each.stage() for each in workers}), "the others follow as well")


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(20))
def test_flip_during_start_again_and_again(fleet: Fleet, seed: int) -> None:
    """The same at many moments."""
    start_under_flips(fleet, 4, random.Random(seed))


def test_all_end_in_good_order(fleet: Fleet, workers: list[Worker]) -> None:
    """Told to end while clients are still connected, each of them does, and the journal knows."""
    for each in workers:
        assert 0 == each.command.end(signal.SIGTERM)

    assert ["clean"] * 3 == [fleet.endings()[each.pid] for each in workers]
    assert not any(is_running(each.pid) for each in workers)
