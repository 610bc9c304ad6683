"""Values of one type and length that code is known to treat differently: what stands in for a value that nobody kept."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

MOST = 300
"""Combinations that are tried at most."""

_TEXTS = ("aB", " a ", "0", "1.50", "é\u0301", "ß", "\U0001f600", "\n", "true", "null", '"{', "%2e", "<b>", "\\", "\0")
"""Case, blanks, numbers, accents in two forms, what grows in upper case, four bytes, lines, words of JSON, quotes, escapes, markup."""

_NUMBERS = (0, -1, 2, 3, 7, 10, 64, 100, 2_000, 2**31, 2**53 + 1, 10**18)
_FLOATS = (0.0, -1.0, 0.1 + 0.2, 1e-7, 2.5, 1_234_567.891, 1e16, 1e22, float("inf"))
_DECIMALS = ("0", "-1", "1.10", "1E+3", "0.1", "12345678901234567890.123456789")
_MOMENTS = (
    dt.datetime(2025, 7, 2, 12, 30, 59, 999_999),
    dt.datetime(2025, 1, 31, tzinfo=dt.UTC),
    dt.datetime(2024, 2, 29, 23, 59, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
)


def alike(*values: Any) -> Iterator[tuple[Any, ...]]:
    """Yield *values*, then further tuples of the same types and lengths, at most ``MOST`` in all; each place varies with each other one."""
    yield from itertools.islice(itertools.product(*map(_variants, values)), MOST)


def _variants(value: Any) -> list[Any]:
    """Return *value* and others of its type; of a text or bytes with its length, of a map or a sequence the same with other entries."""
    found = [value]
    match value:
        case bool():
            found.append(not value)
        case int():
            found += _NUMBERS
        case float():
            found += _FLOATS
        case str():
            found += [(text * len(value))[: len(value)] for text in _TEXTS]
        case bytes():
            found += [(text * len(value))[: len(value)] for text in (b"\0", b"\xff\xfe", b"aB")]
        case Decimal():
            found += map(Decimal, _DECIMALS)
        case dt.datetime():
            found += _MOMENTS
        case dt.date():
            found += [dt.date(2024, 2, 29), dt.date(1, 1, 1), dt.date(9999, 12, 31)]
        case dt.timedelta():
            found += [dt.timedelta(0), dt.timedelta(microseconds=1), dt.timedelta(days=-1), dt.timedelta(days=400)]
        case dict():
            found += [{**value, key: other} for key, inner in value.items() for other in _variants(inner)[1:]]
        case list() | tuple():
            kinds = [type(value)([other] * len(value)) for other in (0, "aB", 1.5, None, (1,), dt.date(2025, 7, 2))]
            found += [*kinds, type(value)(range(len(value), 0, -1))]
    return found
