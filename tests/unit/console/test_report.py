"""The numbers of the report are those of the journal."""

from __future__ import annotations

import pytest

from oms.console.report import Finding, build_report
from oms.journal import JournalReader, Window


@pytest.fixture
def cache(data):
    """The phase that was moved that night."""
    return data.phases[0]


@pytest.fixture
def get(cache):
    """Its worst operation."""
    return cache.operations[0]


def test_evidence_of_an_operation_sums_to_its_calls(get):
    """Every call is compared or named as not compared, over all stages."""
    evidence = get.evidence

    assert ("cache.types.get", {"shadow": 30_000, "live": 5_000}) == (get.name, get.stages)
    assert (35_000, 33_180) == (evidence.calls, evidence.compared)
    assert (32_000, 600, 480, 100) == (evidence.matched, evidence.reasonable, evidence.ignored, evidence.mismatched)
    assert 0 == evidence.unaccounted


def test_not_compared_by_reason(get):
    """No reason is merged into another, nor into a side."""
    expected = {
        "sampled out": 1_200, "paused": 300, "dropped": 100, "timed out": 20, "uncomparable: not snapshottable": 20, "uncomparable: raced": 180,
    }  # fmt: skip

    assert expected == get.evidence.not_compared


def test_events_and_empty_matches_stand_apart(get):
    """They overlap with the outcomes and are no part of the sum."""
    assert ({"rescued": 3, "unscoped": 40}, 900) == (get.evidence.events, get.evidence.empty)


def test_worst_operation_comes_first(cache):
    """What needs somebody is at the top; the phase is as its worst operation."""
    findings = [operation.evidence.finding for operation in cache.operations]

    assert [Finding.DIVERGES, Finding.CLEAN, Finding.CLEAN] == findings
    assert Finding.DIVERGES is cache.finding


def test_phase_without_comparisons_is_not_clean(data):
    """Nothing compared is no good news."""
    config = data.phases[1]

    assert (Finding.NOT_COMPARED, "none of 10 calls was compared") == (config.finding, config.headline)


def test_unexplained_groups_come_before_known_ones(cache):
    """However often a known one occurs."""
    assert [None, "TC-01", "VC-02"] == [report.group.known for report in cache.divergences]


def test_greedy_rule_is_flagged(cache):
    """A rule that takes more than 5 % of an operation may hide something else."""
    flagged = [report.group.known for report in cache.divergences if report.takes_too_much]

    assert ["VC-02"] == flagged


def test_latencies_say_what_they_lack(get):
    """Percentiles beside which calls were dropped or timed out are too good: that is said."""
    shadow = get.latencies[0]

    assert ("shadow", 120) == (shadow.stage, shadow.unmeasured)
    assert shadow.legacy is not None
    assert shadow.legacy.p50_ns < shadow.legacy.p90_ns < shadow.legacy.p99_ns


def test_flips_and_trips_are_one_timeline(data):
    """A guard's trip stands where it happened among the flips."""
    expected = [(False, "dualwrite"), (False, "shadow"), (False, "live=5"), (True, "shadow"), (False, "shadow")]

    assert expected == [(move.is_trip, move.target) for move in data.moves]


def test_ends_losses_and_repairs_are_there(data):
    """What went wrong is part of the report."""
    assert ([4242], 7, ["types"]) == (
        [process.pid for process in data.killed], data.lost, [repair.seam for _, repair in data.repairs]
    )  # fmt: skip


def test_one_phase_only(journal_path, data):
    """A phase's report has nothing of another's."""
    with JournalReader(journal_path) as reader:
        report = build_report(reader, phase="config", made_at=0.0, command="")

    assert (["config"], (), ()) == ([phase.name for phase in report.phases], report.moves, report.repairs)


def test_window_bounds_the_report(journal_path):
    """Outside the window nothing is counted, and the report says which window it was."""
    with JournalReader(journal_path) as reader:
        report = build_report(reader, window=Window(1.0, 2.0), made_at=0.0, command="")

    assert ((), (), 1.0, 2.0) == (report.phases, report.moves, report.since, report.until)
