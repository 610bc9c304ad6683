"""Policies, backoff and budgets: values, bounds and bad input."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.seams.resilience import living_in
from oms.testing import VirtualTime
from oms.unified.resilience import (
    RETRY_POLICIES,
    PolicyInvalid,
    RetryBudgetConfig,
    RetryPolicy,
    RetryStrategy,
    UnifiedBackoffCalculator,
    UnifiedRetryBudget,
    with_retry,
)
from oms.unified.resilience.backoff import jitter_band
from oms.unified.resilience.policies import policy_named

ROWS = {
    "standard": (4, [1, 2, 4]),
    "network": (4, [0.5, 1, 2]),
    "conservative": (3, [2, 3]),
    "database": (6, [1, 1.5, 2.25, 3.375, 5.0625]),
    "webhook": (4, [30, 60, 120]),
    "validation": (2, [1]),
    "critical": (11, [0.1 * 1.3**n for n in range(10)]),
}


@pytest.mark.parametrize("name", ROWS)
def test_policies(name: str) -> None:
    """Attempts and nominal waits of each policy are the reference's."""
    policy = RETRY_POLICIES[name]
    attempts, waits = ROWS[name]

    assert (attempts, name) == (policy.max_attempts, policy.name)
    assert waits == pytest.approx([policy.nominal_delay(number) for number in range(1, attempts)])
    assert set(ROWS) == set(RETRY_POLICIES)


@given(
    initial=st.floats(0, 1e6),
    cap=st.floats(0, 1e6),
    factor=st.floats(1, 100),
    attempt=st.integers(1, 10_000),
    strategy=st.sampled_from(RetryStrategy),
    seed=st.integers(0, 99),
)
def test_delay_bounds(
    *, initial: float, cap: float, factor: float, attempt: int, strategy: RetryStrategy, seed: int
) -> None:
    """Every wait lies in the jitter band of its nominal one, at least 0 and never above the cap; no attempt is too late to be counted."""
    policy = RetryPolicy("p", "", 3, initial, cap, factor, strategy=strategy)
    nominal = policy.nominal_delay(attempt)
    least, most = jitter_band(nominal, 0.1, cap)
    delay = policy.delay(attempt, VirtualTime(seed=seed).source)

    assert 0 <= least <= delay <= most <= cap


def test_jitter_at_the_cap() -> None:
    """At the cap waits still spread, to below."""
    source = VirtualTime().source
    delays = [RETRY_POLICIES["standard"].delay(9, source) for _ in range(300)]

    assert 9 <= min(delays) < 9.1
    assert 9.9 < max(delays) <= 10


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"max_retries": -1}, "-1"),
        ({"max_retries": 1.5}, "a float"),
        ({"max_retries": True}, "a bool"),
        ({"initial_delay": -0.1}, "-0.1"),
        ({"max_delay": -1}, "-1"),
        ({"max_delay": float("inf")}, "a huge number"),
        ({"max_delay": float("nan")}, "a huge number"),
        ({"backoff_multiplier": 0.5}, "0.5"),
        ({"attempt_timeout": 0}, "0"),
        ({"deadline": -1}, "-1"),
        ({"retry_on": (BaseException,)}, "BaseException"),
        ({"retry_on": (KeyboardInterrupt,)}, "KeyboardInterrupt"),
        ({"give_up_on": ("ValueError",)}, "a str"),
        ({"retry_on": [ValueError]}, "a list"),
        ({"strategy": "linear-ish"}, "'linear-ish'"),
    ],
)
def test_bad_policy(changes: dict[str, Any], found: str) -> None:
    """A policy that cannot work is refused when it is made, with what was found."""
    with pytest.raises(PolicyInvalid) as caught:
        RETRY_POLICIES["standard"].but(**changes)

    assert f"found {found}, wanted" in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("standart", "found 'standart', wanted one of standard,"),
        ("standart", "did you mean 'standard'?"),
        (7, "found a int"),
        ("", "found ''"),
    ],
)
def test_unknown_policy(policy: Any, words: str) -> None:
    """An unknown policy is refused at decoration, with the nearest name."""
    with pytest.raises(PolicyInvalid) as caught:
        with_retry(policy)

    assert words in str(caught.value)


def test_policy_named() -> None:
    """A policy stands for itself."""
    policy = RETRY_POLICIES["network"]

    assert policy is policy_named(policy)
    assert policy is policy_named("network")


@pytest.mark.parametrize(
    ("strategy", "delays"),
    [
        ("exponential", [60, 120, 240, 480, 960, 1920]),
        ("Linear", [60, 120, 180, 240, 300, 360]),
        ("fixed", [60] * 6),
        ("fibonacci", [60, 60, 120, 180, 300, 480]),
    ],
)
def test_backoff_table(strategy: str, delays: list[int]) -> None:
    """The scheduler's waits are those of the calculator it had, in any case of the name."""
    calculator = UnifiedBackoffCalculator()

    assert delays == [calculator.delay(60, n, strategy) for n in range(6)]


@given(retry=st.integers(0, 100_000), strategy=st.sampled_from(RetryStrategy), cap=st.floats(0, 1e6))
def test_backoff_cap(retry: int, strategy: RetryStrategy, cap: float) -> None:
    """No wait is above the cap, and none overflows."""

    assert 0 <= UnifiedBackoffCalculator(max_delay=cap).delay(60, retry, strategy) <= cap


