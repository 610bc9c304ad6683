"""Retries, plain and async: what is tried again, how often, after how long, and what the caller gets in the end."""

from __future__ import annotations

import asyncio
import email.utils
import functools
import gc
import inspect
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from oms.seams.resilience import living_in
from oms.testing import VirtualTime
from oms.unified import resilience
from oms.unified.resilience import (
    RETRY_POLICIES,
    CircuitBreakerConfig,
    CircuitOpenError,
    MisuseError,
    PolicyInvalid,
    RetryBudgetConfig,
    UnifiedCircuitBreaker,
    UnifiedRetry,
    UnifiedRetryBudget,
    history_of,
    with_retry,
)

Make = Callable[..., Any]
Call = Callable[..., Any]

EXACT = RETRY_POLICIES["standard"].but(jitter=False)


@pytest.fixture(params=["plain", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Call a scripted function with retry, by a plain or by an async call."""

    def plain(function: Any, policy: Any = EXACT, **options: Any) -> Any:
        return with_retry(policy, **options)(function.plain)()

    def awaited(function: Any, policy: Any = EXACT, **options: Any) -> Any:
        return asyncio.run(with_retry(policy, **options)(function.awaited)())

    return plain if request.param == "plain" else awaited


def status_error(status: int, **headers: str) -> httpx.HTTPStatusError:
    """Return what httpx raises for *status*."""
    request = httpx.Request("GET", "http://actions")
    return httpx.HTTPStatusError(
        str(status), request=request, response=httpx.Response(status, headers=headers, request=request)
    )


def test_success(time: VirtualTime, scripted: Make, call: Call) -> None:
    """What succeeds is called once, and its value comes back."""
    function = scripted("well")

    assert ("well", 1, []) == (call(function), function.calls, time.sleeps)


def test_recovery(time: VirtualTime, scripted: Make, call: Call) -> None:
    """What fails and then succeeds gives its value after the policy's waits."""
    function = scripted(ConnectionError(), TimeoutError(), "well")

    assert ("well", 3, [1, 2]) == (call(function), function.calls, time.sleeps)


def test_exhaustion(time: VirtualTime, scripted: Make, call: Call) -> None:
    """After the last attempt its own error object comes, with nothing chained to it, and its history in a note and an attribute."""
    errors = [ConnectionResetError(str(number)) for number in range(4)]
    with pytest.raises(ConnectionResetError) as caught:
        call(scripted(*errors))
    history = history_of(caught.value)

    assert errors[3] is caught.value
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)
    assert history is not None
    assert [(ConnectionResetError, wait) for wait in (1, 2, 4, 0)] == [
        (one.error, one.waited_s) for one in history.attempts
    ]
    assert [f"oms retry: {history}"] == caught.value.__notes__
    assert "policy 'standard' gave up after 4 attempts in 7 s" in str(history)


def test_traceback(time: VirtualTime) -> None:
    """The traceback still shows where it was raised."""

    def deep_inside() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError) as caught:
        with_retry(EXACT)(deep_inside)()

    assert "deep_inside" == traceback.extract_tb(caught.value.__traceback__)[-1].name


def test_same_object_again(time: VirtualTime, scripted: Make, call: Call) -> None:
    """An error object that is raised again and again carries the last history only."""
    error = ConnectionError()
    for _ in range(3):
        with pytest.raises(ConnectionError):
            call(scripted(error))

    assert 1 == len(error.__notes__)


def test_error_that_takes_nothing(time: VirtualTime, scripted: Make, call: Call) -> None:
    """An error class that refuses notes and attributes is raised all the same."""

    class Stubborn(ConnectionError):
        def __setattr__(self, name: str, value: object) -> None:
            raise RuntimeError

        def add_note(self, note: str) -> None:
            raise RuntimeError

    with pytest.raises(Stubborn) as caught:
        call(scripted(Stubborn()))

    assert history_of(caught.value) is None


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        BrokenPipeError(),
        TimeoutError(),
        httpx.ConnectTimeout("x"),
        httpx.PoolTimeout("x"),
        httpx.ReadError("x"),
        httpx.RemoteProtocolError("x"),
        *(status_error(status) for status in (408, 429, 500, 502, 503, 504)),
    ],
)
def test_transient(time: VirtualTime, scripted: Make, call: Call, error: Exception) -> None:
    """Subclasses, httpx's transport errors and the statuses of a server in trouble are retried."""
    function = scripted(error, "well")

    assert ("well", 2) == (call(function), function.calls)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        TypeError(),
        PermissionError(),
        KeyError(),
        httpx.UnsupportedProtocol("x"),
        CircuitOpenError("b", "open", 1.0),
        *(status_error(status) for status in (301, 304, 400, 401, 404, 501)),
    ],
)
def test_not_transient(time: VirtualTime, scripted: Make, call: Call, error: Exception) -> None:
    """Everything else is raised at once, without a history."""
    function = scripted(error)
    with pytest.raises(type(error)) as caught:
        call(function)

    assert (1, None) == (function.calls, history_of(caught.value))


