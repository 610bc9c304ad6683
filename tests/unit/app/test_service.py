"""The service over HTTP, on plain caches."""

from __future__ import annotations

import datetime as dt
import json
import os
from typing import Any

import pytest

PERSON = {"@type": "Person", "name": "Ada", "birthDate": "1815-12-10"}


def test_object_type(call: Any) -> None:
    """A type is answered with its parents and all its properties."""
    answer = call("GET", "/types/Person")

    assert 200 == answer.status_code
    assert "Person" == answer.json()["name"]
    assert ["Thing"] == answer.json()["parents"]
    assert ["Date"] == answer.json()["properties"]["birthDate"]
    assert "name" in answer.json()["properties"]


def test_ancestors_and_descendants(call: Any) -> None:
    """The types above and below come nearest first."""

    assert ["Organization", "Place", "Thing"] == call("GET", "/types/LocalBusiness/ancestors").json()
    assert "Bakery" in call("GET", "/types/LocalBusiness/descendants").json()


def test_miss_then_hit(call: Any, facades: Any) -> None:
    """The first request computes and remembers, the second is answered from the cache, under a key of its own for each question."""
    call("GET", "/types/Person/ancestors")
    call("GET", "/types/Person/ancestors")
    call("GET", "/types/Person")

    assert [
        ("get", "ancestors:Person"),
        ("set", "ancestors:Person", None),
        ("get", "ancestors:Person"),
        ("get", "object-type:Person"),
        ("set", "object-type:Person", None),
    ] == facades.types.calls


@pytest.mark.parametrize(
    ("header", "calls"),
    [
        ("no-cache", [("set", "ancestors:Person", 0)]),
        ("max-age=0", [("set", "ancestors:Person", 0)]),
        ("Max-Age=60, foo", [("get", "ancestors:Person"), ("set", "ancestors:Person", 60)]),
        ("max-age=-1", [("get", "ancestors:Person"), ("set", "ancestors:Person", None)]),
        ("max-age=x", [("get", "ancestors:Person"), ("set", "ancestors:Person", None)]),
    ],
)
def test_freshness_is_the_ttl(call: Any, facades: Any, header: str, calls: list[Any]) -> None:
    """What the client takes of age is the ttl of what is written; who takes nothing old is not answered from the cache."""
    call("GET", "/types/Person/ancestors", headers={"Cache-Control": header})

    assert calls == facades.types.calls


@pytest.mark.parametrize(
    "name",
    ["Nobody", "person", "..%2F..%2Fetc%2Fpasswd", "%3Cscript%3E", "' OR 1=1 --", "x" * 5000, "%00", "%F0%9F%92%A9"],
)
def test_unknown_type(call: Any, facades: Any, name: str) -> None:
    """A name that is none, whatever it tries, is a 404 and is never written to the cache."""
    answer = call("GET", f"/types/{name}/ancestors")

    assert 404 == answer.status_code
    assert "error" in answer.json()
    assert {} == facades.types.values


def test_validate(call: Any) -> None:
    """A good instance has no errors, a bad one has each with its path."""
    good = call("POST", "/validate", json=PERSON).json()
    bad = call("POST", "/validate", json={"@type": "Person", "birthDate": "soon", "wings": 2}).json()

    assert {"valid": True, "type": "Person", "errors": [], "cache_used": False} == good
    assert [{"path": "birthDate", "code": "wrong_type"}, {"path": "", "code": "unknown_property"}] == bad["errors"]


def test_validate_twice_marks_what_the_cache_holds(call: Any, facades: Any) -> None:
    """The second answer says that it was remembered, and the mark is set on the very object that the cache gave."""
    call("POST", "/validate", json=PERSON)
    (held,) = facades.validation.values.values()
    again = call("POST", "/validate", json=dict(reversed(PERSON.items())))

    assert again.json()["cache_used"]
    assert held["cache_used"]


def test_validate_always_passes_a_ttl(call: Any, facades: Any) -> None:
    """The monolith's cache needs a ttl at each set."""
    call("POST", "/validate", json=PERSON)

    assert [300] == [each[2] for each in facades.validation.calls if each[0] == "set"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"a": NaN}', 400),
        (b'{"a": 1e999}', 400),
        (b'{"a": -Infinity}', 400),
        (b"[" * 100_000, 400),
        (b"[" * 65 + b"]" * 65, 400),
        (b"\xff", 400),
        (b'"' + b"x" * (1 << 20) + b'"', 413),
        (b'{"@type": "Person", "name": "\\ud800"}', 200),
        (b"null", 200),
    ],
    ids=str.split("cut nan overflow infinity deep-brackets deep latin big half-surrogate null"),
)
def test_validate_odd_bodies(call: Any, body: bytes, status: int) -> None:
    """What is no JSON, or too large, or too deep, is refused; what is JSON gets a report."""

    assert status == call("POST", "/validate", content=body).status_code


