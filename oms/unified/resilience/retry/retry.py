"""``with_retry``: a function that is tried again when its failure may pass."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from oms.seams.resilience import TIME, TimeSource
from oms.unified.resilience.budget import UnifiedRetryBudget
from oms.unified.resilience.errors import MisuseError, PolicyInvalid
from oms.unified.resilience.functions import as_async, check_callable, check_plain, is_async, name_of
from oms.unified.resilience.policies import RetryPolicy, policy_named
from oms.unified.resilience.retry.judgement import may_pass
from oms.unified.resilience.retry.series import Series, attempt_limit

if TYPE_CHECKING:
    from oms.unified.resilience.breaker.breaker import UnifiedCircuitBreaker

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_COMMON = frozenset({int, str, bytes, float, bool, dict, list, tuple, type(None)})
"""Types of most results, none of which is awaited: asking any other type takes twice as long."""

_time = TIME.get


class UnifiedRetry:
    """A policy with a budget and perhaps a breaker, ready to call functions.

    The breaker stands inside the retry: it counts attempts, and once it opens the call gives up.

    Args:
        policy: A name of ``RETRY_POLICIES``, or a policy.
        budget: Shared by all calls of one dependency; None makes one that is this object's own.
        breaker: Asked before each attempt, told of each outcome.
        name: Of the dependency; for the budget's metrics.

    Raises:
        PolicyInvalid: if there is no such policy.
    """

    def __init__(
        self,
        policy: str | RetryPolicy = "standard",
        *,
        budget: UnifiedRetryBudget | None = None,
        breaker: UnifiedCircuitBreaker | None = None,
        name: str = "default",
    ) -> None:
        self.policy = policy_named(policy)
        self.budget = UnifiedRetryBudget(name) if budget is None else budget
        self.breaker = breaker

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what *function* returns.

        Raises:
            MisuseError: if it is async or a generator; it is not called then.
        """
        check_plain("retry:", function)
        return self._plain(function)(*args, **kwargs)

    async def acall(self, function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what *function* returns when that is awaited: an ``async def``, or a lambda around one.

        Raises:
            MisuseError: if there is nothing to await, which only its one call can tell; at once if it is a generator or no function.
        """
        return await self._async(as_async("retry:", function))(*args, **kwargs)

    def wrap(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return *function*, retried; async stays async. A plain function that returns an awaitable has it retried when it is awaited.

        Raises:
            MisuseError: if it is a generator, or no function.
        """
        check_callable("retry:", function)
        if is_async(function):
            wrapped = cast("Callable[P, R]", self._async(cast("Callable[P, Awaitable[Any]]", function)))
        else:
            wrapped = self._plain(function)
        return functools.wraps(function)(wrapped)

    def _plain(self, function: Callable[P, R]) -> Callable[P, R]:
        if self.policy.attempt_timeout is not None:
            raise PolicyInvalid(
                f"retry: {name_of(function)}()",
                found="an attempt_timeout for a plain function",
                wanted="none, for nothing can cut it",
                mend="give the call inside a timeout of its own",
            )
        attempt = function if self.breaker is None else self.breaker.wrap(function)
        deposit = self.budget.deposit

        def retried(*args: P.args, **kwargs: P.kwargs) -> R:
            source = _time()
            deposit()
            began = source.monotonic()
            try:
                result = attempt(*args, **kwargs)
            except Exception as error:
                series = self._series(error, source, began)
                wait = None if series is None else series.goes_on(error)
                if series is None or wait is None:
                    raise
            else:
                kind = type(result)
                if kind not in _COMMON and hasattr(kind, "__await__"):
                    return cast("R", self._promoted(cast("Awaitable[Any]", result), attempt, args, kwargs))
                return result
            return _go_on(series, wait, source, lambda: attempt(*args, **kwargs))

        return retried

    def _async(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        attempt = function if self.breaker is None else self.breaker.wrap(function)
        policy, deposit = self.policy, self.budget.deposit
        is_limited = attempt_limit(policy, 0.0) is not None

        async def retried(*args: P.args, **kwargs: P.kwargs) -> R:
            source = _time()
            deposit()
            began = source.monotonic()
            try:
                if is_limited:
                    return cast("R", await source.wait_for(attempt(*args, **kwargs), attempt_limit(policy, 0.0)))
                return await attempt(*args, **kwargs)
            except Exception as error:
                series = self._series(error, source, began)
                wait = None if series is None else series.goes_on(error)
                if series is None or wait is None:
                    raise
            return await _ago_on(series, wait, source, lambda: attempt(*args, **kwargs))

        return retried

    def _series(self, error: Exception, source: TimeSource, began: float) -> Series | None:
        """Return what comes after *error*, None if that is nothing: errors that are none to retry should cost little."""
        if not may_pass(error, self.policy):
            self.budget.count("refused")
            return None
        return Series(self.policy, self.budget, self.breaker, source=source, began=began)

    async def _promoted(self, first: Awaitable[Any], attempt: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Await *first*, the awaitable that a plain function returned; a failure calls the function again."""
        source = TIME.get()
        began = source.monotonic()
        try:
            return await first
        except Exception as error:
            series = self._series(error, source, began)
            wait = None if series is None else series.goes_on(error)
            if series is None or wait is None:
                raise
        return await _ago_on(series, wait, source, lambda: attempt(*args, **kwargs))


def _go_on(series: Series, wait: float, source: TimeSource, attempt: Callable[[], T]) -> T:
    while True:
        source.sleep(wait)
        series.next_attempt()
        try:
            result = attempt()
        except Exception as error:
            further = series.goes_on(error)
            if further is None:
                raise
            wait = further
        else:
            series.recovered()
            return result


async def _ago_on(series: Series, wait: float, source: TimeSource, attempt: Callable[[], Awaitable[T]]) -> T:
    while True:
        await source.asleep(wait)
        limit = series.next_attempt()
        try:
            result: T = await (attempt() if limit is None else source.wait_for(attempt(), limit))
        except Exception as error:
            further = series.goes_on(error)
            if further is None:
                raise
            wait = further
        else:
            series.recovered()
            return result


def with_retry(
    policy: str | RetryPolicy = "standard",
    *,
    on: tuple[type[Exception], ...] | None = None,
    give_up_on: tuple[type[Exception], ...] | None = None,
    deadline: float | None = None,
    attempt_timeout: float | None = None,
    budget: UnifiedRetryBudget | None = None,
    breaker: UnifiedCircuitBreaker | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that retries a function, plain or async, by *policy*.

    What the last attempt raised is raised as it is, with its history in a note and in :func:`history_of`.

    Args:
        policy: A name of ``RETRY_POLICIES``, or a policy.
        on, give_up_on, deadline, attempt_timeout: In place of what the policy says; see :class:`RetryPolicy`.
        budget: Of the dependency; None gives each decorated function a budget of its own.
        breaker: Asked before each attempt.

    Raises:
        PolicyInvalid: if there is no such policy, or a value is out of range.
        MisuseError: when it decorates a generator, or is put on a function without parentheses.
    """
    if callable(policy):
        raise MisuseError(
            "with_retry", found="a function in place of a policy", wanted="a policy's name", mend="write @with_retry()"
        )
    told = {"retry_on": on, "give_up_on": give_up_on, "deadline": deadline, "attempt_timeout": attempt_timeout}
    chosen = policy_named(policy).but(**{name: value for name, value in told.items() if value is not None})

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        check_callable("with_retry:", function)
        return UnifiedRetry(chosen, budget=budget, breaker=breaker, name=name_of(function)).wrap(function)

    return decorate
