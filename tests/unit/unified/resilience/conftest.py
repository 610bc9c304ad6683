"""Virtual time, and functions that do as their script says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from oms.seams.resilience import living_in
from oms.testing import VirtualTime


@pytest.fixture
def time() -> Iterator[VirtualTime]:
    """The time that the test lives in."""
    virtual = VirtualTime()
    with living_in(virtual.source):
        yield virtual


class Scripted:
    """A function that raises or returns what its script says, the last entry again and again.

    Attributes:
        calls: How often it was called.
    """

    def __init__(self, *script: Any) -> None:
        self._script = itertools.chain(script[:-1], itertools.repeat(script[-1]))
        self.calls = 0

    def plain(self, *args: Any, **kwargs: Any) -> Any:
        """Do what comes next."""
        self.calls += 1
        outcome = next(self._script)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def awaited(self, *args: Any, **kwargs: Any) -> Any:
        """Do what comes next, async."""
        return self.plain()


@pytest.fixture
def scripted() -> Callable[..., Scripted]:
    """Build a scripted function."""
    return Scripted
