"""What stands for a value that is not kept is of the same type and length, and says so."""

from __future__ import annotations

import datetime
import decimal
import uuid

import pytest

from oms.console.stand_ins import source_of
from oms.domain.divergence import describe

VALUES = [
    "text", "", b"raw", 7, 1.5, 1j, True, [1, 2], [], (1, 2, 3), {"a": 1}, {}, {1, 2}, frozenset({1}), datetime.date(2025, 1, 1),
    datetime.datetime(2025, 1, 1), datetime.timedelta(1), decimal.Decimal(2), uuid.UUID(int=7),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_same_type_and_length(value: object) -> None:
    """The source makes a value like the one that was hashed, and is marked with its hash."""
    source = source_of(describe(value, show=False, key=b"k"))

    assert source is not None
    made = eval(source.text, {"datetime": datetime, "decimal": decimal, "uuid": uuid})
    assert type(value) is type(made)
    assert not hasattr(value, "__len__") or len(value) == len(made)
    assert source.stands_for.startswith(type(value).__name__)
    assert "hash " in source.stands_for


@pytest.mark.parametrize(
    "value", [None, 60, 1.5, "it's", 'a "b"', "ü\n", [1, "a"], datetime.timedelta(seconds=90)], ids=repr
)
def test_shown_value_is_itself(value: object) -> None:
    """What the port allows is written down as it was, with what has to be imported."""
    source = source_of(describe(value, show=True, key=b"k"))

    assert source is not None
    assert value == eval(source.text, {"datetime": datetime})
    assert "" == source.stands_for
    assert source.text.isascii()
    assert ({"datetime"} if isinstance(value, datetime.timedelta) else set()) == source.modules


def test_value_that_was_cut() -> None:
    """A text that is too long to be kept whole is stood in for."""
    source = source_of(describe("x" * 500, show=True, key=b"k"))

    assert source is not None
    assert "str of length 500" in source.stands_for


def test_value_of_a_foreign_type() -> None:
    """Nothing stands for a class of somebody else's, shown or not."""
    assert None is source_of({"type": "Odd"})
    assert None is source_of({"type": "Odd", "value": "<Odd object at 0x7f>"})
    assert None is source_of({"type": "Odd", "value": "__import__('os').getcwd()"})
