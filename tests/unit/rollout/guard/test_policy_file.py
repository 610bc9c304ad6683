"""The policy's file: what it means, and each mistake on one line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from oms.rollout.guard.policy import OnTrip, PhasePolicy
from oms.rollout.guard.policy_file import check_policy, read_policy
from oms.seams import PHASES
from tests.architecture.sources import ROOT

GOOD = '[default]\nowner = "ana"\nexpires = 2030-01-01\n'
DAY = dt.date(2029, 1, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes its policy."""
    return tmp_path / "rollout.toml"


def test_our_own_file() -> None:
    """The file in flags/ is good, and says what the defaults are."""
    ours = ROOT / "flags" / "rollout.toml"

    policy = read_policy(ours, PHASES)

    assert [] == check_policy(ours, PHASES, today=dt.date(2026, 1, 1))
    found = policy.phases["cache"].policy
    assert PhasePolicy(owner=found.owner, expires=found.expires) == found


def test_rehearsal_profile() -> None:
    """The profile of the rehearsal asks for 1e-2, no ages, and no cap per request."""
    found = read_policy(ROOT / "flags" / "rollout.toml", PHASES, profile="rehearsal").phases["config"].policy

    assert (1e-2, 0.0, False, False) == (
        found.ready.limit,
        found.ready.min_age_s,
        found.cap_per_request,
        found.unseen_holds,
    )
    assert {0.0} == {step.min_time_s for step in found.steps}


def test_later_tables_win(path: Path) -> None:
    """A phase changes the default, a profile both, key by key; the rest stays."""
    path.write_text(
        GOOD
        + '[default.guards.errors]\nmargin = 1.5\nmin_bad = 7\n[cache.guards.errors]\nmargin = 2.0\non_trip = "pause"\n'
        "[profile.fast.guards.errors]\nmargin = 3.0\n"
    )

    plain, fast = read_policy(path, PHASES), read_policy(path, PHASES, profile="fast")

    errors = plain.phases["cache"].policy.guards.errors
    assert (2.0, 7, OnTrip.PAUSE) == (errors.margin, errors.min_bad, errors.on_trip)
    assert 1.5 == plain.phases["config"].policy.guards.errors.margin
    assert (3.0, 7) == (
        fast.phases["cache"].policy.guards.errors.margin,
        fast.phases["cache"].policy.guards.errors.min_bad,
    )


def test_a_profile_of_one_phase(path: Path) -> None:
    """What a profile says of one phase changes what it says of all, and no other phase; a mistake there is that phase's alone."""
    path.write_text(
        GOOD + "[profile.fast.ready]\nlimit = 0.1\nconfidence = 0.9\n[profile.fast.cache.ready]\nlimit = 0.2\n"
        "[profile.fast.config]\nreedy = 1\n"
    )

    fast = read_policy(path, PHASES, profile="fast")

    assert (0.2, 0.9) == (fast.phases["cache"].policy.ready.limit, fast.phases["cache"].policy.ready.confidence)
    assert 0.1 == fast.phases["security"].policy.ready.limit
    assert "profile.fast.config.reedy: found a key that nobody reads" in fast.phases["config"].problem
    assert ["config"] == [name for name, standing in fast.phases.items() if standing.problem]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[default]\nexpires = 2030-01-01", "owner: found nothing, wanted a name"),
        ('[default]\nowner = "ana"', "expires: found nothing, wanted a day"),
        ('[default]\nowner = ""\nexpires = 2030-01-01', "default.owner: found '', wanted a name"),
        (GOOD + "[default.live]\nsteps = [5, 5]\nmin_time = ['0s', '0s']\nmin_calls = [1, 1]", "steps that do not grow"),
        (GOOD + "[default.live]\nsteps = [50, 5, 60, 70, 80]", "default.live.steps: found steps that do not grow"),
        (GOOD + "[default.live]\nsteps = [5, 101]", "default.live.steps: found [5, 101], wanted shares above 0, at most 100"),
        (GOOD + "[default.live]\nsteps = [0.001]", "default.live.steps: found [0.001]"),
        (GOOD + "[default.live]\nsteps = []", "default.live.steps: found []"),
        (GOOD + "[default.live]\nsteps = [5]", "default.live.min_time: found 5 entries, wanted 1"),
        (GOOD + "[default.live]\nmin_time = ['-5m']", "default.live.min_time: found ['-5m'], wanted a list, each a duration"),
        (GOOD + "[default.live]\nmin_calls = [0]", "wanted a list of whole numbers of at least 1"),
        (GOOD + "[default.guards]\nalpha = 1.0", "default.guards.alpha: found 1.0, wanted a number above 0 and below 1"),
        (GOOD + "[default.guards]\nalpha = true", "default.guards.alpha: found True"),
        (GOOD + "[default.guards]\nalpha = nan", "default.guards.alpha: found nan"),
        (GOOD + "[default.guards.errors]\nmargin = 0.9", "default.guards.errors.margin: found 0.9, wanted a number at least 1"),
        (GOOD + "[default.guards.errors]\non_trip = 'explode'", "default.guards.errors.on_trip: found 'explode', wanted one of rollback"),
        (GOOD + "[default.guards.error]\nmargin = 2", "default.guards.error: found a key that nobody reads"),
        (GOOD + "[default.guards.error]\nmargin = 2", "did you mean errors?"),
        (GOOD + "[default.ready]\nmin_age = 3", "default.ready.min_age: found 3, wanted a duration"),
        (GOOD + "[default.ready]\nwaive = ['clear']", "default.ready.waive: found ['clear'], wanted a list of operations"),
        (GOOD + "[default.ready]\nunseen = 'ignore'", "default.ready.unseen: found 'ignore', wanted hold or list"),
        (GOOD + "[cach]\nowner = 'bo'", "cach: found a key that nobody reads"),
        (GOOD + "[cach]\nowner = 'bo'", "did you mean cache?"),
        ("cache = 3\n" + GOOD, "cache: found 3, wanted a table, [cache]"),
        (GOOD + "[default]", "found no TOML"),
        (GOOD + "[profile.fast]\nalfa = 1", "profile.fast.alfa: found a key that nobody reads"),
    ],
)  # fmt: skip
def test_mistakes(path: Path, text: str, says: str) -> None:
    """Every mistake is one line: file, place, found, wanted, mend; and no phase goes by such a policy."""
    path.write_text(text)

    found = check_policy(path, PHASES, today=DAY)

    assert [line for line in found if says in line], found
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in found)
    if "[profile" not in text:
        assert read_policy(path, PHASES).of("cache", today=DAY).problem


