"""Any wait: what the calculators answer differently is a quirk with an id, or within the last digit."""

from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st
from sides.resilience import make_sides

from oms.domain.comparison import compare
from oms.domain.known import matching_rule
from oms.domain.observation import Facts, Observation, Raised, Returned, StandIn
from oms.domain.stage import Side, Stage
from oms.seams.known import load_known
from oms.seams.resilience import BACKOFF, Backoff
from oms.seams.resilience_known.waits import STRATEGIES

RULES = load_known("resilience")
SIDES = make_sides(BACKOFF)
KNOWN = sorted(STRATEGIES)
NAMES = st.sampled_from([*KNOWN, *map(str.title, KNOWN), *map(str.upper, KNOWN), "", "quadratic"])
COUNTS = st.integers(-5, 60) | st.booleans()
# A float and a count whose power no float holds make legacy raise OverflowError; the port says int.
INPUTS = st.tuples(st.floats(), COUNTS) | st.tuples(st.integers(-100, 200_000), COUNTS | st.integers(1000, 3000))


def observed(side: Backoff, base: int, count: int, strategy: str) -> Observation:
    """Return what *side* does, as a lane sees it."""
    try:
        return Returned(side.delay(base, count, strategy))
    except Exception as error:
        fields = tuple(
            (name, getattr(error, name)) for name in BACKOFF.operations()["delay"].errors.get(type(error).__name__, ())
        )
        return Raised(StandIn(type(error).__qualname__, fields))


def verdict(base: int, count: int, strategy: str) -> str | None:
    """Return None if the sides agree, why their difference is tolerable, or its id; ``unknown`` and what differs if it has none."""
    legacy, unified = (observed(side, base, count, strategy) for side in (SIDES.legacy, SIDES.unified))
    facts = Facts("delay", Stage.SHADOW, Side.LEGACY, named=strategy)
    for difference in compare(legacy=legacy, unified=unified):
        rule = matching_rule(RULES, BACKOFF.full_name, difference, facts)
        assert BACKOFF.reasonable is not None
        return rule.id if rule else BACKOFF.reasonable(legacy, unified, facts) or f"unknown {difference}"
    return None


@given(INPUTS, NAMES)
@example((60, 5000), "exponential")
@example((60.0, 5000), "fibonacci")
@example((1e308, 5), "exponential")
@example((86_400, 0), "fixed")
def test_any_wait(numbers: tuple[int, int], strategy: str) -> None:
    """Every difference is known, or tolerable."""
    found = verdict(*numbers, strategy)

    assert found in {None, "float", "SC-01", "SC-02", "SC-08"}


def test_waits_without_a_quirk() -> None:
    """What a scheduler asks for day by day is the same on both sides."""
    rows = itertools.product((1, 5, 60, 0.5), range(10), KNOWN)

    assert {None} == {verdict(*row) for row in rows}
