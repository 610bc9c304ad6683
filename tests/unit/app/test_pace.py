"""The fast clock of a rehearsal."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from oms.app.pace import Paced, paced
from oms.seams.resilience import TIME, TimeSource


def test_a_minute_in_no_time() -> None:
    """Sleeping for a minute takes 60 ms when the clock runs a thousand times as fast, and on that clock it was a minute, both ways."""
    source = paced(1000)

    async def go() -> tuple[float, float, float]:
        # Each clock within the one before it: this thread may stand still between two looks.
        really, monotonic, wall = time.monotonic(), source.monotonic(), source.wall()
        await source.asleep(60)
        source.sleep(60)
        wall, monotonic = source.wall() - wall, source.monotonic() - monotonic
        return time.monotonic() - really, monotonic, wall

    really, monotonic, wall = asyncio.run(go())

    assert 0.12 <= really < 60
    assert 119 < wall < monotonic + 1 < really * 1000 + 2


def test_it_begins_now() -> None:
    """Dates of the phase are of today."""
    assert pytest.approx(time.time(), abs=1000) == paced(40).wall()


def test_limits() -> None:
    """A time limit is one of that clock; no limit stays none."""
    source = paced(1000)

    async def go() -> int:
        with pytest.raises(TimeoutError):
            await source.wait_for(asyncio.Event().wait(), 20)
        answer: int = await source.wait_for(asyncio.sleep(0, 7), None)
        return answer

    assert 7 == asyncio.run(go())


def test_requests_live_in_it() -> None:
    """What serves a request takes its time from there, and nobody else does."""
    seen: list[TimeSource] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(TIME.get())

    async def nothing(*_: Any) -> Any:
        return None

    source, outside = paced(2), TIME.get()
    asyncio.run(Paced(app, source)({"type": "http"}, nothing, nothing))

    assert [source] == seen
    assert outside is TIME.get()
