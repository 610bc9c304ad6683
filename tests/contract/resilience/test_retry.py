"""What every retry promises, whoever answers: how often it calls, how long it waits, and how it ends."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from typing import Any

import httpx
import pytest
from sides.resilience import ByObject, SteppingTime, by_method, by_partial, by_plain, end_of, error_of, scripted, until

from oms.seams.known import load_known
from oms.seams.resilience import RETRY, Retry
from oms.testing import KnownException, contract
from oms.testing.driven import Driven

EXCEPTIONS = tuple(
    KnownException(id_, "retry", test)
    for id_, test in (
        ("RT-01", "test_attempts"),
        ("RT-02", "test_last_error"),
        ("RT-03", "test_credit_is_kept"),
        ("RT-04", "test_attempts_with_little_credit"),
        ("RT-05", "test_kinds_of_connection_errors"),
        ("RT-06", "test_transport_errors"),
        ("RT-07", "test_statuses_that_stay"),
        ("RT-08", "test_statuses_that_ask_to_wait"),
        ("RT-08", "test_retry_after"),
        ("RT-08", "test_retry_after_an_hour"),
        ("RT-16", "test_failures_among_successes"),
        ("RT-17", "test_all_get_through_after_an_outage"),
        ("RT-18", "test_misuse_after_an_outage"),
        ("RT-20", "test_error_after_other_failures"),
        ("RT-21", "test_policies_of_one_operation"),
        ("RT-28", "test_wall_clock_set_forward"),
        ("MT-02", "test_waits_of_each_policy"),
        ("RE-01", "test_unknown_policy"),
        ("RE-03", "test_end_of_an_outage"),
        ("RE-02", "test_status_of_any_error"),
        ("RE-04", "test_nested"),
    )
)
"""Every promise that the legacy retries break. Once one is kept, its line here makes the run red."""

WAITS = {
    "standard": [1.0, 2.0, 4.0],
    "network": [0.5, 1.0, 2.0],
    "conservative": [2.0, 3.0],
    "database": [1.0, 1.5, 2.25, 3.375, 5.0625],
    "webhook": [30.0, 60.0, 120.0],
    "validation": [1.0],
    "critical": [0.1 * 1.3**number for number in range(10)],
}
"""By policy: seconds between the attempts, before jitter. Source: the reference's ``RETRY_POLICIES``."""

EXACT = {"webhook", "validation"}
"""Policies without jitter; any other wait is up to a tenth longer or shorter."""

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

STOPS = [asyncio.CancelledError, KeyboardInterrupt, SystemExit]
"""What ends a call without saying anything of the dependency."""

REQUEST = httpx.Request("POST", "http://actions")


def status_error(status: int, **headers: str) -> httpx.HTTPStatusError:
    """Return what httpx raises for *status*."""
    answer = httpx.Response(status, headers={name.replace("_", "-"): text for name, text in headers.items()})
    return httpx.HTTPStatusError("it failed", request=REQUEST, response=answer)


def in_band(nominal: list[float], jitter: float = 0.1) -> list[Any]:
    """Return what waits are compared with: each *nominal* one, give or take *jitter*."""
    return [pytest.approx(wait, rel=jitter + 1e-9) for wait in nominal]


def credit(retry: Driven, calls: int, **names: str) -> None:
    """Let *calls* calls succeed, so that a budget that counts them allows retries."""

    async def story(port: Retry) -> None:
        for _ in range(calls):
            await port.acall(scripted("well"), **names)

    retry.run(story)


def outage(retry: Driven, calls: int, **names: str) -> None:
    """Let *calls* calls fail for good."""
    for _ in range(calls):
        error_of(retry.call, scripted(ConnectionError()), **names)


