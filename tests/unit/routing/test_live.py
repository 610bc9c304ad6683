"""Live: legacy rescues, async reads are cut, a hang or many failures take the phase back in this process."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

import pytest

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.phase import Phase
from oms.domain.record import Trip
from oms.domain.stage import Stage
from oms.routing import Runtime
from oms.seams.cache import TYPES
from tests.unit.routing.probe import (
    ALONE,
    AMPLE,
    DEADLINE_S,
    HASTY,
    HASTY_ALONE,
    PROBE,
    Answers,
    Ask,
    Refused,
    assert_sums,
    at,
    counts,
    outcome_of_one,
    probe,
    raising,
    until,
)
from tests.unit.routing.sides import MapSide, run, runtime_with

IS_ASYNC = pytest.mark.parametrize("is_async", [False, True])


def ask(facade: Any, is_async: bool, value: Any = 1) -> Any:
    """Ask, sync or async."""
    return run(facade.aask(value)) if is_async else facade.ask(value)


# -- rescue


@IS_ASYNC
def test_rescue(is_async: bool) -> None:
    """Unified raises: legacy's answer is the caller's, counted as rescued and compared without asking legacy again."""
    legacy = Answers(lambda value: [value])
    runtime, facade = probe(legacy, Answers(raising(Refused)), Stage.LIVE)

    async def arescued() -> Any:
        answer = await facade.aask(1)
        await runtime.adrain(60)
        return answer

    answer = run(arescued()) if is_async else facade.ask(1)

    assert [1] == answer
    assert {"mismatched": 1} == outcome_of_one(runtime)
    assert (1, [1]) == (counts(runtime)["rescued"], legacy.asked)
    runtime.stop(60)


@IS_ASYNC
def test_both_raise(is_async: bool) -> None:
    """Both raise: unified's own exception is the caller's, as if there were no legacy."""
    error, cause = Refused(7), KeyError("cause")
    error.__cause__, error.__suppress_context__ = cause, False
    runtime, facade = probe(Answers(raising(Refused(8))), Answers(raising(error)), Stage.LIVE)
    with pytest.raises(Refused) as caught:
        ask(facade, is_async)

    assert caught.value is error
    assert (cause, None, False) == (error.__cause__, error.__context__, error.__suppress_context__)
    runtime.stop(60)
    assert 0 == counts(runtime)["rescued"]
    assert_sums(runtime, 1)


@IS_ASYNC
def test_rescue_sees_the_original_arguments(is_async: bool) -> None:
    """Unified changed its argument before it failed: legacy is asked with what the caller gave."""

    def spoil(value: list[int]) -> Any:
        value.clear()
        raise Refused

    runtime, facade = probe(Answers(sum), Answers(spoil), Stage.LIVE)

    assert 3 == ask(facade, is_async, [1, 2])
    runtime.stop(60)


@IS_ASYNC
def test_no_rescue_where_it_is_not_allowed(is_async: bool) -> None:
    """Where nobody may stand in, unified's exception is the caller's, and legacy is asked beside only."""
    legacy = Answers()
    runtime, facade = probe(legacy, Answers(raising(Refused)), Stage.LIVE, seam=ALONE)
    with pytest.raises(Refused):
        ask(facade, is_async)
    runtime.stop(60)

    assert 0 == counts(runtime)["rescued"]
    assert_sums(runtime, 1)


@IS_ASYNC
@pytest.mark.parametrize("error", [SystemExit, GeneratorExit])
def test_no_rescue_from_leaving(is_async: bool, error: type[BaseException]) -> None:
    """What is no Exception is not a failure to be rescued from, on either side; it is counted as cancelled."""
    for legacy, unified in ((Answers(), Answers(raising(error))), (Answers(raising(error)), Answers(raising(Refused)))):
        runtime, facade = probe(legacy, unified, Stage.LIVE)
        with pytest.raises(error):
            ask(facade, is_async)
        runtime.stop(60)

        assert (1, 1) == (counts(runtime)["calls"], counts(runtime)["cancelled"])


def test_cancelled_during_the_rescue() -> None:
    """A caller that is cancelled while legacy rescues is cancelled, and counted so."""

    async def hang(value: Any) -> Any:
        await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.ensure_future(facade.aask(1))
        while not legacy.asked:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    legacy = Answers(adoes=hang)
    runtime, facade = probe(legacy, Answers(raising(Refused)), Stage.LIVE)
    run(cancel())
    runtime.stop(60)

    assert (1, 1) == (counts(runtime)["calls"], counts(runtime)["cancelled"])


@pytest.mark.parametrize("is_slow_from_the_start", [False, True])
def test_async_read_is_cut(is_slow_from_the_start: bool) -> None:
    """An async unified read is cut at its deadline and rescued; it is cancelled, and nothing of it is compared."""
    ended: list[str] = []

    async def hang(value: Any) -> Any:
        if not is_slow_from_the_start:
            await asyncio.sleep(0)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def timed() -> tuple[Any, float]:
        began = time.perf_counter()
        answer = await facade.aask(1)
        return answer, time.perf_counter() - began

    runtime, facade = probe(Answers(lambda value: "legacy"), Answers(adoes=hang), Stage.LIVE, seam=HASTY)
    answer, took = run(timed())
    runtime.stop(60)

    assert ("legacy", ["cancelled"]) == (answer, ended)
    assert took >= DEADLINE_S


def test_cut_and_legacy_raises() -> None:
    """Cut, and legacy raises too: what the caller gets is a TimeoutError."""

    async def hang(value: Any) -> Any:
        await asyncio.Event().wait()

    runtime, facade = probe(Answers(raising(Refused)), Answers(adoes=hang), Stage.LIVE, seam=HASTY)
    with pytest.raises(TimeoutError, match=r"no answer within 0\.15 s"):
        run(facade.aask(1))
    runtime.stop(60)


# -- the watchdog


class Hung:
    """Callers in threads that hang in unified until they are let go."""

    def __init__(self, callers: int, call: Any) -> None:
        self.go = threading.Event()
        self.hanging: list[threading.Thread] = []
        self._threads = [threading.Thread(target=self._call, args=[call], daemon=True) for _ in range(callers)]
        self.errors: list[BaseException] = []

    def _call(self, call: Any) -> None:
        try:
            call()
        except BaseException as error:
            self.errors.append(error)

    def hang(self, value: Any) -> Any:
        """Hang in one of the threads; answer everybody else."""
        if (thread := threading.current_thread()) in self._threads:
            self.hanging.append(thread)
            self.go.wait(60)
        return value

    def start(self) -> None:
        """Start all, and wait until each hangs; one that came after the trip is served by legacy, and has its answer."""
        for thread in self._threads:
            thread.start()
        until(lambda: all(thread in self.hanging or not thread.is_alive() for thread in self._threads))

    def finish(self) -> None:
        """Let all go."""
        self.go.set()
        for thread in self._threads:
            thread.join(60)


@pytest.mark.parametrize("callers", [1, 5])
@pytest.mark.parametrize("seam", [HASTY, HASTY_ALONE])
def test_hung_read_trips(callers: int, seam: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Sync reads that hang in live take the phase to shadow, no further however many hang; their callers are counted as delayed."""
    hung = Hung(callers, lambda: facade.ask("hung"))
    unified = Answers(hung.hang)
    runtime, facade = probe(Answers(lambda value: "legacy"), unified, Stage.LIVE, seam=seam)
    began = time.perf_counter()
    hung.start()
    until(lambda: runtime.standing()["probe"].tripped)
    took = time.perf_counter() - began
    until(lambda: len(hung.hanging) == counts(runtime)["delayed"])

    assert DEADLINE_S < took
    assert ("shadow", "live") == (runtime.standing()["probe"].tripped, runtime.standing()["probe"].digest)
    assert "legacy" == facade.ask(1)
    assert [("probe", "ask", "watchdog", "live", "shadow")] == [
        (trip.phase, trip.operation, trip.guard, trip.from_stage, trip.to_stage) for trip in runtime.drain().trips
    ]
    hung.finish()
    assert [] == hung.errors
    runtime.stop(60)
    assert "phase probe: watchdog tripped at live, this process serves shadow" in caplog.text


