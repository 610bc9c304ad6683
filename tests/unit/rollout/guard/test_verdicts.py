"""What the guards say, each over slices as they come."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from oms.domain.guardrails import RatioGuard
from oms.domain.histogram import bucket_of
from oms.domain.record import Place, Slice, Trip
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.rollout.guard.policy import OnTrip, PhasePolicy
from oms.rollout.guard.steps import Step
from oms.rollout.guard.tracks import Tracks, tracks_of
from oms.rollout.guard.verdicts import OF_TRACK, Ground, GuardVerdict, verdicts

MS = 1_000_000
T = 1_800_000_000.0 // 60 * 60
SHADOW = Step("s", Split.whole(Stage.SHADOW), T)
LIVE = Step("l", Split(((Stage.LIVE, 5_000), (Stage.SHADOW, 5_000))), T + 600)
RAMPDOWN = Step("r", Split(((Stage.RAMPDOWN, 5_000), (Stage.LIVE, 5_000))), T + 600)


def one(stage: str, plan: str, at_s: float, *, version: str = "v", operation: str = "get", **counts: int) -> Slice:
    """Return a slice; ``errors_unified`` reads ``errors.unified``, *slow* and *fast* are units of 1 s and 1 us."""
    units = {bucket_of(1_000 * MS): counts.pop("slow", 0), bucket_of(1_000): counts.pop("fast", 0)}
    names = {name.replace("errors_", "errors."): count for name, count in counts.items()}
    return Slice(Place("cache", "types", operation, stage, plan, version), at_s, names, {}, units)


def legacy(plan: str, *, calls: int = 2_000, stage: str = "shadow", at_s: float = T) -> Slice:
    """Return durations of legacy: a millisecond each, one in twenty 10 ms."""
    buckets = {bucket_of(MS): calls * 19 // 20, bucket_of(10 * MS): calls // 20}
    return Slice(Place("cache", "types", "get", stage, plan, "v"), at_s, {}, {"legacy": buckets})


def ground(slices: Sequence[Slice], *steps: Step, sums: Sequence[Slice] = (), trips: Sequence[Trip] = ()) -> Ground:
    """Return what the guards look at."""
    every = (Step("", None, 0.0), *steps)
    return Ground(policy=PhasePolicy(), tracks=tracks_of(slices, sums, every), steps=every, trips=trips, now_s=T + 900)


def said(found: Ground, guard: str) -> GuardVerdict | None:
    """Return what one guard says, None if it says nothing."""
    return next((verdict for verdict in verdicts(found) if verdict.guard == guard), None)


@pytest.mark.parametrize("stage", ["shadow", "live"])
def test_paired_errors(stage: str) -> None:
    """Only discordant pairs count, at share one half, whatever share the plan has: exactly what a RatioGuard fed by hand says."""
    found = said(
        ground(
            [one(stage, "l", T + 600, errors_none=900, errors_unified=12, errors_legacy=3)],
            SHADOW,
            LIVE,
        ),
        "errors",
    )

    by_hand = RatioGuard.begun(PhasePolicy().ratio_rule(PhasePolicy().guards.errors)).after(
        share=0.5, unified=12, legacy=3
    )
    assert found is not None
    assert by_hand.read("errors") == found.reading
    assert not found.tripped


def test_errors_of_both_sides_are_no_evidence() -> None:
    """An outage of both sides does not move the guard."""
    found = said(ground([one("shadow", "s", T, errors_both=5_000, errors_none=5)], SHADOW), "errors")
    assert found is not None
    assert 0.0 == found.progress


def test_errors_of_legacy_alone() -> None:
    """They speak for unified, and are told; where nobody failed there is nothing to tell but that."""
    worse = said(ground([one("shadow", "s", T, errors_legacy=40, errors_none=5)], SHADOW), "errors")
    calm = said(ground([one("shadow", "s", T, errors_none=5)], SHADOW), "errors")
    assert worse is not None
    assert calm is not None
    assert ("0 of 40 errors were unified's, 20.0 by its share", 0.0) == (worse.why, worse.progress)
    assert ("0 of 0 errors were unified's, 0.0 by its share", 0.0) == (calm.why, calm.progress)
    assert said(ground([one("shadow", "s", T, calls=5)], SHADOW), "errors") is None


def test_errors_in_rampdown_go_by_units() -> None:
    """Where only one side runs, failed units of the advanced stage are held against those of the stage before it, by the share."""
    slices = [
        one("rampdown", "r", T + 600, calls=500, unit_errors=60),
        one("live", "r", T + 600, calls=500, unit_errors=3),
    ]
    found = said(ground(slices, RAMPDOWN), "unit_errors")
    assert found is not None
    assert found.tripped
    assert "60 of 63 failed units were unified's, 31.5 by its share" in found.why


def test_slow_by_units_above_legacys_line() -> None:
    """The line is legacy's own percentile before the step; only units above it count, by the plan's share."""
    slices = [one("live", "l", T + 600, slow=40, fast=500), one("shadow", "l", T + 600, slow=2, fast=500)]
    found = said(ground(slices, SHADOW, LIVE, sums=[legacy("s")]), "slow_p99")
    assert found is not None
    assert (True, OnTrip.ROLLBACK) == (found.tripped, found.on_trip)
    assert "40 of 42 units slower than 10" in found.why


def test_microseconds_take_no_phase_back() -> None:
    """Where legacy is fast, what is slower than its percentile and yet within the floor is not slow."""
    slices = [one("live", "l", T + 600, slow=40, fast=500), one("shadow", "l", T + 600, slow=2, fast=500)]
    plain = ground(slices, SHADOW, LIVE, sums=[legacy("s")])
    guards = replace(plain.policy.guards, slow_p99=replace(plain.policy.guards.slow_p99, floor_s=2.0))
    found = said(replace(plain, policy=replace(plain.policy, guards=guards)), "slow_p99")
    assert found is not None
    assert (False, 0.0) == (found.tripped, found.progress)


def test_no_line_no_verdict() -> None:
    """With too few answers of legacy before the step nobody knows what slow is; those of the step itself do not tell."""
    slices = [one("live", "l", T + 600, slow=40)]
    few = ground(slices, SHADOW, LIVE, sums=[legacy("s", calls=900)])
    later = ground(slices, SHADOW, LIVE, sums=[legacy("l", at_s=T + 600)])
    assert said(few, "slow_p99") is None
    assert said(later, "slow_p99") is None


def test_line_outlives_a_new_version() -> None:
    """What legacy took before does not depend on what unified is now."""
    slices = [one("live", "l", T + 600, slow=40, version="new")]
    assert said(ground(slices, SHADOW, LIVE, sums=[legacy("s")]), "slow_p99") is not None


def test_mismatch() -> None:
    """Mismatches are counted against everything that was compared, less empty answers and what a rule took."""
    found = said(ground([one("shadow", "s", T, matched=980, empty=80, ignored=500, mismatched=20)], SHADOW), "mismatch")
    assert found is not None
    assert found.tripped
    assert "20 of 920 comparisons" in found.why


FAILING = {"errors_none": 290, "matched": 290, "errors_unified": 10, "mismatched": 10}


def tripped(found: Ground) -> list[str]:
    """Return the guards that tripped, the one that says most first."""
    return [verdict.guard for verdict in verdicts(found) if verdict.tripped]


def test_failures_of_unified_alone_are_a_matter_of_errors() -> None:
    """They are mismatches, of which few are tolerated: where they alone would trip that guard both trip, and errors says why."""
    found = ground([one("live", "l", T + 600, **FAILING)], SHADOW, LIVE)

    assert ["errors", "mismatch"] == tripped(found)
    failed = said(found, "errors")
    assert failed is not None
    assert "unified alone failed 10 of 300 calls, limit 0.001" == failed.why


def test_other_mismatches_are_none_of_errors() -> None:
    """Wrong answers trip the mismatch guard only, whatever else failed on both sides; a failure that was not compared is no mismatch."""
    wrong = one("live", "l", T + 600, matched=285, mismatched=15, errors_none=285, errors_both=15)
    raced = one("live", "l", T + 660, matched=285, errors_none=285, errors_unified=8)

    assert ["mismatch"] == tripped(ground([wrong], SHADOW, LIVE))
    assert [] == tripped(ground([raced], SHADOW, LIVE))


@pytest.mark.parametrize("action", ["errors", "mismatch"])
def test_failures_go_by_the_action_of_either_guard(action: str) -> None:
    """Where a policy has another action for one of the two, errors goes by its pairs alone: nobody is taken back by what may only hold."""
    guards = PhasePolicy().guards
    softer = replace(guards, **{action: replace(getattr(guards, action), on_trip=OnTrip.HOLD)})
    found = replace(ground([one("live", "l", T + 600, **FAILING)], SHADOW, LIVE), policy=PhasePolicy(guards=softer))

    assert ["mismatch"] == tripped(found)


@pytest.mark.parametrize("seed", range(5))
def test_errors_never_trips_by_failures_without_mismatch(seed: int) -> None:
    """Whatever the minutes and the bets on them, failures alone are never further than all mismatches: no false alarm is added."""
    chance = random.Random(seed)
    slices = []
    for minute in range(200):
        failed, wrong = (chance.choice((0, 0, 0, 1, 3)) for _ in range(2))
        slices.append(
            one("live", "l", T + 600 + 60 * minute, matched=chance.randrange(400), mismatched=failed + wrong, errors_unified=failed)
        )  # fmt: skip
        found = ground(slices, SHADOW, LIVE)
        failed_alone, every = said(found, "errors"), said(found, "mismatch")
        assert failed_alone is None or "alone" not in failed_alone.why or (every is not None and every.tripped)


def test_share_of_units() -> None:
    """A stage that gets more units than planned asks to hold; without units nothing is said."""
    slices = [one("live", "l", T + 600, units=700), one("shadow", "l", T + 600, units=300)]
    found = said(ground(slices, SHADOW, LIVE), "share")
    assert found is not None
    assert (True, OnTrip.HOLD) == (found.tripped, found.on_trip)
    assert said(ground([one("live", "l", T + 600, calls=700)], SHADOW, LIVE), "share") is None


def test_share_across_processes() -> None:
    """A key that eight processes serve is counted eight times on one side: what it proves is an eighth."""
    slices = [one("live", "l", T + 600, units=1_200), one("shadow", "l", T + 600, units=800)]
    alone = ground(slices, SHADOW, LIVE)
    among = replace(alone, processes=8)
    assert [True, False] == [(said(each, "share") or verdicts(each)[0]).tripped for each in (alone, among)]


def test_budget_wants_both_sides() -> None:
    """When both sides fail nobody should move anything; when one does it is another guard's matter."""
    both = ground([one("shadow", "s", T + 840, errors_both=40, errors_none=160)], SHADOW)
    only = ground([one("shadow", "s", T + 840, errors_unified=40, errors_none=160)], SHADOW)
    old = ground([one("shadow", "s", T, errors_both=40, errors_none=160)], SHADOW)
    assert (said(both, "budget") or verdicts(both)[0]).tripped
    assert not (said(only, "budget") or verdicts(both)[0]).tripped
    assert said(old, "budget") is None


