"""The ratio guard: against scipy's binomial, its promises under any share, and what it says."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom, entropy

from oms.domain.errors import BadInput
from oms.domain.guardrails import PAIRED, RatioGuard, RatioRule

shares = st.floats(0.001, 0.999)
counts = st.integers(0, 400)
bad_events = st.lists(st.tuples(shares, st.integers(0, 30), st.integers(0, 30)), max_size=6)


def oracle_log_e(share: float, unified: int, legacy: int, rule: RatioRule) -> float:
    """Return ln E from binomial likelihoods: half of the stake is laid, in equal parts on the alternatives."""
    n = unified + legacy

    def theta(ratio: float) -> float:
        return share * ratio / (1 - share + share * ratio)

    null = binom.logpmf(unified, n, theta(rule.margin))
    ratios = [binom.logpmf(unified, n, theta(rule.margin * ratio)) - null for ratio in rule.ratios]
    laid = float(logsumexp(ratios)) - math.log(len(ratios)) - math.log(2)
    return float(logsumexp([laid, -math.log(2)]))


def fed(events: list[tuple[float, int, int]]) -> RatioGuard:
    """Return a guard that was fed *events*: share, bad events of unified, of legacy."""
    guard = RatioGuard.begun()
    for share, unified, legacy in events:
        guard = guard.after(share=share, unified=unified, legacy=legacy)
    return guard


@given(st.floats(0.005, 0.995), counts, counts)
def test_against_binomial(share: float, unified: int, legacy: int) -> None:
    """At one share E is a mean of likelihood ratios of scipy's binomial distribution."""
    guard = RatioGuard.begun().after(share=share, unified=unified, legacy=legacy)

    assert oracle_log_e(share, unified, legacy, RatioRule()) == pytest.approx(guard.log_e, abs=1e-6, rel=1e-9)


@pytest.mark.parametrize("share", [0.01, 0.1, PAIRED, 0.75])
@pytest.mark.parametrize("ratio", [1.0, 1.25])
def test_false_trips_exactly(share: float, ratio: float) -> None:
    """The probability of ever tripping within 120 bad events, by exact enumeration under continuous looking, is at most alpha."""
    rule = RatioRule(min_bad=1)
    theta = share * ratio / (1 - share + share * ratio)
    alive, tripped = {0: 1.0}, 0.0
    for n in range(1, 121):
        following: dict[int, float] = {}
        for unified, probability in alive.items():
            for more, part in ((1, theta), (0, 1 - theta)):
                following[unified + more] = following.get(unified + more, 0.0) + probability * part
        alive = {}
        for unified, probability in following.items():
            if RatioGuard.begun(rule).after(share=share, unified=unified, legacy=n - unified).is_tripped:
                tripped += probability
            else:
                alive[unified] = probability

    assert 0.0 < tripped <= rule.alpha
    assert 1.0 == pytest.approx(tripped + sum(alive.values()))


@given(bad_events, shares)
def test_monotone(events: list[tuple[float, int, int]], share: float) -> None:
    """One more bad event of unified never lowers E, and one more of legacy never raises it."""
    guard = fed(events)

    assert guard.log_e <= guard.after(share=share, unified=1).log_e + 1e-9
    assert guard.log_e >= guard.after(share=share, legacy=1).log_e - 1e-9


@given(shares, st.integers(0, 60), st.integers(0, 60))
def test_margin(share: float, unified: int, legacy: int) -> None:
    """Who tolerates more and sees more bad events of unified than its alternatives expect is alarmed less."""
    strict, lenient = (
        RatioGuard.begun(RatioRule(margin=margin)).after(share=share, unified=unified) for margin in (1.0, 2.0)
    )

    assert strict.log_e >= lenient.log_e - 1e-9


@given(bad_events, st.sampled_from([0.0, 1.0]), counts, counts)
def test_certain_share(events: list[tuple[float, int, int]], share: float, unified: int, legacy: int) -> None:
    """While everybody is on one side nothing is learned about which is worse."""
    guard = fed(events)

    assert guard == guard.after(share=share, unified=unified, legacy=legacy)


@given(bad_events, bad_events, bad_events)
@settings(max_examples=50)
def test_merge(
    a: list[tuple[float, int, int]], b: list[tuple[float, int, int]], c: list[tuple[float, int, int]]
) -> None:
    """Guards of several processes add up to the guard that saw it all, however they are grouped."""
    one, two, three = (fed(events).restarted() for events in (a, b, c))
    left, right = one.merged(two).merged(three), three.merged(two.merged(one))
    whole = fed(a + b + c).restarted()

    assert whole.log_e == pytest.approx(left.log_e, abs=1e-7)
    assert whole.log_e == pytest.approx(right.log_e, abs=1e-7)
    assert (whole.unified, whole.legacy, whole.unified_at) == (left.unified, left.legacy, left.unified_at)
    assert whole.expected == pytest.approx(left.expected)
    assert whole.is_tripped is left.is_tripped


def test_merge_needs_one_rule() -> None:
    """Guards of different rules cannot be added up."""
    with pytest.raises(ValueError, match="two rules"):
        RatioGuard.begun().merged(RatioGuard.begun(RatioRule(margin=2.0)))


