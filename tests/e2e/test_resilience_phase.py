"""The resilience phase from the outside: a rehearsal whose actions are done by a neighbour that fails, and whose quirks are found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import oms

LONG_S = 400.0
"""For a whole rehearsal on a busy machine."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return folder and result of a rehearsal that is just long enough for every drill in every process."""
    out = tmp_path_factory.mktemp("rehearsal") / "out"
    done = oms("rehearse", "--phase", "resilience", "--calls", "2000", "--out", out, "--json", limit_s=LONG_S)

    assert 0 == done.returncode, done.stderr
    return out, json.loads(done.stdout)


def test_nothing_ran_twice(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """What the upstream received by its own count is what the callers' own calls made: the other side was replayed, and called nobody."""
    upstream = rehearsed[1]["phases"]["resilience"]["upstream"]

    assert upstream["received"] == upstream["made"]
    assert upstream["made"] > 1000


def test_callers_saw_nothing(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """No caller got an answer that legacy alone would not have given, and every process acknowledged the way back."""
    phase = rehearsed[1]["phases"]["resilience"]

    assert 0 == rehearsed[1]["caller_errors"]
    assert ["off", "shadow", "live=5", "live=50", "live"] == phase["stages"]
    assert (3, 3, []) == (phase["rollback"]["processes"], phase["rollback"]["acknowledged"], phase["trips"])


def test_quirks_are_found(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """At least twelve quirks of the legacy retries, waits and breakers are found by their ids."""
    divergences = rehearsed[1]["phases"]["resilience"]["divergences"]
    known = {each["known"] for each in divergences if each["count"] and each["known"]}

    # RE-xx are ours: what the reference has no number for.
    assert 12 <= len({id_ for id_ in known if not id_.startswith("RE-")}), sorted(known)


def test_logs_are_silent(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """Faults by schedule are no news: neither the workers nor the upstream complain."""
    logs = {each.name: each.read_text() for each in rehearsed[0].glob("*.log")}

    assert {"upstream.log": "", "guard.log": "", **{f"worker-{n}.log": "" for n in range(3)}} == logs
