"""What every breaker promises, whoever answers; a unified one with a process of its own, and one whose Redis is gone."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sides.resilience import (
    ByObject,
    SteppingTime,
    by_method,
    by_partial,
    by_plain,
    end_of,
    error_of,
    make_sides,
    scripted,
    until,
)

from oms.domain.phase import Seam
from oms.seams.known import load_known
from oms.seams.resilience import BREAKER, Breaker
from oms.testing import KnownException, Sides, contract
from oms.testing.driven import Driven
from oms.unified.resilience import BreakerStore

EXCEPTIONS = (
    KnownException("PF-01", "breaker", "test_three_probes_close_it"),
    KnownException("PF-01", "breaker", "test_healthy_again"),
    KnownException("PF-01", "breaker", "test_probe_that_says_nothing"),
    KnownException("PF-03", "breaker", "test_successes_between"),
    KnownException("PF-03", "breaker", "test_failures_of_long_ago"),
    KnownException("PF-03", "breaker", "test_few_of_many"),
    KnownException("RE-05", "breaker", "test_late_failure"),
    KnownException("RE-06", "breaker", "test_wall_clock_set_back"),
    KnownException("RE-06", "breaker", "test_wall_clock_set_forward"),
)
"""Every promise that the legacy breaker breaks. Once one is kept, its line here makes the run red."""

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")

STOPS = [asyncio.CancelledError, KeyboardInterrupt, SystemExit]
"""What ends a call without saying anything of the dependency."""


@pytest.fixture(scope="module")
def lost_store() -> Iterator[BreakerStore]:
    """A store whose Redis does not answer, from construction on."""
    store = BreakerStore("unix:///nowhere/redis.sock")
    yield store
    store.close()


@pytest.fixture(params=["alone", "without its Redis"])
def sides(request: pytest.FixtureRequest, time: SteppingTime) -> Callable[[Seam[Any, Any]], Sides]:
    """Makes both sides of the seam; unified breakers are of this process, or shared over a Redis that is gone."""
    store = None if request.param == "alone" else request.getfixturevalue("lost_store")
    return functools.partial(make_sides, store=store)


def fail(breaker: Driven, times: int, *, name: str = "a") -> None:
    """Let *times* calls fail."""
    for _ in range(times):
        error = ConnectionError()
        assert error is error_of(breaker.call, scripted(error), name=name)


def succeed(breaker: Driven, times: int, *, name: str = "a") -> None:
    """Let *times* calls succeed."""
    for _ in range(times):
        breaker.call(scripted("well"), name=name)


def is_let_through(breaker: Driven, *, name: str = "a") -> bool:
    """Call something healthy; tell whether it was called. A rejected caller is told by an error."""
    function = scripted("well")
    error = error_of(breaker.call, function, name=name)
    assert (error is None) is (function.calls == 1)
    return error is None


@contract(BREAKER, exceptions=EXCEPTIONS)
class TestBreaker:
    """The promises of ``Breaker``."""

    @pytest.mark.parametrize("value", [None, 0, False, "", [], {"a": [1]}, ValueError("a value"), ..., object()])
    def test_value(self, breaker: Driven, value: object) -> None:
        """The very object that the function returned comes back, whatever it is."""

        async def function() -> object:
            return value

        assert value is breaker.call(function, name="a")

    @pytest.mark.parametrize("kind", [ConnectionError, ValueError, Exception, TimeoutError, ExceptionGroup])
    def test_error(self, breaker: Driven, kind: Callable[..., Exception]) -> None:
        """The very error that the function raised is raised, without any other behind it."""
        error = kind("all", [ValueError()]) if kind is ExceptionGroup else kind("it failed")
        raised = error_of(breaker.call, scripted(error), name="a")

        assert error is raised
        assert (None, None) == (error.__cause__, error.__context__)

    def test_opens(self, breaker: Driven) -> None:
        """After five failures it rejects: the function is not called."""
        fail(breaker, 5)

        assert not is_let_through(breaker)

    def test_four_failures(self, breaker: Driven) -> None:
        """Four failures do not open it."""
        fail(breaker, 4)

        assert is_let_through(breaker)

    def test_rejection(self, breaker: Driven) -> None:
        """A rejection is told apart from a dependency that failed: who retries connection errors does not retry it."""
        fail(breaker, 5)
        error = error_of(breaker.call, scripted("well"), name="a")

        assert isinstance(error, Exception)
        assert not isinstance(error, (OSError, ValueError, TypeError))

    def test_open_for_a_minute(self, breaker: Driven, time: SteppingTime) -> None:
        """It stays open for a minute, however many calls it rejects meanwhile; then one is let through."""
        fail(breaker, 5)
        rejected = []
        for _ in range(59):
            time.advance(1)
            rejected.append(not is_let_through(breaker))
        time.advance(2)

        assert (59, True) == (sum(rejected), is_let_through(breaker))

    def test_probe_fails(self, breaker: Driven, time: SteppingTime) -> None:
        """A probe that fails opens it for another minute."""
        fail(breaker, 5)
        time.advance(61)
        fail(breaker, 1)
        time.advance(59)
        before = is_let_through(breaker)
        time.advance(2)

        assert (False, True) == (before, is_let_through(breaker))

    def test_three_probes_close_it(self, breaker: Driven, time: SteppingTime) -> None:
        """Three probes that succeed close it: it forgets the outage, and four failures do not open it again."""
        fail(breaker, 5)
        time.advance(61)
        let_through = [is_let_through(breaker) for _ in range(3)]
        fail(breaker, 4)

        assert ([True] * 3, True) == (let_through, is_let_through(breaker))

    def test_healthy_again(self, breaker: Driven, time: SteppingTime) -> None:
        """Called once a second, a dependency that is well again is called from the first minute on, every time."""
        fail(breaker, 5)
        let_through = []
        for _ in range(180):
            time.advance(1)
            let_through.append(is_let_through(breaker))

        assert [False] * 59 + [True] * 121 == let_through

    def test_successes_between(self, breaker: Driven) -> None:
        """Successes between failures count: four failures, a thousand successes and a failure leave it closed."""
        fail(breaker, 4)
        succeed(breaker, 1000)
        fail(breaker, 1)

        assert is_let_through(breaker)

    def test_failures_of_long_ago(self, breaker: Driven, time: SteppingTime) -> None:
        """Failures of more than a minute ago do not count."""
        fail(breaker, 4)
        time.advance(70)
        fail(breaker, 1)

        assert is_let_through(breaker)

    def test_few_of_many(self, breaker: Driven) -> None:
        """Six failures among twenty calls are no outage."""
        let_through = []
        for _ in range(6):
            let_through += [is_let_through(breaker), is_let_through(breaker)]
            error_of(breaker.call, scripted(ConnectionError()), name="a")

        assert [True] * 12 == let_through
        assert is_let_through(breaker)

    @pytest.mark.parametrize("stop", STOPS)
    def test_stop_is_no_failure(self, breaker: Driven, stop: type[BaseException]) -> None:
        """Cancellation, an interrupt and an exit pass as they are, and count as nothing."""

        async def story(port: Breaker) -> list[bool]:
            errors = [stop() for _ in range(20)]
            return [error is await end_of(port.acall(scripted(error), name="a")) for error in errors]

        assert [True] * 20 == breaker.run(story)
        assert is_let_through(breaker)

    def test_cancelled(self, breaker: Driven) -> None:
        """A caller that is cancelled ends at once, and counts as nothing."""

        async def story(port: Breaker) -> list[str]:
            began = []

            async def hang() -> None:
                began.append(1)
                await asyncio.Event().wait()

            calls = [asyncio.ensure_future(port.acall(hang, name="a")) for _ in range(20)]
            await until(lambda: len(began) == 20)
            for call in calls:
                call.cancel()
            return [type(await end_of(call)).__name__ for call in calls]

        assert ["CancelledError"] * 20 == breaker.run(story)
        assert is_let_through(breaker)

    @pytest.mark.parametrize("stop", STOPS)
    def test_probe_that_says_nothing(self, breaker: Driven, time: SteppingTime, stop: type[BaseException]) -> None:
        """A probe that was stopped gives its permit back: the next call is let through."""
        fail(breaker, 5)
        time.advance(61)

        async def story(port: Breaker) -> BaseException:
            return await end_of(port.acall(scripted(stop()), name="a"))

        assert isinstance(breaker.run(story), stop)
        assert is_let_through(breaker)

    def test_names(self, breaker: Driven) -> None:
        """A breaker that is open lets calls of every other name through."""
        fail(breaker, 5, name="a")

        assert [False, True, True] == [is_let_through(breaker, name=name) for name in ("a", "b", "A")]

    def test_nested(self, breaker: Driven) -> None:
        """A call within a call passes through both breakers, of one name as well, and its error counts in both."""

        async def inside(port: Breaker, inner: str, error: Exception) -> Any:
            return await port.acall(lambda: port.acall(scripted(error), name=inner), name="outer")

        async def story(port: Breaker) -> list[bool]:
            errors = [ConnectionError() for _ in range(4)]
            return [error is await end_of(inside(port, "inner", error)) for error in errors]

        assert [True] * 4 == breaker.run(story)
        fail(breaker, 1, name="outer")
        fail(breaker, 1, name="inner")
        assert [False, False] == [is_let_through(breaker, name=name) for name in ("inner", "outer")]

    def test_nested_in_itself(self, breaker: Driven) -> None:
        """A breaker that is called within a call of its own does not wait for itself."""

        async def story(port: Breaker) -> Any:
            return await port.acall(lambda: port.acall(scripted("well"), name="a"), name="a")

        assert "well" == breaker.run(story)

    def test_returns_an_awaitable(self, breaker: Driven) -> None:
        """Whatever returns something to await can be called: a lambda, a partial, a method, an object; failures count."""
        function, failing = scripted("well"), scripted(ConnectionError())
        ways = [way(function) for way in (by_plain, by_partial, by_method, ByObject)]

        assert ["well"] * 4 == [breaker.call(way, name="a") for way in ways]
        for _ in range(5):
            error_of(breaker.call, by_plain(failing), name="b")
        assert not is_let_through(breaker, name="b")

    def test_plain_function(self, breaker: Driven) -> None:
        """What returns nothing to await ends as TypeError, and is called once at most."""
        function = scripted("well")
        error = error_of(breaker.call, function.plain, name="a")

        assert isinstance(error, TypeError)
        assert function.calls <= 1

    def test_many_in_flight(self, breaker: Driven) -> None:
        """Fifty calls in flight each get what their own function returned or raised."""

        async def story(port: Breaker) -> None:
            values: list[Any] = [object() if number % 25 else ValueError(number) for number in range(50)]
            gate, began = asyncio.Event(), []

            async def work(value: Any) -> Any:
                began.append(value)
                await gate.wait()
                if isinstance(value, Exception):
                    raise value
                return value

            calls = [asyncio.ensure_future(port.acall(functools.partial(work, value), name="a")) for value in values]
            await until(lambda: len(began) == 50)
            gate.set()
            ends = [await end_of(call) for call in calls]

            assert [id(value) for value in values] == [id(end) for end in ends]

        breaker.run(story)

    def test_one_probe_at_a_time(self, breaker: Driven, time: SteppingTime) -> None:
        """While a probe is on its way, nobody else is let through."""
        fail(breaker, 5)
        time.advance(61)

        async def story(port: Breaker) -> list[Any]:
            gate, began, others = asyncio.Event(), asyncio.Event(), scripted("well")

            async def slow() -> bool:
                began.set()
                return await gate.wait()

            probe = asyncio.ensure_future(port.acall(slow, name="a"))
            await until(began.is_set)
            rejected = [await end_of(port.acall(others, name="a")) for _ in range(3)]
            gate.set()
            return [others.calls, await probe, *(isinstance(error, Exception) for error in rejected)]

        assert [0, True, True, True, True] == breaker.run(story)

    def test_late_failure(self, breaker: Driven, time: SteppingTime) -> None:
        """A call that began before it opened and fails while it is open does not keep it open for longer."""

        async def story(port: Breaker) -> None:
            gate, began = asyncio.Event(), asyncio.Event()

            async def slow() -> None:
                began.set()
                await gate.wait()
                raise ConnectionError

            late = asyncio.ensure_future(port.acall(slow, name="a"))
            await until(began.is_set)
            for _ in range(5):
                await end_of(port.acall(scripted(ConnectionError()), name="a"))
            time.advance(30)
            gate.set()
            await end_of(late)

        breaker.run(story)
        before = is_let_through(breaker)
        time.advance(31)

        assert (False, True) == (before, is_let_through(breaker))

    def test_wall_clock_set_back(self, breaker: Driven, time: SteppingTime) -> None:
        """A wall clock that is set back by an hour does not keep it open for an hour."""
        fail(breaker, 5)
        time.set_wall(-3600)
        time.advance(61)

        assert is_let_through(breaker)

    def test_wall_clock_set_forward(self, breaker: Driven, time: SteppingTime) -> None:
        """A wall clock that is set forward does not let anybody through sooner."""
        fail(breaker, 5)
        time.set_wall(3600)

        assert not is_let_through(breaker)

    def test_context(self, breaker: Driven) -> None:
        """The function runs in its caller's context: it sees what the caller set, and the caller sees what it sets."""

        async def story(port: Breaker) -> tuple[str, str]:
            async def look() -> str:
                seen = WHO.get()
                WHO.set("function")
                return seen

            WHO.set("caller")
            return await port.acall(look, name="a"), WHO.get()

        assert ("caller", "function") == breaker.run(story)


def test_exceptions_are_known() -> None:
    """Each exception is a known divergence by its id, or one that the rules cannot tell from another and the phase page tells of."""
    told_only = {"RE-05", "RE-06"}

    assert told_only == {exception.id for exception in EXCEPTIONS} - {rule.id for rule in load_known("resilience")}
