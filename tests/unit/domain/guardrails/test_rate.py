"""Rates of mismatches: the bound, the gate and the alarm against scipy's binomial, and their promises under continuous looking."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom, binomtest

from oms.domain.errors import BadInput
from oms.domain.guardrails import RateAlarm, RateGate, RateRule, rate_bound
from oms.domain.guardrails.rate import FACTORS, FRACTIONS, log_e_above, log_e_below

counts = st.tuples(st.integers(0, 3_000), st.integers(0, 60)).map(lambda pair: (pair[0] + pair[1], pair[1]))
"""Compared, and mismatched of them."""


def oracle_log_e(limit: float, factors: tuple[float, ...], compared: int, mismatched: int) -> float:
    """Return ln E as a mean of ratios of scipy's binomial likelihoods."""
    null = binom.logpmf(mismatched, compared, limit)
    return float(logsumexp([binom.logpmf(mismatched, compared, f * limit) - null for f in factors])) - math.log(
        len(factors)
    )


@given(counts, st.floats(1e-6, 0.2))
def test_below_against_binomial(pair: tuple[int, int], limit: float) -> None:
    """The gate's E is a mean of binomial likelihood ratios at fractions of the limit."""
    n, k = pair

    assert oracle_log_e(limit, FRACTIONS, n, k) == pytest.approx(
        log_e_below(limit, compared=n, mismatched=k), abs=1e-6, rel=1e-7
    )


@given(counts, st.floats(1e-6, 0.009))
def test_above_against_binomial(pair: tuple[int, int], limit: float) -> None:
    """The alarm's E is a mean of binomial likelihood ratios at multiples of the limit, half of the stake kept back."""
    n, k = pair
    expected = oracle_log_e(limit, FACTORS, n, k)
    alarm = RateAlarm.begun(RateRule(limit=limit)).after(compared=n, mismatched=k)

    assert expected == pytest.approx(log_e_above(limit, compared=n, mismatched=k), abs=1e-6, rel=1e-7)
    assert float(logsumexp([expected, 0.0])) - math.log(2) == pytest.approx(alarm.log_e, abs=1e-6, rel=1e-7)


@pytest.mark.parametrize(
    ("mismatched", "expected"), [(0, 35_575), (1, 64_939), (2, 85_836), (3, 105_427), (4, 123_894), (5, 141_492)]
)
def test_comparisons_needed(mismatched: int, expected: int) -> None:
    """Below 1e-4 at 95 %, polled: what docs/evidence.md says is needed."""

    assert expected == RateGate().needed(mismatched=mismatched)


@given(st.floats(1e-5, 0.3), st.floats(0.5, 0.999), st.integers(0, 12))
def test_needed_is_least(limit: float, confidence: float, mismatched: int) -> None:
    """The number needed opens the gate, and one less does not."""
    gate = RateGate(limit=limit, confidence=confidence)
    needed = gate.needed(mismatched=mismatched)

    assert gate.is_open(compared=needed, mismatched=mismatched)
    assert needed <= max(1, mismatched) or not gate.is_open(compared=needed - 1, mismatched=mismatched)


@given(counts, st.floats(0.5, 0.999))
def test_bound_above_one_look(pair: tuple[int, int], confidence: float) -> None:
    """The bound for all looks is never below that of Clopper and Pearson for one look, as scipy has it."""
    n, k = pair
    bound = rate_bound(compared=n, mismatched=k, confidence=confidence)
    once = binomtest(k, n, alternative="less").proportion_ci(confidence).high if n else 1.0

    assert once <= bound + 1e-9
    assert k / n < bound <= 1.0 if k < n else bound == 1.0


@given(counts, st.floats(1e-6, 0.5), st.floats(0.5, 0.999))
def test_gate_is_the_bound(pair: tuple[int, int], limit: float, confidence: float) -> None:
    """The gate is open just where the bound is at or below the limit."""
    n, k = pair
    bound = rate_bound(compared=n, mismatched=k, confidence=confidence)
    if abs(bound - limit) > 1e-8:
        assert (bound <= limit) is RateGate(limit=limit, confidence=confidence).is_open(compared=n, mismatched=k)


@given(counts)
def test_bound_is_monotone(pair: tuple[int, int]) -> None:
    """A clean comparison never raises the bound, a mismatch never lowers it, and less confidence never raises it."""
    n, k = pair
    bound = rate_bound(compared=n, mismatched=k)

    assert rate_bound(compared=n + 1, mismatched=k) <= bound * (1 + 1e-8)
    assert rate_bound(compared=n + 1, mismatched=k + 1) >= bound * (1 - 1e-8)
    assert rate_bound(compared=n, mismatched=k, confidence=0.9) <= bound * (1 + 1e-8)


def test_bound_of_nothing() -> None:
    """Without comparisons, or with mismatches only, nothing is excluded."""

    assert [1.0, 1.0] == [rate_bound(compared=n, mismatched=n) for n in (0, 7)]


def ever(limit: float, rate: float, horizon: int, stops: object) -> float:
    """Return by exact enumeration with what probability *stops* (compared, mismatched) ever says yes within *horizon* comparisons."""
    alive, stopped = {0: 1.0}, 0.0
    for n in range(1, horizon + 1):
        following: dict[int, float] = {}
        for k, probability in alive.items():
            following[k] = following.get(k, 0.0) + probability * (1 - rate)
            following[k + 1] = following.get(k + 1, 0.0) + probability * rate
        alive = {}
        for k, probability in following.items():
            if stops(n, k):
                stopped += probability
            elif probability > 1e-12:
                alive[k] = probability
    return stopped


