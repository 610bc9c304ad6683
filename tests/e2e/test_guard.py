"""Several controllers, and one that is killed or stopped: one leads, and whatever it began is gone on with."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.files import FlagFiles
from oms.seams import PHASES
from tests.e2e.command import DEADLINE_S, ROOT, oms, running, wait_until

pytestmark = pytest.mark.timeout(900)


class Start(Protocol):
    """Starts a worker."""

    def __call__(self, *, stale_after_s: float) -> Worker: ...


class Worker:
    """One process that wants to lead."""

    def __init__(self, folder: Path, stale_after_s: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.guard_worker", str(folder), str(stale_after_s)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, command: str) -> None:
        """Give a command without waiting."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def heard(self) -> str:
        """Return the next answer."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, command: str) -> str:
        """Give a command and return the answer."""
        self.tell(command)
        return self.heard()

    def end(self) -> None:
        """Kill it, stopped or not."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def flags(tmp_path: Path) -> FlagFiles:
    """Flags in which the cache stands in shadow."""
    (tmp_path / "flags").mkdir()
    files = FlagFiles(tmp_path / "flags", PHASES)
    files.write("cache", Split.whole(Stage.SHADOW), based_on=None)
    return files


@pytest.fixture
def start(tmp_path: Path, flags: FlagFiles) -> Iterator[Start]:
    """Start workers over one folder; all are killed at the end."""
    with ExitStack() as stack:

        def worker(*, stale_after_s: float) -> Worker:
            one = Worker(tmp_path, stale_after_s)
            stack.callback(one.end)
            return one

        yield worker


def test_a_leader_that_is_stopped(start: Start, flags: FlagFiles) -> None:
    """A stopped leader is replaced, and when it wakes up it can neither move a phase on nor take one back."""
    old, new = start(stale_after_s=60.0), start(stale_after_s=0.2)
    assert "leads term 1" == old.ask("lead")
    old.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: new.ask("lead") == "leads term 2", "the lead")
    assert "moved to live=5" == new.ask("live=5")

    old.tell("live=50")
    old.tell("rollback")
    old.process.send_signal(signal.SIGCONT)

    assert "refused: term 1 of oms guard is over: another controller leads" == old.heard()
    assert "refused: term 1 of oms guard is over: another controller leads" == old.heard()
    assert "live=5" == str(flags.read("cache").split)
    assert "follows" == old.ask("lead")


def test_a_leader_that_is_killed(start: Start) -> None:
    """The lead of a killed process is free at once, whatever its last sign of life."""
    old, new = start(stale_after_s=60.0), start(stale_after_s=60.0)
    assert ("leads term 1", "follows") == (old.ask("lead"), new.ask("lead"))
    old.end()
    assert "leads term 2" == new.ask("lead")


def test_a_controller_of_its_own(tmp_path: Path) -> None:
    """The command leads until it is ended, says so in the status, and a second one only watches."""
    shutil.copytree(ROOT / "flags", tmp_path / "flags")
    folders = ["--flags", str(tmp_path / "flags"), "--var", str(tmp_path / "var")]
    with running("guard", "--every", "0.1s", *folders) as guard:
        guard.wait_for_line(containing="oms guard: leads (term 1)")

        assert "another controller leads; this one watches" in oms("guard", "--once", *folders).stdout
        assert f"oms guard: pid {guard.process.pid} leads (term 1)" in " ".join(oms("status", *folders).stdout.split())
        guard.process.send_signal(signal.SIGTERM)
        assert 0 == guard.process.wait(timeout=DEADLINE_S)
    assert "no controller" in oms("status", *folders).stdout


def kills(folder: Path, direction: str, every: int) -> str:
    """Kill controllers before each *every*-th line and return what came of it."""
    return subprocess.run(
        [sys.executable, "-m", "tests.e2e.guard_kill_worker", str(folder), direction, str(every)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=1_800,
    ).stdout.strip()


@pytest.mark.parametrize("direction", ["forward", "back"])
def test_killed_at_many_instants(tmp_path: Path, direction: str) -> None:
    """Wherever a look is ended, the next controller brings the phase where it belongs: one step on, or back."""
    assert kills(tmp_path, direction, 97).startswith("killed ")


@pytest.mark.stress
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("direction", ["forward", "back"])
def test_killed_at_every_line(tmp_path: Path, direction: str) -> None:
    """The same before every third line."""
    assert kills(tmp_path, direction, 3).startswith("killed ")