@contract(RETRY, exceptions=EXCEPTIONS)
class TestRetry:
    """The promises of ``Retry``."""

    @pytest.mark.parametrize("value", [None, 0, False, "", [], {"a": [1]}, ValueError("a value"), ..., object()])
    def test_value(self, retry: Driven, time: SteppingTime, value: object) -> None:
        """The very object that the function returned comes back, whatever it is, and nothing is waited."""

        async def function() -> object:
            return value

        assert value is retry.call(function, operation="op")
        assert [] == time.sleeps

    @pytest.mark.parametrize(
        ("policy", "wait"), [("standard", 1.0), ("conservative", 2.0), ("critical", 0.1), ("validation", 1.0)]
    )
    def test_recovers(self, retry: Driven, time: SteppingTime, policy: str, wait: float) -> None:
        """A call that fails once is called again after the first wait, and its value comes back."""
        function = scripted(ConnectionError(), "well")

        assert "well" == retry.call(function, operation="op", policy=policy)
        assert (2, in_band([wait])) == (function.calls, time.sleeps)

    def test_default_policy(self, retry: Driven, time: SteppingTime) -> None:
        """Who names no policy has the standard one: waits of one and two seconds."""
        credit(retry, 100, operation="op")
        retry.call(scripted(ConnectionError(), TimeoutError(), "well"), operation="op")

        assert in_band([1.0, 2.0]) == time.sleeps

    @pytest.mark.parametrize("policy", WAITS)
    def test_waits_of_each_policy(self, retry: Driven, time: SteppingTime, policy: str) -> None:
        """Each policy has so many attempts, and waits so long between them."""
        credit(retry, 200, operation="op", policy=policy)
        function = scripted(ConnectionError())
        error_of(retry.call, function, operation="op", policy=policy)

        assert in_band(WAITS[policy], 0.0 if policy in EXACT else 0.1) == time.sleeps
        assert len(WAITS[policy]) + 1 == function.calls

    @pytest.mark.parametrize("policy", [policy for policy in WAITS if policy != "validation"])
    def test_attempts(self, retry: Driven, policy: str) -> None:
        """The first call of an operation has all the attempts that its policy promises."""
        function = scripted(ConnectionError())
        error_of(retry.call, function, operation="op", policy=policy)

        assert len(WAITS[policy]) + 1 == function.calls

    @pytest.mark.parametrize("policy", [policy for policy in WAITS if policy != "validation"])
    def test_last_error(self, retry: Driven, policy: str) -> None:
        """What the last attempt raised is raised, the very object."""
        errors = [ConnectionError(number) for number in range(20)]
        function = scripted(*errors)
        raised = error_of(retry.call, function, operation="op", policy=policy)

        assert errors[function.calls - 1] is raised

    def test_attempts_with_credit(self, retry: Driven) -> None:
        """After a hundred healthy calls the attempts are those of the policy, and the last error has no other behind it."""
        credit(retry, 100, operation="op", policy="conservative")
        errors = [ConnectionError(number) for number in range(3)]
        function = scripted(*errors)
        raised = error_of(retry.call, function, operation="op", policy="conservative")

        assert (3, True) == (function.calls, errors[2] is raised)
        assert (None, None) == (errors[2].__cause__, errors[2].__context__)

    def test_attempts_with_little_credit(self, retry: Driven) -> None:
        """Ten healthy calls are enough, too."""
        credit(retry, 10, operation="op", policy="conservative")
        function = scripted(ConnectionError())
        error_of(retry.call, function, operation="op", policy="conservative")

        assert 3 == function.calls

    def test_credit_is_kept(self, retry: Driven, time: SteppingTime) -> None:
        """What a thousand healthy calls earned is there a minute later."""
        credit(retry, 1000, operation="op", policy="conservative")
        time.advance(61)
        function = scripted(ConnectionError())
        error_of(retry.call, function, operation="op", policy="conservative")

        assert 3 == function.calls

    @pytest.mark.parametrize(
        "error",
        [
            ConnectionError(),
            TimeoutError(),
            httpx.ConnectError("it failed"),
            httpx.ReadTimeout("it failed"),
            httpx.TimeoutException("it failed"),
            status_error(500),
            status_error(502),
            status_error(503),
            status_error(504),
        ],
        ids=repr,
    )
    def test_errors_that_may_pass(self, retry: Driven, error: Exception) -> None:
        """Connections and time limits that failed, and servers in trouble, are tried again."""
        function = scripted(error, "well")

        assert "well" == retry.call(function, operation="op")
        assert 2 == function.calls

    @pytest.mark.parametrize(
        "kind", [ConnectionRefusedError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError]
    )
    def test_kinds_of_connection_errors(self, retry: Driven, kind: type[Exception]) -> None:
        """Every kind of connection error is tried again."""
        function = scripted(kind(), "well")
        error_of(retry.call, function, operation="op")

        assert 2 == function.calls

    @pytest.mark.parametrize(
        "name", ["ConnectTimeout", "PoolTimeout", "WriteTimeout", "ReadError", "WriteError", "RemoteProtocolError"]
    )
    def test_transport_errors(self, retry: Driven, name: str) -> None:
        """Every transport error of httpx that may pass is tried again."""
        function = scripted(getattr(httpx, name)("it failed"), "well")
        error_of(retry.call, function, operation="op")

        assert 2 == function.calls

    @pytest.mark.parametrize("status", [301, 304, 501, 505])
    def test_statuses_that_stay(self, retry: Driven, status: int) -> None:
        """A redirection, or what the server will never do, is not tried again."""
        function = scripted(status_error(status), "well")
        error_of(retry.call, function, operation="op")

        assert 1 == function.calls

    @pytest.mark.parametrize("status", [408, 429])
    def test_statuses_that_ask_to_wait(self, retry: Driven, status: int) -> None:
        """What asks to be repeated later is repeated."""
        function = scripted(status_error(status), "well")
        error_of(retry.call, function, operation="op")

        assert 2 == function.calls

    def test_retry_after(self, retry: Driven, time: SteppingTime) -> None:
        """A server that asks for seven seconds gets them."""
        retry.call(scripted(status_error(503, Retry_After="7"), "well"), operation="op")

        assert [7.0] == time.sleeps

    def test_retry_after_an_hour(self, retry: Driven, time: SteppingTime) -> None:
        """A server that asks for an hour is not called again, and its answer is the caller's at once."""
        error = status_error(503, Retry_After="3600")
        function = scripted(error, "well")
        raised = error_of(retry.call, function, operation="op")

        assert (1, [], True) == (function.calls, time.sleeps, error is raised)

    @pytest.mark.parametrize(
        "error",
        [
            ValueError(),
            TypeError(),
            PermissionError(),
            KeyError(),
            OSError(),
            Exception(),
            ExceptionGroup("all", [ConnectionError()]),
            httpx.UnsupportedProtocol("it failed"),
            status_error(400),
            status_error(401),
            status_error(404),
            status_error(422),
        ],
        ids=repr,
    )
    def test_errors_that_stay(self, retry: Driven, time: SteppingTime, error: Exception) -> None:
        """What will not pass is raised at once, the very object."""
        function = scripted(error)
        raised = error_of(retry.call, function, operation="op")

        assert (1, [], True) == (function.calls, time.sleeps, error is raised)

    def test_status_of_any_error(self, retry: Driven) -> None:
        """An error of any client that carries the status of a server in trouble is tried again."""

        class Unavailable(Exception):
            status_code = 503

        function = scripted(Unavailable(), "well")
        error_of(retry.call, function, operation="op")

        assert 2 == function.calls

    def test_error_with_slots(self, retry: Driven) -> None:
        """An error that takes no attribute passes as it is."""

        class Tight(ConnectionError):
            __slots__ = ()

            def __setattr__(self, name: str, value: object) -> None:
                raise AttributeError(name)

        error = Tight()

        assert error is error_of(retry.call, scripted(error), operation="op", policy="validation")

    @pytest.mark.parametrize("stop", STOPS)
    def test_stop(self, retry: Driven, time: SteppingTime, stop: type[BaseException]) -> None:
        """Cancellation, an interrupt and an exit are never retried, pass as they are, and count as no failure."""
        functions = [scripted(stop()) for _ in range(50)]

        async def story(port: Retry) -> list[Any]:
            return [await end_of(port.acall(function, operation="op")) for function in functions]

        assert {stop} == {type(end) for end in retry.run(story)}
        assert (50, []) == (sum(function.calls for function in functions), time.sleeps)
        assert "well" == retry.call(scripted(ConnectionError(), "well"), operation="op")

    def test_stop_after_a_failure(self, retry: Driven) -> None:
        """A second attempt that is cancelled ends the call."""
        stop = asyncio.CancelledError()
        function = scripted(ConnectionError(), stop, "well")

        async def story(port: Retry) -> Any:
            return await end_of(port.acall(function, operation="op"))

        assert isinstance(retry.run(story), asyncio.CancelledError)
        assert 2 == function.calls

    def test_cancelled_in_an_attempt(self, retry: Driven) -> None:
        """A caller that is cancelled while the function runs ends at once."""

        async def story(port: Retry) -> tuple[str, int]:
            calls = []

            async def hang() -> None:
                calls.append(1)
                await asyncio.Event().wait()

            call = asyncio.ensure_future(port.acall(hang, operation="op"))
            await until(lambda: bool(calls))
            call.cancel()
            return type(await end_of(call)).__name__, len(calls)

        assert ("CancelledError", 1) == retry.run(story)

    def test_cancelled_in_a_wait(self, retry: Driven, time: SteppingTime) -> None:
        """A caller that is cancelled between two attempts ends at once."""
        function = scripted(ConnectionError(), "well")

        async def story(port: Retry) -> str:
            call = asyncio.ensure_future(port.acall(function, operation="op"))
            while not time.sleeps:
                await asyncio.sleep(0)
            call.cancel()
            return type(await end_of(call)).__name__

        assert "CancelledError" == retry.run(story)
        assert 1 == function.calls

    def test_returns_an_awaitable(self, retry: Driven) -> None:
        """Whatever returns something to await can be called, and is called anew each attempt: a lambda, a partial, a method, an object."""
        for number, way in enumerate((by_plain, by_partial, by_method, ByObject)):
            function = scripted(ConnectionError(), "well")

            assert "well" == retry.call(way(function), operation=f"op {number}")
            assert 2 == function.calls

    def test_plain_function(self, retry: Driven, time: SteppingTime) -> None:
        """What returns nothing to await ends as TypeError, is called once at most, and is not tried again."""
        function = scripted("well")
        error = error_of(retry.call, function.plain, operation="op")

        assert isinstance(error, TypeError)
        assert (True, []) == (function.calls <= 1, time.sleeps)

    def test_unknown_policy(self, retry: Driven) -> None:
        """A policy that nobody knows is refused, and nothing is called."""
        function = scripted("well")
        error = error_of(retry.call, function, operation="op", policy="standart")

        assert isinstance(error, ValueError)
        assert 0 == function.calls

    def test_operations_apart(self, retry: Driven) -> None:
        """An operation that keeps failing takes nothing from another one; any text names one."""
        outage(retry, 30, operation="a")
        names = ["b", "A", "", "x" * 1000, "ü \x00"]

        assert ["well"] * 5 == [retry.call(scripted(ConnectionError(), "well"), operation=name) for name in names]

    def test_policies_of_one_operation(self, retry: Driven) -> None:
        """A call has the attempts of its own policy, by whichever policy the operation was called first."""
        counts = []
        for operation, first in (("a", "database"), ("b", "conservative")):
            credit(retry, 1, operation=operation, policy=first)
            credit(retry, 40, operation=operation, policy="database")
            function = scripted(ConnectionError())
            error_of(retry.call, function, operation=operation, policy="database")
            counts.append(function.calls)

        assert counts[0] == counts[1]

    def test_failures_among_successes(self, retry: Driven) -> None:
        """A call that fails once now and then recovers each time, however often that was."""
        credit(retry, 500, operation="op")
        recovered = []
        for _ in range(15):
            recovered.append(error_of(retry.call, scripted(ConnectionError(), "well"), operation="op") is None)

        assert [True] * 15 == recovered

    def test_error_after_other_failures(self, retry: Driven) -> None:
        """What is raised is what the function raised, also after other calls failed."""
        credit(retry, 200, operation="op", policy="conservative")
        for _ in range(4):
            retry.call(scripted(ConnectionError(), "well"), operation="op", policy="conservative")
        error = ConnectionError()

        assert error is error_of(retry.call, scripted(error), operation="op", policy="conservative")

    def test_end_of_an_outage(self, retry: Driven) -> None:
        """A retry is no breaker: a dependency that is well again is called at once."""
        outage(retry, 20, operation="op")
        function = scripted("well")
        error_of(retry.call, function, operation="op")

        assert 1 == function.calls

    def test_all_get_through_after_an_outage(self, retry: Driven, time: SteppingTime) -> None:
        """A minute after an outage, six calls at once all get through."""
        outage(retry, 20, operation="op")
        time.advance(61)

        async def story(port: Retry) -> int:
            gate, began = asyncio.Event(), []

            async def slow() -> None:
                began.append(1)
                await gate.wait()

            calls = [asyncio.ensure_future(port.acall(slow, operation="op")) for _ in range(6)]
            await until(lambda: len(began) + sum(call.done() for call in calls) == 6)
            gate.set()
            await asyncio.gather(*calls, return_exceptions=True)
            return len(began)

        assert 6 == retry.run(story)

    def test_misuse_after_an_outage(self, retry: Driven, time: SteppingTime) -> None:
        """Callers whose own arguments are wrong do not stop others from calling."""
        outage(retry, 20, operation="op")
        time.advance(61)
        for _ in range(4):
            error_of(retry.call, scripted(ValueError()), operation="op")
        time.advance(3600)
        function = scripted("well")
        error_of(retry.call, function, operation="op")

        assert 1 == function.calls

    def test_wall_clock_set_forward(self, retry: Driven, time: SteppingTime) -> None:
        """A wall clock that is set forward takes no attempt away."""
        credit(retry, 100, operation="op", policy="conservative")
        time.set_wall(61)
        function = scripted(ConnectionError())
        error_of(retry.call, function, operation="op", policy="conservative")

        assert 3 == function.calls

    def test_nested(self, retry: Driven) -> None:
        """A retry within a retry does not multiply the attempts."""
        for operation in ("inner", "outer"):
            credit(retry, 1000, operation=operation, policy="conservative")
        function = scripted(ConnectionError())

        async def story(port: Retry) -> Any:
            inner = functools.partial(port.acall, function, operation="inner", policy="conservative")
            return await end_of(port.acall(inner, operation="outer", policy="conservative"))

        assert isinstance(retry.run(story), ConnectionError)
        assert 3 == function.calls

    def test_many_in_flight(self, retry: Driven) -> None:
        """Eight calls at once, each of which fails once, each get their own value, or their own error."""
        credit(retry, 200, operation="op")

        async def story(port: Retry) -> None:
            values: list[Any] = [ValueError(number) if number % 3 == 0 else object() for number in range(8)]
            functions = [scripted(ConnectionError(), value) for value in values]
            ends = await asyncio.gather(*(end_of(port.acall(function, operation="op")) for function in functions))

            assert [id(value) for value in values] == [id(end) for end in ends]
            assert [2] * 8 == [function.calls for function in functions]

        retry.run(story)

    def test_context(self, retry: Driven) -> None:
        """Each attempt runs in its caller's context: it sees what the caller and earlier attempts set, and the caller sees what it sets."""

        async def story(port: Retry) -> tuple[list[str], str]:
            seen = []

            async def look() -> None:
                seen.append(WHO.get())
                WHO.set(f"attempt {len(seen)}")
                if len(seen) == 1:
                    raise ConnectionError

            WHO.set("caller")
            await port.acall(look, operation="op")
            return seen, WHO.get()

        assert (["caller", "attempt 1"], "attempt 2") == retry.run(story)


def test_exceptions_are_known() -> None:
    """Each exception is a known divergence by its id, or one that the rules cannot tell from another and the phase page tells of."""
    told_only = {"RT-03", "RT-04", "RT-17", "RT-18", "RT-21", "RT-28", "RE-03", "RE-04"}

    assert told_only == {exception.id for exception in EXCEPTIONS} - {rule.id for rule in load_known("resilience")}
