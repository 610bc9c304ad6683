"""Back: at once, latched, whatever else is broken."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from oms.domain.errors import FlipRefused
from oms.domain.record import Trip
from oms.domain.standing import ProcessStanding
from oms.rollout.audit import AuditOutcome
from oms.rollout.guard.controller import Controller
from oms.rollout.guard.latches import PhaseLatch
from oms.rollout.guard.orders import freeze, pause, resume
from oms.rollout.guard.policy import OnTrip
from oms.rollout.guard.ramp import Action
from oms.rollout.guard.wording import latches_text
from tests.unit.rollout.guard.world import CACHE, POLICY, FakeCounts, World, frozen
from tests.unit.rollout.room import ANA


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


def test_two_guards_at_once(live: World) -> None:
    """All that tripped at one operation are named, the one that says most first; what tripped elsewhere is another matter."""
    live.count("live", calls=300, matched=270, errors_none=270, mismatched=30, errors_unified=30)
    live.count("live", operation="other", calls=300, matched=270, mismatched=30)

    done = live.look().done

    assert (
        "guards errors types.get, mismatch types.get tripped: unified alone failed 30 of 2,300 calls, limit 0.001"
        in done
    )
    tripped = live.latches.read().of("cache").tripped
    assert tripped is not None
    assert ("errors", ("mismatch types.get",)) == (tripped.guard, tripped.also)
    (sentence,) = latches_text(live.look().assessment)
    assert "TRIPPED by errors types.get, mismatch types.get, " in sentence


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


def test_what_tripped_it_can_still_be_seen(live: World) -> None:
    """The rollback itself does not begin the counts anew: whoever looks later sees the guard as it tripped."""
    live.count("live", calls=300, errors_unified=30)
    live.look()
    live.now_s += 300
    tripped = live.latches.read().of("cache").tripped
    assert tripped is not None
    # On a real clock the rollback is written a little after it was decided.
    earlier = replace(tripped, at_s=tripped.at_s - 1)
    live.latches.change("cache", lambda latch: replace(latch, tripped=earlier))

    assert live.look().assessment.guards[0].tripped


def test_resumed_while_somebody_looked(live: World) -> None:
    """A controller that looked before the phase was resumed does not latch it again by what it saw then."""
    live.count("live", calls=300, errors_unified=30)
    counts = live.counts

    @contextmanager
    def slow_counts() -> Iterator[FakeCounts]:
        with counts() as found:
            yield found
        live.latches.change("cache", lambda latch: replace(latch, since_s=live.now_s))

    live.sources = replace(live.sources, counts=slow_counts)
    assert Action.ROLLBACK is live.look().assessment.next.action

    assert (None, "live=5") == (live.latches.read().of("cache").tripped, live.stands)


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


def test_a_process_that_tripped_in_words_of_another_version(live: World) -> None:
    """A stage that nobody here knows is nowhere to go to; the phase holds, and its guards still take it back."""
    live.standing = {"tripped": "twilight", "tripped_by": "hard_fail at types.get: 15 of 20"}
    assert "pid 11 has tripped to twilight" in live.look().assessment.next.holds

    live.count("live", calls=300, errors_unified=30)
    live.look()
    assert "shadow" == live.stands


def test_a_process_that_tripped_while_somebody_looked(live: World) -> None:
    """A look takes its time: the controller's trip is never older than the process's that it follows."""
    live.standing = {"tripped": "shadow", "tripped_by": "hard_fail at types.get: it raised"}
    began_s = live.now_s

    def processes() -> Sequence[ProcessStanding]:
        live.now_s += 1.0
        return live.processes()

    sources = replace(live.sources, board=replace(live.board, processes=processes))
    Controller(sources, wait_s=0.0, steady=lambda: live.now_s).look([CACHE])

    tripped = live.latches.read().of("cache").tripped
    assert tripped is not None
    assert began_s + 1.0 <= tripped.at_s


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


def test_budget_leaves_a_freeze_alone(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who freezes the phase for longer while the controller looks is not overruled."""
    live.count("live", errors_both=600, errors_none=100)
    change, until_s = live.latches.change, live.now_s + 7 * 86_400

    def freezing(phase: str, by: Callable[[PhaseLatch], PhaseLatch]) -> PhaseLatch:
        freeze(live.board, live.latches, CACHE, ANA, until_s=until_s)
        return change(phase, by)

    monkeypatch.setattr(live.latches, "change", freezing)
    live.look()

    frozen = live.latches.read().of("cache").frozen
    assert frozen is not None
    assert until_s == frozen.until_s


def test_share_of_processes_that_come_and_go(live: World) -> None:
    """A process that is started anew counts each key once more: what all of them say is divided by all that counted in the step."""
    live.count("live", calls=100, units=700)
    live.count("shadow", calls=100, units=9_300)
    (share,) = [one for one in live.look().assessment.guards if one.guard == "share"]
    assert "of 5,000 units" in share.why

    live.gone = dict.fromkeys(range(20, 28), live.now_s)
    (share,) = [one for one in live.look().assessment.guards if one.guard == "share"]
    assert "of 1,000 units" in share.why

    live.gone = dict.fromkeys(range(20, 28), live.now_s - 3_600)
    (share,) = [one for one in live.look().assessment.guards if one.guard == "share"]
    assert "of 5,000 units" in share.why


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
