"""What the rehearsal's clients ask for."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from typing import Any

import pytest

from oms.app.ontology import Ontology
from oms.app.rehearsal.instances import DOCUMENTS, Instances
from oms.app.rehearsal.request import Request
from oms.app.rehearsal.traffic import Traffic
from oms.app.rehearsal.zipf import Zipf
from oms.app.validation import Validator


@pytest.fixture(scope="module")
def requests(ontology: Ontology) -> list[Request]:
    """Return the first requests of a seed."""
    return list(itertools.islice(itertools.chain.from_iterable(Traffic(ontology, seed=7)), 5000))


def test_a_seed_is_a_stream(ontology: Ontology, requests: list[Request]) -> None:
    """The same seed asks the same, another one asks something else."""
    again = list(itertools.islice(itertools.chain.from_iterable(Traffic(ontology, seed=7)), 5000))
    other = list(itertools.islice(itertools.chain.from_iterable(Traffic(ontology, seed=8)), 5000))

    assert requests == again
    assert requests != other


def test_everything_is_asked(requests: list[Request]) -> None:
    """Each endpoint, each mistake and each freshness comes up."""
    names = {each.name for each in requests}
    text = b"".join(each.text for each in requests)

    wanted = "ancestors,clear cache,configuration,delete document,descendants,docs,health,no json,no type,object type,read document,validate"

    assert {*wanted.split(","), "write document"} == names
    assert all(header in text for header in (b"no-cache", b"max-age=0", b"max-age=60", b"x-tenant: tenant-000"))


def test_popularity_is_skewed() -> None:
    """The first of a hundred things is chosen far more often than the last, and every one can be."""
    zipf = Zipf(range(100), exponent=0.8, chance=random.Random(1))
    counts = Counter(zipf.choose() for _ in range(20_000))

    assert 100 == len(counts)
    assert counts[0] > 10 * counts[99]


def test_requests_are_one_head_and_one_body(requests: list[Request]) -> None:
    """No name or body can end a request early: attacks on the service are not attacks on the driver."""
    for each in requests:
        head, _, body = each.text.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        lengths = [int(line.split(b": ")[1]) for line in lines if line.startswith(b"content-length")]

        assert 3 == len(lines[0].split(b" "))
        assert [len(body)] == lengths or (not lengths and not body)


def test_documents_stay_within_their_universe(ontology: Ontology, requests: list[Request]) -> None:
    """There are exactly as many ids as the cache has room for; the import brings each of them once."""
    imported = [
        each
        for batch in Traffic(ontology, seed=7).imports()
        for each in json.loads(batch.text.partition(b"\r\n\r\n")[2])
    ]
    universe = {each["@id"] for each in imported}
    asked = {each.text.split()[1].rpartition(b"/")[2].decode() for each in requests if each.name.endswith("document")}

    assert DOCUMENTS == len(imported) == len(universe) == 1000
    assert asked <= universe


def test_deletes_are_repeated(ontology: Ontology) -> None:
    """A client deletes twice and writes anew, so that no document stays away."""
    errands = [each for each in itertools.islice(Traffic(ontology, seed=7), 5000) if each[0].name == "delete document"]

    assert errands
    assert {("delete document", "delete document", "write document")} == {
        tuple(request.name for request in each) for each in errands
    }


def test_instances_good_and_flawed(ontology: Ontology) -> None:
    """Flawed instances are refused, most others are not."""
    make, validator = Instances(ontology, random.Random(3)), Validator(ontology)

    def share(flawed: bool) -> float:
        reports: list[Any] = [validator.validate(make.instance("Person", flawed=flawed)) for _ in range(200)]
        return sum(each["valid"] for each in reports) / len(reports)

    assert 0.0 == share(flawed=True)
    assert share(flawed=False) > 0.5
