"""Instances of real types: to validate, and to keep as documents."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Sequence
from typing import Any

from oms.app.ontology import Ontology, Property

DOCUMENTS = 1000
"""The whole universe of document ids: as many as the document cache has room for, so that writing at capacity happens, and growth does not."""

_WORDS = str.split(
    "amber birch cedar delta ember fjord grove harbor island juniper"
    " kelp lagoon meadow north orchard prairie quarry river summit tundra"
)
_EPOCH = dt.date(2020, 1, 1)


class Instances:
    """Makes JSON-LD instances by chance.

    Args:
        chance: Where every choice comes from: the same seed makes the same instances.
    """

    def __init__(self, ontology: Ontology, chance: random.Random) -> None:
        self._ontology = ontology
        self._chance = chance

    def instance(self, type_name: str, *, flawed: bool = False) -> dict[str, Any]:
        """Return an instance with a few properties of its type; a *flawed* one breaks one of the validator's rules."""
        properties = self._ontology.properties(type_name)
        chosen = self._chance.sample(properties, k=min(len(properties), self._chance.randint(2, 7)))
        made: dict[str, Any] = {"@type": type_name, "name": self.words(2)}
        made.update((each.name, self._value(each)) for each in chosen)
        return self._with_flaw(made) if flawed else made

    def document(self, number: int) -> dict[str, Any]:
        """Return a document for the id of *number*; two of three have dates, coordinates or keywords, which JSON alone cannot carry back."""
        document: dict[str, Any] = {
            "@type": "Place",
            "@id": document_id(number),
            "name": self.words(2),
            "telephone": self.words(1),
        }
        if number % 3:
            document["keywords"] = sorted(self._chance.sample(_WORDS, k=3))
            document["dateCreated"] = self.date().isoformat()
        if number % 3 == 2:
            document["geo"] = {
                "@type": "GeoCoordinates",
                "latitude": self._degrees(90),
                "longitude": self._degrees(180),
            }
            document["dateModified"] = f"{self.date().isoformat()}T08:30:00"
        return document

    def words(self, count: int) -> str:
        """Return *count* words."""
        return " ".join(self._chance.choices(_WORDS, k=count))

    def date(self) -> dt.date:
        """Return a day of the twenties."""
        return _EPOCH + dt.timedelta(days=self._chance.randrange(3650))

    def _degrees(self, limit: int) -> float:
        return round(self._chance.uniform(-limit, limit), 4)

    def _value(self, property_: Property) -> object:
        return self._value_of(property_.ranges)

    def _value_of(self, ranges: Sequence[str]) -> object:
        for wanted in ranges:
            lineage = {wanted, *self._ontology.datatypes.get(wanted, ())}
            if "Number" in lineage:
                return self._chance.randint(1, 500)
            if "Boolean" in lineage:
                return self._chance.random() < 0.5
            if "Date" in lineage:
                return self.date().isoformat()
            if "Text" in lineage and "URL" not in lineage:
                return self.words(3)
        # Times, enumerations and other objects can all be named by a URL or, where that is wrong, make the report less boring.
        return f"https://example.org/{self.words(1)}/{self._chance.randrange(1000)}"

    def _with_flaw(self, made: dict[str, Any]) -> dict[str, Any]:
        match self._chance.randrange(4):
            case 0:
                del made["@type"]
            case 1:
                made["@type"] = "Thingummy"
            case 2:
                made["wingspan_cm"] = 12
            case _:
                made["name"] = 12
        return made


def document_id(number: int) -> str:
    """Return the id of a document, 0 to ``DOCUMENTS - 1``."""
    return f"doc-{number:04}"


def as_body(content: object) -> bytes:
    """Return *content* as compact JSON."""
    return json.dumps(content, separators=(",", ":")).encode()