def test_hung_async_read_that_is_not_cut_trips() -> None:
    """Where nobody may stand in an async read is not cut, but it is watched."""

    async def hang(value: Any) -> Any:
        await go.wait()

    async def work() -> None:
        task = asyncio.ensure_future(facade.aask(1))
        while runtime.standing()["probe"].tripped is None:
            await asyncio.sleep(0.001)
        go.set()
        await task

    go = asyncio.Event()
    runtime, facade = probe(Answers(), Answers(adoes=hang), Stage.LIVE, seam=HASTY_ALONE)
    run(asyncio.wait_for(work(), 60))

    assert "shadow" == runtime.standing()["probe"].tripped
    runtime.stop(60)


def test_latch() -> None:
    """A trip holds, whatever is published above it, until the flag itself stands as low."""
    runtime, facade = probe(Answers(lambda value: "legacy"), Answers(lambda value: "unified"), Stage.LIVE)
    runtime.trip(PROBE, Stage.SHADOW, seam="ask", operation="ask", guard="watchdog", reason="test")
    served = []
    for stage in (Stage.LIVE, Stage.COMPLETE, Stage.OFF, Stage.COMPLETE):
        runtime.publish(at(stage))
        served.append((facade.ask(1), runtime.standing()["probe"].tripped, runtime.standing()["probe"].digest))
    runtime.stop(60)

    assert [
        ("legacy", "shadow", "live"),
        ("legacy", "shadow", "complete"),
        ("legacy", None, "off"),
        ("unified", None, "complete"),
    ] == served