def test_on(time: VirtualTime, scripted: Make, call: Call) -> None:
    """`on` says what is retried, and `give_up_on` is stronger."""
    function = scripted(KeyError(), ConnectionError())
    with pytest.raises(ConnectionError):
        call(function, on=(LookupError,))
    stopped = scripted(IndexError())
    with pytest.raises(IndexError):
        call(stopped, on=(LookupError,), give_up_on=(IndexError,))

    assert (2, 1) == (function.calls, stopped.calls)


def test_on_nothing(time: VirtualTime, scripted: Make, call: Call) -> None:
    """`on=()` retries nothing."""
    function = scripted(ConnectionError())
    with pytest.raises(ConnectionError):
        call(function, on=())

    assert 1 == function.calls


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interrupts(time: VirtualTime, scripted: Make, error: type[BaseException]) -> None:
    """What is no Exception is never retried, and counts as nothing."""
    function, budget = scripted(error()), UnifiedRetryBudget()
    with pytest.raises(error):
        with_retry(EXACT, budget=budget)(function.plain)()
    counts = budget.counts

    assert (1, 1, 0, 0) == (function.calls, counts.calls, counts.retries, counts.refused)


def test_cancellation_inside(time: VirtualTime, scripted: Make) -> None:
    """A cancelled attempt is not tried again."""
    function, budget = scripted(asyncio.CancelledError()), UnifiedRetryBudget()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(with_retry(EXACT, budget=budget)(function.awaited)())

    assert (1, 0) == (function.calls, budget.counts.retries)


def test_cancellation_while_waiting(scripted: Make) -> None:
    """Cancellation ends a wait at once, in real time."""
    function = scripted(ConnectionError())

    async def scenario() -> bool:
        task = asyncio.ensure_future(with_retry("webhook")(function.awaited)())
        while function.calls == 0:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled()

    assert asyncio.run(asyncio.wait_for(scenario(), 60))
    assert 1 == function.calls


def test_interrupt_while_waiting(time: VirtualTime, scripted: Make) -> None:
    """Ctrl-C during a wait is the end."""
    function = scripted(ConnectionError())

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with living_in(time.source.__class__(sleep=interrupted)), pytest.raises(KeyboardInterrupt):
        with_retry(EXACT)(function.plain)()

    assert 1 == function.calls


def test_deadline(time: VirtualTime, scripted: Make, call: Call) -> None:
    """It does not sleep past the deadline and then fail: it fails when the next attempt would be too late."""
    function = scripted(ConnectionError())
    with pytest.raises(ConnectionError) as caught:
        call(function, deadline=3.5)

    assert (3, [1, 2]) == (function.calls, time.sleeps[:2])
    assert "deadline of 3.5 s" in caught.value.__notes__[0]


def test_deadline_cuts(time: VirtualTime) -> None:
    """An async attempt is cut at the deadline."""

    async def slow() -> None:
        time.advance(100)

    with pytest.raises(TimeoutError):
        asyncio.run(with_retry(EXACT, deadline=5)(slow)())

    assert 5 == time.now_s - VirtualTime().now_s


def test_attempt_timeout(time: VirtualTime) -> None:
    """An attempt that takes too long is cut, and tried again."""
    lengths = iter([50, 50, 1])

    async def slow() -> str:
        time.advance(next(lengths))
        return "late"

    assert "late" == asyncio.run(with_retry(EXACT, attempt_timeout=10)(slow)())
    assert 10 + 1 + 10 + 2 + 1 == time.now_s - VirtualTime().now_s


