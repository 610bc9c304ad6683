"""The pytest plugin. Switch it on with ``pytest_plugins = ["oms.testing.plugin"]`` and give it a fixture ``sides``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from oms.domain.phase import Seam
from oms.domain.stage import Side
from oms.routing import LaneLimits, Runtime
from oms.seams.known import load_known
from oms.testing.both_sides import BothSides
from oms.testing.clock import FakeClock
from oms.testing.driven import Driven
from oms.testing.stages import fixed_stage
from oms.testing.vantage import Sides, Vantage

MakeSides = Callable[[Seam[Any, Any]], Sides]


@pytest.fixture
def clock() -> FakeClock:
    """The clock that both sides of a contract test tell the time by."""
    return FakeClock()


@pytest.fixture
def sides() -> MakeSides:
    """Makes both sides of a seam. Each folder of contracts has its own."""
    raise pytest.UsageError("contract tests need a fixture 'sides': a function from a seam to oms.testing.Sides")


@pytest.fixture
def subject(request: pytest.FixtureRequest, sides: MakeSides) -> Iterator[Any]:
    """What the contract is asked of: a side, or the facade at a stage. An async port is driven from here, under the sync names."""
    vantage: Vantage = request.param
    with ExitStack() as stack:
        found = _subject(vantage, sides(vantage.seam), stack)
        if vantage.is_async:
            found = Driven(found, stack.enter_context(asyncio.Runner()))
        yield found


@pytest.fixture
def both_sides(sides: MakeSides) -> Iterator[Callable[[Seam[Any, Any]], BothSides]]:
    """Makes both sides of a seam to be asked the same, as a pinned divergence does. Async ports are driven from here."""
    with asyncio.Runner() as runner:
        yield lambda seam: BothSides(seam, sides(seam), runner)


def _subject(vantage: Vantage, sides: Sides, stack: ExitStack) -> Any:
    if isinstance(vantage.subject, Side):
        return sides[vantage.subject]
    runtime = Runtime(rules=load_known(vantage.seam.phase.name), limits=LaneLimits(cpu_share=1.0))
    stack.callback(runtime.stop, limit_s=10.0)
    runtime.bind(vantage.seam, legacy=sides.legacy, unified=sides.unified)
    runtime.publish(fixed_stage(vantage.subject, vantage.seam.phase))
    return runtime.facade(vantage.seam)
