"""The controller: forward when everything is clean, back at once, and never on missing data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from oms.domain.errors import FlipRefused
from oms.domain.record import Trip
from oms.domain.split import Split, parse_wish
from oms.domain.stage import Stage
from oms.rollout.audit import AuditOutcome
from oms.rollout.flip import flip
from oms.rollout.guard import verdicts
from oms.rollout.guard.counts import Loss
from oms.rollout.guard.latches import Order, StepMark
from oms.rollout.guard.orders import freeze, pause, resume
from oms.rollout.guard.policy import OnTrip
from oms.rollout.guard.policy_file import Policy, Standing
from oms.rollout.guard.ramp import Action
from oms.rollout.rollback import rollback
from oms.rollout.switchboard import Mandate
from oms.seams import PHASES
from tests.unit.rollout.guard.world import CACHE, POLICY, World
from tests.unit.rollout.room import ANA

CANARY = Split(((Stage.LIVE, 500), (Stage.SHADOW, 9_500)))


@pytest.fixture
def live(world: World) -> World:
    """A world that the controller has just moved to live=5."""
    world.clean("shadow", 2_000)
    world.look()
    assert "live=5" == world.stands
    return world


def clean_step(world: World) -> None:
    """Let the first step of live have its time and its calls."""
    world.now_s += 60
    world.clean("live", 300)


# -- forward


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


def test_repeated_requests(world: World) -> None:
    """A request that counted already is no evidence, unless the policy has no cap."""
    world.clean("shadow", 1_000, repeated=900)
    world.policy = replace(POLICY, cap_per_request=True)
    assert Action.HOLD is world.look().assessment.next.action

    world.latches.change("cache", lambda latch: replace(latch, step=None))
    world.policy = replace(POLICY, cap_per_request=False)
    world.look()
    assert "live=5" == world.stands


# -- missing data means hold


def losing(world: World) -> None:
    """Lose counts."""
    world.losses.append(Loss(11, world.now_s, 7, "disk full"))


def stepping_back(world: World) -> None:
    """Count in the future."""
    world.count("live", calls=300, at_s=world.now_s + 600)


def edited(world: World) -> None:
    """Edit the policy in the middle of the step."""
    world.policy = replace(POLICY, alpha=0.02)


def expired(world: World) -> None:
    """Let the policy expire."""
    world.policy = replace(POLICY, expires=dt.date(2000, 1, 1))


def frozen(world: World) -> None:
    """Freeze everything."""
    freeze(world.board, world.latches, None, ANA, until_s=world.now_s + 60)


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


# -- back


def test_errors_take_it_back(live: World) -> None:
    """When unified fails more often the phase goes live > shadow at once, and the latch tells by what."""
    live.count("live", calls=300, errors_none=270, errors_unified=30)

    found = live.look()

    assert "shadow" == live.stands
    assert found.report is not None
    assert (2, 2) == (found.report.acknowledgement.acknowledged, found.report.acknowledgement.processes)
    tripped = live.latches.read().of("cache").tripped
    assert tripped is not None
    assert ("errors", "types.get", "v1", "live=5", "shadow", 300, True, 0.0) == (
        tripped.guard, tripped.operation, tripped.version, tripped.before, tripped.to, tripped.calls, tripped.done, tripped.seconds,
    )  # fmt: skip


def test_tripped_is_a_latch(live: World) -> None:
    """It stays tripped whatever is counted later, for every controller to come, and rolls back once."""
    live.count("live", calls=300, errors_unified=30)
    live.look()
    live.now_s += 600
    live.slices.clear()
    live.clean("shadow", 50_000)

    found = live.look()

    assert ("shadow", Action.HOLD, "") == (live.stands, found.assessment.next.action, found.done)
    assert "it is tripped (errors types.get" in found.assessment.next.holds[0]
    done = [line for line in live.audit.read().lines if line.outcome is AuditOutcome.DONE]
    assert ["live=5", "shadow"] == [line.flip.to_split for line in done]


def test_trip_in_shadow(world: World) -> None:
    """In shadow there is nothing to take back: evidence goes on coming, and the phase is latched where it is."""
    world.count("shadow", calls=300, errors_unified=30)

    found = world.look()

    assert ("shadow", Action.LATCH) == (world.stands, found.assessment.next.action)
    assert [AuditOutcome.ORDER] == [line.outcome for line in world.audit.read().lines]
    assert "" == world.look().done


def test_a_process_that_tripped(live: World) -> None:
    """When a guard inside a process has taken the phase back there, the flag follows, as low as the process went."""
    live.standing = {"tripped": "off", "tripped_by": "watchdog at types.set: unified set() has not returned within 1 s"}

    live.look()

    assert "off" == live.stands
    tripped = live.latches.read().of("cache").tripped
    assert tripped is not None
    assert ("watchdog", "types.set") == (tripped.guard, tripped.operation)


def test_a_process_that_tripped_and_ended(live: World) -> None:
    """The journal remembers a trip of a process that is gone; one of an earlier step is over."""
    live.trips.append(Trip("cache", "types", "get", "hard_fail", "live", "shadow", "15 of 20", live.now_s - 60))
    live.look()
    assert "live=5" == live.stands

    live.trips.append(Trip("cache", "types", "get", "hard_fail", "live", "shadow", "15 of 20", live.now_s))
    live.look()
    assert "shadow" == live.stands


def test_back_while_frozen_and_paused(live: World) -> None:
    """Neither a freeze nor a pause nor a broken policy nor a missing journal keeps a phase from going back."""
    frozen(live)
    pause(live.board, live.latches, CACHE, ANA)
    live.policy = replace(POLICY, expires=dt.date(2000, 1, 1))
    live.journal_problem = "journal.db: gone"
    live.standing = {"tripped": "shadow", "tripped_by": "hard_fail at types.get: 15 of 20"}

    live.look()

    assert "shadow" == live.stands


def test_slow_p90_pauses(live: World) -> None:
    """A signal pauses; the phase stays where it is until somebody resumes it, and is then looked at anew."""
    live.policy = replace(
        POLICY, guards=replace(POLICY.guards, slow_p99=replace(POLICY.guards.slow_p99, on_trip=OnTrip.HOLD))
    )
    live.latches.change("cache", lambda latch: replace(latch, step=None))
    live.count("live", slow=60)
    live.count("shadow", slow=5)

    found = live.look()
    assert found.done.startswith("paused: guard slow_p90 types.get")
    assert "live=5" == live.stands

    resume(live.sources, CACHE, ANA)
    live.now_s += 120
    assert "" == live.look().done


def test_budget_freezes(live: World) -> None:
    """While both sides fail nothing is moved on, for an hour at a time."""
    live.count("live", errors_both=600, errors_none=100)

    assert live.look().done.startswith("frozen: guard budget")
    order = live.latches.read().of("cache").frozen
    assert order is not None
    assert (live.now_s + 3_600, "live=5") == (order.until_s, live.stands)


def test_going_on_with_what_another_began(live: World) -> None:
    """A controller that was killed between the latch and the flag leaves enough for the next one to take the phase back."""
    live.count("live", calls=300, errors_unified=30)
    before = live.board.flags

    class Killed(BaseException):
        pass

    class Dying:
        def __getattr__(self, name: str) -> object:
            if name == "write":
                raise Killed
            return getattr(before, name)

    object.__setattr__(live.board, "flags", Dying())
    with pytest.raises(Killed):
        live.look()
    object.__setattr__(live.board, "flags", before)
    live.slices.clear()
    assert "live=5" == live.stands

    live.look()

    latch = live.latches.read().of("cache")
    assert ("shadow", True) == (live.stands, latch.tripped is not None and latch.tripped.done)


def test_back_although_nothing_can_be_latched(live: World) -> None:
    """A full disk under the latches does not keep the phase live, and does not let it go on either."""
    controller = live.controller()
    live.latches.path.unlink()
    live.latches.path.mkdir()
    live.count("live", calls=300, errors_unified=30)

    found = live.look(controller)
    assert "shadow" == live.stands
    assert any("not latched" in warning for warning in found.warnings)

    live.latches.path.rmdir()
    live.slices.clear()
    live.clean("shadow", 50_000)
    live.look(controller)
    assert "shadow" == live.stands


def test_a_leader_whose_term_is_over(live: World) -> None:
    """It neither latches nor moves anything."""

    class Fenced:
        def lead(self) -> bool:
            return True

        def fence(self) -> None:
            raise FlipRefused("term 1 of oms guard is over")

    live.count("live", calls=300, errors_unified=30)

    found = live.look(live.controller(leader=Fenced()))

    assert ("live=5", ("term 1 of oms guard is over",)) == (live.stands, found.warnings)
    assert live.latches.read().of("cache").tripped is None


def test_one_that_does_not_lead(live: World) -> None:
    """It looks and does nothing."""

    class Follower:
        def lead(self) -> bool:
            return False

        def fence(self) -> None:
            raise AssertionError("it must not act")

    live.count("live", calls=300, errors_unified=30)

    look = live.controller(leader=Follower()).look([CACHE])

    assert (False, Action.ROLLBACK, "live=5") == (look.leads, look.phases[0].assessment.next.action, live.stands)


# -- by hand


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


# -- resume


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


def test_resume_over_broken_latches(live: World) -> None:
    """Somebody who resumes a phase has seen that the latches are broken: they are written anew."""
    live.latches.path.write_text("{")

    assert "written anew" in resume(live.sources, CACHE, ANA).text
    assert live.latches.read().of("cache").tripped is None


def test_the_mark_outlives_the_controller(live: World) -> None:
    """The policy that a step began with is kept, so that another controller sees that it was changed meanwhile."""
    live.look()

    assert (
        StepMark(plan=live.flags.read("cache").digest, policy=POLICY.digest, at_s=live.now_s)
        == live.latches.read().of("cache").step
    )
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
