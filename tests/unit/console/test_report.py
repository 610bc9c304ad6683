"""The numbers of the report are those of the journal, and its verdicts those of the evidence."""

from __future__ import annotations

import datetime as dt

import pytest

from oms.console.report import Wanted, build_report
from oms.console.report_data import OperationReport, PhaseReport, ReportData
from oms.domain.readiness import Demand, Readiness
from oms.domain.record import Batch, Place, Tally
from oms.journal import Journal, JournalReader
from tests.unit.console.conftest import BOUND, NIGHT


@pytest.fixture
def cache(data: ReportData) -> PhaseReport:
    """The phase that was moved that night."""
    return data.phases[0]


@pytest.fixture
def get(cache: PhaseReport) -> OperationReport:
    """Its worst operation."""
    return cache.operations[0]


def test_evidence_of_an_operation_sums_to_its_calls(get: OperationReport) -> None:
    """Every call is compared or named as not compared, over all stages, of the version that is judged alone."""
    evidence = get.evidence

    assert ("cache.types.get", {"shadow": 30_000, "live": 5_000}) == (get.name, get.stages)
    assert (35_000, 33_500, 33_180) == (evidence.seen, evidence.sampled, evidence.compared)
    assert (32_000, 600, 480, 100) == (evidence.matched, evidence.reasonable, evidence.ignored, evidence.mismatched)
    assert evidence.seen == evidence.compared + sum(evidence.not_compared.values())


def test_not_compared_by_reason(get: OperationReport) -> None:
    """No reason is merged into another, nor into a side."""
    expected = {
        "sampled_out": 1_200, "paused": 300, "dropped": 100, "timed_out": 20, "not_snapshottable": 20, "raced": 180,
    }  # fmt: skip

    assert expected == get.evidence.not_compared


def test_what_is_no_evidence(get: OperationReport) -> None:
    """Two empty answers, repeated requests and what a rule ignored are in no bound."""
    evidence = get.evidence

    assert 33_180 - 480 - 900 - 400 == evidence.trials
    assert {"rescued": 3, "unscoped": 40} == get.events


def test_verdicts(cache: PhaseReport) -> None:
    """The worst comes first: what diverges, then what nobody called, then what is on its way; the phase is as the worst."""
    verdicts = [(one.name, one.readiness) for one in cache.verdict.operations]

    assert ("cache.types.get", Readiness.NO) == verdicts[0]
    assert {Readiness.NOT_YET} == {readiness for _, readiness in verdicts[1:]}
    assert ("cache.types.clear",) == cache.never_seen
    assert Readiness.NO is cache.readiness
    assert ("type at properties.*.range (100)",) == cache.operations[0].verdict.diverging


def test_present_rate(cache: PhaseReport) -> None:
    """What is missing has a date at the rate of the last quarter of an hour."""
    operation = next(one for one in cache.operations if one.name == "cache.types.set")

    assert operation.per_s is not None
    # 4,000 comparisons in the two minutes since they began.
    assert 4_000 / 120 == pytest.approx(operation.per_s)
    assert 31_575 == operation.verdict.more
    assert "31,575 more clean ones, ~16 min" in operation.verdict.missing


def test_present_rate_is_of_the_judged_version(get: OperationReport) -> None:
    """What came in a moment ago with other sources makes nothing ready sooner."""
    assert get.per_s is not None
    assert 31_400 / 120 == pytest.approx(get.per_s)


def test_age_begins_with_the_first_comparison(tmp_path) -> None:
    """Calls while nobody was compared are no evidence, so they are no age of it."""
    off, shadow = (Place("cache", "types", "get", stage) for stage in ("off", "shadow"))
    batches = [
        Batch([Tally(off, "calls", 9)]),
        Batch([Tally(shadow, name, 9) for name in ("calls", "shadowed", "matched")]),
    ]
    clock = [NIGHT]
    journal = Journal(tmp_path / "journal.db", lambda: batches.pop(0) if batches else Batch(), clock=lambda: clock[0])
    journal.flush()
    clock[0] += 600
    journal.flush()
    journal.stop(5)
    with JournalReader(tmp_path / "journal.db") as reader:
        report = build_report(reader, demands=lambda _: Wanted(), bound={}, made_at=NIGHT + 700, command="")

    assert NIGHT + 600 == report.phases[0].operations[0].evidence.first_at_s


