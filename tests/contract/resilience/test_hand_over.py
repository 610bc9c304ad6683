"""What both sides of the breakers promise when one begins to answer in place of the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sides.resilience import SteppingTime, end_of, scripted

from oms.domain.phase import Seam
from oms.domain.stage import Side, Stage
from oms.routing import LaneLimits, Runtime
from oms.seams.resilience import BREAKER, RESILIENCE, Breaker
from oms.testing import Sides, fixed_stage

MakeSides = Callable[[Seam[Any, Any]], Sides]


async def is_let_through(breaker: Breaker, name: str = "a") -> bool:
    """Call something healthy; tell whether it was called."""
    function = scripted("well")
    await end_of(breaker.acall(function, name=name))
    return function.calls == 1


async def fail(breaker: Breaker, times: int) -> None:
    """Let *times* calls fail."""
    for _ in range(times):
        await end_of(breaker.acall(scripted(ConnectionError), name="a"))


@pytest.mark.parametrize("old", list(Side))
def test_adopted(sides: MakeSides, time: SteppingTime, old: Side) -> None:
    """What one side has open the other one adopts for the rest of its time, and for its name alone."""
    both = sides(BREAKER)
    before, after = both[old], both[old.other]

    async def story() -> list[bool]:
        await fail(before, 5)
        time.advance(20)
        for name, for_s in before.open_circuits().items():
            after.adopt_open(name, for_s)
        seen = [await is_let_through(after), await is_let_through(after, "b")]
        time.advance(39)
        seen.append(await is_let_through(after))
        time.advance(2)
        return [*seen, await is_let_through(after)]

    assert [False, True, False, True] == asyncio.run(story())


@pytest.fixture
def hall(sides: MakeSides) -> Iterator[Runtime]:
    """A hall with the breakers bound."""
    with ExitStack() as stack:
        runtime = Runtime(limits=LaneLimits(cpu_share=1.0))
        stack.callback(runtime.stop, limit_s=10.0)
        both = sides(BREAKER)
        runtime.bind(BREAKER, legacy=both.legacy, unified=both.unified)
        yield runtime


@pytest.mark.parametrize(
    ("old", "new"),
    [(Stage.SHADOW, Stage.LIVE), (Stage.LIVE, Stage.SHADOW), (Stage.LIVE, Stage.OFF), (Stage.LIVE, Stage.COMPLETE)],
)
def test_flip_while_open(hall: Runtime, time: SteppingTime, old: Stage, new: Stage) -> None:
    """A flip, forward or back, lets nobody through to a dependency that is down, and not later than before."""
    breaker = hall.facade(BREAKER)

    async def story() -> list[bool]:
        hall.publish(fixed_stage(old, RESILIENCE))
        await fail(breaker, 5)
        time.advance(20)
        hall.publish(fixed_stage(new, RESILIENCE))
        seen = [await is_let_through(breaker), await is_let_through(breaker, "b")]
        time.advance(41)
        return [*seen, await is_let_through(breaker)]

    assert [False, True, True] == asyncio.run(story())
