"""Evidence: what the tallies of an operation come to, and that nothing is lost or counted twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.evidence import Evidence, total
from oms.domain.guardrails import rate_bound
from oms.domain.observation import Disposition, Outcome, Uncomparable

small = st.integers(0, 500)


@st.composite
def tallies(draw: st.DrawFn) -> dict[str, int]:
    """Return tallies as a process counts them: the seven outcomes sum to the shadowed calls, the six dispositions to all."""
    counts = {outcome.value: draw(small) for outcome in Outcome}
    counts[Disposition.SHADOWED] = sum(counts.values())
    counts |= {one.value: draw(small) for one in Disposition if one is not Disposition.SHADOWED}
    counts["calls"] = sum(counts[one] for one in Disposition)
    reason = draw(st.sampled_from(Uncomparable))
    counts[f"uncomparable.{reason}"] = draw(st.integers(0, counts[Outcome.UNCOMPARABLE]))
    counts["empty"] = draw(st.integers(0, counts[Outcome.MATCHED]))
    counts["repeated"] = draw(st.integers(0, counts[Outcome.MATCHED] - counts["empty"]))
    return counts | {"rescued": draw(small), "unscoped": draw(small)}


@given(tallies())
def test_sums(counts: dict[str, int]) -> None:
    """Every call seen is compared, or stands under one reason why not."""
    evidence = Evidence.of(counts)

    assert evidence.seen == evidence.compared + sum(evidence.not_compared.values())
    assert evidence.sampled == counts[Disposition.SHADOWED]
    assert evidence.trials == evidence.compared - evidence.ignored - evidence.empty - evidence.repeated
    assert 0 == evidence.surplus
    assert not {"pending", "unaccounted"} & evidence.not_compared.keys()
    assert 0 not in evidence.not_compared.values()


@given(tallies(), tallies(), tallies())
def test_merge(a: dict[str, int], b: dict[str, int], c: dict[str, int]) -> None:
    """Evidence adds up in any order and grouping, to the evidence of the added tallies."""
    one, two, three = (Evidence.of(counts, first_at_s=at_s) for counts, at_s in ((a, 30.0), (b, None), (c, 20.0)))
    names = {*a, *b, *c}
    whole = Evidence.of({name: sum(part.get(name, 0) for part in (a, b, c)) for name in names}, first_at_s=20.0)

    assert whole == one.merged(two).merged(three) == three.merged(two.merged(one)) == total([two, one, three])


def test_nothing() -> None:
    """No tallies are no evidence, and exclude no rate."""

    assert Evidence() == Evidence.of({}) == total([])
    assert 1.0 == Evidence().bound()
    assert 0.0 == Evidence().ignored_share


def test_two_empty_answers_are_no_evidence() -> None:
    """Matches of two empty answers leave the bound where it was."""
    counts = {"calls": 9_000, "shadowed": 9_000, "matched": 9_000}

    assert 9_000 == Evidence.of(counts).trials
    assert 1_000 == Evidence.of({**counts, "empty": 8_000}).trials
    assert 0 == Evidence.of({**counts, "empty": 9_000}).trials
    assert 1.0 == Evidence.of({**counts, "empty": 9_000}).bound()


def test_what_a_rule_ignored_is_no_evidence() -> None:
    """Ignored comparisons are neither for unified nor against it."""
    evidence = Evidence(seen=100, sampled=100, matched=80, ignored=20)

    assert (80, 80, 0.2) == (evidence.clean, evidence.trials, evidence.ignored_share)


def test_reasonable_is_clean() -> None:
    """What the port tolerates speaks for unified."""

    assert 30 == Evidence(seen=30, sampled=30, matched=10, reasonable=20).clean


def test_repeated_requests() -> None:
    """A request that counted already does not count again; a mismatch always counts."""
    evidence = Evidence(seen=50, sampled=50, matched=40, mismatched=10, repeated=35)

    assert (5, 15) == (evidence.clean, evidence.trials)


def test_bound() -> None:
    """The bound is that of the trials, mismatches among them."""
    evidence = Evidence(seen=5_000, sampled=5_000, matched=3_998, mismatched=2, empty=1_000)

    assert rate_bound(compared=3_000, mismatched=2, confidence=0.9) == evidence.bound(0.9)


def test_reasons() -> None:
    """Reasons are told by name: where nothing ran, what could not be compared, and what is still under way."""
    counts = {
        "calls": 100, "sampled_out": 30, "unshadowed": 10, "shadowed": 55,
        "matched": 40, "uncomparable": 7, "uncomparable.raced": 4, "timed_out": 2, "dropped": 1,
    }  # fmt: skip

    assert {
        "sampled_out": 30, "unshadowed": 10, "raced": 4, "uncomparable": 3, "timed_out": 2, "dropped": 1,
        "pending": 5, "unaccounted": 5,
    } == dict(Evidence.of(counts).not_compared)  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "surplus"),
    [
        ({"calls": 10, "shadowed": 10, "matched": 12}, 2),
        ({"calls": 10, "shadowed": 12}, 2),
        ({"calls": 5, "shadowed": 5, "uncomparable": 1, "uncomparable.raced": 4}, 3),
    ],
)
def test_lost_counts(counts: dict[str, int], surplus: int) -> None:
    """Outcomes without their call show that counts were lost."""

    assert surplus == Evidence.of(counts).surplus
