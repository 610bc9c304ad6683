"""What kind of function something is, told before it is called."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from oms.unified.resilience.errors import MisuseError


def is_async(function: Any) -> bool:
    """Tell whether calling *function* returns a coroutine: partials, methods and objects with an async ``__call__`` included."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.iscoroutinefunction(function):
        return True
    # What `await obj()` calls stands on the type; a function's own __call__ is no coroutine function.
    return inspect.iscoroutinefunction(inspect.getattr_static(type(function), "__call__", None))


def name_of(function: Any) -> str:
    """Return what *function* is called in messages and metrics."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def check_callable(where: str, function: Any) -> None:
    """Check that *function* can be called once an attempt.

    Raises:
        MisuseError: if it is no function, or one that returns before its work is done.
    """
    if isinstance(function, (staticmethod, classmethod)):
        raise MisuseError(
            where, found=f"a {type(function).__name__}", wanted="a function", mend="put this decorator below that one"
        )
    if not callable(function):
        raise MisuseError(where, found=f"a {type(function).__name__}", wanted="a function")
    bare = function
    while isinstance(bare, functools.partial):
        bare = bare.func
    if inspect.isgeneratorfunction(bare) or inspect.isasyncgenfunction(bare):
        raise MisuseError(
            f"{where} {name_of(bare)}()",
            found="a generator, which fails after it was called",
            wanted="a function",
            mend="decorate what it calls",
        )


def check_kind(where: str, function: Any, *, wants_async: bool) -> None:
    """Check that *function* is async, or is not.

    Raises:
        MisuseError: before it is called, if it is of the other kind.
    """
    check_callable(where, function)
    if is_async(function) is not wants_async:
        found, wanted = ("a plain function", "an async one") if wants_async else ("an async function", "a plain one")
        mend = "call() takes plain functions" if wants_async else "await acall() of the same object"
        raise MisuseError(f"{where} {name_of(function)}()", found=found, wanted=wanted, mend=mend)
