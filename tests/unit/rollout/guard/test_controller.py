"""The controller: forward when everything is clean, back at once, and never on missing data."""

from __future__ import annotations

from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.rollout.guard.ramp import Action
from tests.unit.rollout.guard.world import World

CANARY = Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500)))


def test_shadow_to_live(world: World) -> None:
    """A phase whose operations are READY goes from shadow to the first step, by name, with a reason in the audit."""
    world.clean("shadow", 1_000)

    found = world.look()

    assert "live=5" == world.stands
    assert found.done.startswith("shadow -> live=5")
    last = world.audit.read().last_done("cache")
    assert last is not None
    assert ("oms guard", False) == (last.flip.who, last.flip.forced)


def test_step_needs_time_and_calls(world: World) -> None:
    """A step needs its time and its calls; what is missing is said with a date."""
    world.clean("shadow", 1_000)
    controller = world.controller()
    world.look(controller)
    world.now_s += 30

    world.clean("live", 150)
    found = world.look(controller)
    assert ("50 calls to go", "30 s to go") == found.assessment.next.holds
    assert 30 == found.assessment.next.wait_s

    world.now_s += 30
    world.clean("live", 100)
    world.look(controller)
    assert "live=50" == world.stands


def test_errors_take_it_back(world: World) -> None:
    """When unified fails more often the phase goes live > shadow at once, latched before anything else is done."""
    world.clean("shadow", 2_000)
    controller = world.controller()
    world.look(controller)
    world.count("live", calls=300, errors_none=270, errors_unified=30)

    found = world.look(controller)

    assert "shadow" == world.stands
    assert Action.ROLLBACK is found.assessment.next.action
    tripped = world.latches.read().of("cache").tripped
    assert tripped is not None
    assert ("errors", "types.get", "v1", "live=5", "shadow", 300, True) == (
        tripped.guard, tripped.operation, tripped.version, tripped.before, tripped.to, tripped.calls, tripped.done,
    )  # fmt: skip
