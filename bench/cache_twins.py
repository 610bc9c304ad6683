"""The unified memory cache beside the legacy caches it replaces: never slower by 2 % or more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.results import Line
from bench.timing import Case, Timing, interleaved
from oms.legacy.core.traversal.cache import LRUCache
from oms.legacy.core.validation.enterprise.implementations.validation_cache import ValidationCache
from oms.unified.cache import CacheRegistry

SIZE = 1000
"""Entries in each cache: full, so that a set of a new key evicts."""

LIMIT = 1.02

VALUES: dict[str, object] = {
    "an immutable (tuple of 10 texts)": tuple(f"Type{n}" for n in range(10)),
    "a flat list (10 texts)": [f"Type{n}" for n in range(10)],
}
NESTED = {
    "name": "Person",
    "parents": ["Thing"],
    "properties": [{"name": "knows", "type": "Person"}, {"name": "email", "type": "Text"}],
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Both twins, filled alike: how to read a key, and how to write one."""

    name: str
    legacy_get: Callable[[str], object]
    legacy_set: Callable[[str, object], object]
    unified_get: Callable[[str], object]
    unified_set: Callable[[str, object], object]


def measure() -> list[Line]:
    """Return the lines of this section."""
    lines = [line for name, value in VALUES.items() for pair in _pairs() for line in _compared(pair, name, value)]
    return lines + _price_of_copies()


def _pairs(*, copy: bool = True) -> list[Pair]:
    registry = CacheRegistry()
    traversal, types = LRUCache(max_size=SIZE), registry.get_cache("types", config={"max_size": SIZE, "copy": copy})
    validation = ValidationCache(max_size=SIZE)
    results = registry.get_cache("validation", config={"max_size": SIZE, "ttl": 300, "copy": copy})
    return [
        Pair("traversal LRU", traversal.get, traversal.put, types.get, types.set),
        Pair(
            "validation, ttl 300 s",
            validation.get,
            lambda key, value: validation.set(key, value, 300),
            results.get,
            results.set,
        ),
    ]


def _compared(pair: Pair, name: str, value: object, *, judged: bool = True) -> list[Line]:
    for number in range(SIZE):
        pair.legacy_set(f"k{number}", value)
        pair.unified_set(f"k{number}", value)
    times = interleaved(
        {
            "legacy get": lambda: pair.legacy_get("k500"),
            "unified get": lambda: pair.unified_get("k500"),
            "legacy miss": lambda: pair.legacy_get("nobody"),
            "unified miss": lambda: pair.unified_get("nobody"),
        },
        rounds=61,
        seconds=0.005,
    )
    times |= interleaved(
        {"legacy set": _new_keys(pair.legacy_set, value), "unified set": _new_keys(pair.unified_set, value)}, rounds=11
    )
    return [_line(f"{pair.name}: {what} of {name}", times, what, judged=judged) for what in ("get", "miss", "set")]


def _new_keys(write: Callable[[str, object], object], value: object) -> Case:
    keys = iter(f"n{number}" for number in range(10**9))
    return lambda: write(next(keys), value)


def _price_of_copies() -> list[Line]:
    """Return what it costs that callers cannot change what is kept, where a value is nested; legacy hands out the object itself."""
    copied, shared = _pairs()[0], _pairs(copy=False)[0]
    return [
        _compared(copied, "a nested dict, copied", NESTED, judged=False)[0],
        _compared(shared, "a nested dict, copy=False", NESTED)[0],
    ]


def _line(title: str, times: dict[str, Timing], what: str, *, judged: bool) -> Line:
    legacy, unified = times[f"legacy {what}"].median_ns, times[f"unified {what}"].median_ns
    ratio = unified / legacy
    budget, is_met = (f"< {LIMIT:g} x legacy", ratio < LIMIT) if judged else ("", None)
    return Line(title, unified, "ns", budget, is_met, f"legacy: {legacy:.4g} ns, unified / legacy {ratio:.3f}")


if __name__ == "__main__":
    for measured in measure():
        print(
            f"{measured.what:62} {measured.value:9.0f} ns   {measured.peer}   {'' if measured.is_met is None else measured.is_met}"
        )
