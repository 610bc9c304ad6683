"""Copies: what is handed out as it is, and what never is."""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pytest

from oms.unified.cache import ValueNotStorable
from oms.unified.cache.copies import is_immutable, seal, share


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True, slots=True)
class Point:
    x: Any = 0


@dataclass(frozen=True)
class Named(Point):
    name: str = ""


class Careless(Point):
    """Inherits a frozen dataclass's promise and does not keep it."""


@dataclass
class Box:
    items: list[int] = field(default_factory=list)


@dataclass
class Thawed:
    x: int = 0


IMMUTABLE = [
    None,
    True,
    1,
    1.5,
    "x",
    b"x",
    (),
    (1, ("a", None)),
    frozenset({1}),
    Colour.RED,
    Point(1),
    Point((Point("x"),)),
    Named(1, "n"),
    ...,
]
MUTABLE = [
    [],
    {},
    set(),
    ([],),
    Point([]),
    Named({}, "n"),
    Box(),
    bytearray(),
    Careless(1),
    Thawed(),
    object(),
    MappingProxyType({}),
]


@pytest.mark.parametrize("value", IMMUTABLE, ids=repr)
def test_immutables_are_shared(value: Any) -> None:
    """What nobody can change is handed out as it is."""
    assert is_immutable(value)
    assert value is seal(value).opened()


@pytest.mark.parametrize("value", MUTABLE, ids=lambda value: type(value).__name__)
def test_the_rest_is_not(value: Any) -> None:
    """What somebody can change is told apart, however deep it lies."""
    assert not is_immutable(value)


@pytest.mark.parametrize(
    "value", [[1], {"a": (1,)}, {1, 2}, [[1]], {"a": [1]}, ([1],), Box([1]), Point([1]), [Colour.RED]], ids=repr
)
def test_every_opening_is_a_new_copy(value: Any) -> None:
    """Each opening gives an equal object that shares nothing with the one before or with the original."""
    sealed = seal(value)
    first, second = sealed.opened(), sealed.opened()

    assert value == first == second
    assert 3 == len({id(value), id(first), id(second)})


def test_attributes_beside_the_fields() -> None:
    """A frozen dataclass that somebody hung a list on is not immutable."""
    named = Named(1, "n")
    object.__setattr__(named, "cached", [])

    assert not is_immutable(named)


def test_deep_copy_where_pickle_fails() -> None:
    """What cannot be pickled, a local class for one, is deep-copied."""

    class Local:
        def __init__(self) -> None:
            self.items = [1]

    value = Local()
    opened = seal(value).opened()
    opened.items.append(2)

    assert [1] == value.items
    assert type(value) is type(opened)


@pytest.mark.parametrize(
    "value", [threading.Lock(), [threading.Lock()], (n for n in "ab"), MappingProxyType({})], ids=lambda v: str(type(v))
)
def test_refused(value: Any) -> None:
    """What cannot be copied at all is refused with the way out; copying off takes it."""
    with pytest.raises(ValueNotStorable, match=r"neither picklable nor copyable.*copy=False"):
        seal(value)
    assert value is share(value).opened()