def test_trip_reaches_open_scopes_and_canaries() -> None:
    """Everybody is taken back, within scopes too; whoever stands lower stays there."""
    runtime, facade = probe(Answers(lambda value: "legacy"), Answers(lambda value: "unified"), Stage.LIVE)
    with runtime.scope(targeting_key="t"):
        before = facade.ask(1)
        runtime.trip(PROBE, Stage.SHADOW, seam="ask", operation="ask", guard="watchdog", reason="test")

        assert ("unified", "legacy") == (before, facade.ask(1))
    runtime.trip(PROBE, Stage.LIVE, seam="ask", operation="ask", guard="watchdog", reason="test")
    assert "shadow" == runtime.standing()["probe"].tripped
    assert 1 == len(runtime.drain().trips)
    runtime.stop(60)


def test_trip_of_a_declared_default() -> None:
    """A phase that no table names can be taken back as well."""
    phase = Phase("young", default=Stage.LIVE)
    seam = phase.seam("ask", port=Ask)
    runtime = Runtime(limits=AMPLE)
    runtime.bind(seam, legacy=Answers(lambda value: "legacy"), unified=Answers(lambda value: "unified"))
    facade = runtime.facade(seam)
    before = facade.ask(1)
    runtime.trip(phase, Stage.SHADOW, seam="ask", operation="ask", guard="watchdog", reason="test")
    tripped = facade.ask(1)
    runtime.publish(DecisionTable.of(other=FixedDecision(Stage.OFF)))
    still = facade.ask(1)
    runtime.publish(DecisionTable.of(young=FixedDecision(Stage.OFF)))
    runtime.publish(DecisionTable.of(young=FixedDecision(Stage.LIVE)))
    after = facade.ask(1)
    runtime.stop(60)

    assert ("unified", "legacy", "legacy", "unified") == (before, tripped, still, after)


@pytest.mark.parametrize(("stage", "cap"), [(Stage.DUALWRITE, "off"), (Stage.SHADOW, "off")])
def test_hung_second_write_trips(stage: Stage, cap: str) -> None:
    """A write that hangs in unified, where that is only the second side, takes the phase off in this process."""
    hung = Hung(3, lambda: cache.set("k", 1))
    legacy, unified = MapSide(), MapSide()
    runtime = runtime_with(legacy, unified, stage, AMPLE)
    cache: Any = runtime.facade(TYPES)
    unified.before = lambda name, key: hung.hang(None) if name == "set" else None
    hung.start()
    until(lambda: runtime.standing()["cache"].tripped)
    until(lambda: len(hung.hanging) == counts(runtime)["delayed"])

    assert cap == runtime.standing()["cache"].tripped
    assert [(stage.value, cap)] == [(trip.from_stage, trip.to_stage) for trip in runtime.drain().trips]
    cache.set("other", 1)
    assert "other" not in unified.values
    hung.finish()
    assert [] == hung.errors
    runtime.stop(60)


@pytest.mark.parametrize("stage", [Stage.LIVE, Stage.RAMPDOWN])
def test_hung_first_write_trips(stage: Stage) -> None:
    """A sync write that hangs in unified, which answers it, takes the phase off in this process: nobody writes there any more."""
    hung = Hung(2, lambda: cache.set("k", 1))
    legacy, unified = MapSide(), MapSide()
    runtime = runtime_with(legacy, unified, stage, AMPLE)
    cache: Any = runtime.facade(TYPES)
    unified.before = lambda name, key: hung.hang(None) if name == "set" else None
    hung.start()
    until(lambda: runtime.standing()["cache"].tripped)
    until(lambda: len(hung.hanging) == counts(runtime)["delayed"])

    assert "off" == runtime.standing()["cache"].tripped
    cache.set("other", 1)
    assert ({"other": 1}, False) == (legacy.values, "other" in unified.values)
    hung.finish()
    assert [] == hung.errors
    runtime.stop(60)


