"""Who has acknowledged, who has not, and what is merely still running."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

from oms.domain.standing import ProcessStanding
from oms.rollout.acknowledgement import POLL_S, judge, wait_for_acknowledgement
from tests.unit.rollout.room import process


def test_silent_process_counts_as_not_acknowledged() -> None:
    """A process that lives but has not beaten lately is not believed, even if its file says the right digest."""
    now = time.time()
    silent = replace(process(12, digest="d1"), beat_at=now - 7)

    state = judge([silent, process(11, digest="d1")], "cache", "d1", now=now)

    assert (2, 1, (12,)) == (state.processes, state.acknowledged, state.silent)
    assert "pid 12 is silent: its last beat is 7.0 s old" == state.reasons[0]
    assert not state.complete


def test_dead_process_does_not_count() -> None:
    """A process that has ended can neither acknowledge nor be waited for."""
    dead = replace(process(12, digest="d0"), alive=False)

    state = judge([dead], "cache", "d1", now=time.time())

    assert (0, 0, ()) == (state.processes, state.acknowledged, state.silent)


def test_process_of_other_phases_does_not_count() -> None:
    """A process that follows other phases only has nothing to acknowledge; one that tells nothing may follow any."""
    now = time.time()
    other = ProcessStanding(12, 1, "host", now, alive=True, phases={"config": process().phases["cache"]})
    starting = ProcessStanding(13, 1, "host", now, alive=True)

    state = judge([other, starting], "cache", "d1", now=now)

    assert (1, (13,)) == (state.processes, state.silent)
    assert ("pid 13 serves no flags yet, not d1",) == state.reasons


def test_calls_in_flight_are_told_apart() -> None:
    """Calls and scopes from before do not undo an acknowledgement; they are reported."""
    now = time.time()
    busy = process(12, digest="d1", in_flight=1, oldest_scope_at=now - 3)

    state = judge([busy], "cache", "d1", now=now)

    assert state.complete
    assert ("pid 12 has calls in flight on 1 older plan(s) and a scope open for 3.0 s from before",) == state.in_flight


def test_comes_during_the_wait() -> None:
    """The wait ends as soon as the last process has acknowledged."""
    served = iter(["d0", "d0", "d1"])

    state = wait_for_acknowledgement(lambda: [process(11, digest=next(served))], "cache", "d1", wait_s=60.0)

    assert state.complete
    assert 2 * POLL_S <= state.seconds < 60


def test_waits_no_longer_than_asked() -> None:
    """At the end of the wait the answer is as it then is."""
    state = wait_for_acknowledgement(lambda: [process(11, digest="d0")], "cache", "d1", wait_s=0.05)

    assert (11,) == state.silent
    assert 0.05 <= state.seconds < 60


def test_interrupt_ends_the_wait() -> None:
    """Ctrl-C ends the wait with what is known so far."""
    asked: list[int] = []

    def processes() -> list[ProcessStanding]:
        asked.append(1)
        if len(asked) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return [process(11, digest="d0")]

    state = wait_for_acknowledgement(processes, "cache", "d1", wait_s=60.0)

    assert state.interrupted
    assert (11,) == state.silent