DOCUMENT = {
    "@type": "Place",
    "name": "Greenwich",
    "geo": {"@type": "GeoCoordinates", "latitude": 51.48, "longitude": 0},
    "keywords": ["time", "zero"],
    "dateCreated": "1675-06-22",
    "startDate": "2025-01-01T10:00:00",
    "temporal": "long ago",
}


def test_document_as_python_values(call: Any, facades: Any) -> None:
    """A document is remembered with dates, a tuple of coordinates and a set of keywords; what is no date stays a text."""
    call("PUT", "/documents/doc-0001", json=DOCUMENT)

    assert {
        "document:doc-0001": {
            "@id": "doc-0001",
            "@type": "Place",
            "name": "Greenwich",
            "geo": (51.48, 0.0),
            "keywords": {"time", "zero"},
            "dateCreated": dt.date(1675, 6, 22),
            "startDate": dt.datetime(2025, 1, 1, 10),
            "temporal": "long ago",
        }
    } == facades.documents.values


def test_document_life(call: Any, facades: Any) -> None:
    """Written, replaced, read, deleted, gone."""

    assert 201 == call("PUT", "/documents/doc-0001", json=DOCUMENT).status_code
    assert 200 == call("PUT", "/documents/doc-0001", json=DOCUMENT).status_code
    assert "1675-06-22" == call("GET", "/documents/doc-0001").json()["dateCreated"]
    assert ["time", "zero"] == call("GET", "/documents/doc-0001").json()["keywords"]
    assert 204 == call("DELETE", "/documents/doc-0001").status_code
    assert 404 == call("DELETE", "/documents/doc-0001").status_code
    assert 404 == call("GET", "/documents/doc-0001").status_code
    assert {} == facades.documents.values


def test_document_read_refills_the_cache(call: Any, facades: Any) -> None:
    """What the cache has lost comes from the store and is remembered again for an hour."""
    call("PUT", "/documents/doc-0001", json=DOCUMENT)
    call("DELETE", "/cache/documents")
    call("GET", "/documents/doc-0001")

    assert {"document:doc-0001"} == set(facades.documents.values)
    assert ("set", "document:doc-0001", dt.timedelta(hours=1)) == facades.documents.calls[-1]


def test_delete_of_an_unknown_document_reaches_the_cache(call: Any, facades: Any) -> None:
    """The cache is told even if the store has nothing: it may know more."""
    call("DELETE", "/documents/doc-0009")

    assert [("delete", "document:doc-0009")] == facades.documents.calls


def test_import(call: Any, facades: Any) -> None:
    """Many documents in one request."""
    answer = call("POST", "/documents", json=[{**DOCUMENT, "@id": f"doc-{n:04}"} for n in range(100)])

    assert {"imported": 100} == answer.json()
    assert 100 == len(facades.documents.values)


@pytest.mark.parametrize(
    "body",
    [{}, [1], [{"@type": "Place"}], [{"@id": "a", "@type": "Nothing"}], [{"@id": "a", "@type": "Place"}] * 101],
    ids=str.split("no-list no-object no-id no-type too-many"),
)
def test_import_refused_whole(call: Any, facades: Any, body: Any) -> None:
    """One unusable document refuses the whole import."""
    good = [{"@id": "good", "@type": "Place"}]
    answer = call("POST", "/documents", content=json.dumps(good + body if isinstance(body, list) else body))

    assert 400 == answer.status_code
    assert {} == facades.documents.values


@pytest.mark.parametrize("id_", ["..%2Fx", "-x", "a b", "x" * 65, "%00"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_ids_that_are_none(call: Any, facades: Any, method: str, id_: str) -> None:
    """An id of another form is refused and reaches no cache."""
    answer = call(method, f"/documents/{id_}", json=DOCUMENT)

    assert answer.status_code in (400, 404)
    assert [] == facades.documents.calls


@pytest.mark.parametrize("seam", ["types", "validation", "documents"])
def test_clear_one_cache(call: Any, facades: Any, seam: str) -> None:
    """Clearing a seam clears that one and no other."""
    for cache in (facades.types, facades.validation, facades.documents):
        cache.values["key"] = 1

    assert 204 == call("DELETE", f"/cache/{seam}").status_code
    assert [seam] == [name for name in ("types", "validation", "documents") if not getattr(facades, name).values]


def test_clear_of_no_cache(call: Any) -> None:
    """There are three caches."""

    assert 404 == call("DELETE", "/cache/sessions").status_code


def test_health(call: Any) -> None:
    """Health says who answers and what is served."""

    assert {
        "status": "ok",
        "pid": os.getpid(),
        "phases": {"cache": {"stage": "live=5", "digest": "0123456789abcdef"}},
    } == call("GET", "/health").json()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/types/Person", 405)])
def test_refusals_are_json(call: Any, method: str, path: str, status: int) -> None:
    """The framework's own refusals have the service's form."""
    answer = call(method, path)

    assert status == answer.status_code
    assert {"error"} == set(answer.json())
