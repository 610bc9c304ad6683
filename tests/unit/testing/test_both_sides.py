"""Asking both sides the same, as a pinned divergence does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from oms.domain.phase import Seam
from oms.domain.stage import Side
from oms.seams.cache import DOCUMENTS, TYPES
from oms.testing import BothSides, Sides, shaped
from tests.unit.routing.sides import MapSide

TYPE_AT_A = "unified has to change: type at a, int from legacy, str from unified"


@pytest.fixture
def both() -> Iterator[BothSides]:
    """Both sides of a cache, legacy with other values."""
    legacy, unified = MapSide(), MapSide()
    legacy.values["k"], unified.values["k"] = {"a": 1, "b": 1}, {"a": "1", "b": 2}
    with asyncio.Runner() as runner:
        yield BothSides(replace(TYPES, names=frozenset("ab")), Sides(legacy, unified), runner)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("", 2),
        ("a", 1),
        ("b", 1),
        ("a.deeper", 1),
        ("ab", 0),
        ("c", 0),
    ],
)
def test_differences_at_a_place(both: BothSides, at: str, expected: int) -> None:
    """What differs there, in what it is part of, or in its parts counts; its neighbours do not."""
    found = both.ask("get", key="k").differences(mend=Side.UNIFIED, at=at)

    assert expected == len(found)
    assert (TYPE_AT_A in found) is (at in ("", "a", "a.deeper"))


def test_equal_answers_differ_nowhere(both: BothSides) -> None:
    """What was written through it is read alike, and no side sees what the other does to it."""
    value = {"a": [1]}
    both.call("set", key="n", value=value, ttl=None)
    value["a"].append(2)

    assert [] == both.ask("get", key="n").differences(mend=Side.UNIFIED)


def test_a_side_that_changes_its_arguments(both: BothSides) -> None:
    """What a side does to its arguments is not seen by the other one, nor by the test."""

    class Greedy(MapSide):
        def set(self, key: str, value: Any, *, ttl: Any = None) -> None:
            value.append("mine")
            super().set(key, value, ttl=ttl)

    both._sides.legacy.__class__ = Greedy
    value: list[str] = []
    both.call("set", key="n", value=value)

    assert (["mine"], [], []) == (both._sides.legacy.values["n"], both._sides.unified.values["n"], value)


def test_what_is_raised_is_compared(both: BothSides) -> None:
    """An exception of one side is a difference, named by its class."""
    sides = both._sides

    def refuse(name: str, key: str | None) -> None:
        raise KeyError(key)

    sides.legacy.before = refuse

    assert ["legacy has to change: error, KeyError from legacy, dict from unified"] == both.ask(
        "get", key="k"
    ).differences(mend=Side.LEGACY)


def test_async_port(both_sides: Callable[[Seam[Any, Any]], BothSides]) -> None:
    """The fixture drives an async port to its end."""
    both = both_sides(DOCUMENTS)
    both.call("aset", key="k", value={"a": 1}, ttl=None)

    assert [] == both.ask("aget", key="k").differences(mend=Side.UNIFIED)


@pytest.fixture
def sides() -> Callable[[Seam[Any, Any]], Sides]:
    """Two sides alike."""
    return lambda seam: Sides(MapSide(), MapSide())


@pytest.mark.parametrize(
    ("path", "expected"), [("", 7), ("a", {"a": 7}), ("a.*.b", {"a": {"1": {"b": 7}}}), ("*", {"1": 7})]
)
def test_shaped(path: str, expected: object) -> None:
    """A value has its leaf at the folded path."""
    assert expected == shaped(path, 7)
