"""Forward: one step at a time, when everything is clean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.rollout.guard.ramp import Action
from tests.unit.rollout.guard.world import POLICY, World, clean_step

CANARY = Split(((Stage.LIVE, 500), (Stage.SHADOW, 9_500)))


def test_shadow_to_live(world: World) -> None:
    """A phase whose operations are READY goes from shadow to the first step, by name, with a reason in the audit."""
    world.clean("shadow", 1_000)

    found = world.look()

    assert "live=5" == world.stands
    assert found.done.startswith("shadow -> live=5")
    last = world.audit.read().last_done("cache")
    assert last is not None
    assert ("oms guard", False) == (last.flip.who, last.flip.forced)


def test_step_needs_time_and_calls(live: World) -> None:
    """A step needs its time and its calls; what is missing is said with a date."""
    live.now_s += 30
    live.clean("live", 150)
    found = live.look()
    assert ("50 calls to go", "30 s to go") == found.assessment.next.holds
    assert 30 == found.assessment.next.wait_s

    live.now_s += 30
    live.clean("live", 100)
    live.look()
    assert "live=50" == live.stands


def test_calls_of_legacy_do_not_count(live: World) -> None:
    """What the rest answered, and what was answered in an earlier step, is not a call of the step."""
    live.now_s += 60
    live.clean("shadow", 5_000)

    assert ("200 calls to go",) == live.look().assessment.next.holds


def test_after_the_last_step(live: World) -> None:
    """Beyond the last step of the policy somebody moves the phase by hand; guards go on."""
    live.stand(Split(((Stage.LIVE, 5_000), (Stage.SHADOW, 5_000))))
    clean_step(live)
    assert Action.BY_HAND is live.look().assessment.next.action

    live.count("live", calls=300, errors_unified=40)
    live.look()
    assert "shadow" == live.stands


@pytest.mark.parametrize("stage", [Stage.OFF, Stage.DUALWRITE, Stage.RAMPDOWN, Stage.COMPLETE])
def test_what_the_policy_does_not_know(world: World, stage: Stage) -> None:
    """The controller moves nothing on from stages that the policy has no steps for."""
    world.stand(stage)
    world.clean(stage.value, 10_000)

    assert Action.BY_HAND is world.look().assessment.next.action
    assert stage.value == world.stands


def test_only_watching(world: World) -> None:
    """Without promotion it says what it would do, and takes back all the same."""
    world.clean("shadow", 1_000)
    found = world.look(world.controller(promote=False))
    assert (Action.PROMOTE, "shadow") == (found.assessment.next.action, world.stands)

    world.stand(CANARY)
    world.count("live", calls=300, errors_unified=40)
    world.look(world.controller(promote=False))
    assert "shadow" == world.stands


def test_not_ready(world: World) -> None:
    """Shadow needs proof for each operation: the worst of them is told, and so is one that nobody called."""
    world.clean("shadow", 1_000)
    world.count("shadow", operation="set", calls=50, shadowed=50, matched=50)
    world.policy = replace(POLICY, unseen_holds=True)
    world.sources = replace(world.sources, operations=lambda phase: ["types.get", "types.delete"])

    holds = world.look().assessment.next.holds

    assert ["cache.types.delete", "cache.types.set"] == [hold.partition(":")[0] for hold in holds]
    assert "never seen" in holds[0]
    world.policy = replace(world.policy, waived=("types.delete", "types.set"))
    world.latches.change("cache", lambda latch: replace(latch, step=None))
    world.look()
    assert "live=5" == world.stands


def test_what_diverges_with_the_present_version(world: World) -> None:
    """A NO says what differs with the version that is served; what an older one did is not blamed on it."""
    world.diverging = {
        ("types.get", "v0"): {"type at mended": 90},
        ("types.get", "v1"): {"value at price": 40},
        ("types.set", "v1"): {"value at other": 70},
    }
    world.count("shadow", calls=100, shadowed=100, matched=60, mismatched=40)

    readiness = world.look().assessment.readiness
    assert readiness is not None
    assert readiness.operations[0].sentence.endswith("NO, value at price (40)")


def test_repeated_requests(world: World) -> None:
    """A request that counted already is no evidence, unless the policy has no cap."""
    world.clean("shadow", 1_000, repeated=900)
    world.policy = replace(POLICY, cap_per_request=True)
    assert Action.HOLD is world.look().assessment.next.action

    world.latches.change("cache", lambda latch: replace(latch, step=None))
    world.policy = replace(POLICY, cap_per_request=False)
    world.look()
    assert "live=5" == world.stands
