"""The gate: nothing new, whatever moves; and a baseline that only shrinks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oms.domain.errors import BadInput
from oms.migration.analysis.analysis import analyze
from oms.migration.gate.baseline import Allowed, Baseline, read_baseline, render, write_baseline
from oms.migration.gate.judging import Judgement, judge, updated
from oms.migration.gate.report import as_github, as_json, as_sarif, as_text

ROOT = Path(__file__).parents[3]
READ = "import os\na = os.getenv('A')\nb = os.getenv('B')\nb2 = os.getenv('B')\nc = os.getenv(name)\n"


def known(folder: Path) -> Baseline:
    """Return the baseline of *folder* as it is."""
    return updated(Baseline(), judge(analyze(folder), Baseline()))


def test_known(tmp_path: Path) -> None:
    """Code that is as its baseline says passes."""
    (tmp_path / "a.py").write_text(READ)
    judgement = judge(analyze(tmp_path), known(tmp_path))

    assert ((), (), {}, False) == (judgement.worse, judgement.moved, judgement.gone, judgement.can_shrink)
    assert {("a.py", "A"): 1, ("a.py", "B"): 2, ("a.py", "<dynamic>"): 1} == judgement.counts


def test_lines_do_not_count(tmp_path: Path) -> None:
    """Code that only moves within its file is as before."""
    (tmp_path / "a.py").write_text(READ)
    baseline = known(tmp_path)
    (tmp_path / "a.py").write_text("'''Doc.'''\n\n\n" + READ + "\n\ndef f():\n    pass\n")

    assert () == judge(analyze(tmp_path), baseline).worse


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (READ + "n = os.getenv('NEW')\n", ("NEW", 1, 0, 6)),
        (READ + "n = os.environ['B']\n", ("B", 3, 2, 6)),
        (READ + "os.environ['A'] = '1'\n", ("A", 2, 1, 6)),
        (READ + "n = os.getenv(other)\n", ("<dynamic>", 2, 1, 6)),
        ("from os import environ\n" + READ + "n = environ.get('NEW')\n", ("NEW", 1, 0, 7)),
    ],
)
def test_worse(tmp_path: Path, text: str, row: tuple[str, int, int, int]) -> None:
    """One more access of any spelling is found with its count and what is allowed, at the last line of its kind."""
    (tmp_path / "a.py").write_text(READ)
    baseline = known(tmp_path)
    (tmp_path / "a.py").write_text(text)
    (worse,) = judge(analyze(tmp_path), baseline).worse

    assert row == (worse.variable, worse.count, worse.allowed, worse.accesses[0].line)
    assert 1 == len(worse.accesses)


def test_moved(tmp_path: Path) -> None:
    """Code that goes to another file is moved, not new; one more of it there is new."""
    (tmp_path / "a.py").write_text(READ)
    baseline = known(tmp_path)
    (tmp_path / "a.py").unlink()
    (tmp_path / "b.py").write_text(READ + "a2 = os.getenv('A')\n")
    judgement = judge(analyze(tmp_path), baseline)

    assert {("A", "a.py", "b.py", 1), ("B", "a.py", "b.py", 2), ("<dynamic>", "a.py", "b.py", 1)} == {
        (each.variable, each.source, each.target, each.count) for each in judgement.moved
    }
    assert [("b.py", "A", 2, 1)] == [(each.file, each.variable, each.count, each.allowed) for each in judgement.worse]
    assert judgement.can_shrink


def test_gone(tmp_path: Path) -> None:
    """What is gone passes, and the baseline can shrink."""
    (tmp_path / "a.py").write_text(READ)
    baseline = known(tmp_path)
    (tmp_path / "a.py").write_text("import os\nb = os.getenv('B')\n")
    judgement = judge(analyze(tmp_path), baseline)

    assert ((), {("a.py", "A"): 1, ("a.py", "B"): 1, ("a.py", "<dynamic>"): 1}) == (judgement.worse, judgement.gone)
    assert {("a.py", "B"): 1} == updated(baseline, judgement).counts


def test_allowed(tmp_path: Path) -> None:
    """Files that match a pattern are not judged, and the pattern outlives an update."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "env.py").write_text(READ)
    (tmp_path / "configure.py").write_text(READ)
    baseline = Baseline(allowed=(Allowed("config/*", "the one place"),))
    judgement = judge(analyze(tmp_path), baseline)

    assert {"configure.py"} == {each.file for each in judgement.worse}
    assert baseline.allowed == updated(baseline, judgement).allowed


def test_unparsed(tmp_path: Path) -> None:
    """A file that does not parse is a finding unless it is known."""
    (tmp_path / "a.py").write_text("x = (")
    (tmp_path / "b.py").write_text("y = (")
    judgement = judge(analyze(tmp_path), Baseline(unparsed=("a.py",)))

    assert ["b.py"] == [each.file for each in judgement.unparsed]
    assert ("a.py", "b.py") == updated(Baseline(), judgement).unparsed