@pytest.mark.parametrize("strategy", RetryStrategy)
@pytest.mark.parametrize("retry", [0, 5, 2000])
def test_no_wait_stays_none(retry: int, strategy: RetryStrategy) -> None:
    """A base of 0 is no wait at any retry, also where the exponent alone overflows."""
    assert 0.0 == UnifiedBackoffCalculator().delay(0, retry, strategy)
    assert 0.0 == RETRY_POLICIES["standard"].but(initial_delay=0, strategy=strategy).nominal_delay(retry + 1)


@pytest.mark.parametrize(
    "arguments", [(-1, 0), (60, -1), (60, 1.5), (60, 0, "cubic"), (60, 0, 3), ("60", 0), (float("nan"), 0), (60, True)]
)
def test_bad_backoff(arguments: tuple[Any, ...]) -> None:
    """Negative numbers, other types and unknown strategies are refused."""
    with pytest.raises(PolicyInvalid):
        UnifiedBackoffCalculator().delay(*arguments)


@pytest.mark.parametrize("bad", [{"attempt": 0}, {"initial": -1}, {"factor": 0.5}, {"jitter": 1.5}])
def test_bad_calculation(bad: dict[str, Any]) -> None:
    """So are they where the jitter is calculated."""
    with pytest.raises(PolicyInvalid):
        UnifiedBackoffCalculator().calculate_delay(**{"attempt": 1, "initial": 1, **bad})


@given(attempt=st.integers(1, 5000), initial=st.floats(0, 1e5), jitter=st.floats(0, 1))
def test_calculated_delay(attempt: int, initial: float, jitter: float) -> None:
    """Full jitter included, a wait is at least 0 and never above the cap."""
    with living_in(VirtualTime().source):
        delay = UnifiedBackoffCalculator(max_delay=60).calculate_delay(attempt, initial=initial, jitter=jitter)

    assert 0 <= delay <= 60


def test_cold_budget(time: VirtualTime) -> None:
    """A dependency that nobody has called yet may be retried: the bucket begins full."""
    budget = UnifiedRetryBudget(config=RetryBudgetConfig(max_tokens=3, tokens_per_second=0))

    assert [True, True, True, False] == [budget.withdraw() for _ in range(4)]


def test_budget_earns(time: VirtualTime) -> None:
    """Ten calls earn one retry at ten per cent."""
    budget = UnifiedRetryBudget(config=RetryBudgetConfig(max_tokens=1, tokens_per_second=0))
    budget.withdraw()
    outcomes = []
    for _ in range(20):
        budget.deposit()
        outcomes.append(budget.withdraw())

    assert [10, 20] == [number for number, allowed in enumerate(outcomes, 1) if allowed]


def test_budget_floor(time: VirtualTime) -> None:
    """Time earns retries as well, fractions of them included."""
    budget = UnifiedRetryBudget(config=RetryBudgetConfig(max_tokens=1, tokens_per_second=0.5))
    budget.withdraw()
    outcomes = []
    for _ in range(3):
        time.advance(0.75)
        outcomes.append(budget.withdraw())

    assert [False, False, True] == outcomes


@given(
    steps=st.lists(st.sampled_from(["call", "retry", "second", "back"]), max_size=200),
    percent=st.floats(0, 100),
    rate=st.floats(0, 50),
    most=st.integers(0, 20),
)
def test_budget_bounds(steps: list[str], percent: float, rate: float, most: int) -> None:
    """Whatever happens, there are never more retries than tokens that began, were earned by calls and by time."""
    virtual = VirtualTime()
    with living_in(virtual.source):
        budget = UnifiedRetryBudget(
            config=RetryBudgetConfig(budget_percent=percent, tokens_per_second=rate, max_tokens=most)
        )
        retries = sum(step(budget, virtual, word) for word in steps)
        earned = steps.count("call") * percent / 100 + steps.count("second") * rate

        assert retries <= most + earned + 1e-6
        assert 0 <= budget.remaining <= most
        assert (steps.count("call"), retries) == (budget.counts.calls, budget.counts.retries)


def step(budget: UnifiedRetryBudget, virtual: VirtualTime, word: str) -> int:
    """Do what *word* says. Return how many retries were allowed."""
    if word == "call":
        budget.deposit()
    elif word == "retry":
        return budget.withdraw()
    else:
        # A clock that steps back earns nothing, and costs nothing; what follows it earns again only from there.
        virtual.advance(1 if word == "second" else -0.0)
    return 0


def test_budget_threads() -> None:
    """Eight threads lose no deposit and get no retry too many."""
    budget = UnifiedRetryBudget(config=RetryBudgetConfig(max_tokens=500, tokens_per_second=0, budget_percent=0))
    allowed: list[int] = []

    def work() -> None:
        allowed.append(sum((budget.deposit() is None) or budget.withdraw() for _ in range(1000)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (8000, 500, 500) == (budget.counts.calls, budget.counts.retries, sum(allowed))


def test_budget_reset(time: VirtualTime) -> None:
    """A reset fills the bucket and leaves the totals."""
    budget = UnifiedRetryBudget("actions", RetryBudgetConfig(max_tokens=2, tokens_per_second=0))
    budget.withdraw()
    budget.reset()

    assert (2, 1) == (budget.remaining, budget.counts.retries)


@pytest.mark.parametrize("name", ["budget_percent", "tokens_per_second", "max_tokens"])
@pytest.mark.parametrize("value", [-1, "1", None, float("inf")])
def test_bad_budget(name: str, value: Any) -> None:
    """A budget of less than nothing is refused."""
    with pytest.raises(PolicyInvalid, match=f"retry budget: {name}"):
        RetryBudgetConfig(**{name: value})
