"""Missing data means hold, and each clause says what is missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from oms.rollout.guard import verdicts
from oms.rollout.guard.counts import Loss
from oms.rollout.guard.orders import pause
from oms.rollout.guard.policy_file import Policy
from oms.rollout.guard.ramp import Action
from oms.seams import PHASES
from tests.unit.rollout.guard.world import CACHE, POLICY, World, clean_step, edited, frozen
from tests.unit.rollout.room import ANA


def losing(world: World) -> None:
    """Lose counts."""
    world.losses.append(Loss(11, world.now_s, 7, "disk full"))


def stepping_back(world: World) -> None:
    """Count in the future."""
    world.count("live", calls=300, at_s=world.now_s + 600)


def expired(world: World) -> None:
    """Let the policy expire."""
    world.policy = replace(POLICY, expires=dt.date(2000, 1, 1))


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        (losing, "7 counts were lost (disk full)"),
        (stepping_back, "the clock is behind what was counted"),
        (edited, "the policy was changed in the middle of this step"),
        (expired, "the policy expired on 2000-01-01; ana has to renew it"),
        (frozen, "all phases are frozen by ana"),
        (lambda world: pause(world.board, world.latches, CACHE, ANA), "it is paused by ana"),
        (lambda world: setattr(world, "pids", ()), "no running process follows it"),
        (lambda world: setattr(world, "silent_for_s", 30.0), "pid 11 is silent"),
        (lambda world: setattr(world, "unheard", (12,)), "pid 12 wrote to the journal never"),
        (lambda world: setattr(world, "journal_problem", "journal.db: gone"), "journal.db: gone"),
        (lambda world: setattr(world, "standing", {"digest": "other"}), "pid 11 still serves other"),
        (lambda world: world.count("live", calls=5, version="v2"), "types is served in more than one version"),
        (lambda world: world.latches.path.write_text("{"), "wanted the latches of oms guard"),
        (lambda world: world.count("live", calls=12, errors_unified=12), "guard errors types.get is at"),
    ],
)
def test_holds(live: World, happens: Callable[[World], object], says: str) -> None:
    """A step that is clean and complete holds when something is missing, and says what; without that it goes on."""
    live.look()
    clean_step(live)
    happens(live)

    found = live.look()

    assert Action.HOLD is found.assessment.next.action
    assert [hold for hold in found.assessment.next.holds if says in hold], found.assessment.next.holds
    assert found.assessment.next.wait_s is None
    assert "live=5" == live.stands


def test_without_any_of_that(live: World) -> None:
    """The step of the test above goes on when nothing is missing."""
    clean_step(live)
    live.look()
    assert "live=50" == live.stands


def test_a_guard_that_raises_holds(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that raises holds the phase and stops neither the other guards nor a rollback by them."""

    def broken(*_: object) -> None:
        raise ValueError("what it saw")

    monkeypatch.setattr(verdicts, "OF_TRACK", {"broken": broken, **verdicts.OF_TRACK})
    clean_step(live)
    assert ("guard broken types.get raised ValueError: the phase holds",) == live.look().assessment.next.holds
    live.count("live", calls=300, errors_unified=40)
    live.look()
    assert "shadow" == live.stands


def test_a_clock_that_was_set(live: World) -> None:
    """A clock that jumps holds, and begins the time of the step anew: nobody gains ten minutes by it."""
    steady_s = 0.0
    controller = live.controller(steady=lambda: steady_s)
    live.look(controller)
    clean_step(live)
    live.now_s += 3_540

    found = live.look(controller)

    assert "the clock was set by +3600 s" in found.assessment.next.holds
    steady_s += 10
    live.now_s += 10
    assert ("50 s to go",) == live.look(controller).assessment.next.holds


def test_losses_are_over_some_time(live: World) -> None:
    """A loss holds for the time of the step, not for ever."""
    clean_step(live)
    live.losses.append(Loss(11, live.now_s, 7, "disk full"))
    live.now_s += 61
    live.look()
    assert "live=50" == live.stands


def test_one_phase_does_not_stop_another(world: World) -> None:
    """What goes wrong with one phase is told, and the others are looked at."""
    world.clean("shadow", 1_000)
    good = world.policies()
    world.sources = replace(
        world.sources, policy=lambda: Policy(None, {name: one for name, one in good.phases.items() if name != "config"})
    )

    look = world.controller().look([PHASES["config"], CACHE])

    assert (("config", "KeyError: 'config'"),) == look.failed
    assert "live=5" == world.stands
