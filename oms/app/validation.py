"""Is a JSON-LD instance what its type allows? Pure: an instance in, a report out."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from oms.app.ontology import Ontology

MAX_DEPTH = 16
MAX_ERRORS = 50

Report = dict[str, Any]
"""``{"valid": bool, "type": str | None, "errors": [{"path", "code"}], "cache_used": bool}``: mutable, as the monolith's result was."""


def cache_key(instance: object) -> str:
    """Return the key under which the report of *instance* is remembered: a digest of its canonical JSON."""
    canonical = json.dumps(instance, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"validation:{hashlib.sha256(canonical.encode(errors='surrogatepass')).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Validator:
    """Checks instances against an ontology.

    Codes of errors: ``not_an_object``, ``missing_type``, ``unknown_type``, ``unknown_property``, ``wrong_type``, ``too_deep``. Paths are
    dotted names of the vocabulary; a property that it does not know is reported at the path of its owner, for its name is the client's.
    """

    ontology: Ontology

    def validate(self, instance: object) -> Report:
        """Return the report of *instance*, at most ``MAX_ERRORS`` errors long."""
        errors: list[dict[str, str]] = []
        for path, code in self._check(instance, "", 0):
            errors.append({"path": path, "code": code})
            if len(errors) == MAX_ERRORS:
                break
        declared = instance.get("@type") if isinstance(instance, dict) else None
        known = declared if isinstance(declared, str) and declared in self.ontology else None
        return {"valid": not errors, "type": known, "errors": errors, "cache_used": False}

    def _check(self, instance: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
        if not isinstance(instance, dict):
            yield path, "not_an_object"
        elif depth > MAX_DEPTH:
            yield path, "too_deep"
        elif "@type" not in instance:
            yield path, "missing_type"
        elif not isinstance(instance["@type"], str) or instance["@type"] not in self.ontology:
            yield path, "unknown_type"
        else:
            yield from self._check_properties(instance, path, depth)

    def _check_properties(self, instance: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, str]]:
        allowed = {each.name: each.ranges for each in self.ontology.properties(instance["@type"])}
        for name, value in instance.items():
            if name.startswith("@"):
                continue
            if name not in allowed:
                yield path, "unknown_property"
                continue
            at = f"{path}.{name}" if path else name
            for item in value if isinstance(value, list) else [value]:
                yield from self._check_value(item, allowed[name], at, depth)

    def _check_value(self, value: object, ranges: tuple[str, ...], path: str, depth: int) -> Iterator[tuple[str, str]]:
        if not isinstance(value, dict):
            if not any(self._is_scalar_of(value, wanted) for wanted in ranges):
                yield path, "wrong_type"
            return
        errors = list(self._check(value, path, depth + 1))
        yield from errors
        declared = value.get("@type")
        if not errors and not any(self.ontology.is_a(str(declared), wanted) for wanted in ranges):
            yield path, "wrong_type"

    def _is_scalar_of(self, value: object, wanted: str) -> bool:
        """Tell whether a JSON scalar may stand for *wanted*: a data type's value, an enumeration's member or a reference by URL."""
        if wanted in self.ontology.datatypes:
            return _is_data(value, {wanted, *self.ontology.datatypes[wanted]})
        if not isinstance(value, str):
            return False
        return value in self.ontology.types[wanted].members or _is_url(value)


def _is_data(value: object, lineage: set[str]) -> bool:
    if lineage & {"Number", "Boolean"}:
        return isinstance(value, bool) if "Boolean" in lineage else _is_number(value, whole="Integer" in lineage)
    if not isinstance(value, str):
        return False
    if "URL" in lineage:
        return _is_url(value)
    parse = next((_PARSERS[name] for name in _PARSERS if name in lineage), None)
    return parse is None or _parses(parse, value)


def _is_number(value: object, *, whole: bool) -> bool:
    return not isinstance(value, bool) and isinstance(value, int if whole else (int, float))


_PARSERS = {"DateTime": dt.datetime.fromisoformat, "Date": dt.date.fromisoformat, "Time": dt.time.fromisoformat}


def _parses(parse: Any, value: str) -> bool:
    try:
        parse(value)
    except ValueError:
        return False
    return True


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
