"""A call to a neighbour under both seams of the resilience phase: the retry outside, the breaker inside, one attempt within."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from oms.seams.resilience import Breaker, Retry

T = TypeVar("T")
Attempt = Callable[[], Awaitable[T]]


class NotDone(Exception):
    """The protection gave up, in an error of its own; which one depends on who answers, so nobody outside should look at it.

    Attributes:
        last: What the last attempt raised; None if no attempt was made.
    """

    def __init__(self, name: str, last: Exception | None) -> None:
        super().__init__(f"{name}: found the protection closed, wanted an attempt; try again later")
        self.last = last


class Protection:
    """Each dependency has a retry budget and a breaker under its own name.

    The breaker counts attempts, not calls: once it opens, further attempts are rejected while the retry still waits.
    """

    def __init__(self, retry: Retry, breaker: Breaker) -> None:
        self._retry, self._breaker = retry, breaker

    async def acall(self, attempt: Attempt[T], *, name: str, policy: str) -> T:
        """Return what *attempt* returns, after as many attempts as *policy* allows.

        Raises:
            Exception: what the last attempt raised.
            NotDone: if the protection has put an error of its own in its place (RT-02, RT-20), or let no attempt through.
        """
        watched = _Watched(attempt)

        async def guarded() -> T:
            return await self._breaker.acall(watched.call, name=name)

        return await watched.told(name, self._retry.acall(guarded, operation=name, policy=policy))

    async def acall_once(self, attempt: Attempt[T], *, name: str) -> T:
        """Return what *attempt* returns; it is made once at most, because it must not be repeated.

        Raises:
            Exception: what the attempt raised.
            NotDone: if the breaker let it not through.
        """
        watched = _Watched(attempt)
        return await watched.told(name, self._breaker.acall(watched.call, name=name))


class _Watched(Generic[T]):
    """Remembers what the last attempt of one call raised."""

    def __init__(self, attempt: Attempt[T]) -> None:
        self._attempt = attempt
        self._last: Exception | None = None

    async def call(self) -> T:
        try:
            return await self._attempt()
        except Exception as error:
            self._last = error
            raise

    async def told(self, name: str, call: Awaitable[T]) -> T:
        try:
            return await call
        except Exception as error:
            if error is self._last:
                raise
            raise NotDone(name, self._last) from error
