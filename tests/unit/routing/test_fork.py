"""Prefork servers: a forked child starts its own threads, inherits no count, and waits for no lock that a thread of the parent held."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from oms.domain.stage import Stage
from oms.seams.cache import TYPES
from tests.unit.routing.probe import AMPLE, HASTY, Answers, assert_sums, at, counts, outcomes, probe, raising, until
from tests.unit.routing.sides import Held, MapSide, run, runtime_with, table

LIMIT_S = 90.0


def in_child(check: Callable[[], None]) -> None:
    """Run *check* in a forked child; fail with its traceback if it fails, or if it does not end."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # From 3.12 on Python warns of a fork beside threads: just what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        status = 1
        try:
            check()
            status = 0
        except BaseException:
            os.write(writing, traceback.format_exc().encode()[-4_000:])
        finally:
            os._exit(status)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], LIMIT_S)
    told = os.read(reading, 10_000).decode() if ready else "the child did not end in time"
    os.close(reading)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)

    assert ("", 0) == (told, status)


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_lanes_start_anew(stage: Stage) -> None:
    """In the child the lane works, with a worker of its own; nothing of the parent's counts or waiting calls is there."""
    runtime, facade = probe(Answers(), Answers(), stage)
    go = threading.Event()
    facade.ask(1)
    until(lambda: counts(runtime)["matched"])
    side = runtime._bound["probe", "ask"].state.binding.sides
    for answers in side.values():
        answers.does = lambda value: (
            go.wait(90) and value if threading.current_thread().name.startswith("oms-") else value
        )
    facade.ask(2)

    def check() -> None:
        for answers in side.values():
            answers.does = lambda value: value

        assert {} == counts(runtime)
        for value in range(20):
            facade.ask(value)
        until(lambda: 20 == counts(runtime)["matched"])
        assert {"oms-watchdog", "oms-lane-probe.ask"} <= {thread.name for thread in threading.enumerate()}
        assert 0 == runtime.stop(60)
        assert_sums(runtime, 20)

    in_child(check)
    go.set()
    runtime.stop(60)
    assert 2 == counts(runtime)["calls"]


def test_hang_is_seen_in_the_child() -> None:
    """The child has a watchdog of its own as soon as something may hang: a hung candidate pauses the lane there too."""
    runtime, facade = probe(Answers(), Answers(), seam=HASTY)
    until(lambda: facade.ask(1) and counts(runtime)["matched"])

    def check() -> None:
        began = threading.Event()

        def hang(value: Any) -> None:
            began.set()
            threading.Event().wait(90)

        runtime._bound["probe", "ask"].state.binding.sides["unified"].does = hang
        # One that this machine keeps from beginning within its deadline does not hang.
        until(lambda: facade.ask(1) and began.is_set())
        until(lambda: facade.ask(2) and counts(runtime)["paused"])
        assert counts(runtime)["timed_out"]

    in_child(check)
    runtime.stop(60)


def test_async_lane_in_the_child() -> None:
    """The same for async lanes: what is left on a loop that ends is counted there too."""

    async def answer(value: Any) -> Any:
        # A loop that ends slowly may still begin what is left on it, but not end it.
        return value if value == 1 else await asyncio.Event().wait()

    runtime, facade = probe(Answers(), Answers(adoes=answer))

    async def ask() -> None:
        await facade.aask(1)
        await runtime.adrain(60)

    run(ask())

    def check() -> None:
        run(ask())
        assert {"matched": 1} == outcomes(runtime)
        run(facade.aask(2))
        until(lambda: counts(runtime)["dropped"])
        assert 0 == runtime.stop(60)
        assert_sums(runtime, 2)

    in_child(check)
    runtime.stop(60)