def test_rate_of_long_ago_is_none(journal_path, data: ReportData) -> None:
    """A journal that nothing has come to for an hour promises no date."""
    with JournalReader(journal_path) as reader:
        report = build_report(reader, demands=lambda phase: Wanted(), bound=BOUND, made_at=NIGHT + 7_200, command="")
    operation = next(one for one in report.phases[0].operations if one.name == "cache.types.set")

    assert (None, None) == (operation.per_s, operation.verdict.wait_s)


def test_demand_of_the_phase(journal_path) -> None:
    """Each phase is judged by what its policy demands."""
    easy = Wanted(demand=Demand(limit=0.5, min_age_s=0.0), quiet_s=0.0)
    with JournalReader(journal_path) as reader:
        report = build_report(
            reader,
            demands=lambda phase: easy if phase == "cache" else Wanted(),
            bound={"cache": BOUND["cache"][:2]},
            made_at=NIGHT + 720,
            command="",
        )

    assert (Readiness.READY, Readiness.NOT_YET) == tuple(phase.readiness for phase in report.phases)


def test_waived_and_unseen(journal_path) -> None:
    """What the policy waives is shown and judges nothing; where the unseen do not hold, they are listed only."""
    easy = Wanted(
        demand=Demand(limit=0.5, min_age_s=0.0),
        waived=("validation.delete", "types.gone"),
        unseen_holds=False,
        quiet_s=0.0,
    )
    with JournalReader(journal_path) as reader:
        cache = build_report(
            reader, demands=lambda _: easy, bound=BOUND, made_at=NIGHT + 720, command="", phase="cache"
        ).phases[0]

    assert (Readiness.READY, ("cache.types.clear",), ("cache.validation.delete",)) == (
        cache.readiness, cache.never_seen, cache.waived
    )  # fmt: skip
    assert {"cache.types.get", "cache.types.set"} == {one.name for one in cache.verdict.operations}
    assert 3 == len(cache.operations)


def test_older_version_does_not_count(get: OperationReport) -> None:
    """What was counted with other sources is named, and is no part of the evidence."""
    (older,) = get.older

    assert ("", "old") == (get.version, older.version)
    assert (50, 20) == (older.evidence.compared, older.evidence.mismatched)
    assert older.first_at_s < older.last_at_s < NIGHT + 600


def test_errors_two_by_two(get: OperationReport) -> None:
    """Who raised stands apart from what was compared."""
    errors = get.errors

    assert (28_100, 5, 60, 15) == (errors.neither, errors.legacy, errors.unified, errors.both)


def test_noise_stands_beside_the_divergence(cache: PhaseReport) -> None:
    """How often legacy differed from itself at that very path; much of it says that the comparison cannot tell."""
    unexplained, known = cache.divergences[0], cache.divergences[1]

    assert ((3, 300), (0, 300)) == (unexplained.noise, known.noise)
    assert (True, False) == (unexplained.is_noisy, known.is_noisy)


def test_phase_without_comparisons_is_not_ready(data: ReportData) -> None:
    """Nothing compared is no good news."""
    config = data.phases[1]

    assert Readiness.NOT_YET is config.readiness
    assert "nothing was compared that is evidence, of 10 calls" in config.operations[0].verdict.missing


def test_silent_phase(data: ReportData) -> None:
    """A phase that is bound and was not called at all is named."""
    assert ("security",) == data.silent


def test_unexplained_groups_come_before_known_ones(cache: PhaseReport) -> None:
    """However often a known one occurs."""
    assert [None, "TC-01", "VC-02"] == [report.group.known for report in cache.divergences]