def test_a_mistake_in_one_phase(path: Path) -> None:
    """What is wrong with one phase holds that one alone, and its guards go on with the defaults."""
    path.write_text(GOOD + "[cache.guards]\nalpha = 2\n[default.ready]\nlimit = 0.5\n")

    policy = read_policy(path, PHASES)

    assert "cache.guards.alpha" in policy.of("cache", today=DAY).problem
    assert PhasePolicy() == policy.of("cache", today=DAY).policy
    assert ("", 0.5) == (policy.of("config", today=DAY).problem, policy.phases["config"].policy.ready.limit)


def test_expired(path: Path) -> None:
    """A policy is good on its last day, and holds the day after, by name."""
    path.write_text(GOOD)
    policy = read_policy(path, PHASES)

    assert not policy.of("cache", today=dt.date(2030, 1, 1)).problem
    assert "expired on 2030-01-01; ana" in policy.of("cache", today=dt.date(2030, 1, 2)).problem
    assert len(PHASES) == len(check_policy(path, PHASES, today=dt.date(2030, 1, 2)))


def test_no_file_and_no_profile(path: Path) -> None:
    """Without a file, and with a profile that it does not have, every phase holds and says why."""
    assert "found no file" in read_policy(path, PHASES).of("cache", today=DAY).problem
    path.write_text(GOOD + "[profile.fast]\n")
    assert "wanted one of fast" in read_policy(path, PHASES, profile="slow").of("cache", today=DAY).problem


def test_nested_deeper_than_anybody_reads(path: Path) -> None:
    """Such a file is a mistake like others: nothing is promoted by it, and nobody falls over it."""
    path.write_text(GOOD + "a = " + "[" * 5_000 + "]" * 5_000)

    standing = read_policy(path, PHASES, profile="rehearsal").phases["cache"]

    assert (PhasePolicy(), True) == (standing.policy, "found no TOML" in standing.problem)
    assert 1 == len(check_policy(path, PHASES, today=dt.date(2026, 1, 1)))


def test_digest_is_of_the_meaning(path: Path) -> None:
    """Comments and another phase's table leave a phase's digest as it is; a margin does not."""
    path.write_text(GOOD)
    before = read_policy(path, PHASES).phases["cache"].policy.digest
    path.write_text("# later\n" + GOOD + "[config.ready]\nlimit = 0.1\n")
    assert before == read_policy(path, PHASES).phases["cache"].policy.digest
    path.write_text(GOOD + "[cache.guards.errors]\nmargin = 1.3\n")
    assert before != read_policy(path, PHASES).phases["cache"].policy.digest
