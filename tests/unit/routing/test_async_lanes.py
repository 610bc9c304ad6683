"""Async lanes: candidates as tasks on the caller's own loop, cut at the deadline, paused where they block it."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest

from oms.domain.stage import Stage
from oms.routing import LaneLimits, Runtime
from tests.unit.routing.probe import DEADLINE_S, HASTY, Answers, assert_sums, counts, outcomes, probe, until
from tests.unit.routing.sides import run


async def reach(condition: Any, limit_s: float = 60.0) -> None:
    """Wait on the loop until *condition*."""
    end = time.perf_counter() + limit_s
    while not condition():
        assert time.perf_counter() < end, "the condition did not come true in time"
        await asyncio.sleep(0.001)


async def forever(value: Any) -> Any:
    """Never answer."""
    await asyncio.Event().wait()


async def ask_until(runtime: Runtime, facade: Any, name: str, value: Any = 1) -> None:
    """Ask, and wait for the outcome, again and again until *name* is counted: this machine may stand still for longer than a deadline."""

    async def until_counted() -> None:
        while not counts(runtime)[name]:
            assert value == await facade.aask(value)
            await runtime.adrain(60)

    await asyncio.wait_for(until_counted(), 60)


def test_runs_on_the_callers_loop() -> None:
    """The candidate runs on the loop and in the thread of its caller, after the caller has its answer."""
    loops: list[Any] = []

    async def note(value: Any) -> Any:
        loops.append(asyncio.get_running_loop())
        return value

    async def ask() -> None:
        await facade.aask(1)

        assert [] == loops
        await runtime.adrain(60)
        assert [asyncio.get_running_loop()] == loops

    runtime, facade = probe(Answers(), Answers(adoes=note))
    run(ask())
    loops.clear()
    run(ask())

    assert {"matched": 2} == outcomes(runtime)
    runtime.stop(60)


def test_cut_at_the_deadline() -> None:
    """A candidate past its deadline is cancelled, cleanly, and timed out."""
    ended: list[str] = []

    async def hang(value: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def ask() -> float:
        while not ended:
            began = time.perf_counter()
            await facade.aask(1)
            # One that this machine kept from beginning in time is timed out too, and was not there to be cut.
            await reach(lambda: counts(runtime)["calls"] == counts(runtime)["timed_out"] + counts(runtime)["paused"])
            await runtime.adrain(60)
        return time.perf_counter() - began

    runtime, facade = probe(Answers(), Answers(adoes=hang), seam=HASTY)
    took = run(ask())
    runtime.stop(60)
    found = counts(runtime)

    assert took >= DEADLINE_S
    assert ["cancelled"] == ended
    assert {"timed_out": found["shadowed"]} == outcomes(runtime)
    assert_sums(runtime, found["calls"])


@pytest.mark.parametrize("error", [SystemExit, ValueError, GeneratorExit])
def test_raises_while_it_is_cut(error: type[BaseException]) -> None:
    """What a candidate raises while it is being cut reaches nobody."""

    cut: list[int] = []

    async def hang(value: Any) -> Any:
        if value == 2:
            return value
        try:
            await asyncio.Event().wait()
        finally:
            cut.append(value)
            raise error

    async def ask() -> None:
        while not cut:
            await facade.aask(1)
            await runtime.adrain(60)
        await ask_until(runtime, facade, "matched", 2)

    runtime, facade = probe(Answers(), Answers(adoes=hang), seam=HASTY)
    run(ask())
    runtime.stop(60)

    assert [1] == cut
    assert {"timed_out", "matched"} == set(outcomes(runtime))


def test_waiting_costs_no_allowance() -> None:
    """A candidate that waits, even one that is cut, spends no CPU: reads are not sampled out for it."""

    def is_sampled_out() -> bool:
        async def ask() -> None:
            await facade.aask(1)
            await reach(lambda: counts(runtime)["timed_out"])
            await runtime.adrain(60)
            await facade.aask(2)

        limits = LaneLimits(cpu_share=0.1, block_s=60)
        runtime, facade = probe(Answers(), Answers(adoes=forever), limits=limits, seam=HASTY)
        run(ask())
        runtime.stop(60)
        return bool(counts(runtime)["sampled_out"])

    # The wait is three times what the allowance holds and would spend it each time; a step that this machine drew out does so now and then.
    until(lambda: not is_sampled_out())


def burning(held_s: float) -> Any:
    """Return a candidate that holds the loop."""

    async def burn(value: Any) -> Any:
        await asyncio.sleep(0)
        end = time.perf_counter() + held_s
        while time.perf_counter() < end:
            pass
        return value

    return burn


def test_blocking_the_loop_pauses() -> None:
    """A candidate that holds the loop for longer than 20 ms in one step rests, at least for a second."""
    runtime, facade = probe(Answers(), Answers(adoes=burning(0.03)), limits=LaneLimits(cpu_share=50))
    run(ask_until(runtime, facade, "paused"))
    runtime.stop(60)
    found = counts(runtime)

    assert {"matched": found["shadowed"]} == outcomes(runtime)
    assert found["shadowed"] + 1 == found["calls"]


class SlowEqual:
    """Takes its time to compare."""

    def __eq__(self, other: object) -> bool:
        end = time.perf_counter() + 0.03
        while time.perf_counter() < end:
            pass
        return True

    __hash__ = None  # as classes with __eq__ have it


def slow(value: Any) -> Any:
    """Return what takes its time to compare."""
    return [SlowEqual()]


def test_a_comparison_that_blocks_the_loop_pauses() -> None:
    """The comparison runs on the loop as well, and counts like the candidate."""

    async def ask() -> None:
        while not counts(runtime)["paused"]:
            await facade.aask(1)
            await runtime.adrain(60)

    runtime, facade = probe(Answers(slow), Answers(slow), limits=LaneLimits(cpu_share=50))
    run(asyncio.wait_for(ask(), 60))
    runtime.stop(60)

    assert {"matched": counts(runtime)["shadowed"]} == outcomes(runtime)


def test_cpu_allowance_opens_again() -> None:
    """Async candidates draw on the same allowance; above it reads are sampled out, until it has filled up."""

    async def ask() -> None:
        while not counts(runtime)["sampled_out"]:
            await facade.aask(1)
            await runtime.adrain(60)
        shadowed = counts(runtime)["shadowed"]
        while counts(runtime)["shadowed"] == shadowed:
            await facade.aask(1)
            await asyncio.sleep(0.001)
        await runtime.adrain(60)

    limits = LaneLimits(cpu_share=0.2, block_s=60)
    runtime, facade = probe(Answers(), Answers(adoes=burning(0.015)), limits=limits)
    run(asyncio.wait_for(ask(), 60))
    runtime.stop(60)
    assert_sums(runtime, counts(runtime)["calls"])


def test_bounded() -> None:
    """So many candidates at once, so many waiting; what is more is dropped."""
    running = most = 0

    async def note(value: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return value

    async def ask() -> None:
        for value in range(12):
            await facade.aask(value)
        await runtime.adrain(60)

    runtime, facade = probe(
        Answers(), Answers(adoes=note), limits=LaneLimits(cpu_share=50, block_s=60, jobs=8, concurrent=3)
    )
    run(ask())
    runtime.stop(60)

    assert 3 == most
    assert {"matched": 8, "dropped": 4} == outcomes(runtime)


def test_rests_after_many_timeouts() -> None:
    """Five timeouts, and the lane rests."""

    async def ask() -> None:
        # Its first rest is a second, which this machine may sleep through.
        while not counts(runtime)["paused"]:
            for value in range(5):
                await facade.aask(value)
            await runtime.adrain(60)
            await facade.aask(5)

    runtime, facade = probe(Answers(), Answers(adoes=forever), seam=HASTY)
    run(asyncio.wait_for(ask(), 60))
    runtime.stop(60)

    assert 5 <= counts(runtime)["timed_out"]


def test_adrain_has_a_limit() -> None:
    """It waits for what can end, and not longer than it is told."""

    async def ask() -> float:
        await facade.aask(1)
        began = time.perf_counter()
        await runtime.adrain(0.02)
        assert {} == outcomes(runtime)
        return time.perf_counter() - began

    runtime, facade = probe(Answers(), Answers(adoes=forever))

    assert run(ask()) >= 0.02
    runtime.stop(60)
    assert {"dropped": 1} == outcomes(runtime)


@pytest.mark.parametrize("is_begun", [False, True])
def test_closed_loop(is_begun: bool) -> None:
    """What is left on a loop that ends is counted as dropped, whether it waited or ran."""

    async def ask() -> None:
        await facade.aask(1)
        if is_begun:
            await reach(lambda: unified.asked)

    unified = Answers(adoes=forever)
    runtime, facade = probe(Answers(), unified)
    run(ask())
    until(lambda: outcomes(runtime))

    assert {"dropped": 1} == outcomes(runtime)
    assert 0 == runtime.stop(60)
    assert_sums(runtime, 1)


def test_loop_closed_with_tasks_on_it() -> None:
    """The same where the loop is closed without cancelling anything; the candidate that is thrown away tells nobody."""

    async def ask() -> None:
        await facade.aask(1)
        await reach(lambda: unified.asked)

    reported: list[Any] = []
    unified = Answers(adoes=forever)
    runtime, facade = probe(Answers(), unified)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: reported.append(context["message"]))
    loop.run_until_complete(ask())
    loop.close()
    del loop
    until(lambda: outcomes(runtime))
    gc.collect()

    assert {"dropped": 1} == outcomes(runtime)
    assert set(reported) <= {"Task was destroyed but it is pending!"}
    runtime.stop(60)
    assert_sums(runtime, 1)


def test_loop_closed_before_the_candidate_began() -> None:
    """The same where the task was made in the loop's very last turn: counted, and nobody is warned of it."""

    async def ask() -> None:
        await facade.aask(1)
        end = time.perf_counter() + 0.02
        while time.perf_counter() < end:
            pass

    unified = Answers()
    runtime, facade = probe(Answers(), unified)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)
    loop.run_until_complete(ask())
    lane = runtime._bound["probe", "ask"].async_lanes._last[1]

    assert 1 == len(lane._running)
    loop.close()
    del loop, lane
    until(lambda: outcomes(runtime))
    gc.collect()
    assert ([], {"dropped": 1}) == (unified.asked, outcomes(runtime))
    runtime.stop(60)