def test_hung_legacy_write_trips_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Where legacy is the second side and hangs, going back to it would be no help: it is told, and nothing moves."""
    hung = Hung(1, lambda: cache.set("k", 1))
    legacy, unified = MapSide(), MapSide()
    runtime = runtime_with(legacy, unified, Stage.LIVE, AMPLE)
    cache: Any = runtime.facade(TYPES)
    legacy.before = lambda name, key: hung.hang(None) if name == "set" else None
    hung.start()
    until(lambda: counts(runtime)["delayed"])
    until(lambda: "there is no way back from legacy" in caplog.text)

    assert None is runtime.standing()["cache"].tripped
    hung.finish()
    runtime.stop(60)


# -- the hard-fail guard


def failing_now_and_then(pattern: str, runtime: Runtime, facade: Any, unified: Answers) -> list[Trip]:
    """Make one call for each letter, ``x`` fails in unified; return the trips."""
    for letter in pattern:
        unified.does = raising(Refused) if letter == "x" else lambda value: value
        facade.ask(1)
    return runtime.drain().trips


@pytest.mark.parametrize(
    ("pattern", "trips"),
    [
        ("x" * 14, 0),
        ("x" * 15, 1),
        ("xxx." * 5, 1),
        ("xx." * 20, 0),
        ("." * 30 + "x" * 15, 1),
        ("x" * 14 + "." * 6 + "x", 0),
        ("x" * 14 + "." * 5 + "x", 1),
    ],
)
def test_hard_fail_guard(pattern: str, trips: int) -> None:
    """15 of the last 20 calls failed in unified alone: the phase goes to shadow at that very call, not before."""
    unified = Answers()
    runtime, facade = probe(Answers(), unified, Stage.LIVE)
    found = failing_now_and_then(pattern, runtime, facade, unified)

    assert [("hard_fail", "live", "shadow")] * trips == [(trip.guard, trip.from_stage, trip.to_stage) for trip in found]
    assert (None, "shadow")[trips] == runtime.standing()["probe"].tripped
    runtime.stop(60)


def test_guard_does_not_count_what_fails_on_both_sides() -> None:
    """Calls that fail alike on both sides are not unified's fault."""
    runtime, facade = probe(Answers(raising(Refused)), Answers(raising(Refused)), Stage.LIVE)
    for _ in range(40):
        with pytest.raises(Refused):
            facade.ask(1)
    runtime.stop(60)

    assert None is runtime.standing()["probe"].tripped


def test_guard_without_rescue() -> None:
    """Where nobody may stand in, the comparison tells that legacy would have answered."""
    runtime, facade = probe(Answers(), Answers(raising(Refused)), Stage.LIVE, seam=ALONE)
    for _ in range(15):
        with pytest.raises(Refused):
            facade.ask(1)
    until(lambda: runtime.standing()["probe"].tripped)

    assert "shadow" == runtime.standing()["probe"].tripped
    runtime.stop(60)


def test_guard_forgets_when_the_flag_has_caught_up() -> None:
    """A phase that comes back to live after a trip begins with a clean slate."""
    unified = Answers()
    runtime, facade = probe(Answers(), unified, Stage.LIVE)
    first = failing_now_and_then("x" * 15, runtime, facade, unified)
    runtime.publish(at(Stage.SHADOW))
    runtime.publish(at(Stage.LIVE))
    second = failing_now_and_then("x" * 14, runtime, facade, unified)
    third = failing_now_and_then("x", runtime, facade, unified)
    runtime.stop(60)

    assert (1, 0, 1) == (len(first), len(second), len(third))


@IS_ASYNC
def test_guard_counts_failed_writes(is_async: bool) -> None:
    """Unified's writes that fail where it answers count too; the caller had an error."""
    legacy, unified = MapSide(), MapSide()
    runtime = runtime_with(legacy, unified, Stage.LIVE, AMPLE)
    cache: Any = runtime.facade(TYPES)

    def fail(name: str, key: str | None) -> None:
        if name in ("set", "aset"):
            raise Refused

    unified.before = fail
    for number in range(15):
        with pytest.raises(Refused):
            run(cache.aset("k", number)) if is_async else cache.set("k", number)
    cache.set("k", "through")

    assert "shadow" == runtime.standing()["cache"].tripped
    assert "through" == legacy.values["k"]
    runtime.stop(60)


def test_log_level(caplog: pytest.LogCaptureFixture) -> None:
    """A trip is an error in the log, once."""
    runtime, _ = probe(Answers(), Answers(), Stage.LIVE)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            runtime.trip(PROBE, Stage.SHADOW, seam="ask", operation="ask", guard="watchdog", reason="it hangs")

    assert ["phase probe: watchdog tripped at live, this process serves shadow: it hangs"] == caplog.messages
    runtime.stop(60)