def test_false_opening_exactly() -> None:
    """Polled after every comparison at a true rate of just the limit, the gate ever opens with probability 5 % at most."""
    gate = RateGate(limit=0.05)
    opened = ever(0.05, 0.05, 400, lambda n, k: gate.is_open(compared=n, mismatched=k))

    assert 0.01 < opened <= 0.05


def test_one_look_is_not_enough_exactly() -> None:
    """Clopper and Pearson's interval, polled, opens falsely far more often than it says: this is why the gate is none."""
    least = {k: next(n for n in range(1, 500) if binom.cdf(k, n, 0.05) <= 0.05) for k in range(12)}
    opened = ever(0.05, 0.05, 200, lambda n, k: k in least and n >= least[k])

    assert opened > 0.08


def test_false_alarm_exactly() -> None:
    """Looked at after every comparison at a true rate of just the limit, the alarm ever trips with probability 1 % at most."""
    rule = RateRule(limit=0.01, min_bad=1)
    tripped = ever(0.01, 0.01, 200, lambda n, k: RateAlarm.begun(rule).after(compared=n, mismatched=k).is_tripped)

    assert 0.0 < tripped <= rule.alpha


def test_alarm() -> None:
    """Ten times the limit is found, the limit itself is not; five mismatches are the least."""
    alarm = RateAlarm.begun()

    assert alarm.after(compared=600, mismatched=6).is_tripped
    assert not alarm.after(compared=10_000, mismatched=10).is_tripped
    assert not alarm.after(compared=4, mismatched=4).is_tripped
    assert alarm.after(compared=5, mismatched=5).is_tripped


def test_alarm_after_a_long_past() -> None:
    """After a million clean comparisons only an alarm that restarted sees twenty mismatches in a thousand."""
    clean = RateAlarm.begun().after(compared=1_000_000, mismatched=0)

    assert not clean.after(compared=1_000, mismatched=20).is_tripped
    assert clean.restarted().after(compared=1_000, mismatched=20).is_tripped


def test_alarm_forgets_old_mismatches() -> None:
    """Mismatches from before the oldest kept bet do not count towards the least number."""
    alarm = RateAlarm.begun(RateRule(keep=1)).after(compared=5, mismatched=5).restarted()

    assert not alarm.after(compared=4, mismatched=4).is_tripped


@given(counts, counts)
def test_alarm_adds_up(one: tuple[int, int], other: tuple[int, int]) -> None:
    """Fed twice or at once, the alarm comes to the same, and counts what it was fed."""
    twice = RateAlarm.begun()
    for n, k in (one, other):
        twice = twice.after(compared=n, mismatched=k)
    at_once = RateAlarm.begun().after(compared=one[0] + other[0], mismatched=one[1] + other[1])

    assert at_once.log_e == pytest.approx(twice.log_e, abs=1e-8)
    assert (at_once.compared, at_once.mismatched) == (twice.compared, twice.mismatched)


@given(counts)
def test_alarm_is_monotone(pair: tuple[int, int]) -> None:
    """A mismatch never calms the alarm, and a clean comparison never alarms it more."""
    alarm = RateAlarm.begun().after(compared=pair[0], mismatched=pair[1])

    assert alarm.log_e <= alarm.after(compared=1, mismatched=1).log_e + 1e-9
    assert alarm.log_e >= alarm.after(compared=1, mismatched=0).log_e - 1e-9


def test_reading() -> None:
    """A reading says how far the line is, and in counts why."""
    alarm = RateAlarm.begun().after(compared=1_200, mismatched=12)
    reading = alarm.read()

    assert reading.tripped
    assert alarm.log_e / math.log(100) == pytest.approx(reading.progress)
    assert "12 of 1,200 comparisons mismatched (1.00e-02), limit 0.001" == reading.why


def test_high_limit() -> None:
    """Alternatives of a rate of 1 or more are left out; where none is left the rule is refused, and the one-off E tells nothing."""

    assert (2.0, 5.0) == RateRule(limit=0.1).usable
    assert -math.inf == log_e_above(0.6, compared=10, mismatched=10)
    with pytest.raises(BadInput, match=r"limit: found 0.6, wanted below 0.5"):
        RateRule(limit=0.6)


@pytest.mark.parametrize(("compared", "mismatched"), [(1, 2), (-1, 0), (3, -1)])
def test_bad_counts(compared: int, mismatched: int) -> None:
    """More mismatches than comparisons, or negative counts, are refused everywhere."""
    for look in (rate_bound, RateGate().log_e, RateAlarm.begun().after):
        with pytest.raises(BadInput, match="comparisons"):
            look(compared=compared, mismatched=mismatched)


@pytest.mark.parametrize(
    ("build", "changed", "where"),
    [
        (RateGate, {"limit": 0.0}, "limit"),
        (RateGate, {"confidence": 1.0}, "confidence"),
        (RateRule, {"limit": math.nan}, "limit"),
        (RateRule, {"alpha": 2.0}, "alpha"),
        (RateRule, {"min_bad": -1}, "min_bad_events"),
        (RateRule, {"keep": 0}, "restart.keep"),
        (RateRule, {"factors": (1.0,)}, "factors"),
        (RateRule, {"factors": ()}, "limit"),
    ],
)
def test_bad_rules(build: object, changed: dict[str, object], where: str) -> None:
    """A rule that cannot be kept is refused with the name of what is wrong."""
    with pytest.raises(BadInput) as raised:
        build(**changed)

    assert where == raised.value.where
