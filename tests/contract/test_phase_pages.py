"""The pages of each phase: their code runs, they have the parts that every page has, and their rules are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oms.seams.known import load_known

DOCS = Path(__file__).parents[2] / "docs"
PHASES = ("cache", "config", "resilience")
PAGES = [*(f"phases/{phase}.md" for phase in PHASES), "migration/cache.md"]


def text_of(page: str) -> str:
    """Return what stands on *page*."""
    return (DOCS / page).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_code_runs(page: str) -> None:
    """Every Python block of the page runs, in order, in one namespace."""
    blocks = re.findall(r"^```python\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec", dont_inherit=True), names)

    assert blocks


@pytest.mark.parametrize("phase", PHASES)
def test_parts(phase: str) -> None:
    """The phase page has the parts that every phase page has, in their order."""
    wanted = ["About", "Usage", "Defaults", "Telemetry", "Known divergences", "Anti-patterns"]

    assert wanted == re.findall(r"^## (.*)$", text_of(f"phases/{phase}.md"), re.MULTILINE)


@pytest.mark.parametrize("phase", PHASES)
def test_rules(phase: str) -> None:
    """The phase page lists every rule with its class, and no other."""
    row = r"^\| \[([A-Z]+-\d+)\]\(\S+\) \| `(\w+)` \|.*\| (\w+) \|$"
    listed = re.findall(row, text_of(f"phases/{phase}.md"), re.MULTILINE)
    rules = {(rule.id, rule.seam.partition(".")[2], rule.klass.value) for rule in load_known(phase)}

    assert sorted(rules) == sorted(listed)