def test_trip_inside_a_process() -> None:
    """A process that went back by itself asks for the flag to follow, as low as it went."""
    trip = Trip("cache", "types", "get", "watchdog", "live", "off", "has not returned", T + 700)
    found = said(ground([], SHADOW, LIVE, trips=[trip]), "watchdog")
    assert found is not None
    assert (True, "types.get", Stage.OFF) == (found.tripped, found.operation, found.to)


def test_a_guard_that_raises() -> None:
    """It is reported as such, by class only, and the others go on."""

    def broken(ground: Ground, track: object) -> GuardVerdict | None:
        raise ZeroDivisionError("a secret")

    found = verdicts(
        ground([one("shadow", "s", T, errors_unified=30, errors_none=30)], SHADOW),
        of_track={"broken": broken, **OF_TRACK},
    )

    assert ["broken", "errors"] == [verdict.guard for verdict in found][:2]
    assert "raised ZeroDivisionError: the phase holds" == found[0].problem
    assert found[1].tripped


def test_versions_apart() -> None:
    """A new version begins anew; the one before is not looked at once it is no longer counted, and is named while it is."""
    bad, good = (
        one("shadow", "s", T, version="old", errors_unified=30),
        one("shadow", "s", T + 600, version="new", errors_none=50),
    )
    now = ground([bad, good], SHADOW)
    side_by_side = ground([bad, one("shadow", "s", T + 60, version="new", errors_none=50)], SHADOW)
    assert not any(verdict.tripped for verdict in verdicts(now))
    assert ((), ("types",)) == (now.tracks.mixed, side_by_side.tracks.mixed)
    assert any(verdict.tripped for verdict in verdicts(side_by_side))


def test_a_late_onset_is_found() -> None:
    """New bets are laid at each step and each hour, so that healthy days do not hide what begins now."""
    healthy = [
        one("shadow", "s", T + 3_600 * hour, calls=50_000, errors_legacy=200, errors_unified=200) for hour in range(10)
    ]
    bad = one("shadow", "s", T + 36_000, calls=2_000, errors_unified=120, errors_legacy=15)
    found = said(ground([*healthy, bad], SHADOW), "errors")
    assert found is not None
    assert found.tripped


def test_since() -> None:
    """A minute that began before the counts begin anew is left out, and so is what is older."""
    slices = [
        one("shadow", "s", T, matched=1),
        one("shadow", "s", T + 60, matched=2),
        one("shadow", "s", T + 120, matched=4),
    ]
    tracks: Tracks = tracks_of(slices, [], (SHADOW,), since_s=T + 60)
    assert [6] == [track.counts["matched"] for track in tracks.tracks]
