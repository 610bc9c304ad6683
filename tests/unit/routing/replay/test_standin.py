"""Exceptions in place of the caller's own."""

from __future__ import annotations

import errno

import httpx
import pytest

from oms.routing.replay.standin import Unnamed, labelled, likeness, stand_in


class Slotted(Exception):
    """Keeps a field outside of its dict."""

    __slots__ = ("code",)


class Wordy(Exception):
    """Demands arguments that it does not pass on."""

    def __init__(self, code: int, *, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


class Once(Exception):
    """Can't be made without its words."""

    def __new__(cls, *, word: str = "") -> Once:
        if not word:
            raise TypeError("a word")
        return super().__new__(cls)

    def __init__(self, *, word: str) -> None:
        super().__init__("Once")


def raised(error: BaseException) -> BaseException:
    """Return *error* as it is after it was raised from another one."""
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise error from inner
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(errno.ECONNRESET, "reset"),
        Wordy(7, why="so"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "why"),
        ExceptionGroup("two", [ValueError(), KeyError()]),
        KeyboardInterrupt(),
        httpx.HTTPStatusError("429", request=httpx.Request("GET", "http://a"), response=httpx.Response(429)),
    ],
)
def test_same_class_and_fields(error: BaseException) -> None:
    """Another object of the very class, with the same arguments and fields, free of where it was raised."""
    original = raised(error)
    copy = stand_in(likeness(original))

    assert copy is not original
    assert (type(original), original.args, vars(original)) == (type(copy), copy.args, vars(copy))
    assert (None, None, None) == (copy.__traceback__, copy.__cause__, copy.__context__)


def test_fields_outside_of_the_dict() -> None:
    """Slots and the system's error number come along."""
    slotted = Slotted("x")
    slotted.code = 3
    copy = stand_in(likeness(slotted))

    assert isinstance(copy, Slotted)
    assert 3 == copy.code
    assert errno.ECONNRESET == getattr(
        stand_in(likeness(ConnectionResetError(errno.ECONNRESET, "reset"))), "errno", None
    )


def test_notes_are_its_own() -> None:
    """What is noted on one is not noted on the other."""
    original = ValueError("x")
    original.add_note("mine")
    copy = stand_in(likeness(original))
    copy.add_note("the twin's")

    assert (["mine"], ["mine", "the twin's"]) == (original.__notes__, copy.__notes__)


def test_cannot_be_made() -> None:
    """A class that refuses to be made again is named, no more."""
    copy = stand_in(likeness(Once(word="w")))

    assert isinstance(copy, Unnamed)
    assert ("Once",) == copy.args


def test_label() -> None:
    """A label that raises falls back on the class name."""

    assert "seen" == labelled(ValueError(), lambda error: "seen")
    assert "ValueError" == labelled(ValueError(), lambda error: error.nothing)
