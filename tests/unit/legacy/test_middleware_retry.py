"""Quirks RB-01 to RB-05 of the middleware's retry, each by its id."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from oms.legacy.middleware.common import exponential_backoff, retry_with_backoff
from oms.testing import VirtualTime

Make = Callable[..., Any]


def test_defaults(time: VirtualTime, scripted: Make) -> None:
    """Three attempts, waits of 1 to 1.1 and 2 to 2.2 seconds, then the error itself."""
    failing = scripted(KeyError("a"))
    with pytest.raises(KeyError):
        asyncio.run(retry_with_backoff()(failing)())

    assert 3 == failing.calls
    assert [True, True] == [
        low <= wait <= high for wait, (low, high) in zip(time.sleeps, [(1, 1.1), (2, 2.2)], strict=True)
    ]


@pytest.mark.parametrize("error", [ValueError, TypeError])
def test_rb_01(time: VirtualTime, scripted: Make, error: type[Exception]) -> None:
    """Errors that will never pass are retried."""
    failing = scripted(error(), "well")

    assert ("well", 2) == (asyncio.run(retry_with_backoff()(failing)()), failing.calls)


def test_rb_02(time: VirtualTime, scripted: Make) -> None:
    """With no attempt it fails without having called."""
    function = scripted("well")
    with pytest.raises(Exception, match="Max retry attempts exceeded"):
        asyncio.run(retry_with_backoff(max_attempts=0)(function)())

    assert 0 == function.calls


def test_rb_03() -> None:
    """The decorator has no parameter for the longest wait."""

    assert ["max_attempts", "base_delay"] == list(inspect.signature(retry_with_backoff).parameters)


def test_rb_04(time: VirtualTime) -> None:
    """Waits go up to a tenth above their cap."""
    delays = [exponential_backoff(10) for _ in range(500)]

    assert 60 <= min(delays)
    assert 65.5 < max(delays) <= 66


def test_rb_05(time: VirtualTime) -> None:
    """The body of a plain function, the roadmap's own example, runs three times and then fails."""
    runs: list[int] = []
    with pytest.raises(TypeError):
        asyncio.run(retry_with_backoff(max_attempts=3)(lambda: runs.append(1))())

    assert [1, 1, 1] == runs
