"""What a flag file may do to a process that serves: broken, empty, gone, old, half written, not there at the start."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oms.domain.stage import Stage
from tests.e2e.command import wait_until
from tests.e2e.fleet import Fleet, Worker

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Folders that the tests of this module share."""
    return Fleet(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def serving(fleet: Fleet) -> Iterator[Worker]:
    """One process that outlives each test."""
    with fleet.some(1) as (worker,):
        yield worker


def remade(file: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Write *file* anew with its one flag changed."""
    content = json.loads(file.read_text())
    change(content["flags"]["phase.cache"])
    file.write_text(json.dumps(content))


def share(*weights: tuple[str, float]) -> Callable[[Path], object]:
    """Return what gives the flag a split of *weights*."""
    least = weights[-1][0]
    return lambda file: remade(file, lambda flag: flag.update(targeting={"fractional": weights}, defaultVariant=least))


WHERE_FOUND_WANTED_MEND = re.compile(
    r"phase 'cache': \S+/cache\.flagd\.json: (\S.*: )?found .+, wanted .+; .+; the last good file stays in force\n"
)

BREAKS: dict[str, Callable[[Path], object]] = {
    "broken": lambda file: file.write_text("{]"),
    "empty": lambda file: file.write_text(""),
    "empty object": lambda file: file.write_text("{}"),
    "no flags": lambda file: file.write_text('{"flags": {}}'),
    "removed": lambda file: file.unlink(),
    "half written": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "a dangling link": lambda file: (file.unlink(), file.symlink_to("nowhere")),
    "float weights": share(("live", 50.5), ("shadow", 49.5)),
    "weights of zero": share(("live", 0), ("shadow", 0)),
    "least advanced first": share(("shadow", 9500), ("live", 500)),
    "illegal mix": share(("live", 500), ("off", 9500)),
    "unknown stage": lambda file: remade(
        file, lambda flag: flag.update(variants={"lief": "lief"}, defaultVariant="lief")
    ),
}


@pytest.mark.parametrize("break_it", BREAKS.values(), ids=BREAKS)
def test_broken_flag_file(fleet: Fleet, serving: Worker, break_it: Callable[[Path], object]) -> None:
    """The last good one stays, one line says which file and what to do, status exits with 3, recovery is automatic."""
    fleet.wait_for(Stage.SHADOW, serving)
    backup = fleet.flags.parent / "backup"
    shutil.copy2(fleet.file, backup)
    told = len(serving.command.lines_so_far(containing=str(fleet.file)))
    break_it(fleet.file)
    serving.command.wait_for_line(containing=f"phase 'cache': {fleet.file}")
    code, status = fleet.status()

    assert "shadow" == serving.stage()
    assert ["Organization", "Place", "Thing"] == serving.ancestors("LocalBusiness")
    # While that command ran the file was looked at some twenty times. A break of two steps may have been seen at both.
    complaints = serving.command.lines_so_far(containing=str(fleet.file))[told:]
    assert len(complaints) == len(set(complaints)) <= 2
    assert WHERE_FOUND_WANTED_MEND.fullmatch(complaints[-1]), complaints
    assert (3, "file, cache: last-good") == (code, status["source"])
    assert {"shadow": 10_000} == status["phases"]["cache"]["split"]

    if fleet.file.is_dir():
        fleet.file.rmdir()
    backup.replace(fleet.file)
    serving.command.wait_for_line(containing="phase 'cache': its flag file is good again")
    wait_until(fleet.is_well, "nothing is left to tell")
    assert "file" == fleet.status()[1]["source"]


def test_older_flag_file_moved_back(fleet: Fleet, serving: Worker) -> None:
    """A backup with an older time takes effect like any other file, and so does one with exactly the same time."""
    fleet.wait_for(Stage.OFF, serving)
    backup = fleet.flags.parent / "backup"
    shutil.copy2(fleet.file, backup)
    os.utime(backup, (1_000_000_000, 1_000_000_000))
    fleet.wait_for(Stage.DUALWRITE, serving)
    backup.replace(fleet.file)
    wait_until(lambda: "off" == serving.stage(), "the older file is served")
    same = fleet.file.stat().st_mtime_ns
    fleet.wait_for(Stage.DUALWRITE, serving)
    shutil.copy2(fleet.file, backup)
    os.utime(backup, ns=(same, same))
    backup.replace(fleet.file)

    wait_until(lambda: fleet.file.stat().st_mtime_ns == same and "dualwrite" == serving.stage(), "so is this one")
    wait_until(fleet.is_well, "nothing is left to tell")


def test_written_in_two_halves(fleet: Fleet, serving: Worker) -> None:
    """A slow writer is not served half way: the file takes effect when it is whole."""
    fleet.wait_for(Stage.DUALWRITE, serving)
    shadow = fleet.file.read_bytes().replace(b'"defaultVariant": "dualwrite"', b'"defaultVariant": "shadow"')
    with fleet.file.open("wb", buffering=0) as file:
        file.write(shadow[:200])
        serving.command.wait_for_line(containing="the last good file stays in force")
        between = serving.stage()
        file.write(shadow[200:])
    wait_until(lambda: "shadow" == serving.stage(), "the whole file is served")

    assert "dualwrite" == between


def test_rollback_by_hand_with_a_mistake(fleet: Fleet, serving: Worker) -> None:
    """A file that has a mistake in it but names nothing above what is served counts as a rollback, with a warning."""
    fleet.wait_for(Stage.SHADOW, serving)
    share(("dualwrite", 0.5), ("off", 0.5))(fleet.file)

    wait_until(lambda: "off" == serving.stage(), "everybody is at the lowest stage that it names")
    serving.command.wait_for_line(containing="it counts as a rollback")


def test_rollback_over_a_broken_file(fleet: Fleet, serving: Worker) -> None:
    """The one command of 3 a.m. needs no good file; it starts from the last good stage and every process confirms it."""
    fleet.wait_for(Stage.LIVE, serving)
    fleet.file.write_text("{]")
    serving.command.wait_for_line(containing="the last good file stays in force")
    screen = fleet.oms("status").stdout
    refused = fleet.oms("flip", "cache", "rampdown", "--why", "no")
    report = fleet.moved("rollback", "cache")

    assert "x  broken" in screen
    assert str(fleet.file) in "".join(line.strip() for line in screen.splitlines())
    assert "oms rollback cache" in screen
    assert (3, 1) == (refused.returncode, len(refused.stderr.splitlines()))
    assert ("live", "shadow", 1, 1) == tuple(report[name] for name in ("from", "to", "processes", "acknowledged"))
    assert "shadow" == serving.stage()
    wait_until(fleet.is_well, "nothing is left to tell")


def test_flags_unreachable_at_start(tmp_path: Path) -> None:
    """A process that finds no flags starts with the last good ones of an earlier run, and follows the folder once it is back."""
    fleet = Fleet(tmp_path)
    fleet.put(Stage.SHADOW)
    with fleet.some(1) as (worker,):
        assert "shadow" == worker.stage()
        wait_until(lambda: len(list((fleet.var / "last-good").iterdir())) == 5, "what was good is kept")
    away = fleet.flags.rename(tmp_path / "away")
    with fleet.some(1) as (worker,):
        stage, (code, status) = worker.stage(), fleet.status()
        wait_until(lambda: bool(worker.command.lines_so_far(containing=str(fleet.file))), "it complains")
        complaint = worker.command.lines_so_far(containing=str(fleet.file))

        assert "shadow" == stage
        assert (3, True) == (code, "cache: last-good" in status["source"])
        assert 1 == len(complaint)
        assert "the last good file of an earlier run stays in force" in complaint[0]

        away.rename(fleet.flags)
        wait_until(fleet.is_well, "the folder is followed again")
        assert "file" == fleet.status()[1]["source"]
        assert "dualwrite" == fleet.moved("rollback", "cache")["to"]


def test_flags_unreachable_at_first_start(tmp_path: Path) -> None:
    """Without a last good file each phase stands at its declared default, and status says so."""
    fleet = Fleet(tmp_path)
    away = fleet.flags.rename(tmp_path / "away")
    with fleet.some(1) as (worker,):
        stage, (code, status) = worker.stage(), fleet.status()

        assert ["Organization", "Place", "Thing"] == worker.ancestors("LocalBusiness")
        assert ("off", 3, True) == (stage, code, "cache: default" in status["source"])
        assert dict.fromkeys(("cache", "config", "resilience"), "default") == status["processes"][0]["digests"]
        wait_until(lambda: bool(worker.command.lines_so_far(containing=str(fleet.file))), "it complains")
        assert "the declared default stays in force" in worker.command.lines_so_far(containing=str(fleet.file))[0]

        away.rename(fleet.flags)
        wait_until(fleet.is_well, "the folder is followed as soon as it is there")
