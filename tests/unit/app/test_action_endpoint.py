"""Actions, from the client to a real upstream and back, with both wings."""

from __future__ import annotations

import errno
import json
from typing import Any

import httpx
import pytest

from oms.app.action_endpoint import ACTIONS
from oms.app.ontology import Ontology
from oms.app.upstream.faults import BUSY, CLOSE, HANG, MOVED, PLANS, REFUSED, RESET, UNAVAILABLE, Fault, between, every
from oms.unified.resilience import RETRY_POLICIES
from tests.unit.app.conftest import PlainFacades
from tests.unit.app.neighbours import Place, in_place

WINGS = pytest.mark.parametrize("wing", ["legacy", "unified"])


def answers(plan: Any, calls: int, *, wing: str, ontology: Ontology, **more: Any) -> tuple[list[tuple[int, str]], int]:
    """Return status and body of so many ``publish`` actions, and how many requests have reached the upstream, which was what was made."""

    async def use(place: Place) -> tuple[list[tuple[int, str]], int]:
        made = [await place.submit("publish", **more) for _ in range(calls)]
        assert place.neighbour.made == sum(place.upstream.received.values())
        return [(each.status_code, each.text) for each in made], place.neighbour.made

    found: tuple[list[tuple[int, str]], int] = in_place({"publish": plan}, use, wing=wing, ontology=ontology)
    return found


@WINGS
def test_done(wing: str, ontology: Ontology) -> None:
    """An action that is done says so, after one request."""
    found, made = answers((), 1, wing=wing, ontology=ontology)

    assert [(200, '{"action":"publish","type":"Person","done":true}')] == found
    assert 1 == made


@WINGS
def test_healed(wing: str, ontology: Ontology) -> None:
    """A failure that passes is none for the caller."""
    found, made = answers(((between(0, 1), UNAVAILABLE),), 1, wing=wing, ontology=ontology)

    assert [200] == [status for status, _ in found]
    assert 2 == made


@pytest.mark.parametrize(
    "fault", [UNAVAILABLE, BUSY, MOVED, RESET, CLOSE, HANG], ids=str.split("503 429 301 reset close hang")
)
def test_not_done(fault: Fault, ontology: Ontology) -> None:
    """Whatever keeps failing, in whichever way, under whichever wing: the caller is told the same."""
    plan = ((every(1), fault),)
    legacy, _ = answers(plan, 2, wing="legacy", ontology=ontology)
    unified, _ = answers(plan, 2, wing="unified", ontology=ontology)

    assert legacy == unified
    assert [503, 503] == [status for status, _ in legacy]
    assert "try again later" in legacy[0][1]


def test_what_an_attempt_raises(ontology: Ontology) -> None:
    """What the operating system said of a connection is raised as it said it, by its number; other errors are httpx's own."""
    seen: list[Exception] = []

    class Listening:
        async def acall(self, function: Any, *, name: str) -> Any:
            try:
                return await function()
            except Exception as error:
                seen.append(error)
                raise

    async def use(place: Place) -> None:
        for action in ("index", "notify", "export"):
            await place.submit(action)

    in_place(PLANS, use, ontology=ontology, facades=PlainFacades(breaker=Listening()))

    assert ["ConnectionResetError", "RemoteProtocolError", "HTTPStatusError"] == [type(each).__name__ for each in seen]
    assert (errno.ECONNRESET, httpx.ReadError) == (getattr(seen[0], "errno", None), type(seen[0].__cause__))


@WINGS
def test_nothing_is_sent_while_the_breaker_is_open(wing: str, ontology: Ontology) -> None:
    """After five failures no request leaves, and the answer is the same 503."""
    found, made = answers(((every(1), UNAVAILABLE),), 10, wing=wing, ontology=ontology)

    assert {503} == {status for status, _ in found}
    assert 1 == len(set(found))
    assert 5 == made