def test_attempt_timeout_in_real_time() -> None:
    """The real clock cuts a real sleep."""

    async def hang() -> None:
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(with_retry(EXACT.but(max_retries=0), attempt_timeout=0.01)(hang)())


def test_attempt_timeout_of_a_plain_function() -> None:
    """Nothing can cut a plain function, so that is refused at decoration."""
    with pytest.raises(PolicyInvalid, match="attempt_timeout for a plain function"):
        with_retry(attempt_timeout=1)(lambda: None)


@pytest.mark.parametrize(
    ("told", "waits"),
    [
        ("3", [3.0]),
        ("0", [1.0]),
        ("-5", [1.0]),
        ("0.5", [1.0]),
        ("nonsense", [1.0]),
        ("nan", [1.0]),
        ("", [1.0]),
        (email.utils.formatdate(VirtualTime().now_s + 30, usegmt=True), [30.0]),
        (email.utils.formatdate(VirtualTime().now_s - 30, usegmt=True), [1.0]),
        ("Mon, 99 Foo 2025", [1.0]),
    ],
)
def test_retry_after(time: VirtualTime, scripted: Make, call: Call, told: str, waits: list[float]) -> None:
    """The server's wait is waited where it is the longer one, in seconds or as a date; what cannot be read is left aside."""
    call(scripted(status_error(429, **{"Retry-After": told}), "well"))

    assert waits == time.sleeps


@pytest.mark.parametrize("told", ["61", "1e300", "inf"])
def test_retry_after_too_long(time: VirtualTime, scripted: Make, call: Call, told: str) -> None:
    """Who asks for more than the policy waits is not asked again."""
    function = scripted(status_error(503, **{"Retry-After": told}))
    with pytest.raises(httpx.HTTPStatusError, match="503") as caught:
        call(function)

    assert (1, []) == (function.calls, time.sleeps)
    assert "the server asked for" in caught.value.__notes__[0]


def test_budget(time: VirtualTime, scripted: Make, call: Call) -> None:
    """When the budget is spent the error is raised as itself, and says so."""
    budget = UnifiedRetryBudget("actions", RetryBudgetConfig(max_tokens=2, tokens_per_second=0, budget_percent=0))
    functions = [scripted(ConnectionError()) for _ in range(2)]
    for function in functions:
        with pytest.raises(ConnectionError) as caught:
            call(function, budget=budget)

    assert [3, 1] == [function.calls for function in functions]
    assert "the retry budget 'actions' is spent" in caught.value.__notes__[0]
    assert (2, 2, 2) == (budget.counts.calls, budget.counts.retries, budget.counts.over_budget)


def test_outage(time: VirtualTime, scripted: Make) -> None:
    """In an outage 2,000 calls of four attempts become little more than 2,000 attempts plus a tenth plus the bucket."""
    budget = UnifiedRetryBudget(config=RetryBudgetConfig(tokens_per_second=0))
    function = scripted(ConnectionError())
    retried = with_retry(EXACT, budget=budget)(function.plain)
    for _ in range(2000):
        with pytest.raises(ConnectionError):
            retried()

    assert 2000 + 100 + 200 == pytest.approx(function.calls, abs=2)


def test_nesting(time: VirtualTime, scripted: Make, call: Call) -> None:
    """A retry around a retry does not multiply: the outer one gives up what the inner one gave up."""
    function, budget = scripted(ConnectionError()), UnifiedRetryBudget()

    class Inner:
        plain = staticmethod(with_retry(EXACT)(function.plain))
        awaited = staticmethod(with_retry(EXACT)(function.awaited))

    with pytest.raises(ConnectionError):
        call(Inner, budget=budget)

    assert (4, 1) == (function.calls, budget.counts.nested)


def test_nesting_wrapped(time: VirtualTime, scripted: Make) -> None:
    """Neither does it when the inner error was wrapped in another one."""
    function = scripted(ConnectionError())

    @with_retry(EXACT)
    def outer() -> None:
        try:
            with_retry(EXACT)(function.plain)()
        except ConnectionError as error:
            raise TimeoutError from error

    with pytest.raises(TimeoutError):
        outer()

    assert 4 == function.calls


