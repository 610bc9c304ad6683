"""The words of the command: help, mistakes, folders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from oms.cli.main import main
from tests.architecture.sources import ROOT
from tests.unit.cli.conftest import Oms
from tests.unit.cli.place import Place

COMMANDS = (
    ["status"], ["flip"], ["rollback"], ["flags"], ["flags", "check"], ["report"], ["pin"], ["rehearse"], ["serve"],
    ["migrate"], ["migrate", "resilience"],
)  # fmt: skip
LOADED = """
import sys
from oms.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as leave:
    code = leave.code
loaded = sorted({name.partition(".")[0] for name in sys.modules} & set(HEAVY.split()))
sys.exit(f"loaded {loaded}" if loaded else code)
"""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The help of each command shows it as it is typed, within 100 columns."""
    with pytest.raises(SystemExit) as left:
        main([*command, "--help"])

    text = capsys.readouterr().out
    assert 0 == left.value.code
    assert f"  oms {' '.join(command)}" in text.partition("example")[2]
    assert [] == [line for line in text.splitlines() if len(line) > 100]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "oms: found no command, wanted one of status flip rollback"),
        (["status", "--version"], "oms status: found '--version', wanted one of --help --flags --var --json"),
        (["flpi"], "found 'flpi', wanted one of status flip rollback"),
        (["flags"], "oms flags: found no command, wanted one of check"),
        (["flags", "chekc"], "did you mean check?"),
        (["flip"], "oms flip: found no PHASE, STAGE[=PERCENT], wanted oms flip PHASE STAGE[=PERCENT] --why TEXT"),
        (["flip", "cache"], "found no STAGE[=PERCENT]"),
        (["flip", "cahce", "shadow", "--why", "x"], "PHASE: found 'cahce', wanted one of config resilience cache"),
        (["flip", "cahce", "shadow", "--why", "x"], "did you mean cache?"),
        (["flip", "cache", "shdow", "--why", "x"], "did you mean shadow?"),
        (["flip", "config", "dualwrite", "--why", "x"], "found 'dualwrite', wanted one of off shadow live complete"),
        (["flip", "cache", "dualwrite"], "--why: found no reason"),
        (["flip", "cache", "dualwrite", "--why", "  "], "--why: found no reason"),
        (["flip", "cache", "dualwrite", "--why", "x" * 1001], "--why: found 1001 characters, wanted at most 1000"),
        (["flip", "cache", "dualwrite", "--wy", "x"], "did you mean --why?"),
        (["flip", "cache", "dualwrite", "too", "--why", "x"], "found 'too' too much"),
        (["flip", "cache", "dualwrite", "--why"], "oms flip --why: found a mistake (expected one argument)"),
        (["flip", "cache", "dualwrite", "--why", "x", "--wait", "soon"], "SECONDS: found 'soon', wanted a number of seconds"),
        (["flip", "cache", "dualwrite", "--why", "x", "--wait", "-1"], "SECONDS: found '-1'"),
        (["flip", "cache", "dualwrite", "--why", "x", "--wait", "nan"], "SECONDS: found 'nan'"),
        *[
            (["flip", "cache", f"dualwrite={share}", "--why", "x"], "wanted above 0, at most 100, at most two decimals")
            for share in ("0", "101", "100.01", "0.001", "-5", "five", "", "5%", "1e1")
        ],
        (["rollback"], "oms rollback: found no PHASE, wanted one of config"),
        (["rollback", "cache", "--all"], "oms rollback: found both cache and --all"),
        (["rollback", "cache", "--to", "ofv"], "did you mean off?"),
        (["rollback", "cache", "--to", "off=5"], "--to: found 'off=5', wanted a stage without a share"),
        (["rollback", "cache", "--to", "live"], "--to: found live, wanted a stage below off, where it stands: there is none"),
        (["status", "cach"], "did you mean cache?"),
        (["report", "--format", "htm"], "did you mean html?"),
        (["rehearse", "--calls", "0"], "--calls: found '0', wanted a whole number from 1"),
        (["rehearse", "--seed", "x"], "--seed: found 'x', wanted a whole number from 0"),
        (["serve", "--port", "65536"], "--port: found '65536', wanted a whole number from 0 to 65535"),
        (["flags", "check", "nowhere"], "nowhere: found no folder, wanted a folder with one flag file a phase"),
    ],
)  # fmt: skip
def test_mistake(oms: Oms, place: Place, words: list[str], says: str) -> None:
    """Every mistake is one line with what was found and wanted, exit code 2, and nothing is changed."""
    before = place.contents()

    done = oms(*words)

    assert (2, "", 1) == (done.code, done.out, len(done.err.splitlines()))
    assert says in done.err
    assert done.err.startswith("oms")
    assert not done.err.startswith("oms: oms")
    assert before == place.contents()


@pytest.mark.parametrize(
    "words",
    [["flip", "cahce", "off", "--json"], ["status", "--jsn", "--json"], ["report", "cahce", "--format", "json"]],
)
def test_mistake_as_json(oms: Oms, words: list[str]) -> None:
    """With JSON asked for, the mistake is the one object on stdout."""
    done = oms(*words)

    assert (2, "") == (done.code, done.err)
    assert {"schema", "error"} == set(done.json)
    assert "did you mean" in done.json["error"]


def test_option_before_its_command(oms: Oms) -> None:
    """An option that belongs behind the command is not proposed as its own mend."""
    done = oms("--json", "status")

    assert (2, "oms status: found --json before the command, wanted oms status [PHASE] [--json]") == (
        done.code, done.json["error"],
    )  # fmt: skip


def test_folders_before_and_after(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """--flags and --var are taken before the command, after it, and in both places."""
    place.files.path("cache").unlink()
    flags, var = ["--flags", str(place.flags)], ["--var", str(place.var)]

    for words in (
        [*flags, *var, "status", "--json"],
        ["status", *var, "--json", *flags],
        [*flags, "status", *var, "--json"],
    ):
        assert 3 == main(words)
        assert '"source": "file, cache: default"' in capsys.readouterr().out


def test_folders_by_environment(place: Place, tmp_path: Path) -> None:
    """OMS_FLAGS and OMS_VAR name the folders; the command line wins over them."""
    elsewhere = {"OMS_FLAGS": str(place.flags), "OMS_VAR": str(tmp_path / "other")}

    done = place.run("flip", "cache", "dualwrite", "--why", "x", "--var", "mine", env=elsewhere)

    assert (0, "dualwrite") == (done.code, place.stands())
    assert (tmp_path / "mine" / "audit.jsonl").exists()
    assert not (tmp_path / "other").exists()


def test_folders_by_default(place: Place) -> None:
    """Without any of these it is flags and var in the present folder."""
    done = place.run("flip", "cache", "dualwrite", "--why", "x")

    assert (0, "dualwrite") == (done.code, place.stands())
    assert (place.var / "audit.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], "pydantic openfeature opentelemetry rich sqlite3 asyncio jinja2 starlette"),
        (["rollback", "cache", "--flags", "flags", "--var", "var"], "pydantic rich jinja2 starlette"),
    ],
    ids=["help", "rollback"],
)
def test_starts_at_once(place: Place, words: list[str], heavy: str) -> None:
    """Nothing heavy is loaded before the help or a rollback."""
    code = f"HEAVY = {heavy!r}\n{LOADED}"

    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=place.folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_reader_that_leaves(place: Place) -> None:
    """A reader who closes the pipe early gets no traceback."""
    child = place.start("status")
    assert child.stdout is not None
    child.stdout.close()

    assert 4 == child.wait(100)
    assert child.stderr is not None
    assert "" == child.stderr.read()
