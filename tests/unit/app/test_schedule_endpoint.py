"""The scheduler's waits over HTTP, with both wings."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from oms.app.ontology import Ontology
from oms.app.service import service
from tests.unit.app.neighbours import facades_of


def ask(wing: str, query: str, ontology: Ontology) -> httpx.Response:
    """Ask a service of one wing."""
    app = service(facades_of(wing), serving=dict, ontology=ontology)

    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://oms") as client:
            return await client.get(f"/schedule/delay{query}")

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("query", "delay_s"),
    [
        ("", 60.0),
        ("?retry=3", 480.0),
        ("?base=5&retry=3&strategy=linear", 20.0),
        ("?base=5&retry=3&strategy=fixed", 5.0),
        ("?base=60&retry=4&strategy=fibonacci", 300.0),
        ("?retry=20", 86_400.0),
        ("?base=86400&retry=1000", 86_400.0),
        ("?retry=1000&strategy=fibonacci", 86_400.0),
        ("?base=0&retry=1000", 0.0),
    ],
)
def test_waits(query: str, delay_s: float, ontology: Ontology) -> None:
    """Both wings say the same; no job waits longer than a day, though legacy would let it (SC-01)."""
    assert [{"delay_s": delay_s}] * 2 == [ask(wing, query, ontology).json() for wing in ("legacy", "unified")]


def test_case_of_a_strategy(ontology: Ontology) -> None:
    """Legacy takes a strategy in another case for the exponential one (SC-08): the one difference that a caller sees."""
    assert [480.0, 240.0] == [
        ask(wing, "?retry=3&strategy=Linear", ontology).json()["delay_s"] for wing in ("legacy", "unified")
    ]


@pytest.mark.parametrize(
    "query",
    [
        "?retry=-1",
        "?retry=1.5",
        "?retry=x",
        "?retry=1001",
        "?base=-1",
        "?base=86401",
        "?base=",
        "?strategy=cubic",
        "?strategy=",
    ],
)
def test_bad_input(query: str, ontology: Ontology) -> None:
    """What neither wing should be asked is refused under both, in one line that says what was wanted."""
    legacy, unified = (ask(wing, query, ontology) for wing in ("legacy", "unified"))

    assert (400, 400) == (legacy.status_code, unified.status_code)
    assert legacy.json() == unified.json()
    assert "wanted" in legacy.json()["error"]