def test_nesting_of_another_kind(time: VirtualTime, scripted: Make) -> None:
    """What the inner policy does not retry is the outer one's to retry."""
    function = scripted(ConnectionError(), "well")
    inner = with_retry(EXACT, on=())(function.plain)

    assert ("well", 2) == (with_retry(EXACT)(inner)(), function.calls)


def test_old_history(time: VirtualTime, scripted: Make, call: Call) -> None:
    """A history that an earlier call left on a shared error object stops nobody."""
    error = ConnectionError()
    with pytest.raises(ConnectionError):
        call(scripted(error))
    time.advance(1)
    function = scripted(error, "well")

    assert ("well", 2) == (call(function), function.calls)


def test_breaker_inside(time: VirtualTime, scripted: Make, call: Call) -> None:
    """When an attempt opens the breaker, the error is raised at once: no wait, and no other error over it."""
    breaker = UnifiedCircuitBreaker("actions", CircuitBreakerConfig(failure_threshold=2))
    function = scripted(ConnectionError("first"), ConnectionError("second"))
    with pytest.raises(ConnectionError, match="second") as caught:
        call(function, breaker=breaker)
    with pytest.raises(CircuitOpenError):
        call(function, breaker=breaker)

    assert (2, [1]) == (function.calls, time.sleeps)
    assert "breaker 'actions' opened" in caught.value.__notes__[0]


def test_zero_retries(time: VirtualTime, scripted: Make, call: Call) -> None:
    """No retries is one attempt."""
    function = scripted(ConnectionError())
    with pytest.raises(ConnectionError):
        call(function, EXACT.but(max_retries=0))

    assert 1 == function.calls


def test_counts(time: VirtualTime, scripted: Make, call: Call) -> None:
    """Calls are counted by how they ended."""
    budget = UnifiedRetryBudget()
    call(scripted("well"), budget=budget)
    call(scripted(ConnectionError(), "well"), budget=budget)
    for error in (ValueError(), ConnectionError()):
        with pytest.raises(type(error)):
            call(scripted(error), budget=budget)
    counts = budget.counts

    assert (4, 4, 1, 1, 1) == (counts.calls, counts.retries, counts.recovered, counts.refused, counts.exhausted)


@pytest.mark.parametrize("bad", [None, 3, "text", staticmethod(lambda: None), classmethod(lambda cls: None)])
def test_not_a_function(bad: Any) -> None:
    """Only functions can be decorated."""
    with pytest.raises(MisuseError):
        with_retry()(bad)


def test_generators() -> None:
    """A generator fails after it was called, so it is refused at decoration, partial or not."""

    def lazy() -> Any:
        yield 1

    async def alazy() -> Any:
        yield 1

    for function in (lazy, alazy, functools.partial(lazy)):
        with pytest.raises(MisuseError, match="a generator"):
            with_retry()(function)


def test_without_parentheses() -> None:
    """`@with_retry` without parentheses says what to write."""
    with pytest.raises(MisuseError, match=r"write @with_retry\(\)"):
        with_retry(lambda: None)


def test_wrong_kind(scripted: Make) -> None:
    """A plain function under an async call, and the reverse, is refused before it is called."""
    function, retry = scripted("well"), UnifiedRetry()
    with pytest.raises(MisuseError, match="wanted an async one"):
        asyncio.run(retry.acall(function.plain))
    with pytest.raises(MisuseError, match="wanted a plain one"):
        retry.call(function.awaited)

    assert 0 == function.calls


def test_calls(time: VirtualTime, scripted: Make) -> None:
    """A retry calls functions that nobody decorated."""
    retry = UnifiedRetry(EXACT)
    first, second = scripted(ConnectionError(), 1), scripted(ConnectionError(), 2)

    assert (1, 2) == (retry.call(first.plain, "a", b=1), asyncio.run(retry.acall(second.awaited, "a", b=1)))


def test_awaitable_of_a_plain_function(time: VirtualTime, scripted: Make) -> None:
    """What a plain function returns to be awaited is retried when it is awaited."""
    function = scripted(ConnectionError(), TimeoutError(), "well")

    def begin() -> Any:
        return function.awaited()

    wrapped = with_retry(EXACT)(begin)

    async def scenario() -> Any:
        return await wrapped()

    assert ("well", 3) == (asyncio.run(scenario()), function.calls)
    with pytest.raises(ValueError, match=r"^$"):
        asyncio.run(_await(with_retry(EXACT)(lambda: scripted(ValueError()).awaited())))


