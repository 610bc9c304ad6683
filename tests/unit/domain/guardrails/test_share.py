"""The share check: against scipy's beta-binomial, and what it finds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom

from oms.domain.errors import BadInput
from oms.domain.guardrails import ShareCheck


@given(st.floats(0.005, 0.995), st.integers(0, 3_000), st.floats(0.0, 1.0))
def test_against_beta_binomial(share: float, units: int, part: float) -> None:
    """E is the beta-binomial likelihood over the binomial one."""
    unified = int(units * part)
    mixture = betabinom.logpmf(unified, units, 1_000 * share, 1_000 * (1 - share))

    assert float(mixture - binom.logpmf(unified, units, share)) == pytest.approx(
        ShareCheck(share=share).log_e(units=units, unified=unified), abs=1e-5, rel=1e-6
    )


@given(st.floats(0.01, 0.99), st.integers(0, 25))
def test_mean_is_one(share: float, units: int) -> None:
    """While the plan is kept the mean of E is 1, at every number of units."""
    check = ShareCheck(share=share)
    mean = sum(
        binom.pmf(unified, units, share) * math.exp(check.log_e(units=units, unified=unified))
        for unified in range(units + 1)
    )

    assert 1.0 == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize(
    ("planned", "real", "units"), [(0.01, 0.02, 3_600), (0.05, 0.06, 12_000), (0.10, 0.11, 22_000), (0.10, 0.20, 700)]
)
def test_wrong_share(planned: float, real: float, units: int) -> None:
    """A wrong share is found about where docs/evidence.md has its median, and later; the right one is not."""
    check = ShareCheck(share=planned)

    assert check.read(units=units, unified=round(units * real)).tripped
    assert not check.read(units=units, unified=round(units * planned)).tripped
    assert not check.read(units=units // 3, unified=round(units * real) // 3).tripped


def test_reading() -> None:
    """A reading says what was planned and what happened."""
    reading = ShareCheck(share=0.1).read(units=1_000, unified=205)

    assert reading.tripped
    assert "205 of 1,000 units went to unified (20.50%), planned 10.00%" == reading.why
    assert (False, 0.0) == (
        ShareCheck(share=0.1).read(units=0, unified=0).tripped,
        ShareCheck(share=0.1).read(units=0, unified=0).progress,
    )


@pytest.mark.parametrize(
    "changed", [{"share": 0.0}, {"share": 1.0}, {"alpha": 0.0}, {"concentration": 0.0}, {"concentration": math.inf}]
)
def test_bad_checks(changed: dict[str, float]) -> None:
    """A check of what is no share, or at no line, is refused."""
    with pytest.raises(BadInput):
        ShareCheck(**{"share": 0.1, **changed})


def test_bad_units() -> None:
    """More of a side than there are is refused."""
    with pytest.raises(BadInput, match="units"):
        ShareCheck(share=0.1).log_e(units=1, unified=2)
