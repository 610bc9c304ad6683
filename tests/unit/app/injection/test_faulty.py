"""The wrapper around unified's reads."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oms.app.injection import Distance, Faults, Injected, Injection
from oms.app.injection.faulty import wrong
from oms.app.injection.switch import follow, turn_on
from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.stage import Side as Wing
from oms.domain.stage import Stage
from oms.routing import Runtime
from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION

Read = Callable[[Any], Any]


def sync_read(side: Any) -> Any:
    """Read the known key by the sync port."""
    return side.get("known")


def async_read(side: Any) -> Any:
    """Read the known key by the async port."""
    return asyncio.run(side.aget("known"))


def faulty(side: object, faults: Faults, *, seed: int = 1, hang_s: float = 3.0) -> Any:
    """Return *side* with *faults* that are on."""
    injection = Injection(faults, seed=seed, hang_s=hang_s)
    injection.is_on = True
    return injection.around(TYPES, Wing.UNIFIED, side)


def outcomes(side: Any, read: Read, calls: int) -> list[str]:
    """Return for each call ``raised``, ``wrong`` or ``right``."""

    def one() -> str:
        try:
            return "right" if read(side) == {"name": "Person"} else "wrong"
        except Injected:
            return "raised"

    return [one() for _ in range(calls)]


@pytest.mark.parametrize("read", [sync_read, async_read])
def test_shares(side: object, read: Read) -> None:
    """About as many calls raise or come back wrong as were asked for; the same seed picks the same calls, another seed others."""
    faults = Faults(errors=0.3, wrong=0.2)
    first, again, other = (outcomes(faulty(side, faults, seed=seed), read, 300) for seed in (1, 1, 2))

    assert first == again
    assert first != other
    assert 60 < first.count("raised") < 120
    assert 20 < first.count("wrong") < 65


def test_nothing_before_it_begins(side: object) -> None:
    """Until the switch is turned every call is right, and legacy's always are."""
    injection = Injection(Faults(errors=1.0), seed=1)
    unified: Any = injection.around(TYPES, Wing.UNIFIED, side)

    assert ["right"] * 10 == outcomes(unified, sync_read, 10)
    injection.is_on = True
    assert ["raised"] * 10 == outcomes(unified, sync_read, 10)
    assert side is injection.around(TYPES, Wing.LEGACY, side)


def test_only_reads(side: Any) -> None:
    """Writes, and what the port does not know, go straight to the side."""
    unified = faulty(side, Faults(errors=1.0, hang=True))
    unified.set("new", 1, ttl=3)

    assert (1, side.values) == (side.values["new"], unified.values)
    assert unified.delete("new")


@pytest.mark.parametrize("read", [sync_read, async_read])
def test_hang(side: object, read: Read) -> None:
    """A call that hangs comes back at last, sync and async alike."""
    unified = faulty(side, Faults(hang=True), hang_s=0.05)
    began = time.monotonic()

    assert {"name": "Person"} == read(unified)
    assert time.monotonic() - began >= 0.05


def test_slow() -> None:
    """A slow call takes the multiple of what it would have taken, below a millisecond too."""

    class Slow:
        def get(self, key: str) -> None:
            until = time.perf_counter() + 0.0005
            while time.perf_counter() < until:
                pass

        def aget(self, key: str) -> None: ...

    unified = faulty(Slow(), Faults(slow=10.0))
    began = time.perf_counter()
    unified.get("known")

    assert time.perf_counter() - began >= 0.005


def test_tail() -> None:
    """One call in fifty or so is made slow by the tail, the others are not."""
    injection = Injection(Faults(tail=12.0), seed=5)
    chance = random.Random(5)
    draws = [injection._draw(chance) for _ in range(10_000)]
    slow = [course for course in draws if course.factor == 12.0]

    assert 150 < len(slow) < 250
    assert {1.0, 12.0} == {course.factor for course in draws}


@pytest.mark.parametrize("answer", [{"a": 1}, [1], "a", True, 1, 1.5, {1}, b"a"])
def test_wrong(answer: object) -> None:
    """A wrong answer differs, and the right one is left as it is."""
    before = repr(answer)

    assert wrong(answer) != answer
    assert before == repr(answer)
    assert wrong(None) is None


def test_it_binds(side: object) -> None:
    """A faulty side fits its port, and what it raises in live is rescued."""
    runtime = Runtime()
    runtime.bind(TYPES, legacy=side, unified=faulty(side, Faults(errors=1.0)))
    runtime.publish(DecisionTable.of(cache=FixedDecision(Stage.LIVE)))
    try:
        assert {"name": "Person"} == runtime.facade(TYPES).get("known")
        assert 1 == sum(tally.count for tally in runtime.totals() if tally.name == "rescued")
    finally:
        runtime.stop()


def test_distance(side: Any) -> None:
    """Both sides' async reads take as long as the draw says; sync reads do not."""
    distance = Distance(median_s=0.01, sigma=0.0)
    far: Any = distance.around(DOCUMENTS, Wing.LEGACY, side, seed=1)
    began = time.monotonic()
    asyncio.run(far.aget("known"))

    assert time.monotonic() - began >= 0.01
    assert side is distance.around(VALIDATION, Wing.LEGACY, side, seed=1)


def test_distance_is_lognormal() -> None:
    """Half of the answers come within the median, one in a hundred takes more than 6.4 times it."""
    chance = random.Random(1)
    draws = sorted(Distance().draw(chance) for _ in range(20_000))

    assert 0.0094 < draws[10_000] < 0.0106
    assert 5.8 < draws[19_800] / draws[10_000] < 7.2


def test_switch(tmp_path: Path) -> None:
    """The injection is on once the file is there, and not before."""

    async def turned() -> list[bool]:
        injection, path = Injection(Faults(hang=True), seed=1), tmp_path / "on"
        follow(path, injection, asyncio.get_running_loop())
        await asyncio.sleep(0)
        seen = [injection.is_on]
        turn_on(path)
        async with asyncio.timeout(10):
            while not injection.is_on:
                await asyncio.sleep(0)
        return [*seen, injection.is_on]

    assert [False, True] == asyncio.run(turned())
