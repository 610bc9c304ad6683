"""Units: targeting keys in ten minutes, counted where a split asks for them and nowhere else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import Counter
from typing import Any

import pytest

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.histogram import bucket_of
from oms.domain.record import Batch
from oms.domain.scope import EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Side, Stage
from oms.routing import Runtime
from oms.routing.scopes import CURRENT
from oms.routing.units import NEVER, SLOT_S, UnitBook
from oms.seams.cache import TYPES
from oms.testing.clock import FakeClock
from tests.unit.routing.probe import AMPLE, ASK, PROBE, Answers, Refused, at, counts, probe, raising, until
from tests.unit.routing.sides import MapSide

MS = 1_000_000


class HalfLive:
    """Keys that begin with ``new`` are at live, all others at shadow."""

    digest = "half"
    stages = frozenset({Stage.LIVE, Stage.SHADOW})
    default = Stage.SHADOW
    split: Split | None = None
    by_operation = False

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Decide by the key."""
        return Stage.LIVE if (context.targeting_key or "").startswith("new") else Stage.SHADOW


class HalfWritten(HalfLive):
    """Everybody who has a key is at dualwrite, nobody else."""

    stages = frozenset({Stage.DUALWRITE, Stage.OFF})
    default = Stage.OFF

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Say dualwrite."""
        return Stage.DUALWRITE


class Taking(threading.local):
    """A clock of each thread's own, which moves on by what a side says it takes."""

    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def take(self, milliseconds: int) -> int:
        """Take so long, and answer it."""
        self.now_ns += milliseconds * MS
        return milliseconds


def half(legacy: Any, unified: Any, **more: Any) -> tuple[Runtime, Any]:
    """Return a runtime in the middle of a split, and the facade."""
    runtime, facade = probe(legacy, unified, **more)
    runtime.publish(DecisionTable.of(probe=HalfLive()))
    return runtime, facade


def ask(runtime: Runtime, facade: Any, key: str | None, value: Any = 1, *, is_async: bool = False) -> None:
    """Ask once in a scope of *key*."""

    async def aask() -> None:
        with runtime.scope(targeting_key=key), contextlib.suppress(Refused):
            await facade.aask(value)
        await runtime.adrain(60)

    if is_async:
        asyncio.run(aask())
        return
    with runtime.scope(targeting_key=key), contextlib.suppress(Refused):
        facade.ask(value)


def drained(runtime: Runtime) -> Batch:
    """Return everything, once all lanes have worked."""
    runtime.stop(5)
    return runtime.drain()


def unit_errors(batch: Batch) -> dict[tuple[str, str], int]:
    """Return the failed units by stage and plan."""
    return {(row.place.stage, row.place.plan): row.count for row in batch.tallies if row.name == "unit_errors"}


def slow_units(batch: Batch) -> dict[str, int]:
    """Return the units with a slowest answer by stage."""
    found: Counter[str] = Counter()
    for row in batch.units:
        found[row.place.stage] += sum(row.buckets.values())
    return dict(found)


@pytest.mark.parametrize("is_async", [False, True])
def test_first_failed_answer_of_a_key(is_async: bool) -> None:
    """Of each key and stage the first failed answer of the control counts; what was rescued failed, too."""
    runtime, facade = half(Answers(raising(Refused())), Answers(raising(Refused())))
    for key in ("new-1", "new-1", "new-2", "old-1", "old-1", "old-1"):
        ask(runtime, facade, key, is_async=is_async)

    assert {("live", "half"): 2, ("shadow", "half"): 1} == unit_errors(drained(runtime))


def test_rescued_answer_failed() -> None:
    """A read that legacy answered in unified's place failed at its control; a candidate's failure is nobody's answer."""
    runtime, facade = half(Answers(), Answers(raising(Refused())))
    for key in ("new-1", "new-1", "old-1"):
        ask(runtime, facade, key)

    assert {("live", "half"): 1} == unit_errors(drained(runtime))


