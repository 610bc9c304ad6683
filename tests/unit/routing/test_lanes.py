"""The sync lane: one worker, bounded, paused while a candidate hangs, within its CPU allowance, drained at the end."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from oms.domain.stage import Stage
from oms.routing import LaneLimits
from oms.routing.allowance import CpuAllowance
from oms.testing.clock import FakeClock
from tests.unit.routing.probe import (
    ALONE,
    HASTY,
    Answers,
    Gate,
    assert_sums,
    at,
    counts,
    hung,
    outcomes,
    probe,
    raising,
    until,
    until_too_late,
)


def test_caller_does_not_wait() -> None:
    """However long the candidate takes, the caller has its answer before."""
    gate = Gate()
    runtime, facade = probe(Answers(), Answers(gate.wait))

    assert [0, 1, 2] == [facade.ask(value) for value in range(3)]
    assert 0 == counts(runtime)["shadowed"]
    gate.go.set()
    runtime.stop(60)


def test_first_in_first_out_in_one_thread() -> None:
    """Candidates run in the order of their calls, in one worker of their own."""
    names: set[str] = set()
    unified = Answers(lambda value: names.add(threading.current_thread().name))
    runtime, facade = probe(Answers(), unified)
    for value in range(200):
        facade.ask(value)
    runtime.stop(60)

    assert list(range(200)) == unified.asked
    assert {"oms-lane-probe.ask"} == names


def test_hung_candidate_pauses_its_lane() -> None:
    """While a candidate hangs past its deadline, reads are counted as paused; no second worker is started; then it goes on."""
    runtime, facade, gate, unified = hung(0)
    until(lambda: counts(runtime)["timed_out"])
    for value in range(50):
        facade.ask(value)
    found = counts(runtime)

    assert (50, 1) == (found["paused"], found["timed_out"])
    assert (1, [0]) == (gate.most, unified.asked)
    gate.go.set()
    until(lambda: facade.ask("again") and counts(runtime)["matched"])
    runtime.stop(60)

    assert (1, {"oms-lane-probe.ask"}) == (gate.most, gate.threads)
    assert_sums(runtime, counts(runtime)["calls"])


def test_lane_rests_after_many_timeouts() -> None:
    """Five timeouts in a row, and the lane rests, without hanging."""
    runtime, facade, gate, _ = hung(5, limits=LaneLimits(cpu_share=50, pause_s=3_600))
    until(lambda: counts(runtime)["timed_out"])
    until_too_late()
    gate.go.set()
    until(lambda: 6 == counts(runtime)["timed_out"])
    facade.ask(7)

    assert 1 == counts(runtime)["paused"]
    runtime.stop(60)


def test_lane_comes_back_after_its_rest() -> None:
    """The rest ends by itself."""
    gate = Gate()
    runtime, facade = probe(Answers(), Answers(gate.wait), limits=LaneLimits(cpu_share=50, pause_s=0.05), seam=HASTY)
    for value in range(6):
        facade.ask(value)
    until(lambda: counts(runtime)["timed_out"])
    until_too_late()
    gate.go.set()
    until(lambda: facade.ask(1) and counts(runtime)["matched"])
    runtime.stop(60)


def test_cpu_allowance() -> None:
    """Above the allowance reads are sampled out, and taken again when it has filled up."""
    is_burning = True

    def burn(value: Any) -> Any:
        # More than the allowance ever holds, so that it is spent at once however slowly this thread gets on.
        end = time.thread_time() + 0.04 * is_burning
        while time.thread_time() < end:
            pass
        return value

    def is_sampled_out() -> bool:
        before = counts(runtime)
        facade.ask(1)
        until(lambda: counts(runtime) != before)
        return bool(counts(runtime)["sampled_out"])

    runtime, facade = probe(Answers(), Answers(burn), limits=LaneLimits(cpu_share=0.05, pause_s=0.01))
    until(is_sampled_out)
    is_burning = False
    shadowed = counts(runtime)["shadowed"]
    until(lambda: facade.ask(1) and counts(runtime)["shadowed"] > shadowed)
    runtime.stop(60)
    found = counts(runtime)

    assert_sums(runtime, found["calls"])


def test_allowance_is_shared_and_fills_up() -> None:
    """The bucket holds what half a second brings, is spent at zero, and fills with time."""
    clock = FakeClock(0.0)
    allowance = CpuAllowance(0.5, clock=clock)
    clock.advance(60)
    allowance.spend(0.125)
    assert not allowance.is_spent
    allowance.spend(0.125)
    assert allowance.is_spent
    allowance.spend(0.125)
    clock.advance(0.25)
    allowance.refill()
    assert allowance.is_spent
    clock.advance(0.0625)
    allowance.refill()
    assert not allowance.is_spent


def test_waiting_costs_no_allowance() -> None:
    """A candidate that waits spends no CPU, so it is not sampled out for it."""
    pause = threading.Event()
    # Holds 50 ms: less than one wait, more than a collection that happens to run in the worker.
    runtime, facade = probe(
        Answers(), Answers(lambda value: pause.wait(0.1) or value), limits=LaneLimits(cpu_share=0.1)
    )
    for value in range(2):
        facade.ask(value)
    until(lambda: 2 == counts(runtime)["shadowed"])
    facade.ask(3)

    assert 0 == counts(runtime)["sampled_out"]
    runtime.stop(60)


def test_stop_drains() -> None:
    """Stop works off what waits, and returns that nothing was lost."""
    runtime, facade = probe(Answers(), Answers())
    for value in range(500):
        facade.ask(value)

    assert 0 == runtime.stop(60)
    assert {"matched": 500} == outcomes(runtime)


def test_stop_within_its_limit() -> None:
    """What cannot be worked off within the limit is dropped, counted and returned; a call after stop is dropped too."""
    gate = Gate()
    runtime, facade = probe(Answers(), Answers(gate.wait))
    for value in range(4):
        facade.ask(value)
    assert gate.began.wait(60)

    assert 4 == runtime.stop(0.05) + counts(runtime)["timed_out"]
    assert 1 == gate.now
    assert "later" == facade.ask("later")
    gate.go.set()
    assert_sums(runtime, 5)
    assert {"dropped"} >= set(outcomes(runtime)) - {"timed_out"}


def test_worker_sleeps_and_wakes() -> None:
    """A worker that has gone to sleep for want of work takes the next call all the same."""
    runtime, facade = probe(Answers(), Answers())
    facade.ask(1)
    lane: Any = runtime._bound["probe", "ask"].lane
    until(lambda: lane._is_asleep)
    facade.ask(2)
    until(lambda: 2 == counts(runtime)["matched"])
    runtime.stop(60)


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine gives no thread, callers have their answers; the comparison is dropped."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    runtime, facade = probe(Answers(), Answers(), Stage.OFF)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        runtime.publish(at(Stage.SHADOW))
        first = facade.ask(1)
        runtime.publish(at(Stage.LIVE))
        second = facade.ask(2)

    assert (1, 2) == (first, second)
    assert {"dropped": 2} == outcomes(runtime)
    facade.ask(3)
    until(lambda: counts(runtime)["matched"])
    assert 0 == runtime.stop(60)


def test_each_seam_has_its_own_lane() -> None:
    """A hung candidate of one seam does not hold up another's."""
    gate = Gate()
    runtime, facade = probe(Answers(), Answers(gate.wait))
    runtime.bind(ALONE, legacy=Answers(), unified=Answers())
    facade.ask(1)
    assert gate.began.wait(60)
    runtime.facade(ALONE).ask(1)
    until(lambda: counts(runtime)["matched"])
    gate.go.set()
    runtime.stop(60)


def test_candidates_that_fail_do_not_pause() -> None:
    """A candidate that raises is an answer, not a hang: nothing rests."""
    runtime, facade = probe(Answers(), Answers(raising(ValueError)))
    for value in range(30):
        facade.ask(value)
    runtime.stop(60)

    assert {"mismatched": 30} == outcomes(runtime)
