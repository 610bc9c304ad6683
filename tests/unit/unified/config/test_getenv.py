"""The surface of code that was moved off os: exact in every edge."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.unified.config import unified_env

NAMES: list[Any] = [
    "OMS_TEST_SET",
    "OMS_TEST_EMPTY",
    "OMS_TEST_UNSET",
    "",
    "A=B",
    "\x00",
    "é",
    5,
    None,
    b"OMS_TEST_SET",
    "\udc80",
]


@pytest.fixture(autouse=True)
def _set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMS_TEST_SET", " some é text ")
    monkeypatch.setenv("OMS_TEST_EMPTY", "")
    monkeypatch.delenv("OMS_TEST_UNSET", raising=False)


def outcome(function: Any, *args: Any) -> tuple[object, ...]:
    """Return what *function* returns, or the class and arguments of what it raises."""
    try:
        return ("returned", function(*args))
    except Exception as error:
        return ("raised", type(error), str(error))


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_getenv(name: Any) -> None:
    """With and without a default, of whatever type, and for whatever name."""
    default = object()

    assert outcome(os.getenv, name) == outcome(unified_env.getenv, name)
    assert outcome(os.getenv, name, default) == outcome(unified_env.getenv, name, default)
    assert outcome(lambda: os.getenv(name, default="d")) == outcome(lambda: unified_env.getenv(name, default="d"))


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_require_and_contains(name: Any) -> None:
    """Subscript and membership, with the errors that they raise."""
    assert outcome(lambda: os.environ[name]) == outcome(unified_env.require, name)
    assert outcome(lambda: name in os.environ) == outcome(unified_env.contains, name)


def test_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the environment is seen by the next call, also where the whole mapping was replaced."""
    unified_env.getenv("OMS_TEST_SET")
    monkeypatch.setenv("OMS_TEST_SET", "new")
    first = unified_env.getenv("OMS_TEST_SET")
    monkeypatch.setattr(os, "environ", {"OMS_TEST_SET": "replaced"})

    assert ("new", "replaced") == (first, unified_env.getenv("OMS_TEST_SET"))


@given(st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=20))
def test_any_text(text: str) -> None:
    """Whatever a variable is set to, both read the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMS_TEST_SET", text)

        assert os.getenv("OMS_TEST_SET") == unified_env.getenv("OMS_TEST_SET") == text
