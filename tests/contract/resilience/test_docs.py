"""The code on the pages of the resilience phase runs, and the lists are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oms.legacy_adapters.resilience import RetryStrategyAdapter
from oms.seams.known import load_known
from oms.unified.resilience import RETRY_POLICIES

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ["phases/resilience.md"]


@pytest.mark.parametrize("page", PAGES)
def test_docs_code(page: str) -> None:
    """Every Python block of the page runs, in order, in one namespace."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)

    assert blocks


def test_docs_parts() -> None:
    """The phase page has the parts that every phase page has, in their order."""
    text = (DOCS / "phases/resilience.md").read_text("utf-8")

    wanted = ["About", "Usage", "Defaults", "Telemetry", "Known divergences", "Anti-patterns"]
    assert wanted == re.findall(r"^## (.*)$", text, re.MULTILINE)


def test_docs_rules() -> None:
    """The phase page lists every rule with its class, and no other."""
    text = (DOCS / "phases/resilience.md").read_text("utf-8")
    listed = re.findall(r"^\| \[([A-Z]+-\d+)\]\(\S+\) \| `(\w+)` \|.*\| (\w+) \|$", text, re.MULTILINE)
    rules = load_known("resilience")

    assert sorted({(rule.id, rule.seam.partition(".")[2], rule.klass.value) for rule in rules}) == sorted(listed)


def test_docs_policies() -> None:
    """The phase page lists every policy with the attempts that each side makes of it."""
    text = (DOCS / "phases/resilience.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \| (\d+); .* \| (\d+); .*\|$", text, re.MULTILINE)
    legacy = RetryStrategyAdapter()

    assert [
        (name, str(legacy._configs.get(name, legacy._default).max_attempts), str(policy.max_attempts))
        for name, policy in RETRY_POLICIES.items()
    ] == listed
