"""The upstream: what its schedule says, and what a real client meets of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from oms.app.upstream.application import COUNTS_PATH, SLOW_S
from oms.app.upstream.faults import (
    BUSY,
    CLOSE,
    HANG,
    PLANS,
    RESET,
    SLOW,
    UNAVAILABLE,
    Fault,
    FaultSchedule,
    between,
    by_chance,
    every,
)
from tests.unit.app.neighbours import upstream


def test_a_seed_is_a_schedule() -> None:
    """The same seed says the same of each request, another one something else; endpoints have luck of their own."""

    def told(seed: int, endpoint: str) -> list[Fault | None]:
        return [FaultSchedule(seed).fault(endpoint, number) for number in range(500)]

    assert told(1, "actions/enrich/Person") == told(1, "actions/enrich/Person")
    assert told(1, "actions/enrich/Person") != told(2, "actions/enrich/Person")
    assert told(1, "actions/enrich/Person") != told(1, "actions/enrich/Place")


def test_which_requests_fail() -> None:
    """Every so many, from one number to another, or a share of all; the first that happens is it, and whoever has no plan never fails."""
    plans = {
        "often": ((every(3, first=1), BUSY), (every(1), UNAVAILABLE)),
        "once": ((between(2, 4), RESET),),
        "luck": ((by_chance(0.0, 0.2), SLOW),),
    }
    schedule = FaultSchedule(1, plans)
    lucky = Counter(schedule.fault("luck/x", number) for number in range(2000))

    assert [UNAVAILABLE, BUSY, UNAVAILABLE, UNAVAILABLE, BUSY] == [
        schedule.fault("actions/often/X", n) for n in range(5)
    ]
    assert [None, None, RESET, RESET, None] == [schedule.fault("once", n) for n in range(5)]
    assert 320 < lucky[SLOW] < 480
    assert [None] * 20 == [schedule.fault("nobody/x", n) for n in range(20)]


def test_shares_of_the_plans() -> None:
    """What happens by chance leaves most requests alone, in every plan that the rehearsal uses."""
    schedule = FaultSchedule(1)
    failed = {name: sum(schedule.fault(f"{name}/x", number) is not None for number in range(1000)) for name in PLANS}

    assert {"publish": 30, "enrich": 130, "prices": 50, "media": 41, "search": 60} == pytest.approx(
        {name: failed[name] for name in ("publish", "enrich", "prices", "media", "search")}, abs=25
    )


def asking(plan: Any, ask: Any) -> Any:
    """Run *ask* with a client of an upstream whose endpoint ``x`` fails by *plan*, and that upstream."""

    async def go() -> Any:
        async with upstream({"x": plan}) as (url, app), httpx.AsyncClient(base_url=url, timeout=60) as client:
            return await ask(client, app)

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("fault", "error"),
    [(RESET, httpx.ReadError), (CLOSE, httpx.RemoteProtocolError), (HANG, httpx.ReadTimeout)],
    ids=str.split("reset close hang"),
)
def test_no_answer(fault: Fault, error: type[Exception]) -> None:
    """A reset, a connection closed without an answer and one that hangs are what they are called, and the next request is answered."""

    async def ask(client: httpx.AsyncClient, app: Any) -> tuple[BaseException | None, int, dict[str, int]]:
        with pytest.raises(error) as caught:
            await client.post("/x/1", content=b"{}", timeout=0.3 if fault is HANG else 60)
        return root_of(caught.value), (await client.post("/x/1")).status_code, dict(app.received)

    root, status, received = asking(((between(0, 1), fault),), ask)

    assert (200, {"x/1": 2}) == (status, received)
    assert (fault is RESET) is isinstance(root, ConnectionResetError)


def root_of(error: BaseException) -> BaseException:
    """Return the first cause of *error*."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def test_an_answer_that_is_none(ontology: Any) -> None:
    """A status comes with its headers and a body that says so; a slow answer comes late, and well."""

    async def ask(client: httpx.AsyncClient, app: Any) -> list[httpx.Response]:
        return [await client.get("/x/1") for _ in range(3)]

    busy, slow, well = asking(((between(0, 1), BUSY), (between(1, 2), SLOW)), ask)

    assert (429, "2", False) == (busy.status_code, busy.headers["retry-after"], busy.json()["done"])
    assert (200, True) == (slow.status_code, slow.json()["done"])
    assert slow.elapsed.total_seconds() >= SLOW_S
    assert {"done": True, "endpoint": "x/1"} == well.json()


def test_every_request_is_counted() -> None:
    """By endpoint, however it ended; who asks for the counts is not among them, a body is read, and a query is no endpoint of its own."""

    async def ask(client: httpx.AsyncClient, app: Any) -> dict[str, int]:
        await client.post("/y/1", content=b"x" * 100_000)
        await client.get("/y/1?page=2")
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                await client.get("/x/1")
        await client.get(COUNTS_PATH)
        counts: dict[str, int] = (await client.get(COUNTS_PATH)).json()
        return counts

    assert {"y/1": 2, "x/1": 2} == asking(((every(1), RESET),), ask)


def test_requests_at_once() -> None:
    """Each has a number of its own, and is counted as it arrives: one that still hangs is received."""

    async def ask(client: httpx.AsyncClient, app: Any) -> tuple[dict[str, int], int]:
        hanging = asyncio.create_task(client.get("/x/1", timeout=60))
        async with asyncio.timeout(60):
            while not app.received["x/1"]:
                await asyncio.sleep(0.001)
        second = await client.get("/x/1")
        assert not hanging.done()
        counted = dict(app.received)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        return counted, second.status_code

    assert ({"x/1": 2}, 200) == asking(((between(0, 1), HANG),), ask)
