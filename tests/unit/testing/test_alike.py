"""Stand-ins of one type and length."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from oms.testing import alike
from oms.testing.alike import MOST


@pytest.mark.parametrize(
    "value",
    [True, 1, 1.5, "x" * 7, b"x" * 7, Decimal("1.5"), dt.date(2025, 7, 2), dt.datetime(2025, 7, 2), dt.timedelta(seconds=90), [1, 1], (1, 1)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_one_type_and_length(value: Any) -> None:
    """The value itself comes first; every other one is another value of its type, and as long."""
    found = [one for (one,) in alike(value)]

    assert value == found[0]
    assert {type(value)} == {type(one) for one in found}
    assert len(found) > 1
    assert value not in found[1:] or isinstance(value, (int, float))
    if hasattr(value, "__len__"):
        assert {len(value)} == {len(one) for one in found}


def test_maps_vary_in_their_entries() -> None:
    """A map keeps its keys; one entry after the other varies."""
    found = [one for (one,) in alike({"a": {"b": True}, "c": True})]

    assert [
        {"a": {"b": True}, "c": True},
        {"a": {"b": False}, "c": True},
        {"a": {"b": True}, "c": False},
    ] == found


def test_what_nobody_knows_to_vary() -> None:
    """A value of another type stands alone."""
    assert [(None,)] == list(alike(None))


def test_several_vary_with_each_other() -> None:
    """Each place varies with each other one, within the bound."""
    assert [(True, False), (True, True), (False, False), (False, True)] == list(alike(True, False))
    assert MOST == len(list(alike(1, 1, 1)))
