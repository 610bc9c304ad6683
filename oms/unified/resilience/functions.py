"""What kind of function something is, told before it is called."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from oms.unified.resilience.errors import MisuseError

P = ParamSpec("P")
T = TypeVar("T")


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


def check_plain(where: str, function: Any) -> None:
    """Check that *function* is not async.

    Raises:
        MisuseError: before it is called, if it is, or is a generator or no function.
    """
    check_callable(where, function)
    if is_async(function):
        raise MisuseError(
            f"{where} {name_of(function)}()",
            found="an async function",
            wanted="a plain one",
            mend="await acall() of the same object",
        )


def as_async(where: str, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Return *function* if it is async, else an async function that awaits what *function* returns, as ``lambda: client.get(url)`` does.

    Raises:
        MisuseError: if it is no function, or a generator; and from the function returned, if there is nothing to await.
    """
    code = getattr(function, "__code__", None)
    # Nearly every function says it in its code; the longer question costs more than a closed breaker.
    if (code is not None and code.co_flags & inspect.CO_COROUTINE) or is_async(function):
        return function
    check_callable(where, function)

    async def awaited(*args: P.args, **kwargs: P.kwargs) -> T:
        begun = function(*args, **kwargs)
        if not inspect.isawaitable(begun):
            raise MisuseError(
                f"{where} {name_of(function)}()",
                found=f"a {type(begun).__name__}, which cannot be awaited",
                wanted="an awaitable",
                mend="call() takes plain functions",
            )
        return await begun

    return awaited