@WINGS
def test_refused(wing: str, ontology: Ontology) -> None:
    """What the upstream finds unfit is the caller's to mend: told as it is, sent once, and no failure for the breaker."""
    found, made = answers(((every(1), REFUSED),), 7, wing=wing, ontology=ontology)

    assert [(422, '{"error":"action publish: refused by the actions service"}')] * 7 == found
    assert 7 == made


@WINGS
def test_one_dependency_a_type(wing: str, ontology: Ontology) -> None:
    """An action that fails on one type is open for that type alone."""

    async def use(place: Place) -> tuple[int, int]:
        for _ in range(6):
            await place.submit("restore", "Person")
        before = place.neighbour.made
        return (await place.submit("restore", "Person")).status_code, place.neighbour.made - before

    async def other(place: Place) -> int:
        for _ in range(6):
            await place.submit("restore", "Person")
        return (await place.submit("publish", "Person")).status_code

    plans = {"restore": ((every(1), UNAVAILABLE),)}

    assert (503, 0) == in_place(plans, use, wing=wing, ontology=ontology)
    assert 200 == in_place(plans, other, wing=wing, ontology=ontology)


def test_urgent(ontology: Ontology) -> None:
    """An urgent action has the attempts of the policy for what must get through: ten retries, where the usual ones are three."""
    plan = ((between(0, 4), UNAVAILABLE),)
    usual, made = answers(plan, 1, wing="unified", ontology=ontology)
    urgent, more = answers(plan, 1, wing="unified", ontology=ontology, urgent=True)

    assert ([503], 4) == ([status for status, _ in usual], made)
    assert ([200], 5) == ([status for status, _ in urgent], more)


def test_one_key_for_all_attempts(ontology: Ontology) -> None:
    """Each attempt bears the idempotency key of its action: the client's, or one that no other action has; the body goes along."""
    seen: list[tuple[str, dict[str, Any]]] = []

    async def use(place: Place) -> None:
        sent = place.neighbour.send

        async def spy(method: str, path: str, *, headers: Any = None, content: bytes = b"") -> Any:
            seen.append((headers["idempotency-key"], json.loads(content)))
            return await sent(method, path, headers=headers, content=content)

        # The neighbour's own method, listened to: the upstream tells nobody what it was sent.
        place.neighbour.send = spy
        await place.submit("archive", "Person", note="a")
        await place.client.post("/actions/publish", json={"type": "Place"}, headers={"Idempotency-Key": "mine"})

    in_place(PLANS, use, ontology=ontology)
    keys = [key for key, _ in seen]

    assert (3, 1, "mine") == (len(keys[:3]), len(set(keys[:3])), keys[3])
    assert len(keys[0]) >= 32
    assert {"type": "Person", "note": "a"} == seen[0][1]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/actions/destroy", b'{"type": "Person"}', 404),
        ("/actions/publish", b'{"type": "person"}', 400),
        ("/actions/publish", b'{"type": ["Person"]}', 400),
        ("/actions/publish", b'{"type": "../Person"}', 400),
        ("/actions/publish", b"[]", 400),
        ("/actions/publish", b"{", 400),
        ("/actions/publish", b'"' + b"x" * (1 << 20) + b'"', 413),
    ],
    ids=str.split("action case list path array cut large"),
)
def test_bad_input(path: str, body: bytes, status: int, ontology: Ontology) -> None:
    """What is no action is refused before anybody is called."""

    async def use(place: Place) -> tuple[int, bool, int]:
        answer = await place.client.post(path, content=body)
        return answer.status_code, "error" in answer.json(), place.neighbour.made

    assert (status, True, 0) == in_place({}, use, ontology=ontology)


def test_policies_exist() -> None:
    """Each action's policy is one of the unified wing, and each plan of the upstream is of an action or of a service behind the gateway."""
    assert set(ACTIONS.values()) <= set(RETRY_POLICIES)
    assert {"prices", "media", "search"} == set(PLANS) - set(ACTIONS)
