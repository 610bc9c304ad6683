"""``oms env`` as it is typed: exit codes, one JSON object, one line for what is wrong."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oms.cli.main import main
from oms.domain.errors import OmsError
from oms.unified import config

ROOT = Path(__file__).parents[3]
APP = "import os\na = os.getenv('A', 'false').lower() == 'true'\nb = os.environ['B']\nos.environ['W'] = '1'\n"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one program in it, which is the current folder."""
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run ``oms env`` and return exit code, stdout and stderr."""
    code = main(["env", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Run ``oms env`` and return exit code and the one object on stdout."""
    code, out, _err = run(capsys, *words)
    return code, json.loads(out)


def test_analyze(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each form of the report comes out, by default of the current folder."""
    code, found = run_json(capsys, "analyze", "src", "--json")

    assert (0, 1, 3) == (code, found["files"], len(found["accesses"]))
    assert "src/app.py" == run_json(capsys, "analyze", "src/app.py", "--json")[1]["path"]
    assert "app.py:2:5 os.getenv A default 'false'" in run(capsys, "analyze", "src")[1]
    assert run(capsys, "analyze", "--markdown")[1].startswith("# Environment of `.`")
    log = json.loads(run(capsys, "analyze", "src", "--sarif")[1])
    assert {"src/app.py"} == {
        each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in log["runs"][0]["results"]
    }


def test_broken_files_are_not_fatal(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that does not parse is listed, and the exit code is good."""
    (app / "broken.py").write_text("x = (")
    code, found = run_json(capsys, "analyze", "src", "--json")

    assert (0, ["broken.py"], 3) == (code, [each["file"] for each in found["unparsed"]], len(found["accesses"]))


def test_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without Python is said to be one; the gate does not take it for a clean one."""
    code, out, _err = run(capsys, "analyze", str(tmp_path))
    assert (0, True) == (code, "note: .: no Python file here" in out)

    code, out, _err = run(capsys, "migrate", str(tmp_path))
    assert (0, True) == (code, "note: .: no Python file here" in out)

    code, _out, err = run(capsys, "gate", str(tmp_path), "--baseline", str(tmp_path / "b.json"), "--update")
    assert (2, True) == (code, "found no Python file" in err)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", "nowhere"],
        ["migrate", "nowhere"],
        ["gate", "nowhere", "--baseline", "b.json", "--update"],
        ["gate", "src", "--baseline", "none.json"],
        ["gate", "src"],
        ["analyze", "src", "--markdwn"],
        ["migrate", "src", "--file", "none.py"],
        ["migrate", "src", "--target", "not a module"],
        ["gate", "src", "--baseline", "b.json", "--format", "xml"],
        ["gate", "src", "--baseline", "b.json", "--update", "--allow-increase"],
        ["nonsense"],
        [],
    ],
)
def test_bad_input(app: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """What cannot be meant is exit code 2 and one line: found, wanted."""
    code, out, err = run(capsys, *words)

    assert (2, "", 1) == (code, out, err.count("\n"))
    assert "found" in err
    assert "wanted" in err


def test_dry_run(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --write nothing changes; the diff is shown when asked for."""
    code, out, _err = run(capsys, "migrate", "src", "--diff", "--verify")

    assert 0 == code
    assert "+a = unified_env.getenv('A', 'false').lower() == 'true'\n" in out
    assert "left app.py:4:1 os.environ[] = W: write-item" in out
    assert "verified: 2 reads in 2 expressions" in out
    assert "nothing was written: --write does it" in out
    assert APP == (app / "app.py").read_text()


def test_write(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --write the file changes, verified, and the undo line takes it back; a second run changes nothing."""
    code, found = run_json(capsys, "migrate", "src", "--write", "--json")
    after = (app / "app.py").read_text()

    assert (0, 3, 2, ["app.py"]) == (code, found["reads"], found["rewritten"], found["written"])
    assert {"reads": 2, "expressions": 2, "evaluations": 100, "same": 2, "differs": []} == found["verified"]
    assert found["reads"] == found["rewritten"] + len(found["left"])
    assert after != APP

    assert [] == run_json(capsys, "migrate", "src", "--write", "--json")[1]["written"]
    assert after == (app / "app.py").read_text()

    subprocess.run(shlex.split(found["undo"]), check=True)
    assert APP == (app / "app.py").read_text()


def test_undo_line(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The undo line is printed, and no evaluation is, if it is not wanted."""
    out = run(capsys, "migrate", "src", "--write", "--no-verify")[1]

    assert ["undo: git -C"] == [line[:12] for line in out.splitlines() if line.startswith("undo")]
    assert "verified" not in out


def test_dirty_work_tree(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dirty work tree is refused with exit code 3 unless it is allowed."""
    subprocess.run(["git", "init", "--quiet", str(app)], check=True)
    code, _out, err = run(capsys, "migrate", "src", "--write")

    assert (3, APP) == (code, (app / "app.py").read_text())
    assert "found changes that git could not bring back (app.py), wanted a clean work tree" in err

    code, _out, _err = run(capsys, "migrate", "src", "--write", "--allow-dirty")
    assert (0, True) == (code, APP != (app / "app.py").read_text())


def test_gate(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 as known, 1 for one more, 2 for a file that does not parse; the baseline shrinks, and grows with a reason only."""
    gate = ["gate", "src", "--baseline", "b.json"]
    assert 0 == run(capsys, *gate, "--update")[0]
    assert 0 == run(capsys, *gate)[0]

    (app / "app.py").write_text(APP + "n = os.getenv('NEW')\n")
    code, out, _err = run(capsys, *gate)
    assert (1, True) == (code, "src/app.py:5:5: no-direct-os-getenv: os.getenv NEW" in out)
    assert "::error file=src/app.py,line=5" in run(capsys, *gate, "--github")[1]
    assert 1 == run_json(capsys, *gate, "--json")[1]["new"][0]["count"]
    assert 1 == len(json.loads(run(capsys, *gate, "--sarif")[1])["runs"][0]["results"])

    before = Path("b.json").read_text()
    assert (1, before) == (run(capsys, *gate, "--update")[0], Path("b.json").read_text())
    assert 0 == run(capsys, *gate, "--update", "--allow-increase", "--reason", "the new mailer")[0]
    assert ["the new mailer"] == json.loads(Path("b.json").read_text())["increases"]

    (app / "app.py").write_text("x = 1\n")
    code, out, _err = run(capsys, *gate)
    assert (0, True) == (code, "the baseline can shrink: --update" in out)
    assert 1 == run(capsys, *gate, "--strict")[0]
    assert (0, []) == (run(capsys, *gate, "--update")[0], json.loads(Path("b.json").read_text())["entries"])

    (app / "broken.py").write_text("x = (")
    assert 2 == run(capsys, *gate)[0]


def test_validate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 78 and every problem for an invalid configuration, 0 for a valid one."""

    def invalid() -> None:
        raise OmsError("JWT_SECRET is not set\n  REDIS_PASSWORD is too short")

    monkeypatch.setattr(config, "validate", invalid, raising=False)
    code, found = run_json(capsys, "validate", "--json")
    assert (78, False) == (code, found["valid"])
    assert ["JWT_SECRET is not set", "REDIS_PASSWORD is too short"] == found["problems"]
    code, _out, err = run(capsys, "validate")
    assert (78, 2) == (code, err.count("\n"))

    monkeypatch.setattr(config, "validate", lambda: None, raising=False)
    assert (0, "the configuration is valid\n", "") == run(capsys, "validate")


@pytest.mark.parametrize(
    ("script", "words", "expected"),
    [
        ("analyze_env_usage", [], "app.py:2:5 os.getenv A"),
        ("migrate_os_getenv", ["--file", "app.py"], "change app.py: 2 reads"),
        ("validate_unified_env", ["--help"], "oms env validate"),
    ],
)
def test_script(app: Path, script: str, words: list[str], expected: str) -> None:
    """The roadmap's scripts run as it types them, from the code base they are about."""
    command = [sys.executable, str(ROOT / "scripts" / f"{script}.py"), *words]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=app, env=here, check=False, capture_output=True, text=True, timeout=60)

    assert (0, "") == (done.returncode, done.stderr)
    assert expected in done.stdout


def test_narrow_terminal(app: Path) -> None:
    """A terminal that knows only ASCII gets escapes instead of a traceback."""
    (app / "app.py").write_text("import os\na = os.getenv('A', 'größe')\n", encoding="utf-8")
    here = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    for words in (["analyze", "."], ["migrate", ".", "--diff"]):
        command = [sys.executable, "-m", "oms.cli", "env", *words]
        done = subprocess.run(command, cwd=app, env=here, check=False, capture_output=True, text=True, timeout=60)

        assert (0, "") == (done.returncode, done.stderr)
        assert "gr\\xf6\\xdfe" in done.stdout


def test_hook() -> None:
    """The pre-commit hook runs the gate over the whole tree and never updates the baseline."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")

    assert "entry: oms env gate\n" in text
    assert "pass_filenames: false\n" in text
    assert "--update" not in text
