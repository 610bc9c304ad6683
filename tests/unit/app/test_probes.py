"""Requests that bring evidence soon, and the worker's part of them."""

from __future__ import annotations

import asyncio
import re

import httpx
from starlette.applications import Starlette

from oms.app.rehearsal.burst import Bursts
from oms.app.rehearsal.probes import BURST_PATH, Probes
from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.stage import Stage
from oms.routing import Runtime
from oms.routing.scopes import CURRENT
from oms.seams.cache import DOCUMENTS
from tests.unit.app.conftest import MemoryCache


class Documents(MemoryCache):
    """Writes down for whom each read was."""

    async def aget(self, key: str) -> object:
        scope = CURRENT.get()
        self.calls.append(("aget", scope.targeting_key if scope else None))
        await asyncio.sleep(0)
        return {"name": key}

    async def aforget(self, key: str | None) -> None:
        """Nothing is stale here."""


def targets(probes: Probes, reads: int) -> list[str]:
    """Return the paths of the requests."""
    return [each.text.split()[1].decode() for (each,) in probes.requests(reads)]


def test_bursts() -> None:
    """Reads of the cache are made inside the workers, at most 200 a request, and no two have a targeting key in common."""
    probes = Probes("cache")
    asked = [tuple(map(int, path.split("/")[-2:])) for path in (*targets(probes, 450), *targets(probes, 20))]
    keys = [number for first, reads in asked for number in range(first, first + reads)]

    assert [200, 200, 50, 20] == [reads for _, reads in asked]
    assert (470, 470, 470) == (len(keys), len(set(keys)), probes.reads)


def test_reloads() -> None:
    """The configuration is read by reloads, each for a tenant of its own."""
    requests = [each for (each,) in (*Probes("config").requests(120), *Probes("config").requests(1))]
    tenants = [re.findall(rb"x-tenant: (\S+)", each.text) for each in requests]

    assert [[b"probe-0"], [b"probe-1"], [b"probe-0"]] == tenants
    assert {b"POST /configuration/reload HTTP/1.1"} == {each.text.split(b"\r\n")[0] for each in requests}


def test_a_phase_without_probes() -> None:
    """Ordinary traffic has to do."""
    assert [] == Probes("security").requests(100)


def test_a_burst_in_a_worker() -> None:
    """Every read crosses the facade in a scope of its own; where one raises, the burst is no good answer."""
    runtime, side = Runtime(), Documents()
    runtime.bind(DOCUMENTS, legacy=side, unified=Documents())
    runtime.publish(DecisionTable.of(cache=FixedDecision(Stage.OFF)))
    app = Starlette(routes=[Bursts(runtime, runtime.facade(DOCUMENTS)).route()])

    async def post(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://oms") as client:
            return await client.post(path)

    try:
        answer = asyncio.run(post(f"{BURST_PATH}/30/10"))
    finally:
        runtime.stop()

    assert (200, {"reads": 10}) == (answer.status_code, answer.json())
    assert {("aget", f"burst-{number}") for number in range(30, 40)} == set(side.calls)
    assert 10 == len(side.calls)