def test_baseline_file(tmp_path: Path) -> None:
    """The file has one sorted entry a line and no line numbers, and reads back as it was written."""
    baseline = Baseline({("b.py", "B"): 1, ("a.py", "Ä"): 2}, ("x.py",), (Allowed("c/*", "why"),), ("moved house",))
    file = tmp_path / "b.json"
    write_baseline(file, baseline)

    assert baseline == read_baseline(file)
    assert ['  {"file": "a.py", "variable": "Ä", "count": 2},', '  {"file": "b.py", "variable": "B", "count": 1}'] == [
        line for line in file.read_text(encoding="utf-8").splitlines() if '"count"' in line
    ]
    assert [file] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "JSONDecodeError"),
        ("[]", "another schema or rule"),
        ('{"schema": 2, "rule": "no-direct-os-getenv", "entries": []}', "another schema or rule"),
        ('{"schema": 1, "rule": "other", "entries": []}', "another schema or rule"),
        ('{"schema": 1, "rule": "no-direct-os-getenv"}', "an entry of another shape"),
        ('{"schema": 1, "rule": "no-direct-os-getenv", "entries": [{"file": "a"}]}', "an entry of another shape"),
        (
            '{"schema": 1, "rule": "no-direct-os-getenv", "entries": [{"file": "a", "variable": "A", "count": 0}]}',
            "another shape",
        ),
        (
            '{"schema": 1, "rule": "no-direct-os-getenv", "entries": [{"file": "a", "variable": "A", "count": true}]}',
            "shape",
        ),
        (
            '{"schema": 1, "rule": "no-direct-os-getenv", "entries": '
            '[{"file": "a", "variable": "A", "count": 1}, {"file": "a", "variable": "A", "count": 2}]}',
            "another shape",
        ),
    ],
)
def test_broken_baseline(tmp_path: Path, text: str, found: str) -> None:
    """A baseline that is not one is bad input, never an empty one."""
    file = tmp_path / "b.json"
    file.write_text(text)

    with pytest.raises(BadInput, match=found):
        read_baseline(file)


def judged(folder: Path) -> Judgement:
    """Return the judgement of one new access in a folder with an odd name."""
    (folder / "a, b%.py").write_text("import os\nos.getenv('A')\n")
    return judge(analyze(folder), Baseline())


def test_github(tmp_path: Path) -> None:
    """An annotation names file, line and column, with what GitHub would misread escaped."""
    lines = list(as_github(judged(tmp_path), "src/"))

    assert (
        "::error file=src/a%2C b%25.py,line=2,col=1,title=no-direct-os-getenv"
        "::os.getenv A: found 1 accesses in this file, wanted at most 0"
    ) == lines[0]


def test_github_shows_ten(tmp_path: Path) -> None:
    """More than ten are counted, for GitHub would drop them without a word."""
    (tmp_path / "a.py").write_text("import os\n" + "".join(f"os.getenv('A{n}')\n" for n in range(13)))
    lines = list(as_github(judge(analyze(tmp_path), Baseline())))

    assert 10 == sum(line.startswith("::error") for line in lines)
    assert "::notice title=no-direct-os-getenv::3 more; oms env gate shows all of them" in lines


def test_reports(tmp_path: Path) -> None:
    """Text, JSON and SARIF name the same access."""
    judgement = judged(tmp_path)
    (result,) = as_sarif(judgement, "src/")["runs"][0]["results"]

    assert "src/a, b%.py:2:1: no-direct-os-getenv: os.getenv A" in "\n".join(as_text(judgement, "src/"))
    assert ("a, b%.py", "A", 1, 0) == tuple(
        as_json(judgement)["new"][0][name] for name in ("file", "variable", "count", "allowed")
    )
    assert "src/a%2C%20b%25.py" == result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert ("no-direct-os-getenv", "error") == (result["ruleId"], result["level"])


def test_own_house() -> None:
    """This package reads the environment where its own baseline allows it, and nowhere else."""
    baseline = read_baseline(ROOT / "env-baseline.json")
    judgement = judge(analyze(ROOT / "oms"), baseline)

    assert [] == list(as_text(judgement))[:-1]
    assert {} == baseline.counts


LINT = """
[importlinter]
root_package = shop
contract_types =
    no-direct-os-getenv: oms.migration.gate.contract.NoDirectOsGetenv

[importlinter:contract:env]
name = no-direct-os-getenv
type = no-direct-os-getenv
source_modules = shop
allowed_modules = shop.config
"""


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run lint-imports on the package ``shop`` in *folder*."""
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--no-cache",
    ]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=here, check=False, capture_output=True, text=True, timeout=60)


def test_contract(tmp_path: Path) -> None:
    """The contract type breaks on a direct access in lint-imports, and only there."""
    package = tmp_path / "shop"
    (package / "config").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "config" / "__init__.py").write_text("import os\nos.getenv('A')\n")
    (package / "app.py").write_text("import os\nos.path.join('a')\n")
    (tmp_path / ".importlinter").write_text(LINT)
    kept = lint(tmp_path)
    (package / "app.py").write_text("from os import environ\nenviron['NEW']\n")
    broken = lint(tmp_path)

    assert 0 == kept.returncode, kept.stdout + kept.stderr
    assert 1 == broken.returncode
    assert "app.py:2 os.environ[] NEW" in broken.stdout + broken.stderr


def test_render_is_json() -> None:
    """An empty baseline is JSON, too."""

    assert {
        "schema": 1,
        "rule": "no-direct-os-getenv",
        "allowed": [],
        "entries": [],
        "unparsed": [],
        "increases": [],
    } == json.loads(render(Baseline()))
