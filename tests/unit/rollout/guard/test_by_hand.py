"""What people do beside the controller: flips, resumes, freezes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from oms.domain.errors import FlipRefused
from oms.domain.split import parse_wish
from oms.rollout.flip import flip
from oms.rollout.guard.latches import Order, PhaseLatch, StepMark
from oms.rollout.guard.orders import pause, resume
from oms.rollout.guard.policy_file import Policy, Standing
from oms.rollout.guard.ramp import Action
from oms.rollout.rollback import rollback
from oms.rollout.switchboard import Mandate
from tests.unit.rollout.guard.test_latches import TRIPPED
from tests.unit.rollout.guard.world import CACHE, POLICY, World, clean_step, edited, frozen
from tests.unit.rollout.room import ANA


def test_flip_by_hand(live: World) -> None:
    """Towards unified a tripped phase is moved with force only, which the audit keeps; back always."""
    live.count("live", calls=300, errors_unified=30)
    live.look()
    wish = parse_wish("live=5", writes=True)

    with pytest.raises(FlipRefused, match="it is tripped"):
        flip(live.board, CACHE, wish, ANA, wait_s=0)
    live.now_s += 120
    flip(live.board, CACHE, wish, replace(ANA, force=True), wait_s=0)
    last = live.audit.read().last_done("cache")
    assert last is not None
    assert ("live=5", True) == (live.stands, last.flip.forced)

    # The old errors do not take it back again, new ones do.
    live.now_s += 60
    assert "" == live.look().done
    live.count("live", calls=300, errors_unified=30)
    live.look()
    assert "shadow" == live.stands
    rollback(live.board, CACHE, ANA, wait_s=0)
    assert "dualwrite" == live.stands


def test_mandate_is_asked_under_the_lock(live: World) -> None:
    """The fence is the last thing before the flag is written, forward and back."""
    held: list[bool] = []

    def fence() -> None:
        held.append(live.board.lock.exists())
        raise FlipRefused("over")

    mandate = Mandate(who="oms guard", why="a test", fence=fence)
    for move in (
        lambda: flip(live.board, CACHE, parse_wish("live=50", writes=True), mandate, wait_s=0),
        lambda: rollback(live.board, CACHE, mandate, wait_s=0),
    ):
        with pytest.raises(FlipRefused, match="over"):
            move()
    assert ([True, True], "live=5") == (held, live.stands)


def test_resume_wants_another_version(live: World) -> None:
    """What tripped must not be served any more, unless somebody says that it may."""
    live.count("live", calls=300, errors_unified=30)
    live.look()

    with pytest.raises(FlipRefused, match="still v1, wanted another version"):
        resume(live.sources, CACHE, ANA)
    live.now_s += 120
    live.count("shadow", calls=5, version="v2")
    assert "resumed (tripped by errors types.get)" == resume(live.sources, CACHE, ANA).text

    latch = live.latches.read().of("cache")
    assert (None, live.now_s) == (latch.tripped, latch.since_s)
    assert "neither tripped nor paused, nothing changed" == resume(live.sources, CACHE, ANA).text


def test_resume_the_same_version(live: World) -> None:
    """Then evidence begins anew: what was counted before neither takes the phase back nor moves it on."""
    live.count("live", calls=300, errors_unified=30)
    live.look()
    resume(live.sources, CACHE, ANA, same_version=True)

    found = live.look()

    assert ("shadow", ("nothing was compared yet",)) == (live.stands, found.assessment.next.holds)
    live.now_s += 60
    live.clean("shadow", 1_000)
    live.look()
    assert "live=5" == live.stands


def test_resume_when_nobody_knows_the_version(live: World) -> None:
    """Nothing counted means that nobody knows what is served."""
    live.count("live", calls=300, errors_unified=30)
    live.look()
    live.slices.clear()

    with pytest.raises(FlipRefused, match="is not known"):
        resume(live.sources, CACHE, ANA)


def test_resume_accepts_a_changed_policy(live: World) -> None:
    """A step goes on by a policy that was changed in its middle once somebody has said so."""
    live.look()
    clean_step(live)
    edited(live)
    assert Action.HOLD is live.look().assessment.next.action

    assert "resumed (the policy was changed)" == resume(live.sources, CACHE, ANA).text

    live.look()
    assert "live=50" == live.stands


def test_resumed_while_it_trips(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trip that nobody had seen who resumed a pause stands: it is not swept away unread."""
    pause(live.board, live.latches, CACHE, ANA)
    change = live.latches.change

    def tripping(phase: str, by: Callable[[PhaseLatch], PhaseLatch]) -> PhaseLatch:
        change(phase, lambda latch: replace(latch, tripped=TRIPPED))
        return change(phase, by)

    monkeypatch.setattr(live.latches, "change", tripping)

    with pytest.raises(FlipRefused, match="'cache' has tripped meanwhile by errors"):
        resume(live.sources, CACHE, ANA)
    assert (TRIPPED, True) == (
        live.latches.read().of("cache").tripped,
        live.latches.read().of("cache").paused is not None,
    )


def test_resume_over_broken_latches(live: World) -> None:
    """Somebody who resumes a phase has seen that the latches are broken: they are written anew."""
    live.latches.path.write_text("{")

    assert "written anew" in resume(live.sources, CACHE, ANA).text
    assert live.latches.read().of("cache").tripped is None


def test_the_mark_outlives_the_controller(live: World) -> None:
    """The policy that a step began with is kept, so that another controller sees that it was changed meanwhile."""
    live.look()

    assert StepMark(plan=live.flags.read("cache").digest, policy=POLICY.digest) == live.latches.read().of("cache").step
    edited(live)
    assert "the policy was changed" in " ".join(live.look(live.controller()).assessment.next.holds)


def test_freeze_has_an_end(world: World) -> None:
    """When its time is over a freeze holds nothing."""
    world.clean("shadow", 1_000)
    frozen(world)
    world.look()
    assert "shadow" == world.stands

    world.now_s += 60
    world.look()
    assert "live=5" == world.stands


def test_order_text() -> None:
    """An order says who, since when, until when and why."""
    order = Order(who="ana", why="lunch", at_s=0.0, until_s=3_600.0)
    assert "by ana since 1970-01-01 00:00:00Z until 1970-01-01 01:00:00Z: lunch" == order.text


def test_policy_that_is_missing(live: World) -> None:
    """Without a policy nothing is moved on, and the built-in guards take back all the same."""
    live.sources = replace(live.sources, policy=lambda: Policy(None, {"cache": Standing(POLICY, "no policy")}))
    clean_step(live)
    assert "no policy" in live.look().assessment.next.holds
    live.count("live", calls=300, errors_unified=40)
    live.look()
    assert "shadow" == live.stands