def test_common_outage() -> None:
    """A thousand errors that fall on the sides by their shares do not trip; the same errors all on unified do."""
    outage = RatioGuard.begun().after(share=0.1, unified=100, legacy=900)

    assert not outage.is_tripped
    assert RatioGuard.begun().after(share=0.1, unified=100).is_tripped


def test_min_bad() -> None:
    """Four bad events never trip, however improbable; the fifth does."""
    guard = RatioGuard.begun().after(share=0.001, unified=4)

    assert guard.log_e > 10
    assert not guard.is_tripped
    assert not guard.read().tripped
    assert guard.after(share=0.001, unified=1).is_tripped


def test_min_bad_after_restarts() -> None:
    """Bad events of long ago do not count towards the least number: only those since the oldest kept bet."""
    guard = RatioGuard.begun(RatioRule(keep=2)).after(share=0.5, unified=5, legacy=5)
    old = guard.restarted().restarted().after(share=0.001, unified=4)

    assert old.log_e > 10
    assert not old.is_tripped
    assert old.after(share=0.001, unified=1).is_tripped


def test_restart_finds_a_late_onset() -> None:
    """After a long healthy past, only a guard that restarted sees what began just now."""
    healthy = RatioGuard.begun().after(share=0.1, unified=1_000, legacy=9_000)

    assert not healthy.after(share=0.1, unified=60, legacy=60).is_tripped
    assert healthy.restarted().after(share=0.1, unified=60, legacy=60).is_tripped


def test_same_code_as_simulated() -> None:
    """Fed one by one at two shares in turn, the guard comes to what it comes to when fed in two sums."""
    chance = random.Random(3)
    events = [(chance.choice((0.05, 0.25)), chance.random() < 0.3) for _ in range(200)]
    one_by_one = fed([(share, int(is_unified), int(not is_unified)) for share, is_unified in events])
    sums = [
        (
            share,
            sum(is_unified for at, is_unified in events if at == share),
            sum(not is_unified for at, is_unified in events if at == share),
        )
        for share in (0.05, 0.25)
    ]

    assert fed(sums).log_e == pytest.approx(one_by_one.log_e, abs=1e-9)
    assert fed(sums).expected == pytest.approx(one_by_one.expected)


def test_reading() -> None:
    """A reading says how far the line is, and in counts why."""
    guard = RatioGuard.begun().after(share=0.05, unified=38, legacy=41)
    reading = guard.read("errors")

    assert reading.tripped
    assert guard.log_e / math.log(100) == pytest.approx(reading.progress)
    assert "38 of 79 errors were unified's, 4.0 by its share (x17.6)" == reading.why
    assert "0 of 0 errors were unified's, 0.0 by its share" == RatioGuard.begun().read("errors").why


def test_progress_is_never_negative() -> None:
    """Evidence in unified's favour is no distance below zero."""

    assert 0.0 == RatioGuard.begun().after(share=0.5, legacy=50).read().progress


@given(shares, st.floats(1.3, 200.0))
def test_planning(share: float, ratio: float) -> None:
    """The expected delay is the line, less the part of the stake, over scipy's relative entropy."""
    rule = RatioRule()
    null, true = (share * r / (1 - share + share * r) for r in (rule.margin, ratio))
    growth = float(entropy([true, 1 - true], [null, 1 - null]))

    assert (math.log(100) + math.log(7)) / growth == pytest.approx(rule.events_to_detect(share, ratio), rel=1e-5)


def test_planning_of_a_rollout() -> None:
    """At 10 % share, 1 % against 3 % errors: 107 bad events, 8,900 calls; a ratio within the margin is never found."""
    rule = RatioRule()

    assert 107 == round(rule.events_to_detect(0.1, 3.0))
    assert 8_915 == round(rule.calls_to_detect(0.1, legacy=0.01, unified=0.03))
    assert math.inf == rule.events_to_detect(0.1, 1.25)


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"margin": 0.9}, "margin"),
        ({"margin": math.nan}, "margin"),
        ({"margin": math.inf}, "margin"),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 1.0}, "alpha"),
        ({"min_bad": 0}, "min_bad_events"),
        ({"min_bad": True}, "min_bad_events"),
        ({"min_bad": 2.5}, "min_bad_events"),
        ({"keep": 0}, "restart.keep"),
        ({"ratios": ()}, "ratios"),
        ({"ratios": (2.0, 1.0)}, "ratios"),
    ],
)
def test_bad_rules(changed: dict[str, object], where: str) -> None:
    """A rule that cannot be kept is refused with the name of what is wrong."""
    with pytest.raises(BadInput) as raised:
        RatioRule(**changed)

    assert where == raised.value.where


@pytest.mark.parametrize(
    "event",
    [{"share": 1.5, "unified": 1}, {"share": -0.1, "legacy": 1}, {"share": math.nan}, {"share": 0.5, "unified": -1}],
)
def test_bad_events(event: dict[str, float]) -> None:
    """Impossible events are refused."""
    with pytest.raises(BadInput):
        RatioGuard.begun().after(**event)
