"""The report about a code base, in each of its forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from oms.migration.analysis.analysis import Analysis, analyze
from oms.migration.analysis.report import as_json, as_markdown, as_sarif, as_text

SHOP = {
    "app.py": "import os\nSECRET = os.getenv('JWT_SECRET', 'dev-4711')\nT = int(os.getenv('TIMEOUT', '10'))\n"
    "TEST = os.getenv('TEST_MODE', 'false').lower() == 'true'\nW = float(os.getenv('RATE', '1'))\n",
    "lib/b.py": "from os import environ\nS = environ.get('JWT_SECRET', \"your-4712\")\nT = int(environ.get('TIMEOUT', 5))\n"
    "TEST = environ.get('TEST_MODE', 'false').lower() in ('true', '1')\nW = int(environ['RATE'])\nQ = environ['QUIET']\n",
    "lib/same.py": "import os\nT = os.getenv('TIMEOUT', \"10\")\nP = os.getenv('TIMEOUT')\n",
    "broken.py": "import os\nos.getenv('A'\n",
}


@pytest.fixture
def shop(tmp_path: Path) -> Analysis:
    """The analysis of a small shop."""
    for name, text in SHOP.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return analyze(tmp_path)


def test_json(shop: Analysis) -> None:
    """The JSON has the fields that were promised, and every file is counted."""
    found = as_json(shop)

    assert {"schema", "path", "files", "unparsed", "accesses", "conflicts", "notes"} == set(found)
    assert 4 == found["files"]
    assert [{"file": "broken.py", "reason": "line 2: '(' was never closed"}] == found["unparsed"]
    assert {
        "file": "app.py",
        "line": 2,
        "column": 10,
        "idiom": "os.getenv",
        "variable": "JWT_SECRET",
        "default": "'dev-4711'",
        "secret": True,
        "write": False,
    } == found["accesses"][0]
    assert 11 == len(found["accesses"])
    assert found == json.loads(json.dumps(found))


def test_conflicts(shop: Analysis) -> None:
    """Readers that do not agree on default, type or vocabulary are found; equal ones and a test of presence are not."""
    found = [(each.variable, each.kind, [site.value for site in each.sites]) for each in shop.conflicts]

    assert [
        ("JWT_SECRET", "default", ["'dev-4711'", '"your-4712"']),
        ("RATE", "type", ["float", "int"]),
        ("TEST_MODE", "vocabulary", ["lower, == true", "lower, == 1|true"]),
        ("TIMEOUT", "default", ["'10'", "5", '"10"']),
    ] == found


def test_conflict_by_or(tmp_path: Path) -> None:
    """The literal after ``or`` counts as the default."""
    (tmp_path / "a.py").write_text("import os\na = os.getenv('A') or 'x'\nb = os.getenv('A', 'y')\n")

    assert [("A", "default")] == [(each.variable, each.kind) for each in analyze(tmp_path).conflicts]


@pytest.mark.parametrize("form", [as_text, as_markdown, lambda analysis: json.dumps(as_sarif(analysis))])
def test_secrets_are_hidden(shop: Analysis, form: Callable[[Analysis], str]) -> None:
    """Outside of the JSON no literal of a secret is shown; where it stands is."""
    text = form(shop)

    assert "4711" not in text
    assert "4712" not in text
    assert "JWT_SECRET" in text


def test_text(shop: Analysis) -> None:
    """The text has a line for each access, conflict and file that was not analysed, and the limits."""
    lines = as_text(shop).splitlines()

    assert "app.py:3:9 os.getenv TIMEOUT default '10'" in lines
    assert "not analysed: broken.py: line 2: '(' was never closed" in lines
    assert "conflict of vocabulary: TEST_MODE" in lines
    assert "11 accesses of 5 variables in 3 of 4 files; 4 conflicts; 1 files not analysed" in lines
    assert lines[-1].startswith("Not seen: ")


def test_sarif(shop: Analysis) -> None:
    """The SARIF log names each rule it uses, and every place lies in a file of the folder."""
    log = as_sarif(shop, "src/")
    (run,) = log["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]

    assert "2.1.0" == log["version"]
    assert {
        "env-access": "note",
        "env-secret-default": "error",
        "env-conflict": "warning",
        "env-unparsed": "error",
    } == levels
    assert set(levels) <= rules
    assert {f"src/{name}" for name in SHOP} == {place["artifactLocation"]["uri"] for place in places}
    assert all(place["region"]["startLine"] >= 1 and place["region"]["startColumn"] >= 1 for place in places)


def test_fingerprints_survive_edits(tmp_path: Path) -> None:
    """A line that moves keeps its fingerprint, so that code scanning knows it again."""
    file = tmp_path / "a.py"
    prints = []
    for before in ("", "\n\n\n"):
        file.write_text(f"{before}import os\nos.getenv('A')\n")
        prints.append([each["partialFingerprints"] for each in as_sarif(analyze(tmp_path))["runs"][0]["results"]])

    assert prints[0] == prints[1]


def test_notes(tmp_path: Path) -> None:
    """CRLF, tabs, form feed, byte order mark and another encoding have their line where an access stands; an empty folder has one, too."""
    odd = b"\xef\xbb\xbfimport os\r\nif 1:\r\n\tos.getenv('A')\r\n\f\r\n"
    (tmp_path / "odd.py").write_bytes(odd)
    (tmp_path / "latin.py").write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
    (tmp_path / "empty").mkdir()

    assert [
        ("latin.py", "encoding iso-8859-1 as declared; kept as is"),
        ("odd.py", "byte order mark, CRLF line ends, tabs, form feed; kept as is"),
    ] == [(note.file, note.text) for note in analyze(tmp_path).notes]
    assert [(".", "no Python file here")] == [(note.file, note.text) for note in analyze(tmp_path / "empty").notes]
