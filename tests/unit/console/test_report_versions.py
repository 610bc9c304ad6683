"""The report speaks of the present version: what an older one did is named as such, and a loss of counts holds as it holds the controller."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oms.console.report import ReportData, Wanted, build_report
from oms.console.report_html import render_html
from oms.console.report_json import report_object
from oms.console.report_markdown import render_markdown
from oms.console.report_text import render_text
from oms.domain.readiness import Demand, Readiness
from oms.domain.record import Batch, Place, Tally
from oms.journal import Journal, JournalReader
from tests.unit.console.conftest import NIGHT, divergence

OLD, NEW = (Place("cache", "types", "get", "shadow", version=version) for version in ("a" * 16, "b" * 16))
EASY = Wanted(demand=Demand(limit=0.5, min_age_s=0.0), quiet_s=300.0)


def tallies(place: Place, **counts: int) -> list[Tally]:
    """Return the counts of *place*."""
    calls = sum(counts.values())
    return [Tally(place, name, count) for name, count in {"calls": calls, "shadowed": calls, **counts}.items()]


def seen(place: Place, at_s: float, **other: Any) -> Any:
    """Return one divergence with the version of *place*."""
    return divergence(at_s, version=place.version, **other)


def written(path: Path, *batches: tuple[float, Batch]) -> Path:
    """Write each batch at its time, seconds after the night began."""
    waiting, clock = [batch for _, batch in batches], [NIGHT]
    journal = Journal(path, lambda: waiting.pop(0) if waiting else Batch(), clock=lambda: clock[0])
    for at_s, _ in batches:
        clock[0] = NIGHT + at_s
        journal.flush()
    journal.stop(5)
    return path


def report(path: Path, *, made_at: float = NIGHT + 700, wanted: Wanted = EASY) -> ReportData:
    """Return the report on the journal at *path*."""
    with JournalReader(path) as reader:
        return build_report(reader, demands=lambda _: wanted, bound={}, made_at=made_at, command="oms report")


@pytest.fixture
def mended(tmp_path: Path) -> Path:
    """A journal in which an old version differed in two ways, the new one in one of these and in another; an old process was still there."""
    return written(
        tmp_path / "journal.db",
        (0, Batch(tallies(OLD, matched=10, mismatched=90), divergences=[
            *[seen(OLD, NIGHT + second, path="mended", fingerprint="aaaaaaaaaaaa") for second in range(50)],
            *[seen(OLD, NIGHT + second, path="both", fingerprint="bbbbbbbbbbbb") for second in range(40)],
        ])),
        (300, Batch(tallies(NEW, matched=40, mismatched=60), divergences=[
            *[seen(NEW, NIGHT + 300 + second, path="both", fingerprint="bbbbbbbbbbbb") for second in range(5)],
            *[seen(NEW, NIGHT + 300 + second, path="new", fingerprint="cccccccccccc") for second in range(55)],
        ])),
        # A process of the old version goes on for a little.
        (310, Batch(tallies(OLD, mismatched=3), divergences=[seen(OLD, NIGHT + 310, path="mended", fingerprint="aaaaaaaaaaaa")] * 3)),
        (660, Batch(tallies(NEW, matched=10))),
    )  # fmt: skip


def test_no_is_for_the_present_version(mended: Path) -> None:
    """What only the old version did is not what it says NO for, though it was seen after the new one began."""
    phase = report(mended, wanted=Wanted()).phases[0]
    (operation,) = phase.operations

    assert (Readiness.NO, NEW.version) == (operation.verdict.readiness, operation.version)
    assert ("type at new (55)", "type at both (5)") == operation.verdict.diverging
    assert [("new", 55, 0), ("both", 5, 40)] == [
        (one.group.path, one.group.count, one.before) for one in phase.divergences
    ]
    assert [("mended", 53)] == [(one.group.path, one.group.count) for one in phase.older]


def test_share_is_of_its_own_version(mended: Path) -> None:
    """A group is a part of what was compared with its version."""
    phase = report(mended).phases[0]

    assert [0.5, 5 / 110] == [one.share for one in phase.divergences]
    assert [53 / 103] == [one.share for one in phase.older]


def test_older_ones_are_named_in_every_format(mended: Path) -> None:
    """Every format says how often an old version did the same, and what was seen with old ones only; the headline counts neither."""
    data = report(mended)
    text = " ".join(render_text(data).split())
    markdown, html, found = (
        render_markdown(data),
        " ".join(render_html(data).split()),
        report_object(data)["phases"]["cache"],
    )

    assert "(2 unexplained groups)" in data.phases[0].headline
    for form in (text, markdown, html):
        assert "40 more with older versions" in form
        assert "aaaaaaaaaaaa" in form
    assert "older versions only, they do not count" in text
    assert [("cccccccccccc", 0), ("bbbbbbbbbbbb", 40)] == [
        (one["fingerprint"], one["before"]) for one in found["divergences"]
    ]
    assert [("aaaaaaaaaaaa", OLD.version)] == [
        (one["fingerprint"], one["version"]) for one in found["older_divergences"]
    ]


def test_two_versions_at_once_are_not_ready(tmp_path: Path) -> None:
    """While some process still runs the old version its calls go by sources that nobody judges."""
    path = written(tmp_path / "journal.db", (0, Batch(tallies(OLD, matched=50))), (60, Batch(tallies(NEW, matched=50))))
    late = written(tmp_path / "late.db", (0, Batch(tallies(OLD, matched=50))), (300, Batch(tallies(NEW, matched=50))))

    assert ("it is served in more than one version",) == report(path).phases[0].operations[0].verdict.missing
    assert Readiness.READY is report(late).readiness


def test_rule_takes_no_more_than_differed(tmp_path: Path) -> None:
    """A rule that covers three places of each of 20 comparisons in 100 takes 20 % of them, and not 60 %."""
    path = written(
        tmp_path / "journal.db",
        (0, Batch(tallies(NEW, matched=80, ignored=20), divergences=[
            seen(NEW, NIGHT + second, path=path, fingerprint=name * 12, known="TM-01") for second in range(20)
            for path, name in (("one", "1"), ("two", "2"), ("three", "3"))
        ])),
    )  # fmt: skip
    rule = next(one for one in report(path).phases[0].rules if one.id == "TM-01")

    assert (60, 0.2) == (rule.hits, rule.share)


def losing(path: Path, *, at_s: float = 1, until: float = 60, lost: int = 7) -> Path:
    """Write a journal that lost something after *at_s* and went on until *until*, both in seconds."""
    batches = [(at_s, Batch(lost_divergences=lost)), (until, Batch(tallies(NEW, matched=50)))]
    return written(path, (0, Batch(tallies(NEW, matched=50))), *batches)


def test_never_ready_over_a_loss(tmp_path: Path) -> None:
    """Evidence that would do is NOT YET while a loss is younger than a step must be looked at; then it is READY again."""
    held = report(losing(tmp_path / "held.db", until=240)).phases[0].operations[0].verdict
    quiet = report(losing(tmp_path / "quiet.db", until=300)).phases[0].operations[0].verdict

    assert (Readiness.NOT_YET, None) == (held.readiness, held.wait_s)
    assert (
        "7 counts were lost (more divergences than a process keeps between two drains): ~1 s to go without",
    ) == held.missing
    assert Readiness.READY is quiet.readiness


def test_silence_after_a_loss_is_not_quiet(tmp_path: Path) -> None:
    """A service that stopped after a loss shows nothing, however long ago that was."""
    path = losing(tmp_path / "journal.db", until=60)

    assert Readiness.NOT_YET is report(path, made_at=NIGHT + 86_400).readiness


def test_repeated_requests_count_where_the_policy_lets_them(tmp_path: Path) -> None:
    """A policy without a cap per request judges as the controller does: what is repeated is evidence, too."""
    batch = Batch([*tallies(NEW, matched=50), Tally(NEW, "repeated", 49)])
    path = written(tmp_path / "journal.db", (0, batch), (60, Batch(tallies(NEW, matched=1))))
    capped, free = (
        report(path, wanted=replace(EASY, cap_per_request=cap)).phases[0].operations[0].evidence.trials
        for cap in (True, False)
    )

    assert (2, 51) == (capped, free)
