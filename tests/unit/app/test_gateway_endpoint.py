"""The gateway, from the client to a real upstream and back, with both wings."""

from __future__ import annotations

from typing import Any

import pytest

from oms.app.ontology import Ontology
from oms.app.upstream.faults import BUSY, CLOSE, HANG, MOVED, REFUSED, RESET, UNAVAILABLE, Fault, between, every
from tests.unit.app.neighbours import Place, in_place

WINGS = pytest.mark.parametrize("wing", ["legacy", "unified"])


@WINGS
def test_forwarded(wing: str, ontology: Ontology) -> None:
    """The service's own answer comes back; the path without its first part has gone there, the query is none of the path."""

    async def use(place: Place) -> tuple[int, Any, dict[str, int]]:
        answer = await place.client.get("/gateway/prices/Offer?page=2")
        return answer.status_code, answer.json(), dict(place.upstream.received)

    status, body, received = in_place({}, use, wing=wing, ontology=ontology)

    assert (200, {"done": True, "endpoint": "prices/Offer"}) == (status, body)
    assert {"prices/Offer": 1} == received


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (UNAVAILABLE, 503, "done"),
        (BUSY, 429, "done"),
        (REFUSED, 422, "done"),
        (MOVED, 301, "done"),
        (RESET, 502, "Bad gateway"),
        (CLOSE, 502, "Bad gateway"),
        (HANG, 504, "Gateway timeout"),
    ],
    ids=str.split("503 429 422 301 reset close hang"),
)
@WINGS
def test_what_fails(wing: str, fault: Fault, status: int, body: str, ontology: Ontology) -> None:
    """An answer is the caller's, whatever its status; no answer is 502, or 504 if it took too long, under both wings alike."""

    async def use(place: Place) -> tuple[int, str]:
        answer = await place.client.get("/gateway/media/Person")
        assert place.neighbour.made == sum(place.upstream.received.values())
        return answer.status_code, answer.text

    found, text = in_place({"media": ((every(1), fault),)}, use, wing=wing, ontology=ontology)

    assert (status, True) == (found, body in text)


@WINGS
def test_open(wing: str, ontology: Ontology) -> None:
    """A service that keeps failing is not asked for a while: 503, and when to come again. Other services are."""

    async def use(place: Place) -> Any:
        for _ in range(6):
            await place.client.get("/gateway/search/Person")
        before = place.neighbour.made
        answer = await place.client.get("/gateway/search/Person")
        other = await place.client.get("/gateway/prices/Person")
        return answer.status_code, answer.headers["retry-after"], place.neighbour.made - before, other.status_code

    assert (503, "1", 1, 200) == in_place({"search": ((every(1), UNAVAILABLE),)}, use, wing=wing, ontology=ontology)


@pytest.mark.parametrize(
    ("method", "headers", "made"),
    [("GET", {}, 2), ("PUT", {}, 2), ("DELETE", {}, 2), ("POST", {}, 1), ("POST", {"Idempotency-Key": "k"}, 2)],
    ids=str.split("get put delete post post-with-key"),
)
@WINGS
def test_what_may_be_repeated(wing: str, method: str, headers: dict[str, str], made: int, ontology: Ontology) -> None:
    """A method that does the same twice is sent again, a POST only with a key (GW-01)."""

    async def use(place: Place) -> tuple[int, int]:
        answer = await place.client.request(method, "/gateway/search/Person", headers=headers)
        return answer.status_code, place.neighbour.made

    status, sent = in_place({"search": ((between(0, 1), UNAVAILABLE),)}, use, wing=wing, ontology=ontology)

    assert (200 if made == 2 else 503, made) == (status, sent)


def test_headers(ontology: Ontology) -> None:
    """Headers go along, but for those of the connection and those in which a caller would name himself (GW-10)."""
    seen: dict[str, str] = {}

    async def use(place: Place) -> None:
        sent = place.neighbour.send

        async def spy(method: str, path: str, *, headers: Any = None, content: bytes = b"") -> Any:
            seen.update({name.lower(): value for name, value in headers.items()})
            return await sent(method, path, headers=headers, content=content)

        place.neighbour.send = spy
        await place.client.get(
            "/gateway/prices/Person", headers={"X-User-ID": "root", "X-Trace": "1", "Connection": "keep-alive"}
        )

    in_place({}, use, ontology=ontology)

    assert "1" == seen["x-trace"]
    assert not {"x-user-id", "connection", "host"} & set(seen)


@pytest.mark.parametrize(
    ("path", "status", "endpoint"),
    [
        ("/gateway/payroll/Person", 404, None),
        ("/gateway/prices//evil.example/x", 200, "prices//evil.example/x"),
        ("/gateway/prices/%2e%2e/admin", 400, None),
        ("/gateway/prices/%252e%252e/admin", 400, None),
    ],
    ids=str.split("stranger host dots dots-twice"),
)
def test_odd_paths(path: str, status: int, endpoint: str | None, ontology: Ontology) -> None:
    """A service that is not behind the gateway is none, and no path leads to another host (GW-09) or to another service."""

    async def use(place: Place) -> tuple[int, list[str]]:
        answer = await place.client.get(path)
        return answer.status_code, list(place.upstream.received)

    found, reached = in_place({}, use, ontology=ontology)

    assert status == found
    assert ([endpoint] if endpoint else []) == reached


def test_a_body_that_is_too_large(ontology: Ontology) -> None:
    """It is refused before anybody is called."""

    async def use(place: Place) -> tuple[int, int]:
        answer = await place.client.put("/gateway/prices/Person", content=b"x" * ((1 << 20) + 1))
        return answer.status_code, place.neighbour.made

    assert (413, 0) == in_place({}, use, ontology=ontology)
