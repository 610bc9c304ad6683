"""The guards without statistics, and what feeds the others: breaker, units, slow lines, restarts, the split of alpha."""

from __future__ import annotations

import math
import random
from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.errors import BadInput
from oms.domain.guardrails import FirstPerUnit, HardFail, Restart, SlowLine, freeze, split_alpha
from oms.domain.guardrails.hard_fail import NO_CALLS
from oms.domain.histogram import bucket_of, upper_ns


@given(st.integers(1, 70), st.integers(1, 70), st.lists(st.booleans(), max_size=150))
def test_hard_fail(of_last: int, bad: int, calls: list[bool]) -> None:
    """The window holds the last calls, as a deque of that length would."""
    guard = HardFail(of_last=max(of_last, bad), bad=bad)
    window, last = NO_CALLS, deque(maxlen=guard.of_last)
    for failed in calls:
        window = guard.after(window, failed=failed)
        last.append(failed)

        assert (sum(last) >= bad) is guard.is_tripped(window)
        assert (sum(last) >= bad, sum(last) / bad) == (guard.read(window).tripped, guard.read(window).progress)


def test_hard_fail_from_the_first_call() -> None:
    """The fifteenth failure in a row trips; no twenty calls are waited for."""
    guard, window = HardFail(), NO_CALLS
    for _ in range(14):
        window = guard.after(window, failed=True)

    assert not guard.is_tripped(window)
    assert "14 of the last 20 calls failed in unified, limit 15" == guard.read(window).why
    assert guard.is_tripped(guard.after(window, failed=True))


@pytest.mark.parametrize("changed", [{"of_last": 0}, {"bad": 0}, {"of_last": 10, "bad": 11}, {"bad": 1.5}])
def test_bad_hard_fail(changed: dict[str, int]) -> None:
    """A breaker that could never trip, or always would, is refused."""
    with pytest.raises(BadInput, match="hard_fail"):
        HardFail(**changed)


def test_first_per_unit() -> None:
    """Of a key's events in ten minutes the first counts, and again in the next ten."""
    units = FirstPerUnit()

    assert [True, False, True, False, True] == [
        units.is_first(key, at_s=at_s)
        for key, at_s in (("a", 0.0), ("a", 599.0), ("b", 599.0), ("b", 599.9), ("a", 600.0))
    ]


def test_first_per_unit_for_good() -> None:
    """Without slots a key counts once, however late it comes again."""
    units = FirstPerUnit(every_s=None)

    assert [True, False] == [units.is_first("a", at_s=at_s) for at_s in (0.0, 1e9)]


def test_nobodys_call() -> None:
    """A call without a key was not routed by the share and is never let through."""

    assert not FirstPerUnit().is_first(None, at_s=0.0)


def test_clock_back() -> None:
    """A clock that goes back a little does not begin an old slot again; one that ran a year ahead and is put right does."""
    units = FirstPerUnit()

    assert [True, False, True, False] == [
        units.is_first(key, at_s=at_s) for key, at_s in (("a", 6_000.0), ("a", 5_990.0), ("b", 5_400.0), ("b", 6_100.0))
    ]
    assert [True, True, False] == [units.is_first("a", at_s=at_s) for at_s in (31_536_000.0, 6_000.0, 6_100.0)]


def test_units_are_bounded() -> None:
    """Beyond the bound later keys are kept out and counted; those it knows stay known, and the next slot begins empty."""
    units = FirstPerUnit(limit=2)

    assert [True, True, False, False] == [units.is_first(key, at_s=1.0) for key in ("a", "b", "c", "a")]
    assert 1 == units.refused
    assert units.is_first("c", at_s=601.0)


@pytest.mark.parametrize("changed", [{"every_s": 0.0}, {"every_s": math.nan}, {"limit": 0}])
def test_bad_units(changed: dict[str, float]) -> None:
    """A slot of no length and a memory of no size are refused."""
    with pytest.raises(BadInput):
        FirstPerUnit(**changed)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.99]))
def test_slow_line(samples: list[int], quantile: float) -> None:
    """A call is slow above the frozen line, and a histogram counts exactly the calls that were."""
    line = freeze(Counter(map(bucket_of, samples)), quantile, min_calls=1)

    assert line is not None
    assert sum(map(line.is_slow, samples)) == line.count(Counter(map(bucket_of, samples)))
    assert line.count(Counter(map(bucket_of, samples))) <= (1 - quantile) * len(samples) + 1e-9


def test_slow_line_of_legacy() -> None:
    """About one in ten of legacy's own calls is above its p90, and five in ten of a side twice as slow at the median."""
    chance = random.Random(5)
    legacy = [int(chance.lognormvariate(17, 0.8)) for _ in range(20_000)]
    line = freeze(Counter(map(bucket_of, legacy)), 0.9)

    assert line is not None
    assert 0.08 < sum(map(line.is_slow, legacy)) / len(legacy) <= 0.1
    assert sum(line.is_slow(2 * duration) for duration in legacy) > 2 * sum(map(line.is_slow, legacy))


def test_no_slow_line() -> None:
    """Of too few calls nobody knows the percentile."""

    assert [None, None, SlowLine(0.9, upper_ns(7))] == [freeze(counts, 0.9) for counts in ({}, {7: 999}, {7: 1_000})]


def test_no_line_below_the_floor() -> None:
    """Where legacy is faster than anybody can feel, the floor is the line, at the end of its bucket; above it legacy's own is."""
    fast, slow = {bucket_of(20_000): 2_000}, {bucket_of(5_000_000): 2_000}
    floor_ns = upper_ns(bucket_of(1_000_000))

    assert SlowLine(0.99, floor_ns) == freeze(fast, 0.99, floor_ns=1_000_000)
    assert SlowLine(0.99, upper_ns(bucket_of(5_000_000))) == freeze(slow, 0.99, floor_ns=1_000_000)
    assert None is freeze({bucket_of(20_000): 2}, 0.99, floor_ns=1_000_000)


@pytest.mark.parametrize(
    ("calls", "seconds", "due"),
    [(0, 0.0, False), (49_999, 3_599.0, False), (50_000, 0.0, True), (0, 3_600.0, True), (10, -7_200.0, False)],
)
def test_restart(calls: int, seconds: float, due: bool) -> None:
    """A restart is due after 50,000 calls or an hour, and never because the clock went back."""

    assert due is Restart().is_due(calls=calls, seconds=seconds)


@pytest.mark.parametrize("changed", [{"calls": 0}, {"every_s": 0.0}, {"keep": 0}])
def test_bad_restart(changed: dict[str, float]) -> None:
    """A restart that never comes, or always does, is refused."""
    with pytest.raises(BadInput, match="restart"):
        Restart(**changed)


def test_split_alpha() -> None:
    """The guards that may act share alpha equally; without any there is nothing to share."""

    assert [0.005, 0.01, 0.01] == [split_alpha(0.01, acting=acting) for acting in (2, 1, 0)]
