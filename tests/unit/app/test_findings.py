"""What a rehearsal came to, as JSON, as text and as exit code."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oms.app.injection import Faults
from oms.app.rehearsal.driver import Counts
from oms.app.rehearsal.findings import Findings, Found, PhaseFindings, caller_errors, problems, read_phase
from oms.app.rehearsal.incident import Incident, Tripping
from oms.app.rehearsal.neighbours import Reached
from oms.app.rehearsal.request import request
from oms.app.rehearsal.summary import text_of
from oms.app.rehearsal.walk import Walked
from oms.domain.divergence import Divergence
from oms.domain.observation import Outcome
from oms.domain.record import Batch, Place, Tally, Trip
from oms.journal import Journal, JournalReader
from oms.rollout.acknowledgement import Acknowledgement
from oms.rollout.flip_report import FlipReport, Move

MOVE = Move(phase="cache", before="live", after="shadow", digest="d1", changed=True, began=0.0)
STAGES = ["off", "dualwrite", "shadow", "live=5", "live"]
TRIP = Trip("cache", "types", "get", "watchdog", "live", "shadow", "hung", 1.0)


def walked(*, processes: int = 3, acknowledged: int = 3, seconds: float = 0.0312) -> Walked:
    """Return a walk to the end and back."""
    silent = tuple(range(100, 100 + processes - acknowledged))
    end = Acknowledgement(processes, acknowledged, silent=silent, seconds=seconds)
    return Walked(list(STAGES), FlipReport(MOVE, end))


@pytest.fixture
def phase() -> PhaseFindings:
    """Return one phase with a known and an unexplained divergence."""
    return PhaseFindings(
        calls=120,
        shadowed=100,
        outcomes={**{outcome.value: 0 for outcome in Outcome}, "matched": 90, "ignored": 8, "mismatched": 2},
        divergences=(Found("aaa", "TC-01", 8, "types.get"), Found("bbb", None, 2, "types.get")),
        trips=(),
        rescued=0,
        walked=walked(),
    )


@pytest.fixture
def findings(phase: PhaseFindings) -> Findings:
    """Return a good rehearsal."""
    return Findings(
        seed=7,
        caller_errors=0,
        report=Path("out/report.html"),
        phases={"cache": phase},
        requests=Counts(),
        seconds=2.0,
        problems=(),
    )


def test_json(findings: Findings) -> None:
    """The object has the keys that scripts read, and can be written."""

    assert {
        "schema": 1,
        "seed": 7,
        "caller_errors": 0,
        "report": "out/report.html",
        "profile": "rehearsal",
        "phases": {
            "cache": {
                "calls": 120,
                "outcomes": {
                    "matched": 90, "reasonable": 0, "ignored": 8, "mismatched": 2, "uncomparable": 0, "timed_out": 0, "dropped": 0,
                },
                "divergences": [
                    {"fingerprint": "aaa", "known": "TC-01", "count": 8},
                    {"fingerprint": "bbb", "known": None, "count": 2},
                ],
                "stages": STAGES,
                "rollback": {"processes": 3, "acknowledged": 3, "seconds": 0.031},
                "trips": [],
                "rescued": 0,
                "delayed": 0,
                "injection": None,
            }
        },
    } == json.loads(json.dumps(findings.as_json()))  # fmt: skip


def test_upstream_in_json_and_text(findings: Findings, phase: PhaseFindings) -> None:
    """A phase that calls neighbours says how often they were reached, counted at both ends."""
    told = replace(findings, phases={"resilience": replace(phase, upstream=Reached(received=41, made=42))})
    shown: Any = told.as_json()

    assert {"received": 41, "made": 42} == shown["phases"]["resilience"]["upstream"]
    assert "received 41 requests, the callers made 42; its clock ran 40 times as fast" in text_of(told)


def test_good_is_0(findings: Findings) -> None:
    """All well, divergences or not: finding those is what it is for."""

    assert 0 == findings.exit_code


def test_bad_news_is_3(findings: Findings, phase: PhaseFindings) -> None:
    """Errors that callers saw, a problem, a rollback that came late, not everywhere, or not at all."""

    def with_walk(other: Walked) -> Findings:
        return replace(findings, phases={"cache": replace(phase, walked=other)})

    assert 3 == replace(findings, caller_errors=1).exit_code
    assert 3 == replace(findings, problems=("cache: live is refused",)).exit_code
    assert 3 == with_walk(walked(seconds=10.01)).exit_code
    assert 3 == with_walk(walked(acknowledged=2)).exit_code
    assert 3 == with_walk(Walked(STAGES)).exit_code


def test_a_slow_rollback_is_told(findings: Findings, phase: PhaseFindings) -> None:
    """One that took longer than its budget came back all the same: the machine may have been busy. The text says so."""
    slow, usual = (
        replace(findings, phases={"cache": replace(phase, walked=walked(seconds=s))}) for s in (1.234, 0.999)
    )

    assert (0, 0) == (slow.exit_code, usual.exit_code)
    assert "acknowledged in 1.234 s, more than the 1 s that it should take\n" in text_of(slow)
    assert "acknowledged in 0.999 s\n" in text_of(usual)


def test_text(findings: Findings, phase: PhaseFindings) -> None:
    """A reader sees stages, known quirks, what is unexplained first, trips, and the rollback."""
    text = text_of(replace(findings, phases={"cache": replace(phase, trips=((42, TRIP),))}))

    assert "off > dualwrite > shadow > live=5 > live" in text
    assert "1 known quirks: TC-01; 1 unexplained" in text
    assert text.index("UNKNOWN") < text.index("TC-01   ")
    assert "live > shadow: 3 of 3 processes acknowledged in 0.031 s" in text
    assert "pid 42: watchdog, live > shadow: hung" in text
    assert "caller errors  0" in text


def incident(*, taken_back: bool = True) -> Walked:
    """Return a walk with an injection that one worker and the controller found, or nobody."""
    found = Incident(Faults(hang=True), "live=50", 100.0, calls=900, reads_inside=600)
    if taken_back:
        found.rolled_back = Acknowledgement(3, 3, seconds=0.05)
        found.trips = [
            Tripping("watchdog", "types", "get", "live", "shadow", 7, 1.04, 42, "hung"),
            Tripping("watchdog", "types", "get", "live=50", "shadow", 9, 1.2, None, "a process went back"),
        ]
    return Walked([*STAGES[:3], "live=50"], incident=found)


def test_incident_as_json(phase: PhaseFindings) -> None:
    """Each trip tells guard, operation, from, to, calls and seconds since the injection began; delayed callers are counted."""
    told = json.loads(json.dumps(replace(phase, walked=incident(), delayed=3).as_json()))

    assert {
        "guard": "watchdog", "seam": "types", "operation": "get", "from": "live=50", "to": "shadow", "calls_to_trip": 9, "seconds": 1.2,
        "pid": None, "also": [],
    } == told["trips"][1]  # fmt: skip
    assert (42, 7) == (told["trips"][0]["pid"], told["trips"][0]["calls_to_trip"])
    assert {"faults": "hang", "at": "live=50", "calls": 900, "reads_inside_workers": 600, "rolled_back": True} == told[
        "injection"
    ]
    assert ({"processes": 3, "acknowledged": 3, "seconds": 0.05}, 3) == (told["rollback"], told["delayed"])


def test_incident_as_text(findings: Findings, phase: PhaseFindings) -> None:
    """A reader sees what began, who tripped after how many calls, who was kept waiting, and that it was taken back by a guard."""
    text = text_of(replace(findings, reads_inside=600, phases={"cache": replace(phase, walked=incident(), delayed=3)}))

    assert "600 further reads inside the workers" in text
    assert "injection    hang at live=50; 900 calls from then on, 600 of them reads inside the workers" in text
    assert "+  1.04 s    watchdog tripped at types.get after 7 calls: hung" in text
    assert "pid 42 by itself: live > shadow" in text
    assert "oms guard: live=50 > shadow" in text
    assert "+  1.25 s    3 of 3 processes are back" in text
    assert "3 callers waited longer than the port allows" in text
    assert "rollback     by a guard: 3 of 3 processes acknowledged in 0.050 s" in text


def test_a_fault_that_nobody_finds_is_bad_news(findings: Findings, phase: PhaseFindings) -> None:
    """Without a rollback by a guard the exit code is 3, and the text says that none tripped."""
    good = replace(findings, phases={"cache": replace(phase, walked=incident())})
    bad = replace(findings, phases={"cache": replace(phase, walked=incident(taken_back=False))})

    assert (0, 3) == (good.exit_code, bad.exit_code)
    assert "no guard tripped" in text_of(bad)
    assert "rollback     none by a guard" in text_of(bad)


def test_text_of_a_walk_that_ended_early(findings: Findings, phase: PhaseFindings) -> None:
    """What went wrong is a line of its own."""
    text = text_of(
        replace(findings, phases={"cache": replace(phase, walked=Walked(["off"]))}, problems=("cache: no lock",))
    )

    assert "problem: cache: no lock" in text
    assert "rollback     none" in text


def test_figures_from_the_journal(tmp_path: Path) -> None:
    """Counts of the phase are summed over its seams and stages; those of other phases are not among them."""
    batch = Batch()
    for seam, stage, name, count in (
        ("types", "shadow", "calls", 10),
        ("types", "live", "calls", 5),
        ("documents", "live", "calls", 7),
        ("types", "shadow", "shadowed", 9),
        ("types", "shadow", "matched", 8),
        ("types", "shadow", "ignored", 1),
        ("types", "live", "rescued", 2),
    ):
        batch.tallies.append(Tally(Place("cache", seam, "get", stage), name, count))
    batch.tallies.append(Tally(Place("config", "settings", "read", "shadow"), "calls", 1000))
    for phase in ("cache", "config"):
        batch.divergences.append(
            Divergence(
                fingerprint=f"{phase}-1", phase=phase, seam="types", operation="get", stage="shadow", kind="unified_miss", path="",
                types=("dict", "NoneType"), known="TC-01", seen_at=time.time(), sample={},
            )
        )  # fmt: skip
    batch.trips.append(replace(TRIP, at=time.time()))
    batches = [batch]
    journal = Journal(tmp_path / "journal.db", lambda: batches.pop() if batches else Batch())
    journal.start()
    assert journal.stop(10)
    with JournalReader(tmp_path / "journal.db") as reader:
        found = read_phase(reader, "cache", walked())

    assert (22, 9, 2) == (found.calls, found.shadowed, found.rescued)
    assert {**{outcome.value: 0 for outcome in Outcome}, "matched": 8, "ignored": 1} == found.outcomes
    assert [("cache-1", "TC-01", 1, "types.get: unified_miss (whole), dict / NoneType")] == [
        (each.fingerprint, each.known, each.count, each.what) for each in found.divergences
    ]
    assert ["watchdog"] == [trip.guard for _, trip in found.trips]


def test_caller_errors(phase: PhaseFindings) -> None:
    """Faulty answers, violations of identity and rescues that nobody counted each wrong a caller; counted rescues do not."""
    counts = Counts()
    counts.answered(request("a", "GET", "/"), 500, 1)
    counts.answered(request("a", "GET", "/"), 200, 1)
    counts.failed(request("a", "GET", "/"), ConnectionResetError("gone"))

    def errors(rescued: int, violations: int, counted: int) -> int:
        identity = {"checked": 9, "rescued": rescued, "violations": violations}
        return caller_errors(counts, identity, [replace(phase, rescued=counted)])

    assert 2 == errors(rescued=0, violations=0, counted=0)
    assert 3 == errors(rescued=0, violations=1, counted=0)
    assert 2 == errors(rescued=4, violations=0, counted=4)
    assert 5 == errors(rescued=4, violations=0, counted=1)
    assert 2 == errors(rescued=0, violations=0, counted=4)


def test_problems() -> None:
    """A walk that ended early, workers that ended badly, and a neighbour that was called more often than callers did are one line each."""
    early = Walked(["off"], problem="cache: no lock")
    reached = Reached(received=43, made=42)

    assert [] == problems([walked()], broken_ends=0, workers=3, reached=Reached(42, 42))
    assert [
        "cache: no lock",
        "1 of 3 workers did not end in good order",
        "upstream: received 43 requests, wanted the 42 that the callers made",
    ] == problems([walked(), early], broken_ends=1, workers=3, reached=reached)


def test_quantiles() -> None:
    """Half and nearly all of the answers, in milliseconds; nothing sent is 0."""
    counts = Counts()
    for milliseconds in range(1, 101):
        counts.answered(request("a", "GET", "/"), 200, milliseconds * 1_000_000)

    assert 50 <= counts.quantile_ms(0.5) <= 57
    assert 99 <= counts.quantile_ms(0.99) <= 112
    assert 0 == Counts().quantile_ms(0.5)
