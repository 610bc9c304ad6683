"""Missing data means hold, and each clause says what is missing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from oms.domain.errors import CouldNot
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.rollout.guard import verdicts
from oms.rollout.guard.controller import Controller
from oms.rollout.guard.counts import Loss
from oms.rollout.guard.orders import pause, resume
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


YEAR_S = 365 * 86_400.0


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
    live.look()
    clean_step(live)
    live.now_s += 3_600
    found = live.look(live.controller(steady=lambda: live.now_s - 3_600))

    assert "the clock was set by +3600 s" in found.assessment.next.holds
    live.now_s += 10
    assert ("50 s to go",) == live.look(live.controller(steady=lambda: live.now_s - 3_600)).assessment.next.holds


def test_a_clock_that_was_set_ages_no_evidence(world: World) -> None:
    """A clock that jumps four days ahead does not make a minute of evidence four days old, whichever controller looks then."""
    world.policy = replace(POLICY, ready=replace(POLICY.ready, min_age_s=3 * 86_400.0))
    world.clean("shadow", 2_000)
    world.look()
    world.now_s += 4 * 86_400

    def look() -> Sequence[str]:
        return world.look(world.controller(steady=lambda: world.now_s - 4 * 86_400)).assessment.next.holds

    assert "the clock was set by +345600 s" in look()
    world.now_s += 60
    assert ("cache.types.get: ~3 d more of age",) == look()
    world.now_s += 3 * 86_400
    look()
    assert "live=5" == world.stands


def test_a_clock_that_was_set_back(live: World) -> None:
    """The step that began in what is now to come has its time from then on, and does not wait until the clock is there again."""
    live.look()
    live.now_s -= 86_400

    def look() -> Sequence[str]:
        return live.look(live.controller(steady=lambda: live.now_s + 86_400)).assessment.next.holds

    assert "the clock was set by -86400 s" in look()
    live.slices.clear()
    live.now_s += 20
    live.clean("live", 300)
    assert ("40 s to go",) == look()
    live.now_s += 40
    look()
    assert "live=50" == live.stands


def test_a_clock_that_ran_ahead(live: World) -> None:
    """What a clock counted that was a year ahead holds until somebody resumes the phase; then it is left out, and the rest stands."""
    live.look()
    live.clean("live", 5, at_s=live.now_s + YEAR_S)
    clean_step(live)
    (hold,) = live.look().assessment.next.holds
    assert "the clock is behind what was counted (until 2028-01-15 08:00:00Z); oms resume cache leaves that out" == hold

    assert "resumed (counts until 2028-01-15 08:00:00Z left out)" == resume(live.sources, CACHE, ANA).text

    live.look()
    assert "live=50" == live.stands


def test_a_trip_by_a_clock_that_ran_ahead(live: World) -> None:
    """Bad counts of a year ahead take the phase back; once it is resumed they do so no more, not even when their flag is an earlier one."""
    live.clean("live", 300, at_s=live.now_s + YEAR_S)
    live.count("live", calls=300, errors_unified=30, at_s=live.now_s + YEAR_S)
    assert "errors types.get" in live.look().done

    resume(live.sources, CACHE, ANA, same_version=True)

    live.now_s += 120
    live.clean("shadow", 2_000)
    live.look()
    assert "live=5" == live.stands
    live.now_s += 60
    live.clean("live", 300)
    live.look()
    live.look()
    assert "live=50" == live.stands


def test_what_nobody_has_accepted(world: World) -> None:
    """A flip that would be refused for its divergences is not asked for at each look: that is one line of the audit a second."""
    config = PHASES["config"]
    world.flags.write("config", Split.whole(Stage.SHADOW), based_on=None)
    board = replace(world.board, unaccepted=lambda phase: [f"3 kinds of divergence in {phase}"])
    controller = Controller(replace(world.sources, board=board), wait_s=0.0, steady=lambda: world.now_s)

    (found,) = controller.look([config]).phases

    assert "3 kinds of divergence in config" in found.assessment.next.holds
    assert () == controller.look([CACHE]).phases[0].assessment.facts.unaccepted


def test_what_nobody_can_say_is_accepted(world: World) -> None:
    """Where that cannot be read the phase holds."""
    config = PHASES["config"]
    world.flags.write("config", Split.whole(Stage.SHADOW), based_on=None)

    def broken(phase: str) -> Sequence[str]:
        raise CouldNot("journal.db: damaged")

    controller = Controller(
        replace(world.sources, board=replace(world.board, unaccepted=broken)), wait_s=0.0, steady=lambda: world.now_s
    )
    assert "journal.db: damaged" in controller.look([config]).phases[0].assessment.next.holds


def test_targeting_by_hand(world: World) -> None:
    """Targeting that somebody wrote stays as it is, even where everybody stands in shadow by it."""
    world.clean("shadow", 2_000)
    path = world.flags.path("cache")
    flag = json.loads(path.read_bytes())
    flag["flags"]["phase.cache"]["targeting"] = {"if": [{"==": [{"var": "tier"}, "beta"]}, "shadow", "shadow"]}
    path.write_text(json.dumps(flag))

    found = world.look()

    assert (Action.BY_HAND, "") == (found.assessment.next.action, found.done)


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
