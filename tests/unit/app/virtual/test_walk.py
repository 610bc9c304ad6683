"""Whole walks in virtual time: nothing is taken back without a reason, and everything that has one is."""

from __future__ import annotations

from pathlib import Path

import pytest

from oms.app.injection import Faults, parse_faults
from oms.app.virtual.seeds import line_of, object_of, walk_one
from oms.app.virtual.walk import SeedResult
from oms.rollout.guard.latches import Tripped

FLAGS = Path(__file__).resolve().parents[4] / "flags"
LADDER = ["dualwrite", "shadow", "live=1", "live=5", "live=25", "live=50", "live=95"]


def walk(faults: str, seed: int = 1) -> SeedResult:
    """Walk one seed."""
    return walk_one(seed, faults=parse_faults(faults), flags=FLAGS)


def test_the_whole_ladder() -> None:
    """With nothing wrong the controller moves the phase from shadow to the top, step by step, and no call is lost by it."""
    result = walk("none")

    assert (LADDER, None, True, 0) == (result.steps, result.tripped, result.is_good, result.caller_errors)
    assert result.calls > 10_000


def test_the_same_seed_is_the_same_day() -> None:
    """A seed comes out the same each time, call by call."""
    assert walk("wrong-value=2%", seed=4) == walk("wrong-value=2%", seed=4)


@pytest.mark.parametrize(
    ("faults", "guards", "calls"),
    [
        ("unified-errors=3%", {"errors"}, 2_000),
        ("wrong-value=1%", {"mismatch"}, 3_000),
        ("slow=3x", {"slow_p99", "slow_p90"}, 3_000),
        ("hang", {"slow_p99", "slow_p90"}, 1_000),
    ],
)
def test_faults_are_found(faults: str, guards: set[str], calls: int) -> None:
    """Each fault that begins at half of the traffic is taken back by a guard that is there for it; no caller sees it."""
    result = walk(faults)

    assert [*LADDER[:-1], "shadow"] == result.steps
    assert result.tripped is not None
    assert result.tripped.guard in guards
    assert ("live=50", "shadow", True) == (result.tripped.before, result.tripped.to, result.is_good)
    assert result.calls_to_trip is not None
    assert 0 < result.calls_to_trip < calls
    assert 0 == result.caller_errors


@pytest.mark.stress
@pytest.mark.timeout(600)
def test_twenty_seeds() -> None:
    """Twenty days with outages and drift: not one rollback."""
    results = [walk("none", seed) for seed in range(1, 21)]

    assert [] == [result.seed for result in results if not result.is_good]


def test_good_ends() -> None:
    """The top is a good end where nothing was injected, a rollback where something was, and nothing else is either."""
    tripped = Tripped(
        guard="errors", operation="types.get", version="v", why="w", at_s=1.0, before="live=50", to="shadow", done=True
    )
    fault = Faults(hang=True)

    assert SeedResult(1, Faults(), steps=["live=95"]).is_good
    assert not SeedResult(1, Faults(), steps=["live=50"]).is_good
    assert not SeedResult(1, Faults(), steps=["live=95"], tripped=tripped).is_good
    assert SeedResult(1, fault, steps=["shadow"], tripped=tripped).is_good
    assert not SeedResult(1, fault, steps=["live=95"]).is_good


def test_words_and_objects() -> None:
    """A row says where the phase stands and why; the object counts the rollbacks."""
    tripped = Tripped(
        guard="errors", operation="types.get", version="v", why="w", at_s=1.0, before="live=50", to="shadow", done=True
    )
    back = SeedResult(
        7, Faults(hang=True), calls=1_200, steps=["shadow"], tripped=tripped, calls_to_trip=120, trip_s=60.0, hours=1.5
    )
    held = SeedResult(8, Faults(), steps=["live=5"], holds=("no data",))
    found = object_of([back, held], Faults(hang=True), 1.0)

    assert (
        "     7    1,200    1.5  shadow     live=50 > shadow: errors types.get 120 calls after the injection"
        == line_of(back)
    )
    assert line_of(held).endswith("live=5     not at live=95: no data")
    assert (1, 1, "hang") == (found["schema"], found["rolled_back"], found["faults"])
    assert {
        "guard": "errors", "operation": "types.get", "from": "live=50", "to": "shadow", "calls_to_trip": 120, "seconds": 60.0,
    } == back.as_json()["trip"]  # fmt: skip
