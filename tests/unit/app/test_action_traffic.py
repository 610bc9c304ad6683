"""What clients ask while the resilience phase is walked."""

from __future__ import annotations

import itertools
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from oms.app.action_endpoint import ACTIONS
from oms.app.ontology import Ontology
from oms.app.rehearsal.action_traffic import ActionTraffic
from oms.app.rehearsal.drills import DRILLS
from oms.app.rehearsal.request import Request
from oms.app.rehearsal.traffic import POPULAR
from oms.app.upstream.faults import PLANS, FaultSchedule, Manner


@pytest.fixture(scope="module")
def requests(ontology: Ontology) -> list[Request]:
    """Return the first requests of a seed."""
    return list(itertools.islice(itertools.chain.from_iterable(ActionTraffic(ontology, seed=7)), 4000))


def path_of(request: Request) -> str:
    """Return the path with its query."""
    return request.text.split()[1].decode()


def type_of(request: Request) -> str:
    """Return the type in the body of an action."""
    return str(json.loads(request.text.partition(b"\r\n\r\n")[2])["type"])


def test_a_seed_is_a_stream(ontology: Ontology, requests: list[Request]) -> None:
    """The same seed asks the same, another one something else."""
    again, other = (
        list(itertools.islice(itertools.chain.from_iterable(ActionTraffic(ontology, seed=seed)), 4000))
        for seed in (7, 8)
    )

    assert requests == again
    assert requests != other


def test_everything_is_asked(requests: list[Request]) -> None:
    """Each endpoint and each mistake comes up, urgent actions and the waits that legacy does not cap among them."""
    wanted = "action enrich,action publish,delay,gateway catalog,gateway media,gateway post,gateway prices,gateway search,health,no action"
    text = b"".join(each.text for each in requests)

    assert set(wanted.split(",")) == {each.name for each in requests}
    assert all(mark in text for mark in (b'"urgent":true', b"retry=20&", b"strategy=Linear", b"x-tenant: tenant-000"))


def test_only_200_where_nobody_fails(requests: list[Request]) -> None:
    """An endpoint whose plan never keeps an answer from coming may answer nothing but 200: the rest would be the service's own doing."""
    plans = {name: {fault.manner for _, fault in plan} for name, plan in PLANS.items()}
    healthy = {name for name, manners in plans.items() if manners <= {Manner.SLOW}} | {"catalog"}

    assert {"publish", "catalog", "prices"} == healthy
    for each in requests:
        kind, _, name = each.name.partition(" ")
        if kind in ("action", "gateway") and name != "post":
            assert (each.expected == {200}) is (name in healthy), each.name


def test_deployment(ontology: Ontology) -> None:
    """It holds every drill once, on a type that neither the common stream nor another deployment asks for, so that it is cold."""
    traffic = ActionTraffic(ontology, seed=7)
    types: list[str] = []
    for _ in range(3):
        drills = [errand for errand in traffic.deployment() if errand[0].name != "delay"]
        (type_name,) = {type_of(request) for errand in drills for request in errand}
        types.append(type_name)

        assert [f"action {drill.action}" for drill in DRILLS] == [errand[0].name for errand in drills]

    assert 3 == len(set(types) - set(POPULAR))
    assert set(types) <= set(ontology.types)


def test_what_is_submitted_exists(requests: list[Request], ontology: Ontology) -> None:
    """Actions are of the service, their types of the vocabulary, and waits within what the endpoint takes."""
    actions = [each for each in requests if each.name.startswith("action ")]
    waits = [parse_qs(urlsplit(path_of(each)).query) for each in requests if each.name == "delay"]

    assert {each.name.split()[1] for each in actions} <= set(ACTIONS)
    assert {type_of(each) for each in actions} <= set(ontology.types)
    assert max(int(wait["retry"][0]) for wait in waits) == 20


def test_the_schedule_lets_most_actions_pass() -> None:
    """At an everyday endpoint nearly nine of ten requests come through at once."""
    schedule = FaultSchedule(1)
    failed = [schedule.fault("actions/enrich/Person", number) for number in range(1000)]

    assert 800 < failed.count(None) < 920