def test_after_stop() -> None:
    """After stop nothing is left for a loop any more: calls are answered, and dropped from comparison, on old loops and new ones."""

    async def ask(stop: bool) -> None:
        await facade.aask(1)
        if stop:
            assert 1 == runtime.stop(60)
        await facade.aask(2)
        await asyncio.sleep(0.02)

    unified = Answers()
    runtime, facade = probe(Answers(), unified)
    run(ask(True))
    run(ask(False))

    assert {"dropped": 4} == outcomes(runtime)
    assert [] == unified.asked
    assert_sums(runtime, 4)


def test_cancellation_is_swallowed() -> None:
    """A candidate that swallows its cancellation is asked once, counted once, and holds up no other."""
    swallowed: list[int] = []

    async def stubborn(value: Any) -> Any:
        while value == 1 and not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                swallowed.append(1)
        return value

    async def ask() -> None:
        while not swallowed:
            await facade.aask(1)
            await runtime.adrain(0.5)
        while not counts(runtime)["matched"]:
            await facade.aask(2)
            await asyncio.sleep(0.001)
        go.set()
        await runtime.adrain(60)

    go = asyncio.Event()
    runtime, facade = probe(Answers(), Answers(adoes=stubborn), seam=HASTY)
    run(asyncio.wait_for(ask(), 60))
    runtime.stop(60)

    assert [1] == swallowed
    assert {"timed_out", "matched"} == set(outcomes(runtime))


def test_two_loops_in_two_threads() -> None:
    """Each loop has its own lane; candidates stay where their callers are."""
    where: list[tuple[Any, str]] = []

    async def note(value: Any) -> Any:
        where.append((value, threading.current_thread().name))
        return value

    async def ask() -> None:
        for _ in range(20):
            await facade.aask(threading.current_thread().name)
        await runtime.adrain(60)

    runtime, facade = probe(Answers(), Answers(adoes=note))
    threads = [threading.Thread(target=run, args=[ask()]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    runtime.stop(60)

    assert 60 == len(where)
    assert all(asked == name for asked, name in where)
    assert {"matched": 60} == outcomes(runtime)


def test_live() -> None:
    """A seam in live is shadowed on the loop too: legacy is the candidate."""
    legacy = Answers()
    runtime, facade = probe(legacy, Answers(), Stage.LIVE)

    async def ask() -> None:
        await facade.aask(1)
        await runtime.adrain(60)

    run(ask())
    runtime.stop(60)

    assert ([1], {"matched": 1}) == (legacy.asked, outcomes(runtime))
