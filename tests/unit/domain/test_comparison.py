"""Comparing what both sides did: what differs, where, and of what kind."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.comparison import MAX_DIFFERENCES, Difference, are_both_empty, compare
from oms.domain.observation import Observation, Raised, Returned, StandIn


@dataclass(frozen=True)
class Point:
    """A dataclass with a field that may hold anything."""

    x: object
    y: object = 0


NAMES = frozenset({"a", "b", "c"})


def found(legacy: object, unified: object) -> list[tuple[str, str]]:
    """Return kind and path of each difference between two returned values, in which ``a``, ``b`` and ``c`` are names."""
    differences = compare(legacy=Returned(legacy), unified=Returned(unified), names=NAMES)
    return [(one.kind, one.path) for one in differences]


def failed(name: str, **fields: object) -> Raised:
    """Return the observation of an exception class with declared fields."""
    return Raised(StandIn(name, tuple(fields.items())))


NAN = float("nan")

leaves = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=5), st.decimals(allow_nan=True)
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=4), inner, max_size=4),
        st.builds(Point, inner, inner),
    ),
    max_leaves=12,
)


def rebuilt(value: Any) -> Any:
    """Return an equal value built anew, its mappings in the opposite order."""
    if isinstance(value, dict):
        return {key: rebuilt(value[key]) for key in reversed(value)}
    if isinstance(value, list | tuple):
        return type(value)(rebuilt(entry) for entry in value)
    if isinstance(value, Point):
        return Point(rebuilt(value.x), rebuilt(value.y))
    return float(str(value)) if isinstance(value, float) else value


@given(values)
def test_equal_to_itself(value: object) -> None:
    """A value equals one built like it, in whatever order its keys came, NaN included."""

    assert [] == found(value, rebuilt(value))


@given(values, values)
def test_symmetry(one: object, other: object) -> None:
    """Changing sides changes who lacks what and nothing else."""
    mirror = {"missing": "extra", "extra": "missing", "legacy_miss": "unified_miss", "unified_miss": "legacy_miss"}
    there, back = found(one, other), found(other, one)
    if max(len(there), len(back)) < MAX_DIFFERENCES:
        assert sorted((mirror.get(kind, kind), path) for kind, path in there) == sorted(back)


@pytest.mark.parametrize(
    ("legacy", "unified"),
    [
        (NAN, float("nan")),
        (Decimal("NaN"), Decimal("NaN")),
        (Decimal("sNaN"), Decimal("NaN")),
        (0.0, -0.0),
        (Decimal("1.0"), Decimal("1.00")),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": NAN}, {"a": float("nan")}),
        ([NAN, (NAN,)], [float("nan"), (float("nan"),)]),
        (Point(NAN), Point(float("nan"))),
        ({1, 2}, {2, 1}),
        (frozenset(), frozenset()),
        (b"x", b"x"),
        (None, None),
        (Point, Point),
    ],
)
def test_equal(legacy: object, unified: object) -> None:
    """What only looks different is equal: NaN, a zero's sign, the order of keys, trailing zeros of a decimal."""

    assert [] == found(legacy, unified)


@pytest.mark.parametrize(
    ("legacy", "unified"),
    [
        (1, True),
        (0, False),
        (1, 1.0),
        (1, Decimal(1)),
        (1.0, Decimal(1)),
        ("1", 1),
        ("x", b"x"),
        ([1], (1,)),
        ({1}, frozenset({1})),
        ({"a": 1}, OrderedDict(a=1)),
        (dt.date(2026, 1, 1), dt.datetime(2026, 1, 1)),
        (Point(1), (1, 0)),
    ],
)
def test_type_differs(legacy: object, unified: object) -> None:
    """A change of type is a difference even where ``==`` is blind to it, at the top and inside."""

    assert [("type", "")] == found(legacy, unified)
    assert [("type", "a")] == found({"a": legacy}, {"a": unified})
    assert [("type", "*")] == found([legacy], [unified])
    assert [("type", "x")] == found(Point(legacy), Point(unified))


@pytest.mark.parametrize(
    ("legacy", "unified"),
    [
        (1, 2),
        ("a", "A"),
        (0.1 + 0.2, 0.3),
        (NAN, 0.0),
        (Decimal("NaN"), Decimal(0)),
        ({1, 2}, {1, 3}),
        ({1}, {True}),
        (b"x", b"y"),
    ],
)
def test_value_differs(legacy: object, unified: object) -> None:
    """Two values of one type that are not equal differ as values."""

    assert [("value", "")] == found(legacy, unified)


def test_difference_holds_both() -> None:
    """A difference carries both values, each on its own side."""

    assert (Difference("value", "a.b", 1, 2),) == compare(
        legacy=Returned({"a": {"b": 1}}), unified=Returned({"a": {"b": 2}}), names=NAMES
    )


def test_missing_and_extra() -> None:
    """A field that one side lacks is named by who lacks it."""

    assert [("missing", "b"), ("extra", "c")] == found({"a": 1, "b": 2}, {"a": 1, "c": 2})


def test_sequences() -> None:
    """Sequences of unlike length differ as a whole; of like length entry by entry, in order."""

    assert [("length", "")] == found([1, 2], [1])
    assert [("value", "*"), ("value", "*")] == found([1, 2, 3], [3, 2, 1])
    assert [("length", "a.*")] == found({"a": [(1,), (2,)]}, {"a": [(1,), (2, 3)]})


def test_names_stand_in_the_path() -> None:
    """A key that is known as a name stands in the path, wherever the mapping is."""

    assert [("value", "a")] == found({"a": 1}, {"a": 2})
    assert [("value", "a.*.b")] == found({"a": [{"b": 1}]}, {"a": [{"b": 2}]})
    assert [("value", "x.a")] == found(Point({"a": 1}), Point({"a": 2}))