async def _await(function: Any) -> Any:
    return await function()


def test_async_objects(time: VirtualTime, scripted: Make) -> None:
    """Objects with an async __call__ and partials of async functions are awaited."""

    class Action:
        def __init__(self) -> None:
            self.function = scripted(ConnectionError(), "well")

        async def __call__(self) -> Any:
            return await self.function.awaited()

    wrapped = [with_retry(EXACT)(made) for made in (Action(), functools.partial(scripted(OSError(), 1).awaited))]

    assert [True, True] == [inspect.iscoroutinefunction(one) for one in wrapped]
    assert "well" == asyncio.run(_await(wrapped[0]))
    with pytest.raises(OSError, match=r"^$"):
        asyncio.run(_await(wrapped[1]))


def test_metadata() -> None:
    """Name, docstring and signature stay, methods bind, and the wrapper can be found."""

    class Service:
        """A service."""

        @with_retry()
        def act(self, name: str) -> str:
            """Act."""
            return f"{type(self).__name__} {name}"

        @staticmethod
        @with_retry()
        def ping() -> str:
            return "pong"

    assert ("act", "Act.", ["self", "name"]) == (
        Service.act.__name__,
        Service.act.__doc__,
        list(inspect.signature(Service.act).parameters),
    )
    assert ("Service a", "pong") == (Service().act("a"), Service.ping())


def test_clock_that_steps_back(time: VirtualTime) -> None:
    """A clock that steps back shortens nothing and never makes a wait negative."""

    def failing() -> None:
        time.advance(-1000)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        with_retry(EXACT, deadline=100)(failing)()

    assert [1, 2, 4] == time.sleeps


def test_nothing_is_kept_alive(time: VirtualTime) -> None:
    """The errors of earlier attempts, and what their frames hold, are free once the call is over."""

    class Big:
        pass

    def failing() -> None:
        big = Big()
        raise ConnectionError(id(big))

    with pytest.raises(ConnectionError):
        with_retry(EXACT)(failing)()
    gc.collect()

    assert 0 == sum(type(one) is Big for one in gc.get_objects())


@pytest.mark.parametrize("calls", [16_000, pytest.param(200_000, marks=pytest.mark.stress)])
def test_threads(calls: int) -> None:
    """Many failing calls on eight threads: each ends with the user's error, and no count is lost."""
    budget = UnifiedRetryBudget(config=RetryBudgetConfig(max_tokens=calls // 4, tokens_per_second=0, budget_percent=0))
    policy = EXACT.but(initial_delay=0, max_delay=0, max_retries=1)
    strangers: list[BaseException] = []

    @with_retry(policy, budget=budget)
    def failing() -> None:
        raise ConnectionResetError

    def work() -> None:
        for _ in range(calls // 8):
            try:
                failing()
            except ConnectionResetError:
                pass
            except BaseException as error:
                strangers.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    counts = budget.counts

    assert [] == strangers
    assert (calls, calls // 4) == (counts.calls, counts.retries)
    assert (calls // 4, calls - calls // 4) == (counts.exhausted, counts.over_budget)


def test_tasks(time: VirtualTime, scripted: Make) -> None:
    """A hundred tasks at once each have their own attempts."""
    functions = [scripted(ConnectionError(), ConnectionError(), number) for number in range(100)]
    budget = UnifiedRetryBudget(config=RetryBudgetConfig(max_tokens=1000))
    wrapped = [with_retry(EXACT, budget=budget)(function.awaited) for function in functions]

    async def scenario() -> list[Any]:
        return await asyncio.gather(*(one() for one in wrapped))

    assert list(range(100)) == asyncio.run(scenario())
    assert {3} == {function.calls for function in functions}


def test_imports_stay_light() -> None:
    """Retries and breakers of one process do not need httpx; who asks for what does gets it."""
    code = "import sys, oms.unified.resilience as r; print('httpx' in sys.modules, r.GatewayRoute.__name__)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "False GatewayRoute\n" == printed
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(resilience, "nothing")  # noqa: B009 - mypy knows that it is not there
