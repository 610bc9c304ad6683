"""What the validator accepts and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from oms.app.ontology import Ontology
from oms.app.validation import MAX_DEPTH, MAX_ERRORS, Validator, cache_key


def codes(ontology: Ontology, instance: object) -> list[tuple[str, str]]:
    """Return path and code of each error."""
    return [(each["path"], each["code"]) for each in Validator(ontology).validate(instance)["errors"]]


@pytest.mark.parametrize(
    "instance",
    [
        {"@type": "Person", "name": "Ada", "birthDate": "1815-12-10", "url": "https://example.org/ada"},
        {"@type": "Person", "name": ["Ada", "Augusta"]},
        {"@type": "Person", "knows": {"@type": "Person", "name": "Charles"}},
        {"@type": "Person", "worksFor": "https://example.org/engine"},
        {"@type": "Bakery", "address": {"@type": "PostalAddress", "postalCode": "1000"}},
        {"@type": "OpeningHoursSpecification", "dayOfWeek": "Monday", "opens": "08:00"},
        {"@type": "Book", "numberOfPages": 12, "isFamilyFriendly": True},
        {"@type": "Offer", "price": 12.5, "priceCurrency": "EUR"},
    ],
)
def test_good_instances(ontology: Ontology, instance: Any) -> None:
    """Own, inherited, repeated, nested and referenced values are fine."""

    assert [] == codes(ontology, instance)


@pytest.mark.parametrize(
    ("instance", "wanted"),
    [
        (None, [("", "not_an_object")]),
        ([], [("", "not_an_object")]),
        ({}, [("", "missing_type")]),
        ({"@type": "Nobody"}, [("", "unknown_type")]),
        ({"@type": ["Person"]}, [("", "unknown_type")]),
        ({"@type": "Person", "wings": 2}, [("", "unknown_property")]),
        ({"@type": "Person", "birthDate": "soon"}, [("birthDate", "wrong_type")]),
        ({"@type": "Person", "name": 5}, [("name", "wrong_type")]),
        ({"@type": "Person", "name": None}, [("name", "wrong_type")]),
        ({"@type": "Book", "numberOfPages": 1.5}, [("numberOfPages", "wrong_type")]),
        ({"@type": "Book", "numberOfPages": True}, [("numberOfPages", "wrong_type")]),
        ({"@type": "Book", "isFamilyFriendly": "yes"}, [("isFamilyFriendly", "wrong_type")]),
        ({"@type": "OpeningHoursSpecification", "dayOfWeek": "Moonday"}, [("dayOfWeek", "wrong_type")]),
        ({"@type": "Person", "knows": {"@type": "Recipe"}}, [("knows", "wrong_type")]),
        (
            {"@type": "Person", "knows": [{"@type": "Person", "name": 1}, {}]},
            [("knows.name", "wrong_type"), ("knows", "missing_type")],
        ),
        ({"@type": "Person", "url": "http://[broken"}, [("url", "wrong_type")]),
    ],
)
def test_bad_instances(ontology: Ontology, instance: Any, wanted: list[tuple[str, str]]) -> None:
    """Each fault is reported once, at its path."""

    assert wanted == codes(ontology, instance)


def test_unknown_names_are_not_repeated(ontology: Ontology) -> None:
    """A report holds no name that came from outside."""

    assert "secret" not in str(Validator(ontology).validate({"@type": "secret", "secret": 1}))
    assert "secret" not in str(Validator(ontology).validate({"@type": "Person", "secret": 1}))


def test_errors_are_bounded(ontology: Ontology) -> None:
    """An instance that is wrong everywhere has a short report all the same."""

    assert MAX_ERRORS == len(codes(ontology, {"@type": "Person", "name": [1] * 1000}))


def test_depth_is_bounded(ontology: Ontology) -> None:
    """Persons who know persons who know persons end somewhere."""
    instance: dict[str, Any] = {"@type": "Person"}
    for _ in range(MAX_DEPTH + 1):
        instance = {"@type": "Person", "knows": instance}

    assert ["too_deep"] == [code for _, code in codes(ontology, instance)]
    assert [] == codes(ontology, instance["knows"])


def test_key_of_equal_instances() -> None:
    """The order of names does not matter to the key, everything else does."""

    assert cache_key({"a": 1, "b": 2}) == cache_key({"b": 2, "a": 1})
    assert 4 == len({cache_key(each) for each in ({"a": 1}, {"a": 1.0}, {"a": True}, {"a": "1"})})
