"""Virtual time, and registries without what an earlier test left."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from oms.legacy.utils import retry_strategy
from oms.seams.resilience import living_in
from oms.testing import VirtualTime


@pytest.fixture
def time() -> Iterator[VirtualTime]:
    """The time that legacy code lives in during the test."""
    virtual = VirtualTime()
    with living_in(virtual.source):
        yield virtual


@pytest.fixture(autouse=True)
def _no_leftovers() -> None:
    """Clear what the legacy module keeps for ever."""
    for kept in (retry_strategy._circuit_breakers, retry_strategy._retry_budgets, retry_strategy._bulkheads):
        kept.clear()


class Scripted:
    """An async function that raises or returns what its script says, the last entry again and again.

    Attributes:
        calls: How often it was called.
    """

    def __init__(self, *script: Any) -> None:
        self._script = itertools.chain(script[:-1], itertools.repeat(script[-1]))
        self.calls = 0

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        outcome = next(self._script)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def scripted() -> Callable[..., Callable[..., Awaitable[Any]]]:
    """Build a scripted function."""
    return Scripted
