"""``oms rehearse`` from the outside: real processes, real traffic, and what is left of them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import DEADLINE_S, ROOT, is_running, oms, running, wait_until, worker_pids

WAY = ["off", "dualwrite", "shadow", "live=5", "live=50", "live"]
LONG_S = 400.0
"""For a whole rehearsal on a busy machine."""

pytestmark = pytest.mark.timeout(900)

QUIRKS = {"TC-01", "VC-03", "TM-01", "TM-05", "TM-06"}


def guard_pid(out: Path) -> int:
    """Return the pid of the controller that leads in the folder."""
    (term,) = (out / "var" / "guard").iterdir()
    return int(json.loads(term.read_text())["pid"])


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return folder and result of a rehearsal of a third of the usual size."""
    out = tmp_path_factory.mktemp("rehearsal") / "out"
    before = {each.name: each.read_bytes() for each in (ROOT / "flags").iterdir()}
    done = oms(
        "rehearse", "--phase", "cache", "--calls", "10000", "--seed", "3", "--out", out, "--json", limit_s=LONG_S
    )

    assert 0 == done.returncode, done.stderr
    assert before == {each.name: each.read_bytes() for each in (ROOT / "flags").iterdir()}
    return out, json.loads(done.stdout)


def test_result(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """The phase went all its way, callers saw no error, and every process acknowledged the way back."""
    _, result = rehearsed
    phase = result["phases"]["cache"]

    assert {"schema": 1, "seed": 3, "caller_errors": 0} == {
        name: result[name] for name in ("schema", "seed", "caller_errors")
    }
    assert WAY == phase["stages"]
    assert (3, 3) == (phase["rollback"]["processes"], phase["rollback"]["acknowledged"])
    assert ([], None) == (phase["trips"], phase["injection"])


def test_sums(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """No outcome is missing or too many: what was compared is at most what was called, and a good deal of it."""
    outcomes = rehearsed[1]["phases"]["cache"]["outcomes"]

    assert {"matched", "reasonable", "ignored", "mismatched", "uncomparable", "timed_out", "dropped"} == set(outcomes)
    assert 5000 < sum(outcomes.values()) <= rehearsed[1]["phases"]["cache"]["calls"]


def test_quirks_are_found(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """Ordinary traffic meets at least five quirks of the legacy caches, each by its id."""
    found = {each["known"] for each in rehearsed[1]["phases"]["cache"]["divergences"] if each["count"]}

    assert found >= QUIRKS


def test_what_is_left(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """A report, the copy of the flags where the rollback has left it, an audit of each move, silent logs, and no process."""
    out, result = rehearsed
    audit = [json.loads(line) for line in (out / "var" / "audit.jsonl").read_text().splitlines()]

    assert (ROOT / result["report"]).is_file()
    assert (
        "shadow"
        == json.loads((out / "flags" / "cache.flagd.json").read_text())["flags"]["phase.cache"]["defaultVariant"]
    )
    done = [line for line in audit if line["outcome"] == "done"]
    assert [*WAY[1:], "shadow"] == [line["to"] for line in done]
    assert {"live=5", "live=50"} == {line["to"] for line in done if line["who"] == "oms guard"}
    assert not any(line["forced"] for line in audit)
    assert [""] * 4 == [(out / name).read_text() for name in ("guard.log", *(f"worker-{n}.log" for n in range(3)))]
    assert not any(is_running(pid) for pid in worker_pids(out))


def test_text_for_people(tmp_path: Path) -> None:
    """Without --json a summary is on stdout, progress and verdicts as plain lines on stderr; a folder of ours is used again.

    Who names no phase walks every one whose both wings stand.
    """
    (tmp_path / "out").mkdir()
    for name in (".oms-rehearsal", "of the time before"):
        (tmp_path / "out" / name).touch()
    done = oms("rehearse", "--calls", "600", "--out", tmp_path / "out", limit_s=2 * LONG_S)

    assert 0 == done.returncode, done.stderr
    assert f"phase cache: {' > '.join(WAY)}" in done.stdout
    for phase in ("config", "resilience"):
        assert f"phase {phase}: {' > '.join(stage for stage in WAY if stage != 'dualwrite')}" in done.stdout
    assert "oms rehearse: 0 of 600 calls, cache off" in done.stderr
    assert "oms rehearse: [rehearsal] cache: shadow | guards ok" in done.stderr
    assert "oms rehearse: [rehearsal] cache: live=5 -> live=50" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert not (tmp_path / "out" / "of the time before").exists()


def test_bad_input(tmp_path: Path) -> None:
    """A phase without two wings, or a folder of somebody else, is exit code 2 and one line; nothing is touched."""
    (tmp_path / "mine").touch()
    folder = oms("rehearse", "--out", tmp_path)
    phase = oms("rehearse", "--phase", "security", "--out", tmp_path / "out")

    assert (2, 1) == (folder.returncode, len(folder.stderr.splitlines()))
    assert (2, 1) == (phase.returncode, len(phase.stderr.splitlines()))
    assert "wanted one whose both wings stand: cache" in phase.stderr
    assert ["mine"] == [each.name for each in tmp_path.iterdir()]


def test_workers_that_cannot_start(tmp_path: Path) -> None:
    """Exit code 4 and the last words of the worker."""
    broken = tmp_path / "broken" / "starlette"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('no starlette today')\n")
    done = oms("rehearse", "--out", tmp_path / "out", env={"PYTHONPATH": f"{broken.parent}{os.pathsep}{ROOT}"})

    assert 4 == done.returncode
    assert "no starlette today" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_behind(tmp_path: Path, signal_: signal.Signals) -> None:
    """Whether the rehearsal is interrupted or killed, its workers end, and so does the controller."""
    with running("rehearse", "--calls", "2000", "--out", tmp_path / "out") as rehearsal:
        rehearsal.wait_for_line(containing="oms guard: leads", limit_s=LONG_S)
        pids = [*worker_pids(tmp_path / "out"), guard_pid(tmp_path / "out")]
        assert 4 == len(pids)
        code = rehearsal.end(signal_)

    assert 0 != code
    wait_until(lambda: not any(map(is_running, pids)), "workers end")


def test_a_worker_that_dies_is_bad_news(tmp_path: Path) -> None:
    """Callers of a killed worker see errors: they are counted, the rehearsal goes on to its end, and the exit code is 3."""
    with running("rehearse", "--phase", "cache", "--calls", "4000", "--out", tmp_path / "out", "--json") as rehearsal:
        rehearsal.wait_for_line(containing="cache shadow", limit_s=LONG_S)
        os.kill(worker_pids(tmp_path / "out")[0], signal.SIGKILL)
        result = json.loads(rehearsal.wait_for_line(containing='"schema"', limit_s=LONG_S))
        code = rehearsal.process.wait(DEADLINE_S)

    assert 3 == code
    assert result["caller_errors"] > 0
    assert (2, 2) == tuple(result["phases"]["cache"]["rollback"][name] for name in ("processes", "acknowledged"))
