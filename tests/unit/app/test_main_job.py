"""How many requests a rehearsal sends and to which phase, and the neighbours that it starts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from oms.app.rehearsal.folder import Folder
from oms.app.rehearsal.main_job import spread, usual_calls
from oms.app.rehearsal.neighbours import Neighbours, Reached
from oms.domain.errors import CouldNot
from oms.seams.cache import CACHE
from oms.seams.config import CONFIG
from oms.seams.resilience import RESILIENCE
from oms.wiring import BOUND_PHASES


def test_usual_calls() -> None:
    """A phase that calls a neighbour each time gets fewer, alone; together they share what the others have."""
    assert [30_000, 30_000, 6_000] == [usual_calls(each) for each in ([CACHE], [CACHE, RESILIENCE], [RESILIENCE])]


@pytest.mark.parametrize("calls", [1, 2, 7, 100, 30_000])
def test_spread(calls: int) -> None:
    """Each request belongs to one phase."""
    assert calls == sum(spread(calls, BOUND_PHASES)) == sum(spread(calls, [RESILIENCE]))


def test_shares() -> None:
    """One that calls a neighbour gets half as many as the others."""
    assert [12_000, 12_000, 6_000] == spread(30_000, [CACHE, CONFIG, RESILIENCE])


def test_neighbours(tmp_path: Path) -> None:
    """They run as a process of their own while the block goes on, tell what they have received, and are gone after it."""

    async def go() -> tuple[Reached, Reached, str]:
        neighbours = Neighbours(Folder(tmp_path), seed=1)
        async with neighbours, httpx.AsyncClient(base_url=neighbours.url) as client:
            for _ in range(3):
                assert 200 == (await client.get("/catalog/Person")).status_code
            reached = await neighbours.reached(made=4)
        return reached, await neighbours.reached(made=4), neighbours.url

    reached, after, url = asyncio.run(go())

    assert {"received": 3, "made": 4} == reached.as_json()
    assert 0 == after.received
    assert "" == (tmp_path / "upstream.log").read_text()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_neighbours_that_cannot_start(tmp_path: Path) -> None:
    """Without a folder for their complaints nothing is started, and the error says who."""

    async def go() -> None:
        async with Neighbours(Folder(tmp_path / "none"), seed=1):
            raise AssertionError

    with pytest.raises(CouldNot, match="upstream: cannot be started"):
        asyncio.run(go())