def test_failed_writes_are_units() -> None:
    """A write that failed at the side that answers is a failed unit."""
    legacy = MapSide()
    runtime = Runtime(limits=AMPLE)
    runtime.publish(DecisionTable.of(cache=HalfWritten()))
    runtime.bind(TYPES, legacy=legacy, unified=MapSide())

    def refuse(name: str, key: str | None) -> None:
        if name == "set":
            raise Refused

    legacy.before = refuse
    with runtime.scope(targeting_key="t"):
        for _ in range(3):
            with contextlib.suppress(Refused):
                runtime.facade(TYPES).set("k", 1)

    assert {("dualwrite", "half"): 1} == unit_errors(drained(runtime))


def test_no_units_without_key_or_split() -> None:
    """Outside of scopes, without a key, or where everybody stands at one stage, there are no units."""
    runtime, facade = half(Answers(raising(Refused())), Answers(raising(Refused())))
    with contextlib.suppress(Refused):
        facade.ask(1)
    ask(runtime, facade, None)
    whole, other = probe(Answers(raising(Refused())), Answers(raising(Refused())))
    ask(whole, other, "new-1")
    ask(whole, other, "old-1")

    for batch in (drained(runtime), drained(whole)):
        assert ({}, {}) == (unit_errors(batch), slow_units(batch))


def test_slowest_answer_of_a_key() -> None:
    """A key is one unit, in the bucket of its slowest answer, at the stage that answered."""
    clock = Taking()
    runtime, facade = half(Answers(clock.take), Answers(clock.take), clock_ns=clock)
    for key, milliseconds in (("new-1", 1), ("new-1", 20), ("new-1", 2), ("new-2", 1), ("old-1", 1)):
        ask(runtime, facade, key, milliseconds)
    batch = drained(runtime)
    live = next(row.buckets for row in batch.units if row.place.stage == "live")

    assert {"live": 2, "shadow": 1} == slow_units(batch)
    assert {bucket_of(20 * MS): 1, bucket_of(1 * MS): 1} == {bucket: count for bucket, count in live.items() if count}
    assert all(row.place.plan == "half" for row in batch.units)


def test_nested_calls_are_no_units() -> None:
    """What a candidate asks of a facade is nobody's answer."""
    within, inner = half(Answers(raising(Refused())), Answers(raising(Refused())))
    unified = Answers(inner.ask)
    runtime, outer = half(Answers(), unified)
    ask(runtime, outer, "old-1")
    runtime.stop(5)
    batch = drained(within)

    assert [1] == unified.asked
    assert ({}, {}) == (unit_errors(batch), slow_units(batch))


def test_line_follows_legacy() -> None:
    """Once legacy's answers are known, only answers above about their 80th percentile are looked at."""
    clock = Taking()
    runtime, facade = half(Answers(clock.take), Answers(clock.take), clock_ns=clock)
    for number in range(300):
        ask(runtime, facade, f"old-{number}", 60 if number % 10 > 7 else 1)
    cell = next(
        cell for place, cell in runtime._ledger._cells.items() if place.stage == "shadow" and place.plan == "half"
    )
    until(lambda: cell.units.line_ns)

    assert 0 < cell.units.line_ns < 50 * MS
    until(lambda: counts(runtime)["shadowed"] == 300)
    legacy: Counter[int] = Counter()
    cell.add_answers(Side.LEGACY, legacy)

    assert 60 == sum(count for bucket, count in legacy.items() if bucket > bucket_of(cell.units.line_ns))
    runtime.stop(5)


class Key:
    """Stands in the contextvar for a scope with a key."""

    def __init__(self, key: str | None) -> None:
        self.targeting_key = key


@contextlib.contextmanager
def scope_of(key: str) -> Any:
    """Call as a scope of *key* does."""
    token = CURRENT.set(Key(key))
    try:
        yield
    finally:
        CURRENT.reset(token)


def book(limit: int = 100) -> tuple[UnitBook, list[str]]:
    """Return a book that counts, and what it has told."""
    told: list[str] = []
    made = UnitBook(told.append, limit=limit)
    made.begin()
    return made, told


