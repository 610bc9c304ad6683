"""The envelope: what lies in Redis, and what is made of what should not lie there."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.unified.cache import ValueNotStorable
from oms.unified.cache.redis.envelope import Unreadable, dumps, loads

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters()),
    st.binary(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.datetimes(),
    st.datetimes(timezones=st.just(dt.UTC)),
)
HASHABLES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)), max_leaves=5
)
VALUES = st.recursive(
    HASHABLES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner),
        st.sets(HASHABLES, max_size=4),
        st.dictionaries(HASHABLES, inner, max_size=4),
        st.dictionaries(st.sampled_from(["~", "d", "v", "a"]), inner, max_size=4),
    ),
    max_leaves=12,
)


class Word(enum.StrEnum):
    ONE = "one"


class Number(int):
    pass


class Zone(dt.tzinfo):
    pass


Pair = collections.namedtuple("Pair", "a b")


@given(VALUES)
def test_round_trip(value: Any) -> None:
    """Whatever nesting of known types goes in comes out equal, type by type and in the same order."""
    found = loads(dumps(value))

    assert value == found
    assert _shape(value) == _shape(found)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return dict, [(_shape(key), _shape(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [_shape(item) for item in value]
    return type(value), getattr(value, "fold", None)


def test_as_json() -> None:
    """What is stored is JSON that other programs can read; plain values stand for themselves."""
    assert {"v": 1, "d": {"a": [1, None, "x"]}} == json.loads(dumps({"a": [1, None, "x"]}))
    assert {"v": 1, "d": {"~": "tuple", "d": [1, {"~": "bytes", "d": "AA=="}]}} == json.loads(dumps((1, b"\x00")))


@pytest.mark.parametrize(
    "value",
    [
        Word.ONE,
        Number(1),
        Pair(1, 2),
        collections.OrderedDict(a=1),
        collections.defaultdict(list),
        object(),
        object,
        len,
        1j,
        range(3),
        dt.datetime(2024, 1, 1, tzinfo=Zone()),
        dt.time(1, tzinfo=Zone()),
        [Word.ONE],
        {"a": {"b": Pair(1, 2)}},
        {Word.ONE: 1},
        10**5000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_guesses(value: Any) -> None:
    """What would come back as another type is refused, subclasses of known types included."""
    with pytest.raises(ValueNotStorable, match=r"^cache value: found a .*, wanted JSON types, tuple"):
        dumps(value)


def test_cycle() -> None:
    """A value that contains itself is refused."""
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(ValueNotStorable, match="too deep"):
        dumps(cycle)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"5",
        b"{}",
        b'{"v": 2, "d": 1}',
        b'{"v": "1", "d": 1}',
        b'{"v": 1}',
        b'{"v":1,"d":{"~":"pickle","d":"x"}}',
        b'{"v":1,"d":{"~":"tuple"}}',
        b'{"v":1,"d":{"~":[],"d":1}}',
        b'{"v":1,"d":{"~":"bytes","d":"?"}}',
        b'{"v":1,"d":{"~":"datetime","d":["x",null,0]}}',
        b'{"v":1,"d":{"~":"Decimal","d":"x"}}',
        b'{"v":1,"d":{"~":"set","d":[[]]}}',
        b'{"v":1,"d":{"~":"datetime","d":["2024-01-01",  "No/Where", 0]}}',
        b"[" * 100_000,
        b"\x80\x04N.",
    ],
)
def test_foreign_data(data: bytes) -> None:
    """Anything else is unreadable, whatever is wrong with it; a pickle is not even looked into."""
    with pytest.raises(Unreadable):
        loads(data)
