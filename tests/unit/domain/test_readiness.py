"""Readiness: READY, NOT YET and NO, with what is missing, when it is expected, and what diverges."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.errors import BadInput
from oms.domain.evidence import Evidence
from oms.domain.readiness import Demand, OperationVerdict, Readiness, judge, loss_hold, phase_verdict

DAY_S = 86_400.0
NOW_S = 1_000_000.0
AT_ONCE = Demand(min_age_s=0.0)


def compared(clean: int, mismatched: int = 0, *, first_at_s: float | None = 0.0, **more: int) -> Evidence:
    """Return the evidence of so many comparisons."""
    n = clean + mismatched
    return Evidence(
        **{"seen": n, "sampled": n, "matched": clean, "mismatched": mismatched, "first_at_s": first_at_s, **more}
    )


def verdict(evidence: Evidence, demand: Demand = AT_ONCE, **more: object) -> OperationVerdict:
    """Return the verdict on *evidence*."""
    return judge("cache.types.get", evidence, demand, **{"now_s": NOW_S, **more})


def test_ready() -> None:
    """35,575 clean comparisons and three days prove a rate below 1e-4."""
    found = verdict(compared(35_575, first_at_s=NOW_S - 3 * DAY_S), Demand())

    assert (Readiness.READY, 0, 0.0, ()) == (found.readiness, found.more, found.wait_s, found.missing)
    assert found.bound <= 1e-4
    assert "cache.types.get: 35,575 compared, 0 mismatched, below 1.00e-04 (95%), limit 0.0001: READY" == found.sentence


def test_one_short() -> None:
    """One comparison less is not enough, and the verdict says how many are missing and until when."""
    found = verdict(compared(35_574), per_s=0.5)

    assert (Readiness.NOT_YET, 1, 2.0, ("1 more clean ones, ~2 s",)) == (
        found.readiness,
        found.more,
        found.wait_s,
        found.missing,
    )


def test_one_mismatch() -> None:
    """One mismatch of 41,203 asks for 23,736 more clean ones, at 1.3 a second about five hours."""
    found = verdict(compared(41_202, 1), per_s=1.3)

    assert (
        "cache.types.get: 41,203 compared, 1 mismatched, below 1.58e-04 (95%), limit 0.0001: NOT YET, 23,736 more clean ones, ~5 h"
        == found.sentence
    )


def test_too_young() -> None:
    """However many there are, evidence of an hour waits for its third day."""
    found = verdict(compared(1_000_000, first_at_s=NOW_S - DAY_S), Demand())

    assert (Readiness.NOT_YET, 2 * DAY_S, ("~2 d more of age",)) == (found.readiness, found.wait_s, found.missing)


def test_waits_for_the_longer() -> None:
    """What takes longer, age or number, is what is waited for."""
    young = compared(35_475, first_at_s=NOW_S - 3 * DAY_S + 60)

    assert 60.0 == verdict(young, Demand(), per_s=10.0).wait_s
    assert 100.0 == verdict(young, Demand(), per_s=1.0).wait_s


@pytest.mark.parametrize("per_s", [None, 0.0])
def test_no_date(per_s: float | None) -> None:
    """Where nothing comes in, nobody can say when."""
    found = verdict(compared(100), per_s=per_s)

    assert None is found.wait_s
    assert "no date at the present rate" in found.sentence


def test_diverges() -> None:
    """Mismatches far above the limit are NO, and the three commonest divergences are named."""
    groups = {"get legacy_miss": 2, "get value a.b": 30, "get type c": 7, "get extra d": 1}
    found = verdict(compared(10_000, 40), diverging=groups)

    assert (Readiness.NO, None) == (found.readiness, found.wait_s)
    assert ("get value a.b (30)", "get type c (7)", "get legacy_miss (2)") == found.diverging
    assert found.sentence.endswith(": NO, get value a.b (30), get type c (7), get legacy_miss (2)")


def test_diverges_without_names() -> None:
    """Where no divergence is named the count stands for them."""

    assert ("40 mismatched",) == verdict(compared(10_000, 40)).diverging


def test_limit_of_the_rehearsal() -> None:
    """At a limit of 1 % the same mismatches are no bad news but a matter of number."""
    found = verdict(compared(10_000, 40), Demand(limit=1e-2, min_age_s=0.0))

    assert Readiness.READY is found.readiness


def test_only_empty_answers() -> None:
    """A hundred thousand matches of nothing with nothing prove nothing."""
    found = verdict(compared(100_000, empty=100_000), per_s=1.0)

    assert (Readiness.NOT_YET, 1.0, 35_575) == (found.readiness, found.bound, found.more)
    assert "nothing was compared that is evidence, of 100,000 calls" in found.missing
    assert ("100,000 matches of two empty answers: no evidence",) == found.notes


def test_never_seen() -> None:
    """An operation that nobody called is not proved, and says so."""
    found = verdict(Evidence())

    assert (Readiness.NOT_YET, ("never seen",), None) == (found.readiness, found.missing, found.wait_s)


def test_unknown_beginning() -> None:
    """Evidence of an unknown age is as good as new; a clock before its beginning makes it no older."""

    assert Readiness.NOT_YET is verdict(compared(50_000, first_at_s=None), Demand()).readiness
    assert 3 * DAY_S == verdict(compared(50_000, first_at_s=NOW_S + DAY_S), Demand()).wait_s


def test_lost_counts() -> None:
    """A journal with gaps holds."""
    found = verdict(compared(50_000, surplus=3))

    assert (Readiness.NOT_YET, ("counts were lost (3 outcomes without their call)",)) == (
        found.readiness,
        found.missing,
    )


def test_holds() -> None:
    """What somebody else knows to be missing holds, too, and has no date."""
    found = verdict(compared(50_000), holds=["worker 4711 is silent"])

    assert (Readiness.NOT_YET, None, ("worker 4711 is silent",)) == (found.readiness, found.wait_s, found.missing)


def test_notes() -> None:
    """Rules that take more than one comparison in twenty are told, and so are repeated requests."""

    assert ("rules ignore 5.1% of the comparisons", "9 repeated requests: no evidence") == verdict(
        compared(949, ignored=51, repeated=9)
    ).notes
    assert () == verdict(compared(950, ignored=50)).notes


@given(st.integers(0, 200_000), st.integers(0, 40), st.integers(0, 5))
def test_more_evidence(clean: int, mismatched: int, worse: int) -> None:
    """A further mismatch never makes a verdict better, and a clean comparison never makes it worse."""
    order = list(Readiness)
    now, after_worse, after_clean = (
        order.index(verdict(compared(clean + c, mismatched + m)).readiness) for c, m in ((0, 0), (0, worse), (1_000, 0))
    )

    assert after_worse <= now <= after_clean


@given(st.integers(0, 100_000), st.integers(0, 6))
def test_ready_just_where_proved(clean: int, mismatched: int) -> None:
    """Without anything else in the way READY is a bound at or below the limit, and the number asked for is enough."""
    found = verdict(compared(clean, mismatched))

    assert (found.more == 0) is (found.readiness is Readiness.READY)
    assert 0 == verdict(compared(clean + found.more, mismatched)).more
    assert (found.bound <= 1e-4 * (1 + 1e-8)) is (found.readiness is Readiness.READY)


def test_phase() -> None:
    """A phase is what its worst operation is; operations come worst first, those without a date before those with one."""
    ready, soon, diverging = compared(50_000), compared(35_000), compared(100, 5)
    evidence = {"a": ready, "b": Evidence(), "c": diverging, "d": soon}
    verdicts = [judge(name, one, AT_ONCE, now_s=NOW_S, per_s=1.0) for name, one in evidence.items()]
    phase = phase_verdict(verdicts)

    assert ["c", "b", "d", "a"] == [one.name for one in phase.operations]
    assert (Readiness.NO, ("b",), None) == (phase.readiness, phase.never_seen, phase.wait_s)
    assert (Readiness.NOT_YET, 575.0) == (
        phase_verdict([verdicts[0], verdicts[3]]).readiness,
        phase_verdict([verdicts[0], verdicts[3]]).wait_s,
    )
    assert Readiness.READY is phase_verdict(verdicts[:1]).readiness


def test_phase_without_operations() -> None:
    """Where nothing was judged nothing is proved."""

    assert (Readiness.NOT_YET, None) == (phase_verdict([]).readiness, phase_verdict([]).wait_s)


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"limit": 0.0}, "ready.limit"),
        ({"confidence": 1.0}, "ready.confidence"),
        ({"min_age_s": -1.0}, "ready.min_age"),
    ],
)
def test_bad_demand(changed: dict[str, float], where: str) -> None:
    """A demand that nothing meets, or everything, is refused."""
    with pytest.raises(BadInput) as raised:
        Demand(**changed)

    assert where == raised.value.where


def test_words() -> None:
    """The three words are what people read."""

    assert ["NO", "NOT YET", "READY"] == [one.value for one in Readiness]


@dataclass(frozen=True)
class Loss:
    """Counts that are gone."""

    until: float
    lost: int
    reason: str = "disk full"


@pytest.mark.parametrize(
    ("losses", "quiet_s", "expected"),
    [
        ([], 300.0, None),
        ([Loss(NOW_S, 0)], 300.0, None),
        ([Loss(NOW_S - 300, 7)], 300.0, None),
        ([Loss(NOW_S - 280, 7)], 300.0, "7 counts were lost (disk full): ~20 s to go without"),
        ([Loss(NOW_S - 280, 7), Loss(NOW_S - 290, 3, "gone")], 300.0, "10 counts were lost (disk full): ~20 s to go without"),
        ([Loss(NOW_S - 30, 7)], 0.0, "7 counts were lost (disk full): ~30 s to go without"),
    ],
)  # fmt: skip
def test_loss_holds(losses: list[Loss], quiet_s: float, expected: str | None) -> None:
    """A loss holds until counting has gone on for long enough, a minute at least; what only came late is no loss."""
    assert expected == loss_hold(losses, now_s=NOW_S, quiet_s=quiet_s)
