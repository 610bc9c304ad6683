"""``oms rehearse --inject``: a fault in unified is found, and the phase taken back, by nobody but the controller."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import ROOT, oms, running, wait_until

LONG_S = 400.0
"""For a whole rehearsal on a busy machine."""

pytestmark = pytest.mark.timeout(900)


def injected(fault: str, out: Path) -> dict[str, Any]:
    """Rehearse with *fault* and return the cache phase of the result, after what holds for every fault."""
    done = oms("rehearse", "--calls", "1500", "--inject", fault, "--out", out, "--json", limit_s=LONG_S)

    assert 0 == done.returncode, done.stderr
    result = json.loads(done.stdout)
    phase: dict[str, Any] = result["phases"]["cache"]
    audit = [json.loads(line) for line in (out / "var" / "audit.jsonl").read_text().splitlines()]
    back = [line for line in audit if line["outcome"] == "done"][-1]
    assert 0 == result["caller_errors"]
    assert ("oms guard", "live=50", "shadow", False) == (back["who"], back["from"], back["to"], back["forced"])
    assert ["off", "dualwrite", "shadow", "live=5", "live=50"] == phase["stages"]
    assert {"faults": fault, "at": "live=50", "rolled_back": True}.items() <= phase["injection"].items()
    assert (3, 3) == (phase["rollback"]["processes"], phase["rollback"]["acknowledged"])
    return phase


def by_the_controller(phase: dict[str, Any]) -> dict[str, Any]:
    """Return the trip of the controller, which is the one that moved the flag."""
    (trip,) = (trip for trip in phase["trips"] if trip["pid"] is None)
    assert {"guard", "seam", "operation", "from", "to", "calls_to_trip", "seconds", "pid", "also"} == set(trip)
    assert ("live=50", "shadow") == (trip["from"], trip["to"])
    assert 0 < trip["seconds"]
    found: dict[str, Any] = trip
    return found


def test_unified_errors(tmp_path: Path) -> None:
    """Three errors in a hundred calls: legacy rescues every caller, and some hundred calls of one operation are enough."""
    phase = injected("unified-errors=3%", tmp_path / "out")
    trip = by_the_controller(phase)

    assert ("errors", [f"mismatch {trip['seam']}.{trip['operation']}"]) == (trip["guard"], trip["also"])
    assert 0 < trip["calls_to_trip"] < 3_000
    assert phase["rescued"] > 0


def test_hang(tmp_path: Path) -> None:
    """A read that hangs: the processes go back by themselves first, then the flag; who was kept waiting is counted, and got an answer."""
    phase = injected("hang", tmp_path / "out")
    local = [trip for trip in phase["trips"] if trip["pid"] is not None]

    assert local
    assert {"watchdog", "hard_fail"} >= {trip["guard"] for trip in local}
    assert min(trip["seconds"] for trip in local) <= by_the_controller(phase)["seconds"]
    assert phase["delayed"] + phase["rescued"] > 0


@pytest.mark.stress
@pytest.mark.parametrize(
    ("fault", "guards", "calls"),
    [
        ("wrong-value=1%", {"mismatch"}, 5_000),
        ("slow=2x", {"slow_p99", "slow_p90"}, 3_000),
        ("tail=12x", {"slow_p99", "slow_p90"}, 40_000),
        ("unified-errors=1%,slow=3x", {"errors", "mismatch", "slow_p99", "slow_p90"}, 5_000),
    ],
)
def test_the_others(tmp_path: Path, fault: str, guards: set[str], calls: int) -> None:
    """Wrong answers, slow answers and a longer tail are found by the guard that is there for them, within a few times the reference's delay."""
    trip = by_the_controller(injected(fault, tmp_path / "out"))

    assert trip["guard"] in guards
    assert 0 < trip["calls_to_trip"] < calls


def test_bad_words(tmp_path: Path) -> None:
    """A fault that is none, a phase that nobody may rescue, and seeds without virtual time are exit code 2 and one line; nothing is made."""
    out = tmp_path / "out"
    for words, told in (
        (("--inject", "sloow=2x"), "oms: FAULT: found 'sloow=2x', wanted one of unified-errors=3%"),
        (("--inject", "hang", "--phase", "config"), "oms: --inject: found hang for phase config"),
        (
            ("--inject", "hang", "--phase", "cache", "--phase", "config"),
            "oms: --inject: found 2 phases, wanted one phase",
        ),
        (("--seeds", "3"), "oms rehearse --seeds: found no --virtual"),
        (("--virtual", "--phase", "config"), "oms rehearse --phase: found config, wanted cache"),
    ):
        done = oms("rehearse", *words, "--out", out)

        assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
        assert told in done.stderr
    assert not out.exists()


def test_virtual_seeds() -> None:
    """Seeds in virtual time, two processes at once, walk the whole ladder without a rollback; progress goes to stderr, a row a seed."""
    clean = oms("rehearse", "--inject", "none", "--virtual", "--seeds", "2", "--json", limit_s=LONG_S)
    result = json.loads(clean.stdout)

    assert 0 == clean.returncode, clean.stderr
    assert (1, True, "none", 0) == (result["schema"], result["virtual"], result["faults"], result["rolled_back"])
    assert [["dualwrite", "shadow", "live=1", "live=5", "live=25", "live=50", "live=95"]] * 2 == [
        each["steps"] for each in result["seeds"]
    ]
    assert 2 == clean.stderr.count("no rollback")


def test_a_policy_without_the_profile(tmp_path: Path) -> None:
    """Where the policy has no profile for rehearsals, nothing is started: exit code 2 and one line. A broken policy is told likewise."""
    policy = (ROOT / "flags" / "rollout.toml").read_text()
    for text, told in (
        (policy.replace("[profile.rehearsal", "[profile.other"), "rehearsal"),
        (policy.replace("limit = 1e-2", "limit = 2"), "limit"),
        (policy.replace("expires = 2027-06-30", "expires = 2026-01-01"), "expired"),
    ):
        shutil.copytree(ROOT / "flags", tmp_path / "flags", dirs_exist_ok=True)
        (tmp_path / "flags" / "rollout.toml").write_text(text)
        done = oms("rehearse", "--flags", tmp_path / "flags", "--out", tmp_path / "out")

        assert (2, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
        assert told in done.stderr
    assert not (tmp_path / "out").exists()


def test_virtual_process_killed() -> None:
    """A process of its own that somebody kills, as the kernel does when memory is short, is one line and exit code 4."""
    with running("rehearse", "--virtual", "--seeds", "50") as command:
        wait_until(lambda: bool(spawned(command.process.pid)), "it has processes of its own")
        os.kill(spawned(command.process.pid)[0], signal.SIGKILL)
        code = command.process.wait(LONG_S)
        told = command.wait_for_line(containing="one of its processes killed")

    assert 4 == code
    assert told.startswith("oms: --virtual: found one of its processes killed, wanted")
    assert [] == command.lines_so_far(containing="Traceback")


def spawned(pid: int) -> list[int]:
    """Return the pids of the workers that process *pid* has spawned."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # Processes come and go while we look.
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (stat.parent / "cmdline").read_bytes():
                found.append(int(stat.parent.name))
    return found
