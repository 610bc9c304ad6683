"""How many requests a rehearsal sends, and to which phase."""

from __future__ import annotations

import pytest

from oms.app.rehearsal.main_job import spread, usual_calls
from oms.seams.cache import CACHE
from oms.seams.config import CONFIG
from oms.seams.resilience import RESILIENCE
from oms.wiring import BOUND_PHASES


def test_usual_calls() -> None:
    """A phase that calls a neighbour each time gets fewer, alone; together they share what the others have."""
    assert [30_000, 30_000, 8_000] == [usual_calls(each) for each in ([CACHE], [CACHE, RESILIENCE], [RESILIENCE])]


@pytest.mark.parametrize("calls", [1, 2, 7, 100, 30_000])
def test_spread(calls: int) -> None:
    """Each request belongs to one phase."""
    assert calls == sum(spread(calls, BOUND_PHASES)) == sum(spread(calls, [RESILIENCE]))


def test_shares() -> None:
    """One that calls a neighbour gets half as many as the others."""
    assert [12_000, 12_000, 6_000] == spread(30_000, [CACHE, CONFIG, RESILIENCE])
