"""Every call is counted once and every shadowed call has one outcome, whatever happens in whichever thread."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from typing import Any

import pytest

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.observation import Disposition, Outcome
from oms.domain.stage import Stage
from oms.routing import LaneLimits, Runtime
from oms.seams.cache import TYPES
from tests.unit.routing.probe import DEADLINE_S, HASTY, Answers, Refused, assert_pairs, assert_sums, counts, until
from tests.unit.routing.sides import MapSide, run

SEEDS = range(6)


class Moody:
    """Answers, fails, hangs for longer than its deadline, returns what cannot be copied, holds the CPU."""

    def __init__(self, seed: int, pause: threading.Event) -> None:
        self._chance, self._pause = random.Random(seed), pause

    def answer(self, value: Any) -> Any:
        """Do something."""
        mood = self._chance.random()
        if mood < 0.1:
            raise Refused(value)
        if mood < 0.12:
            raise self._chance.choice([SystemExit, GeneratorExit, asyncio.CancelledError])
        if mood < 0.13:
            self._pause.wait(DEADLINE_S * 1.5)
        if mood < 0.17:
            return threading.Lock()
        if mood < 0.2:
            end = time.perf_counter() + 0.002
            while time.perf_counter() < end:
                pass
        return None if mood < 0.3 else value

    async def aanswer(self, value: Any) -> Any:
        """Do the same, now and then only after having waited, or never."""
        mood = self._chance.random()
        if mood < 0.1:
            await asyncio.Event().wait()
        if mood < 0.3:
            await asyncio.sleep(0)
        return self.answer(value)


class Calm(Moody):
    """Leaves out what asyncio lets end its loop."""

    def answer(self, value: Any) -> Any:
        """Do something milder."""
        mood = self._chance.random()
        if mood < 0.2:
            raise Refused(value)
        return threading.Lock() if mood < 0.3 else value


class Calls:
    """How many calls were made, and in how many of them the control ended in something that is no Exception."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.made = 0

    def one(self, call: Any) -> None:
        """Make a call."""
        with self._lock:
            self.made += 1
        with contextlib.suppress(Refused, SystemExit, GeneratorExit, asyncio.CancelledError):
            call()


LIMITS = LaneLimits(jobs=20, size=20_000, pause_s=0.02, cpu_share=0.3, concurrent=4, noise_one_of=3)


@pytest.mark.parametrize("seed", SEEDS)
def test_sync_calls(seed: int) -> None:
    """Three threads call while flips go on; after stop the sums hold to the last call."""
    pause, calls = threading.Event(), Calls()
    runtime = Runtime(limits=LIMITS)
    runtime.publish(DecisionTable.of(probe=FixedDecision(Stage.SHADOW)))
    sides = Moody(seed, pause), Moody(seed + 100, pause)
    runtime.bind(HASTY, legacy=Answers(sides[0].answer), unified=Answers(sides[1].answer))
    facade = runtime.facade(HASTY)
    arguments = [1, "x" * 4_000, [1, 2], threading.Lock(), (1, ("y",))]

    def work(number: int) -> None:
        chance = random.Random(number)
        for _ in range(60):
            calls.one(lambda: facade.ask(chance.choice(arguments)))

    threads = [threading.Thread(target=work, args=[seed * 10 + number]) for number in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for stage in (Stage.LIVE, Stage.SHADOW):
            runtime.publish(DecisionTable.of(probe=FixedDecision(stage)))
        threads[0].join(0.003)
    pause.set()
    runtime.stop(0.05)
    calls.one(lambda: facade.ask(1))
    # What the worker had in hand when the time was up it counts itself.
    until(lambda: calls.made == counts(runtime)["calls"])

    assert_sums(runtime, calls.made)
    assert_pairs(runtime)


@pytest.mark.parametrize("seed", SEEDS)
def test_async_calls(seed: int) -> None:
    """Three loops call, cancel some of their calls, and end with candidates still on them; the sums hold."""
    pause, calls = threading.Event(), Calls()
    runtime = Runtime(limits=LIMITS)
    runtime.publish(DecisionTable.of(probe=FixedDecision(Stage.SHADOW)))
    sides = Calm(seed, pause), Calm(seed + 100, pause)
    runtime.bind(
        HASTY,
        legacy=Answers(sides[0].answer, sides[0].aanswer),
        unified=Answers(sides[1].answer, sides[1].aanswer),
    )
    facade = runtime.facade(HASTY)

    async def one(chance: random.Random) -> None:
        async def counted() -> None:
            calls.one(lambda: None)
            await facade.aask(chance.choice([1, [2], "x" * 4_000]))

        task = asyncio.ensure_future(counted())
        done, _ = await asyncio.wait([task], timeout=chance.choice([0, 0.005, 0.3]))
        if not done:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def work(number: int) -> None:
        chance = random.Random(number)
        await asyncio.gather(*(one(chance) for _ in range(40)))

    def loop(number: int) -> None:
        run(work(seed * 10 + number))

    threads = [threading.Thread(target=loop, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for stage in (Stage.LIVE, Stage.SHADOW):
            runtime.publish(DecisionTable.of(probe=FixedDecision(stage)))
        threads[0].join(0.003)
    runtime.stop(0.05)
    until(lambda: calls.made == counts(runtime)["calls"])

    assert_sums(runtime, calls.made)
    assert_pairs(runtime)


@pytest.mark.parametrize("seed", SEEDS)
def test_cache(seed: int) -> None:
    """Reads and writes of both ports in every stage, with failures on both sides: the sums hold for each operation."""
    chance = random.Random(seed)
    legacy, unified = MapSide(), MapSide()

    def moody(name: str, key: str | None) -> None:
        mood = chance.random()
        if mood < 0.1:
            raise ConnectionError(name)
        if mood < 0.12 and not name.startswith("a"):
            raise SystemExit

    legacy.before = unified.before = moody
    runtime = Runtime(limits=LIMITS)
    runtime.publish(DecisionTable.of(cache=FixedDecision(Stage.SHADOW)))
    runtime.bind(TYPES, legacy=legacy, unified=unified)
    cache: Any = runtime.facade(TYPES)
    made = dict.fromkeys(TYPES.operations(), 0)
    operations = {
        "get": lambda: cache.get("k"),
        "set": lambda: cache.set("k", chance.random(), ttl=chance.choice([None, 1])),
        "delete": lambda: cache.delete("k"),
        "clear": cache.clear,
        "aget": lambda: cache.aget("k"),
        "aset": lambda: cache.aset("k", [chance.random()]),
        "adelete": lambda: cache.adelete("k"),
        "aclear": cache.aclear,
    }

    async def work() -> None:
        for number in range(400):
            if not number % 40:
                stage = chance.choice([Stage.DUALWRITE, Stage.SHADOW, Stage.LIVE])
                runtime.publish(DecisionTable.of(cache=FixedDecision(stage)))
            name = chance.choice(list(operations))
            # A read at dualwrite is direct, and not counted, unless legacy owes something.
            if stage is not Stage.DUALWRITE or name not in ("get", "aget"):
                made[name] += 1
                with contextlib.suppress(ConnectionError, SystemExit):
                    answer = operations[name]()
                    await answer if name.startswith("a") else None
        await runtime.adrain(0.01)

    run(work())
    runtime.stop(60)

    for name, calls in made.items():
        found = counts(runtime, name)

        assert (name, calls) == (name, found["calls"])
        assert calls == sum(found[str(disposition)] for disposition in Disposition)
        assert found["shadowed"] == sum(found[str(outcome)] for outcome in Outcome)