def test_rules(cache: PhaseReport) -> None:
    """Each rule has its hits; one that takes more than 5 % is flagged, and one that no file holds."""
    rules = {rule.id: rule for rule in cache.rules}

    assert (480, "platform-caching", dt.date(2027, 6, 30), "") == (
        rules["TC-01"].hits, rules["TC-01"].owner, rules["TC-01"].expires, rules["TC-01"].warning
    )  # fmt: skip
    assert (200, 0.2, True, True) == (
        rules["VC-02"].hits, rules["VC-02"].share, rules["VC-02"].takes_too_much, rules["VC-02"].is_gone
    )  # fmt: skip
    assert (0, "") == (rules["TM-06"].hits, rules["TM-06"].warning)


@pytest.mark.parametrize(
    ("at", "warning"),
    [
        (dt.datetime(2027, 7, 1, 1, tzinfo=dt.UTC), "expired"),
        (dt.datetime(2027, 6, 20, tzinfo=dt.UTC), "expires in 10 d"),
    ],
)
def test_rule_that_expires(journal_path, at: dt.datetime, warning: str) -> None:
    """An expired rule says so, and one that will soon."""
    with JournalReader(journal_path) as reader:
        report = build_report(reader, demands=lambda _: Wanted(), bound={}, made_at=at.timestamp(), command="")

    assert warning == next(rule for rule in report.phases[0].rules if rule.id == "TC-01").warning


def test_latencies_say_what_they_lack(get: OperationReport) -> None:
    """Percentiles beside which calls were dropped or timed out are too good: that is said where it matters."""
    shadow, live = get.latencies

    assert ("shadow", 120, True) == (shadow.stage, shadow.unmeasured, shadow.cuts_p99)
    assert (0, False) == (live.unmeasured, live.cuts_p99)
    assert shadow.legacy is not None
    assert shadow.ratios is not None
    assert shadow.legacy.p50_ns < shadow.legacy.p90_ns < shadow.legacy.p99_ns
    assert 1_900 / 2_400 == pytest.approx(shadow.ratios[0], rel=0.2)


def test_outcomes_over_time(cache: PhaseReport) -> None:
    """Every call is in one of the steps, the older version's too, and steps without a call are there."""
    total = sum(sum(moment.outcomes.values()) for moment in cache.moments)

    assert 35_000 + 4_000 + 1_000 + 50 == total
    assert (11, 60.0) == (len(cache.moments), cache.moments[0].length_s)
    assert {} == cache.moments[5].outcomes
    assert 120 == sum(moment.outcomes.get("mismatched", 0) for moment in cache.moments)


def test_flips_and_trips_are_one_timeline(data: ReportData) -> None:
    """A guard's trip stands where it happened among the flips."""
    expected = [(False, "dualwrite"), (False, "shadow"), (False, "live=5"), (True, "shadow"), (False, "shadow")]

    assert expected == [(move.is_trip, move.target) for move in data.moves]


def test_ends_losses_and_repairs_are_there(data: ReportData) -> None:
    """What went wrong is part of the report."""
    assert ([4242], 7, ["types"], 2) == (
        [process.pid for process in data.killed], data.lost, [repair.seam for _, repair in data.repairs], len(data.hosts)
    )  # fmt: skip


def test_one_phase_only(journal_path) -> None:
    """A phase's report has nothing of another's."""
    with JournalReader(journal_path) as reader:
        report = build_report(
            reader, phase="config", demands=lambda _: Wanted(), bound=BOUND, made_at=NIGHT, command=""
        )

    assert (["config"], (), ()) == ([phase.name for phase in report.phases], report.moves, report.repairs)


def test_since_bounds_the_report(journal_path) -> None:
    """What is older is not counted, and the report says from when on it counts."""
    with JournalReader(journal_path) as reader:
        late = build_report(
            reader, demands=lambda _: Wanted(), bound=BOUND, made_at=NIGHT, command="", since=NIGHT + 300
        )
        none = build_report(
            reader, demands=lambda _: Wanted(), bound=BOUND, made_at=NIGHT, command="", since=NIGHT + 9_000
        )

    assert ((), NIGHT + 300) == (late.phases[0].operations[0].older, late.since)
    assert ((), ("cache", "config", "security"), NIGHT + 9_000) == (none.phases, none.silent, none.since)
