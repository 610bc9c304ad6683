"""The migration page of resilience: its code runs, its example is what the command says, and no quirk of legacy is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oms.cli.main import main
from tests.architecture.sources import ROOT, sources

PAGE = (ROOT / "docs" / "migration" / "resilience.md").read_text(encoding="utf-8")
QUIRK = re.compile(r"\b(?:RT|RB|GW|GC|SC|PF|UH)-\d\d\b")


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_docs_code() -> None:
    """Every Python block runs, in order, in one namespace."""
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks("python"):
        exec(compile(block, "resilience.md", "exec"), names)

    assert blocks("python")


def test_docs_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The example's output is what the command says of the example."""
    (example,), (output,) = blocks("py"), blocks("text")
    (tmp_path / "jobs.py").write_text(example)
    monkeypatch.chdir(tmp_path)

    assert 0 == main(["migrate", "resilience", "jobs.py"])
    assert output == capsys.readouterr().out


def test_docs_quirks() -> None:
    """Each quirk that legacy's own comments name stands on the page, and those with a row have an anchor."""
    named = {quirk for source in sources("oms/legacy") for quirk in QUIRK.findall(source.text)}
    rows = re.findall(r"^\| (<a id=.*?)</?a>?.*?((?:RT|RB|GW|GC|SC|PF|UH)-\d\d)", PAGE, re.MULTILINE)

    assert len(named) > 60
    assert set() == named - set(QUIRK.findall(PAGE))
    assert [] == [quirk for anchor, quirk in rows if f'"{quirk.lower()}"' not in anchor]
    assert len(rows) > 50
