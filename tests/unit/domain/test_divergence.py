"""Fingerprints, and descriptions that show nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.comparison import Difference
from oms.domain.divergence import describe, fingerprint, type_name
from oms.domain.observation import StandIn

KEY = b"a key of the journal's folder"
BASE = Difference("value", "a.b", 1, 2)


class Unprintable:
    """An object whose own text form fails."""

    def __repr__(self) -> str:
        raise RuntimeError("secret")


def test_fingerprint_is_a_name() -> None:
    """A fingerprint is twelve hex digits, always the same for the same cause."""
    name = fingerprint("cache.types", "get", BASE)

    assert (12, True) == (len(name), set(name) <= set("0123456789abcdef"))
    assert name == fingerprint("cache.types", "get", Difference("value", "a.b", 3, 4))


def test_fingerprint_in_another_process() -> None:
    """Every process names a cause alike, whatever its hash seed."""
    code = "from oms.domain.divergence import *; print(fingerprint('cache.types', 'get', Difference('value', 'a.b', 1, 2)))"
    printed = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "4711", "PYTHONPATH": ":".join(sys.path)},
    )

    assert fingerprint("cache.types", "get", BASE) == printed.stdout.strip()


@pytest.mark.parametrize(
    ("seam", "operation", "difference"),
    [
        ("cache.documents", "get", BASE),
        ("cache.types", "aget", BASE),
        ("cache.types", "get", Difference("type", "a.b", 1, 2)),
        ("cache.types", "get", Difference("value", "a.c", 1, 2)),
        ("cache.types", "get", Difference("value", "a.b", "1", 2)),
        ("cache.types", "get", Difference("value", "a.b", 1, "2")),
    ],
)
def test_fingerprint_tells_causes_apart(seam: str, operation: str, difference: Difference) -> None:
    """Seam, operation, kind, path and each of the two types are part of the name."""

    assert fingerprint("cache.types", "get", BASE) != fingerprint(seam, operation, difference)


def test_fingerprint_keeps_parts_apart() -> None:
    """Two neighbouring parts do not run into each other."""

    assert fingerprint("cache.types", "ge", Difference("tvalue", "", 1, 2)) != fingerprint(
        "cache.types", "get", Difference("value", "", 1, 2)
    )


def test_type_name() -> None:
    """A stand-in has the name of the exception that it stands for."""

    assert ["int", "NoneType", "Unprintable", "KeyError"] == [
        type_name(value) for value in (1, None, Unprintable(), StandIn("KeyError"))
    ]


@given(st.text(min_size=4) | st.binary(min_size=4) | st.integers(10_000) | st.lists(st.text(min_size=4), min_size=1))
def test_description_shows_nothing(value: object) -> None:
    """Without leave a description holds type, length and hash, and nothing of the value."""
    described = describe(value, show=False, key=KEY)

    assert {"type", "length", "hash"} >= described.keys()
    assert type(value).__name__ == described["type"]
    assert (len(value) if isinstance(value, str | bytes | list) else None) == described.get("length")
    assert repr(value).strip("[]'\"") not in f"{described['type']} {described['hash']}"


def test_description_with_leave() -> None:
    """With leave a description holds the value's text form, cut at 200 characters."""

    assert "'abc'" == describe("abc", show=True, key=KEY)["value"]
    assert 200 == len(str(describe("x" * 1000, show=True, key=KEY)["value"]))


def test_hash_needs_the_key() -> None:
    """The hash of a short value depends on the key, so that nobody guesses it by trying all values."""
    one, other = (describe("yes", show=False, key=key)["hash"] for key in (b"one", b"other"))

    assert one != other
    assert one == describe("yes", show=False, key=b"one")["hash"]


def test_hash_tells_values_apart() -> None:
    """Unlike values have unlike hashes, so that a sample shows whether two differences are of one value."""

    assert describe("yes", show=False, key=KEY)["hash"] != describe("no", show=False, key=KEY)["hash"]


def test_nothing_described() -> None:
    """None has no hash: it would be the same everywhere."""

    assert {"type": "NoneType"} == describe(None, show=False, key=KEY)


def test_unprintable_described() -> None:
    """A value whose text form fails is described by its type."""
    described = describe(Unprintable(), show=True, key=KEY)

    assert "Unprintable" == described["value"]
    assert "secret" not in str(described)


def test_lone_surrogate_described() -> None:
    """A text that is no UTF-8 can be described."""

    assert {"type", "length", "hash"} == describe("\ud800", show=False, key=KEY).keys()
