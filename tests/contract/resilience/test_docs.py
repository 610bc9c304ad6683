"""The list of policies on the page of the resilience phase is that of the code."""

from __future__ import annotations

import re
from pathlib import Path

from oms.legacy_adapters.resilience import RetryStrategyAdapter
from oms.unified.resilience import RETRY_POLICIES

PAGE = Path(__file__).parents[3] / "docs" / "phases" / "resilience.md"


def test_docs_policies() -> None:
    """The phase page lists every policy with the attempts that each side makes of it."""
    listed = re.findall(r"^\| `(\w+)` \| (\d+); .* \| (\d+); .*\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    legacy = RetryStrategyAdapter()

    assert [
        (name, str(legacy._configs.get(name, legacy._default).max_attempts), str(policy.max_attempts))
        for name, policy in RETRY_POLICIES.items()
    ] == listed