def test_locks_that_others_hold() -> None:
    """Every lock of the hall is held by another thread at the moment of the fork: the child goes on as if there were none."""
    runtime, _ = probe(Answers(), Answers())
    runtime.bind(TYPES, legacy=MapSide(), unified=MapSide())
    cache: Any = runtime.facade(TYPES)
    facade: Any = runtime.facade(runtime._bound["probe", "ask"].state.binding.seam)
    for stage in (Stage.SHADOW, Stage.LIVE):
        runtime.publish(both_at(stage))
        cache.set("k", 1)
        cache.get("k")
        facade.ask(1)
        run(cache.aget("k"))
    locks = locks_of(runtime)
    taken, go = threading.Event(), threading.Event()

    def hold() -> None:
        for lock in locks:
            lock.acquire()
        taken.set()
        go.wait(90)
        for lock in reversed(locks):
            lock.release()

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(60)

    def check() -> None:
        cache.set("k", 2)
        assert 2 == cache.get("k") == run(cache.aget("k"))
        runtime.publish(both_at(Stage.SHADOW))
        with runtime.scope():
            facade.ask(1)
        runtime.standing()
        runtime.drain()
        runtime.stop(60)

    try:
        in_child(check)
    finally:
        go.set()
        holder.join(60)
    runtime.stop(60)


def both_at(stage: Stage) -> Any:
    """Return a table with both phases at *stage*."""
    return type(at(stage)).of(**at(stage).phases, **table(stage).phases)


def locks_of(root: object) -> list[Any]:
    """Return every lock that can be reached from *root* within the hall."""
    kinds = (type(threading.Lock()), type(threading.RLock()))
    found: list[Any] = []
    seen: set[int] = set()
    waiting: list[object] = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, kinds):
            found.append(thing)
        elif isinstance(thing, dict):
            waiting.extend(thing.values())
        elif isinstance(thing, (list, tuple)):
            waiting.extend(thing)
        elif type(thing).__module__.startswith("oms.routing"):
            slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
            waiting.extend(getattr(thing, name, None) for name in slots)
            waiting.extend(getattr(thing, "__dict__", {}).values())
    assert len(found) > 10
    return found


def test_write_in_flight_elsewhere() -> None:
    """A write that another thread of the parent was in the middle of is not in flight in the child."""
    legacy, unified = MapSide(), MapSide()
    runtime = runtime_with(legacy, unified, Stage.DUALWRITE, AMPLE)
    cache: Any = runtime.facade(TYPES)
    held = Held(lambda: cache.set("k", "parent"))
    legacy.after = held.hook
    held.start()

    def check() -> None:
        cache.set("k", "child")
        assert ("child", "child") == (legacy.values["k"], unified.values["k"])

    in_child(check)
    held.finish()
    assert "parent" == unified.values["k"]
    runtime.stop(60)


def test_scopes_of_other_threads() -> None:
    """The child keeps the scope it was forked in, and none that other threads had open."""
    runtime, facade = probe(Answers(lambda value: "legacy"), Answers(lambda value: "unified"), Stage.OFF)
    opened, go = threading.Event(), threading.Event()

    def elsewhere() -> None:
        with runtime.scope():
            opened.set()
            go.wait(90)

    other = threading.Thread(target=elsewhere)
    other.start()
    assert opened.wait(60)
    own = runtime.scope()

    def check() -> None:
        runtime.publish(at(Stage.COMPLETE))
        assert ("legacy", True) == (facade.ask(1), runtime.standing()["probe"].oldest_scope_at is not None)
        own.__exit__(None, None, None)
        assert ("unified", None) == (facade.ask(1), runtime.standing()["probe"].oldest_scope_at)

    with own:
        in_child(check)
    go.set()
    other.join(60)
    runtime.stop(60)


def test_guard_and_trips_in_the_child() -> None:
    """A guard's count of the parent is not the child's, but a phase that was taken back stays so."""
    unified = Answers(raising(ValueError))
    runtime, facade = probe(Answers(lambda value: "legacy"), unified, Stage.LIVE)
    for value in range(14):
        facade.ask(value)

    def fresh() -> None:
        facade.ask(1)
        assert None is runtime.standing()["probe"].tripped

    def tripped() -> None:
        assert "shadow" == runtime.standing()["probe"].tripped
        unified.does = lambda value: "unified"
        assert "legacy" == facade.ask(1)

    in_child(fresh)
    facade.ask(1)
    in_child(tripped)
    runtime.stop(60)
