"""What every backoff promises, whoever answers."""

from __future__ import annotations

import pytest
from sides.resilience import SteppingTime, error_of

from oms.seams.known import load_known
from oms.seams.resilience import BACKOFF, Backoff
from oms.testing import KnownException, contract

EXCEPTIONS = (
    KnownException("SC-01", "backoff", "test_longest_wait"),
    KnownException("SC-01", "backoff", "test_overflow"),
    KnownException("SC-01", "backoff", "test_overflow_of_a_float", raises=OverflowError),
    KnownException("SC-02", "backoff", "test_retry_count_that_is_none"),
    KnownException("SC-08", "backoff", "test_strategy_in_another_case"),
    KnownException("SC-08", "backoff", "test_unknown_strategy"),
    KnownException("SC-02", "backoff", "test_base_that_is_no_wait"),
)
"""Every promise that the legacy calculator breaks. Once one is kept, its line here makes the run red."""

STRATEGIES = ["exponential", "linear", "fixed", "fibonacci"]
DAY_S = 86_400


@contract(BACKOFF, exceptions=EXCEPTIONS)
class TestBackoff:
    """The promises of ``Backoff``."""

    @pytest.mark.parametrize(
        ("strategy", "waits"),
        [
            ("exponential", [60, 120, 240, 480, 960, 1920]),
            ("linear", [60, 120, 180, 240, 300, 360]),
            ("fixed", [60, 60, 60, 60, 60, 60]),
            ("fibonacci", [60, 60, 120, 180, 300, 480]),
        ],
    )
    def test_waits(self, backoff: Backoff, strategy: str, waits: list[float]) -> None:
        """The first six waits of each strategy, in seconds; the first one is the base (SC-03)."""
        assert waits == [backoff.delay(60, count, strategy) for count in range(6)]

    def test_default_strategy(self, backoff: Backoff) -> None:
        """Who names no strategy waits exponentially."""
        assert 240 == backoff.delay(60, 2)

    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_base_of_zero(self, backoff: Backoff, strategy: str) -> None:
        """With a base of 0 nothing is waited."""
        assert [0, 0] == [backoff.delay(0, count, strategy) for count in (0, 10)]

    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_fraction_of_a_second(self, backoff: Backoff, strategy: str) -> None:
        """A base below a second is a base too."""
        assert pytest.approx(0.1) == backoff.delay(0.1, 0, strategy)

    @pytest.mark.parametrize(
        ("base", "count", "strategy"),
        [(60, 20, "exponential"), (60, 2000, "linear"), (DAY_S + 1, 0, "fixed"), (60, 25, "fibonacci")],
    )
    def test_longest_wait(self, backoff: Backoff, base: int, count: int, strategy: str) -> None:
        """No wait is longer than a day."""
        assert DAY_S == backoff.delay(base, count, strategy)

    @pytest.mark.parametrize("strategy", ["exponential", "fibonacci"])
    def test_overflow(self, backoff: Backoff, strategy: str) -> None:
        """A retry count whose wait no float holds is a day, too."""
        assert DAY_S == backoff.delay(60, 5000, strategy)

    @pytest.mark.parametrize("strategy", ["exponential", "fibonacci"])
    def test_overflow_of_a_float(self, backoff: Backoff, strategy: str) -> None:
        """Neither does it overflow with a base that is a float."""
        assert DAY_S == backoff.delay(60.0, 5000, strategy)

    @pytest.mark.parametrize("strategy", STRATEGIES)
    @pytest.mark.parametrize("count", [-1, -3, 1.5])
    def test_retry_count_that_is_none(self, backoff: Backoff, count: int, strategy: str) -> None:
        """A count that is negative or not whole is refused."""
        assert isinstance(error_of(backoff.delay, 60, count, strategy), ValueError)

    @pytest.mark.parametrize("base", [-1, -0.5, float("nan"), float("inf")])
    def test_base_that_is_no_wait(self, backoff: Backoff, base: int) -> None:
        """A base that is negative or no number is refused: the sleep that follows would return at once, or never."""
        assert isinstance(error_of(backoff.delay, base, 1), ValueError)

    @pytest.mark.parametrize(("strategy", "wait"), [("Linear", 240), ("FIXED", 60), ("Fibonacci", 180)])
    def test_strategy_in_another_case(self, backoff: Backoff, strategy: str, wait: float) -> None:
        """The case of a strategy does not count."""
        assert wait == backoff.delay(60, 3, strategy)

    @pytest.mark.parametrize("strategy", ["", "quadratic", "exponentially"])
    def test_unknown_strategy(self, backoff: Backoff, strategy: str) -> None:
        """A strategy that nobody knows is refused."""
        assert isinstance(error_of(backoff.delay, 60, 3, strategy), ValueError)

    def test_clock_steps(self, backoff: Backoff, time: SteppingTime) -> None:
        """A wait is the same at any time: it neither sleeps nor looks at a clock."""
        before = backoff.delay(60, 3)
        time.set_wall(-3600)
        time.advance(3600)

        assert ([480, 480], []) == ([before, backoff.delay(60, 3)], time.sleeps)


def test_exceptions_are_known() -> None:
    """Each exception is a known divergence by its id, or one that the rules cannot tell from another and the phase page tells of."""
    told_only = set()

    assert told_only == {exception.id for exception in EXCEPTIONS} - {rule.id for rule in load_known("resilience")}