@pytest.mark.parametrize(
    "key", ["hunter2hunter2", "AKIAIOSFODNN7", "jane", "", "4711", "a b", "a.b", "tenant:42", 7, (1, 2), None]
)
def test_other_keys_are_folded(key: object) -> None:
    """A key that nobody declared may be an id or a secret, however much it reads like a name: it is folded, on whichever side it stands."""

    assert [("value", "*")] == found({key: 1}, {key: 2})
    assert [("missing", "*")] == found({key: 1}, {})
    assert [("extra", "*")] == found({}, {key: 1})
    assert [("value", "a.*")] == found({"a": {key: 1}}, {"a": {key: 2}})


def test_a_key_that_is_data_hides_no_name() -> None:
    """What is known keeps its name beside what is not."""

    assert [("value", "a"), ("missing", "*")] == found({"a": 1, "4711": 1}, {"a": 2})
    assert [("value", "a"), ("extra", "*")] == found({"a": 1}, {"a": 2, "4711": 1})


def test_no_names_at_all() -> None:
    """Unless somebody declares names, every key of a mapping is folded."""

    assert (Difference("value", "*.*", 1, 2),) == compare(
        legacy=Returned({"a": {"b": 1}}), unified=Returned({"a": {"b": 2}})
    )


@pytest.mark.parametrize(("key", "text"), [(1, "1"), (-3, "-3"), (1.5, "1.5"), (True, "True")])
def test_retyped_key(key: object, text: str) -> None:
    """A key that is a number here and its text there is one difference, and what stands under it is still compared."""

    assert [("key", "*")] == found({key: "v"}, {text: "v"})
    assert [("key", "*"), ("value", "*")] == found({key: "v"}, {text: "w"})
    assert [("key", "*")] == found({text: "v"}, {key: "v"})


def test_retyped_key_has_its_own_twin() -> None:
    """A number beside its own text is two keys: the one that the other side lacks is missing."""

    assert [("missing", "*")] == found({1: "a", "1": "b"}, {"1": "b"})


def test_keys_of_unlike_type() -> None:
    """A mapping's keys are told apart by type: True is not 1."""

    assert {("missing", "*"), ("extra", "*")} == set(found({1: "v"}, {True: "v"}))


@pytest.mark.parametrize(
    ("legacy", "unified", "kind"),
    [(None, 0, "legacy_miss"), (None, "", "legacy_miss"), ([], None, "unified_miss"), (False, None, "unified_miss")],
)
def test_miss(legacy: object, unified: object, kind: str) -> None:
    """None against anything else at the top is a miss of that side; inside it is a change of type."""

    assert [(kind, "")] == found(legacy, unified)
    assert [("type", "*")] == found([legacy], [unified])


def test_both_raise_alike() -> None:
    """Two exceptions of one class with equal declared fields are equal."""

    assert () == compare(legacy=failed("KeyError", code=1), unified=failed("KeyError", code=1))


def test_both_raise_unlike() -> None:
    """Two classes of exception differ by class; of one class, by the declared field."""
    legacy, unified = failed("KeyError", code=1), failed("ValueError", code=2)

    assert (Difference("error", "", legacy.error, unified.error),) == compare(legacy=legacy, unified=unified)
    assert (Difference("value", "error.code", 1, 2),) == compare(
        legacy=failed("KeyError", code=1), unified=failed("KeyError", code=2)
    )


def test_one_raises() -> None:
    """An exception against an answer is an error, whatever the answer, a miss included."""
    raised, returned = failed("KeyError"), Returned(None)

    assert (Difference("error", "", raised.error, None),) == compare(legacy=raised, unified=returned)
    assert (Difference("error", "", None, raised.error),) == compare(legacy=returned, unified=raised)


def test_bound() -> None:
    """What differs everywhere is cut at twenty differences."""

    assert [("value", "*")] * MAX_DIFFERENCES == found(list(range(1000)), list(range(1, 1001)))


def test_order_is_stable() -> None:
    """Differences come in the order of legacy's fields, then of those that only unified has, so that a cut is the same each time."""
    legacy = {f"k{n}": n for n in range(30)}
    differences = compare(legacy=Returned(legacy), unified=Returned({"other": 1}), names=legacy.keys())

    assert [("missing", f"k{n}") for n in range(MAX_DIFFERENCES)] == [(one.kind, one.path) for one in differences]


@pytest.mark.parametrize("value", [None, "", b"", [], (), {}, set(), frozenset()])
def test_empty(value: object) -> None:
    """Two empty answers match and are no evidence."""

    assert are_both_empty(Returned(value), Returned(value))


@pytest.mark.parametrize(
    ("legacy", "unified"),
    [
        (Returned(0), Returned(0)),
        (Returned(False), Returned(False)),
        (Returned("x"), Returned("")),
        (Returned([None]), Returned([None])),
        (failed("KeyError"), Returned(None)),
        (failed("KeyError"), failed("KeyError")),
    ],
)
def test_not_empty(legacy: Observation, unified: Observation) -> None:
    """Zero, False and an exception are answers; one empty side is not two."""

    assert not are_both_empty(legacy, unified)
    assert not are_both_empty(unified, legacy)


def test_foreign_equality_may_fail() -> None:
    """What a value's own ``==`` raises comes out, for the lane to count as a comparator that failed."""

    class Sulky(str):
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

        __hash__ = str.__hash__

    with pytest.raises(RuntimeError, match="no"):
        found(Sulky("a"), Sulky("a"))
