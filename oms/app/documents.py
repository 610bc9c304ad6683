"""Documents: instances as Python values, and the store that is their source of truth."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from oms.app.ontology import Ontology
from oms.domain.errors import BadInput, CouldNot

Document = dict[str, Any]
"""An instance with parsed dates, coordinates as a tuple ``(latitude, longitude)`` and keywords as a set."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_COORDINATES = ("latitude", "longitude")


def is_document_id(text: str) -> bool:
    """Tell whether *text* can name a document: 1 to 64 letters, digits, dots, colons and dashes, the first a letter or digit."""
    return _ID.fullmatch(text) is not None


def document_from(id_: str, body: object, ontology: Ontology) -> Document:
    """Turn the JSON of a document into Python values.

    Raises:
        BadInput: if the id, the type or the form is not usable.
    """
    if not is_document_id(id_):
        raise BadInput(
            "document id",
            found="another form",
            wanted="1 to 64 letters, digits, dots, colons, dashes, the first a letter or digit",
        )
    if not isinstance(body, dict):
        raise BadInput("document", found=type(body).__name__, wanted="a JSON object")
    type_name = body.get("@type")
    if not isinstance(type_name, str) or type_name not in ontology:
        raise BadInput("document: @type", found="none that is known", wanted=f"a type of schema.org {ontology.version}")
    values = {name: _value(name, value, ontology) for name, value in body.items()}
    return {**values, "@id": id_, "@type": type_name}


def _value(name: str, value: object, ontology: Ontology) -> object:
    if name == "keywords" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return set(value)
    if (
        name == "geo"
        and isinstance(value, dict)
        and all(isinstance(value.get(each), (int, float)) for each in _COORDINATES)
    ):
        return tuple(float(value[each]) for each in _COORDINATES)
    known = ontology.vocabulary.get(name)
    if isinstance(value, str) and known is not None and {"Date", "DateTime"} & set(known.ranges):
        return _moment(value)
    return value


def _moment(text: str) -> object:
    """Return a date, a datetime, or the text as it is where it is neither."""
    parsers: tuple[Callable[[str], object], ...] = (dt.date.fromisoformat, dt.datetime.fromisoformat)
    for parse in parsers:
        try:
            return parse(text)
        except ValueError:
            continue
    return text


class DocumentStore:
    """The documents of this process, in memory.

    Args:
        capacity: How many it takes; one more is refused.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._documents: dict[str, Document] = {}

    def __len__(self) -> int:
        return len(self._documents)

    def get(self, id_: str) -> Document | None:
        """Return the document, None if there is none."""
        return self._documents.get(id_)

    def put(self, id_: str, document: Document) -> bool:
        """Keep *document* and return whether it replaced another.

        Raises:
            CouldNot: if the store is full and the id is new.
        """
        replaced = id_ in self._documents
        if not replaced and len(self._documents) >= self._capacity:
            raise CouldNot(f"document store: full with {self._capacity} documents; delete some first")
        self._documents[id_] = document
        return replaced

    def delete(self, id_: str) -> bool:
        """Drop the document and return whether there was one."""
        return self._documents.pop(id_, None) is not None
