"""Comparing what both sides did: where they differ, by field path, and of what kind the difference is."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal

from oms.domain.observation import Observation, Raised, Returned

MAX_DIFFERENCES = 20
"""A comparison stops here: what differs in more places than this differs everywhere."""

_TypedKey = tuple[type, object]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the observations differ.

    Attributes:
        kind: ``value``, ``type``, ``key`` (a mapping's key is a number on one side and its text on the other), ``missing`` (unified
            lacks it), ``extra`` (legacy lacks it), ``length``, ``error`` (one side raised, or both raised different classes),
            ``legacy_miss`` or ``unified_miss`` (None against a value at the top).
        path: Dotted field path. In it stand fields of classes, and keys of mappings that are known as names; every other key, and each index
            of a sequence, is folded to ``*``: a key may be an id, which would multiply the paths, or a secret, which must not be kept.
        legacy, unified: The two values (for ``key``, the two keys), never to be written down as they are.
    """

    kind: str
    path: str
    legacy: object
    unified: object


def compare(
    *, legacy: Observation, unified: Observation, names: Container[str] = frozenset()
) -> tuple[Difference, ...]:
    """Return where the observations differ, at most ``MAX_DIFFERENCES``; empty means equal.

    Stricter than ``==`` where that hides a change of type (``1``, ``True`` and ``1.0`` differ, tuple and list differ) and more lenient where it
    sees one that is none (NaN equals NaN). The order of a mapping's keys is not compared.

    Args:
        names: Keys of mappings that are names out of the code, see :meth:`~oms.domain.phase.Seam.names_in`.
    """
    found: list[Difference] = []
    for difference in _differences(legacy, unified, names):
        found.append(difference)
        if len(found) == MAX_DIFFERENCES:
            break
    return tuple(found)


def are_both_empty(legacy: Observation, unified: Observation) -> bool:
    """Tell whether both sides returned nothing: a match that is no evidence."""
    return all(isinstance(side, Returned) and _is_empty(side.value) for side in (legacy, unified))


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, (str, bytes, Sequence, Mapping, Set)) and not value)


def _differences(legacy: Observation, unified: Observation, names: Container[str]) -> Iterator[Difference]:
    if isinstance(legacy, Raised) and isinstance(unified, Raised):
        if legacy.error.type_name != unified.error.type_name:
            yield Difference("error", "", legacy.error, unified.error)
        else:
            one, other = dict(legacy.error.fields), dict(unified.error.fields)
            for name in one | other:  # the port declares them, so they are names, and both sides have them
                yield from _walk(one.get(name), other.get(name), f"error.{name}", names)
    elif isinstance(legacy, Raised) or isinstance(unified, Raised):
        yield Difference("error", "", _what(legacy), _what(unified))
    elif legacy.value is None and unified.value is not None:
        yield Difference("legacy_miss", "", None, unified.value)
    elif unified.value is None and legacy.value is not None:
        yield Difference("unified_miss", "", legacy.value, None)
    else:
        yield from _walk(legacy.value, unified.value, "", names)


def _what(observation: Observation) -> object:
    return observation.error if isinstance(observation, Raised) else observation.value


def _walk(legacy: object, unified: object, path: str, names: Container[str]) -> Iterator[Difference]:
    if type(legacy) is not type(unified):
        yield Difference("type", path, legacy, unified)
    elif isinstance(legacy, Mapping) and isinstance(unified, Mapping):
        yield from _walk_mapping(legacy, unified, path, names)
    elif isinstance(legacy, Set) and isinstance(unified, Set):
        if {_typed(member) for member in legacy} != {_typed(member) for member in unified}:
            yield Difference("value", path, legacy, unified)
    elif isinstance(legacy, (list, tuple)) and isinstance(unified, (list, tuple)):
        yield from _walk_sequence(legacy, unified, path, names)
    elif is_dataclass(legacy) and not isinstance(legacy, type):
        for name in (entry.name for entry in fields(legacy)):
            yield from _walk(getattr(legacy, name), getattr(unified, name), _join(path, name), names)
    elif not _are_equal(legacy, unified):
        yield Difference("value", path, legacy, unified)


def _walk_mapping(
    legacy: Mapping[object, object], unified: Mapping[object, object], path: str, names: Container[str]
) -> Iterator[Difference]:
    left = {_typed(key): key for key in legacy}
    right = {_typed(key): key for key in unified}
    retyped = _retyped(left.keys() - right.keys(), right.keys() - left.keys())
    for typed in left | right:
        at = _join(path, typed[1] if isinstance(typed[1], str) and typed[1] in names else "*")
        if typed in left and typed in right:
            yield from _walk(legacy[left[typed]], unified[right[typed]], at, names)
        elif typed in retyped:
            yield Difference("key", at, typed[1], retyped[typed][1])
            yield from _walk(legacy[left[typed]], unified[right[retyped[typed]]], at, names)
        elif typed in left:
            yield Difference("missing", at, legacy[left[typed]], None)
        elif typed not in retyped.values():
            yield Difference("extra", at, None, unified[right[typed]])


def _retyped(left: Set[_TypedKey], right: Set[_TypedKey]) -> dict[_TypedKey, _TypedKey]:
    """Pair the keys that are a number on one side and its text on the other."""
    texts = {str(typed[1]): typed for typed in right if isinstance(typed[1], (str, int, float))}
    plain = (typed for typed in left if isinstance(typed[1], (str, int, float)))
    return {typed: texts[str(typed[1])] for typed in plain if str(typed[1]) in texts}


def _walk_sequence(
    legacy: Sequence[object], unified: Sequence[object], path: str, names: Container[str]
) -> Iterator[Difference]:
    if len(legacy) != len(unified):
        yield Difference("length", path, legacy, unified)
        return
    for one, other in zip(legacy, unified, strict=True):
        yield from _walk(one, other, _join(path, "*"), names)


def _are_equal(legacy: object, unified: object) -> bool:
    if isinstance(legacy, float) and isinstance(unified, float):
        return legacy == unified or (math.isnan(legacy) and math.isnan(unified))
    if isinstance(legacy, Decimal) and isinstance(unified, Decimal) and legacy.is_nan() and unified.is_nan():
        return True
    return bool(legacy == unified)


def _typed(key: object) -> _TypedKey:
    return type(key), key


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)
