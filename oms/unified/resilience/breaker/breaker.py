"""``UnifiedCircuitBreaker``: stops calling what keeps failing, plain and async."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ParamSpec, TypeVar, cast

from oms.seams.resilience import TIME
from oms.unified.resilience.breaker.circuit import CLOSED, Circuit, Probe, Ticket
from oms.unified.resilience.errors import MisuseError
from oms.unified.resilience.functions import as_async, check_callable, check_plain, is_async

P = ParamSpec("P")
R = TypeVar("R")

_COROUTINE = inspect.CO_COROUTINE
_SPECIAL = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_COMMON = frozenset({int, str, bytes, float, bool, dict, list, tuple, type(None)})
"""Types of most results, none of which is awaited: asking any other type takes twice as long."""

_time = TIME.get


class UnifiedCircuitBreaker(Circuit):
    """A breaker of one process. pybreaker carries its words, listeners and errors; pybreaker never calls the function.

    No lock is held while the function runs. KeyboardInterrupt, cancellation and everything else that is no ``Exception`` counts neither
    as failure nor as success, and gives its permit back.

    Args:
        name: Of the dependency, in errors and metrics.
        config: When it opens and closes; see :class:`CircuitBreakerConfig`.
        listeners: pybreaker's ``CircuitBreakerListener``, told outside of every lock.
    """

    process_local = True

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what *function* returns, and remember how it ended.

        Raises:
            CircuitOpenError: if the breaker is open; *function* is not called then.
            MisuseError: if *function* is async or a generator; it is not called then.
        """
        code = getattr(function, "__code__", None)
        if code is None or code.co_flags & _SPECIAL:
            check_plain("breaker:", function)
        ticket = self._closed_ticket
        if ticket is None:
            self._refuse_while_open()
        if ticket is None or self._is_watched:
            watched: R = self._call(function, *args, **kwargs)
            return watched
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self._raised(ticket, error)
            raise
        kind = type(result)
        if kind not in _COMMON and hasattr(kind, "__await__"):
            return cast("R", self._afollow(ticket, cast("Awaitable[Any]", result)))
        self._succeeded(ticket)
        return result

    async def acall(self, function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what *function* returns when that is awaited, and remember how it ended.

        Raises:
            CircuitOpenError: if the breaker is open; *function* is not called then.
            MisuseError: if there is nothing to await, which only its call can tell; at once if it is a generator or no function.
        """
        code = getattr(function, "__code__", None)
        if code is None or not code.co_flags & _COROUTINE:
            function = as_async("breaker:", function)
        ticket = self._closed_ticket
        if ticket is None:
            self._refuse_while_open()
        if ticket is None or self._is_watched:
            watched: R = await self._acall(function, *args, **kwargs)
            return watched
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            await self._araised(ticket, error)
            raise
        self._succeeded(ticket)
        return result

    def wrap(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return *function* behind this breaker; async stays async. What a plain function returns to be awaited counts when that ends.

        Raises:
            MisuseError: if it is a generator, or no function.
        """
        check_callable("breaker:", function)
        if is_async(function):
            return functools.wraps(function)(self._aguarded(cast("Callable[P, Awaitable[Any]]", function)))

        # A function, not a partial: methods must bind. The short way is written out, as in call(): each call of ours would cost a tenth of it.
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            ticket = self._closed_ticket
            if ticket is None:
                self._refuse_while_open()
            if ticket is None or self._is_watched:
                watched: R = self._call(function, *args, **kwargs)
                return watched
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self._raised(ticket, error)
                raise
            kind = type(result)
            if kind not in _COMMON and hasattr(kind, "__await__"):
                return cast("R", self._afollow(ticket, cast("Awaitable[Any]", result)))
            self._succeeded(ticket)
            return result

        return functools.wraps(function)(guarded)

    __call__ = wrap

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Count what happens inside as one call.

        Raises:
            CircuitOpenError: if the breaker is open.
        """
        ticket = self._generation if self._state is CLOSED else self._admit()
        try:
            yield
        except BaseException as error:
            self._raised(ticket, error)
            raise
        self._succeeded(ticket)

    @asynccontextmanager
    async def acalling(self) -> AsyncIterator[None]:
        """Count what happens inside as one call.

        Raises:
            CircuitOpenError: if the breaker is open.
        """
        ticket = self._generation if self._state is CLOSED else await self._aadmit()
        try:
            yield
        except BaseException as error:
            await self._araised(ticket, error)
            raise
        await self._asucceeded(ticket)

    def _aguarded(self, function: Callable[P, Awaitable[Any]]) -> Any:
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
            ticket = self._closed_ticket
            if ticket is None:
                self._refuse_while_open()
            if ticket is None or self._is_watched:
                return await self._acall(function, *args, **kwargs)
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                await self._araised(ticket, error)
                raise
            self._succeeded(ticket)
            return result

        return guarded

    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call *function* the longer way: not closed, or with somebody who looks at it."""
        ticket: Ticket | None = self._closed_ticket
        if ticket is None:
            ticket = self._admit()
        if self._listens:
            self._tell("before_call", function, *args, **kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self._raised(ticket, error)
            raise
        if hasattr(type(result), "__await__"):
            return self._afollow(ticket, result)
        if self._judge is not None and self._judge(result):
            self._failed(ticket, None)
        else:
            self._succeeded(ticket)
        return result

    async def _acall(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        ticket: Ticket | None = self._closed_ticket
        if ticket is None:
            ticket = await self._aadmit()
        if self._listens:
            self._tell("before_call", function, *args, **kwargs)
        try:
            begun = function(*args, **kwargs)
        except BaseException as error:
            await self._araised(ticket, error)
            raise
        return await self._afollow(ticket, begun)

    async def _afollow(self, ticket: Ticket, begun: Awaitable[R]) -> R:
        """Count the end of what was begun."""
        try:
            result = await begun
        except BaseException as error:
            await self._araised(ticket, error)
            raise
        if self._judge is not None and self._judge(result):
            await self._afailed(ticket, None)
        else:
            await self._asucceeded(ticket)
        return result

    def _raised(self, ticket: Ticket, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._failed(ticket, error)
        else:
            self._return(ticket)

    async def _araised(self, ticket: Ticket, error: BaseException) -> None:
        if isinstance(error, Exception):
            await self._afailed(ticket, error)
        else:
            self._return(ticket)

    def _succeeded(self, ticket: Ticket) -> None:
        if type(ticket) is int:
            # Every healthy call comes through here: steps of tallies, and no lock but ten times a window.
            self._successful.step()
            if ticket == self._closed_ticket:
                now, window = _time().monotonic(), self._window
                if now >= window.ends_at:
                    with self._lock:
                        window.turn(now)
                window.succeed()
        else:
            self._settle_probe(cast("Probe", ticket))
        if self._listens:
            self._tell("success")

    def _failed(self, ticket: Ticket, error: Exception | None) -> None:
        if error is not None and self._is_neutral(error):
            self._return(ticket)
            return
        self._settle_failure(ticket)
        if self._listens:
            self._tell("failure", error)

    async def _aadmit(self) -> Ticket:
        return self._admit()

    async def _asucceeded(self, ticket: Ticket) -> None:
        self._succeeded(ticket)

    async def _afailed(self, ticket: Ticket, error: Exception | None) -> None:
        self._failed(ticket, error)

    def _is_neutral(self, error: Exception) -> bool:
        config = self.config
        # How we were called says nothing of the dependency.
        return isinstance(error, (MisuseError, *config.exclude)) or (
            config.is_failure is not None and not config.is_failure(error)
        )

    def _tell(self, event: str, *args: Any, **kwargs: Any) -> None:
        for listener in self._announcer.machine.listeners:
            getattr(listener, event)(self._announcer.machine, *args, **kwargs)