def test_drain_tells_what_changed() -> None:
    """A unit that became slower is taken out of its old bucket; the sum over all drains is one a unit."""
    made, _ = book()
    sums: Counter[int] = Counter()
    drains = []
    for took in (1 * MS, 5 * MS, 3 * MS, 9 * MS):
        with scope_of("a"):
            made.slow(took)
        drains.append(made.drain())
        sums.update(drains[-1])

    assert [{1: 1}, {1: -1, 5: 1}, {}, {5: -1, 9: 1}] == [
        {next(ms for ms in (1, 5, 9) if bucket_of(ms * MS) == bucket): count for bucket, count in drain.items()}
        for drain in drains
    ]
    assert {bucket_of(9 * MS): 1} == {bucket: count for bucket, count in sums.items() if count}


def test_next_slot_is_another_unit() -> None:
    """After ten minutes the same key is a new unit; a clock that goes back begins no slot, unless it ran far ahead before."""
    clock, told = FakeClock(), list[str]()
    made = UnitBook(told.append, clock=clock)
    made.begin()
    for slot in (1, 1, 2, 1, 2, 50_000, 2, 2):
        clock.now_s = slot * SLOT_S + 1
        with scope_of("a"):
            made.failed()
            made.slow(MS)

    assert ["unit_errors"] * 4 == told
    assert {bucket_of(MS): 4} == made.drain()


def test_units_are_bounded() -> None:
    """Beyond the bound later keys are left out, in errors as in slow answers."""
    made, told = book(limit=3)
    for number in range(10):
        with scope_of(f"t{number}"):
            made.failed()
            made.slow(MS)

    assert ["unit_errors"] * 3 == told
    assert {bucket_of(MS): 3} == made.drain()


def test_book_sleeps_until_it_is_asked() -> None:
    """Without a split nothing is looked at: no answer takes longer than the line."""
    made = UnitBook(pytest.fail)
    with scope_of("a"):
        made.failed()

    assert (NEVER, {}) == (made.line_ns, made.drain())


def test_units_from_many_threads() -> None:
    """Each key is one unit, whoever comes first."""
    made, told = book(limit=1_000)

    def work() -> None:
        for number in range(200):
            with scope_of(f"t{number}"):
                made.failed()
                made.slow((number + 1) * MS)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (200, 200) == (len(told), sum(made.drain().values()))


def test_forked_child_begins_anew() -> None:
    """A child reports none of its parent's units, and still counts its own."""
    runtime, facade = half(Answers(raising(Refused())), Answers(raising(Refused())))
    ask(runtime, facade, "new-1")
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        ask(runtime, facade, "new-1")
        os.write(write, repr(unit_errors(drained(runtime))).encode())
        os._exit(0)
    os.waitpid(pid, 0)

    assert repr({("live", "half"): 1}).encode() == os.read(read, 1000)
    assert {("live", "half"): 1} == unit_errors(drained(runtime))


def test_stopped_split_stops_counting() -> None:
    """A flip to one stage for all ends the counting of units."""
    runtime, facade = half(Answers(raising(Refused())), Answers(raising(Refused())))
    runtime.publish(DecisionTable.of(probe=FixedDecision(Stage.LIVE, digest="all")))
    ask(runtime, facade, "new-1")

    assert {} == unit_errors(drained(runtime))
    assert (ASK.phase, "all") == (PROBE, at(Stage.LIVE, "all").phases["probe"].digest)


def test_keys_are_counted_once_by_stage() -> None:
    """One key of eight is counted where it was decided, however often it comes; keys outside of scopes are not."""
    runtime, facade = half(Answers(), Answers())
    for _ in range(2):
        for number in range(400):
            for word in ("new", "old"):
                with runtime.scope(targeting_key=f"{word} {number}"):
                    facade.ask(1)
    facade.ask(1)
    runtime.stop(10)
    found = Counter({tally.place.stage: tally.count for tally in runtime.drain().tallies if tally.name == "units"})
    expected = {
        stage: sum(hash(f"{word} {number}") % 8 == 0 for number in range(400))
        for stage, word in (("live", "new"), ("shadow", "old"))
    }

    assert expected == found
    assert all(20 < count < 90 for count in found.values())
