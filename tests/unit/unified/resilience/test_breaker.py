"""The breaker of one process: when it opens, whom it lets through, what closes it, and what it tells."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import threading
from collections.abc import Callable
from typing import Any

import pybreaker
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.seams.resilience import living_in
from oms.testing import VirtualTime
from oms.unified.resilience import (
    CircuitBreakerConfig,
    CircuitOpenError,
    CircuitState,
    MisuseError,
    PolicyInvalid,
    UnifiedCircuitBreaker,
)
from oms.unified.resilience.breaker.window import SlidingWindow

Make = Callable[..., Any]


class Face:
    """A breaker whose calls are plain or async, one by one."""

    def __init__(self, breaker: UnifiedCircuitBreaker, runner: asyncio.Runner | None) -> None:
        self.breaker, self._runner = breaker, runner

    def call(self, outcome: Any = None) -> Any:
        """Call something that raises or returns *outcome*."""
        if self._runner is None:
            return self.breaker.call(self._plain, outcome)
        return self._runner.run(self.breaker.acall(self._awaited, outcome))

    def fail(self, times: int = 1) -> None:
        """Let *times* calls fail."""
        for _ in range(times):
            with pytest.raises(ConnectionError):
                self.call(ConnectionError())

    def is_rejected(self) -> bool:
        """Tell whether a call is rejected."""
        try:
            self.call()
        except CircuitOpenError:
            return True
        return False

    @staticmethod
    def _plain(outcome: Any) -> Any:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def _awaited(self, outcome: Any) -> Any:
        return self._plain(outcome)


@pytest.fixture(params=["plain", "async"])
def make(request: pytest.FixtureRequest, time: VirtualTime) -> Any:
    """Build a breaker with a configuration, called plain or async."""
    with asyncio.Runner() as runner:

        def made(listeners: Any = (), **config: Any) -> Face:
            breaker = UnifiedCircuitBreaker("actions", CircuitBreakerConfig(**config), listeners=listeners)
            return Face(breaker, runner if request.param == "async" else None)

        yield made


def test_opens(make: Make) -> None:
    """It opens at the threshold, and rejects without calling, with the time until the next try."""
    face = make(failure_threshold=3)
    face.fail(2)
    before = face.breaker.state
    face.fail()
    with pytest.raises(CircuitOpenError) as caught:
        face.call()

    assert (CircuitState.CLOSED, CircuitState.OPEN) == (before, face.breaker.state)
    assert ("actions", "open", 60.0) == (caught.value.breaker, caught.value.state, caught.value.retry_after)
    assert "breaker 'actions': found it open, wanted closed; next try in 60 s" == str(caught.value)
    assert isinstance(caught.value, pybreaker.CircuitBreakerError)


def test_successes_count(make: Make) -> None:
    """Failures among many successes do not open it: they must be half of the calls in the window."""
    face = make()
    for _ in range(100):
        face.call()
    face.fail(99)
    before = face.breaker.state
    face.fail()

    assert (CircuitState.CLOSED, CircuitState.OPEN) == (before, face.breaker.state)


def test_window(make: Make, time: VirtualTime) -> None:
    """What lies a window back counts no more."""
    face = make(failure_threshold=3)
    face.fail(2)
    time.advance(60)
    face.fail(2)

    assert (CircuitState.CLOSED, 2) == (face.breaker.state, face.breaker.fail_counter)


def test_recovers(make: Make, time: VirtualTime) -> None:
    """After its time it lets a probe through, and closes after three successes."""
    face = make()
    face.fail(5)
    time.advance(59.9)
    early = face.is_rejected()
    time.advance(0.1)
    states = []
    for _ in range(3):
        face.call()
        states.append(face.breaker.state)

    assert early
    assert [CircuitState.HALF_OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED] == states


def test_reopens(make: Make, time: VirtualTime) -> None:
    """One failing probe opens it again, for the whole time."""
    face = make()
    face.fail(5)
    time.advance(60)
    face.call()
    face.fail()

    assert (CircuitState.OPEN, 60.0) == (face.breaker.state, face.breaker.opens_in())


def test_healthy_after_recovery(make: Make, time: VirtualTime) -> None:
    """Failures from before it opened do not count after it closed."""
    face = make(success_threshold=1)
    face.fail(5)
    time.advance(60)
    face.call()
    face.fail(4)

    assert CircuitState.CLOSED is face.breaker.state


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_not_counted(time: VirtualTime, error: type[BaseException]) -> None:
    """Interrupts and cancellation count as nothing, and give their permit back."""
    breaker = UnifiedCircuitBreaker("b", CircuitBreakerConfig(success_threshold=1))

    def raising() -> None:
        raise error

    breaker.half_open()
    for _ in range(20):
        with pytest.raises(error):
            breaker.call(raising)
    neutral, state = breaker.counts.neutral, breaker.state
    breaker.call(lambda: None)

    assert (20, CircuitState.HALF_OPEN, CircuitState.CLOSED) == (neutral, state, breaker.state)


def test_cancelled_task(time: VirtualTime) -> None:
    """A task that is cancelled in the middle of its call gives its permit back."""
    breaker = UnifiedCircuitBreaker("b", CircuitBreakerConfig())
    breaker.half_open()

    async def scenario() -> str:
        async def hang() -> None:
            await asyncio.Event().wait()

        async def answer() -> str:
            return "well"

        task = asyncio.ensure_future(breaker.acall(hang))
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpenError, match="half-open"):
            await breaker.acall(answer)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await breaker.acall(answer)

    assert "well" == asyncio.run(scenario())


def test_wrong_arguments(time: VirtualTime) -> None:
    """A call that fails before it begins is a failure, and a probe that does so gives its permit back."""
    breaker = UnifiedCircuitBreaker("b")
    breaker.half_open()

    async def act() -> None:
        pass

    with pytest.raises(TypeError):
        asyncio.run(breaker.acall(act, "too much"))

    assert (CircuitState.OPEN, 1) == (breaker.state, breaker.counts.failures)


def test_exclude(make: Make) -> None:
    """An excluded error, subclasses included, neither counts nor sets anything back, and is raised."""
    face = make(failure_threshold=2, exclude=(LookupError,))
    face.fail()
    for _ in range(9):
        with pytest.raises(KeyError):
            face.call(KeyError())
    before = face.breaker.state
    face.fail()

    assert (CircuitState.CLOSED, CircuitState.OPEN, 9) == (before, face.breaker.state, face.breaker.counts.neutral)


def test_is_failure(make: Make) -> None:
    """A predicate says which errors count."""
    face = make(failure_threshold=1, is_failure=lambda error: not isinstance(error, ValueError))
    with pytest.raises(ValueError, match=r"^$"):
        face.call(ValueError())
    before = face.breaker.state
    face.fail()

    assert (CircuitState.CLOSED, CircuitState.OPEN) == (before, face.breaker.state)


def test_failed_result(make: Make) -> None:
    """A result may be a failure, and is returned."""
    face = make(failure_threshold=1, is_failed_result=lambda status: status == 500)

    assert [200, 500] == [face.call(200), face.call(500)]
    assert CircuitState.OPEN is face.breaker.state


def test_late_outcomes(time: VirtualTime) -> None:
    """A success that began before it opened does not close it, and a late failure does not prolong it."""
    breaker = UnifiedCircuitBreaker("b", CircuitBreakerConfig(success_threshold=1))

    def open_it_then(outcome: Any) -> Any:
        breaker.open()
        time.advance(30)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    breaker.call(open_it_then, "well")
    after_success = (breaker.state, breaker.opens_in())
    breaker.close()
    with pytest.raises(ConnectionError):
        breaker.call(open_it_then, ConnectionError())

    assert (CircuitState.OPEN, 30.0) == after_success
    assert (CircuitState.OPEN, 30.0) == (breaker.state, breaker.opens_in())


def test_late_probe(time: VirtualTime) -> None:
    """The success of a probe of an earlier half-open period does not count in a later one."""
    breaker = UnifiedCircuitBreaker("b", CircuitBreakerConfig(success_threshold=1, half_open_permits=2))
    breaker.half_open()

    def late() -> None:
        with pytest.raises(ConnectionError):
            breaker.call(Face._plain, ConnectionError())
        breaker.half_open()

    breaker.call(late)

    assert CircuitState.HALF_OPEN is breaker.state


def test_permits(time: VirtualTime) -> None:
    """As many probes are in flight as there are permits, and one that never ends gives its own back after the lease."""
    breaker = UnifiedCircuitBreaker("b", CircuitBreakerConfig(half_open_permits=3, probe_lease=10))
    breaker.half_open()

    async def scenario() -> tuple[int, list[float], int]:
        started: list[int] = []

        async def hang() -> None:
            started.append(1)
            await asyncio.Event().wait()

        async def batch() -> list[Any]:
            tasks = [asyncio.ensure_future(breaker.acall(hang)) for _ in range(8)]
            done, pending = await asyncio.wait(tasks, timeout=0.01)
            hung.extend(pending)
            return [task.exception() for task in done]

        hung: list[asyncio.Future[None]] = []
        rejected = await batch()
        first = len(started)
        time.advance(10)
        await batch()
        for task in hung:
            task.cancel()
        await asyncio.gather(*hung, return_exceptions=True)
        return first, [error.retry_after for error in rejected], len(started)

    assert (3, [10.0] * 5, 6) == asyncio.run(scenario())


def test_no_lock_around_the_call() -> None:
    """Eight threads whose calls wait for each other all get through: nothing is held while they run."""
    breaker, barrier = UnifiedCircuitBreaker("b"), threading.Barrier(8)
    threads = [threading.Thread(target=breaker.call, args=(barrier.wait, 60)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 8 == breaker.counts.successes


def test_threads() -> None:
    """Eight threads lose no outcome."""
    breaker = UnifiedCircuitBreaker("b", CircuitBreakerConfig(failure_ratio=1.0))

    def work() -> None:
        for number in range(5000):
            with contextlib.suppress(ConnectionError):
                breaker.call(Face._plain, ConnectionError() if number % 2 else None)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (20_000, 20_000) == (breaker.counts.successes, breaker.counts.failures)


def test_reentry(time: VirtualTime) -> None:
    """A call through the breaker inside a call through the breaker is a call."""
    breaker = UnifiedCircuitBreaker("b")

    assert 1 == breaker.call(lambda: breaker.call(lambda: 1))


class Listener(pybreaker.CircuitBreakerListener):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def before_call(self, cb: Any, func: Any, *args: Any, **kwargs: Any) -> None:
        self.heard.append("before")

    def success(self, cb: Any) -> None:
        self.heard.append("success")

    def failure(self, cb: Any, exc: BaseException) -> None:
        self.heard.append(f"failure {type(exc).__name__}")

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self.heard.append(f"{cb.name}: {old_state.name} to {new_state.name}")


def test_listeners(make: Make, time: VirtualTime) -> None:
    """A listener hears calls and moves, in their order, until it is taken away."""
    listener = Listener()
    face = make(listeners=[listener], failure_threshold=1, success_threshold=1)
    face.fail()
    time.advance(60)
    face.call()
    face.breaker.remove_listener(listener)
    face.call()

    assert [
        "before",
        "actions: closed to open",
        "failure ConnectionError",
        "actions: open to half-open",
        "before",
        "actions: half-open to closed",
        "success",
    ] == listener.heard


def test_listener_that_fails(make: Make) -> None:
    """What a listener raises goes no further, and what it calls may be the breaker."""

    class Bad(Listener):
        def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
            face.breaker.opens_in()
            face.breaker.counts  # noqa: B018 - takes the breaker's lock
            raise RuntimeError

        before_call = success = failure = state_change

    face = make(failure_threshold=1)
    face.breaker.add_listener(Bad())
    face.fail()

    assert face.is_rejected()


def test_by_hand(make: Make, time: VirtualTime) -> None:
    """It can be opened for a while, closed and half-opened by hand."""
    face = make()
    face.breaker.open(5)
    opened = face.is_rejected(), face.breaker.opens_in()
    face.breaker.close()
    closed = face.is_rejected()
    face.breaker.half_open()
    states = face.breaker.current_state
    face.breaker.reset()

    assert ((True, 5.0), False, CircuitState.HALF_OPEN) == (opened, closed, states)
    assert (1, 1, 2) == tuple(getattr(face.breaker.counts, name) for name in ("opened", "half_opened", "closed"))
    with pytest.raises(PolicyInvalid):
        face.breaker.open(-1)


def test_wrap(time: VirtualTime) -> None:
    """As a decorator it keeps a function's kind, name and value."""
    breaker = UnifiedCircuitBreaker("b", CircuitBreakerConfig(failure_threshold=1))

    @breaker
    def act(value: int) -> int:
        """Act."""
        return value

    @breaker
    async def aact(value: int) -> int:
        return value

    assert (1, 2, "act", "Act.") == (act(1), asyncio.run(aact(2)), act.__name__, act.__doc__)
    breaker.open()
    for call in (lambda: act(1), lambda: asyncio.run(aact(1))):
        with pytest.raises(CircuitOpenError):
            call()


def test_blocks(time: VirtualTime) -> None:
    """A block counts as a call, plain and async, cancelled or not."""
    breaker = UnifiedCircuitBreaker("b", CircuitBreakerConfig(failure_threshold=9))

    async def scenario() -> None:
        async with breaker.acalling():
            pass
        with pytest.raises(ConnectionError):
            async with breaker.acalling():
                raise ConnectionError
        with pytest.raises(asyncio.CancelledError):
            async with breaker.acalling():
                raise asyncio.CancelledError
        breaker.open()
        with pytest.raises(CircuitOpenError):
            async with breaker.acalling():
                pass

    with breaker.calling():
        pass
    with pytest.raises(ConnectionError), breaker.calling():
        raise ConnectionError
    with pytest.raises(KeyboardInterrupt), breaker.calling():
        raise KeyboardInterrupt
    asyncio.run(scenario())
    counts = breaker.counts

    assert (2, 2, 2, 1) == (counts.successes, counts.failures, counts.neutral, counts.rejected)


def test_awaitable_of_a_plain_function(time: VirtualTime, scripted: Make) -> None:
    """What a plain function returns to be awaited counts when that has ended."""
    breaker = UnifiedCircuitBreaker("b", CircuitBreakerConfig(failure_threshold=1))
    coroutine = breaker.wrap(lambda: scripted(ConnectionError()).awaited())()
    before = breaker.counts.failures
    with pytest.raises(ConnectionError):
        asyncio.run(coroutine)

    assert (0, 1, 0) == (before, breaker.counts.failures, breaker.counts.successes)


def test_wrong_kind(time: VirtualTime, scripted: Make) -> None:
    """A plain function under an async call, the reverse, and a generator are refused before they are called."""
    breaker, function = UnifiedCircuitBreaker("b"), scripted("well")

    def lazy() -> Any:
        yield 1

    with pytest.raises(MisuseError, match="wanted an async one"):
        asyncio.run(breaker.acall(function.plain))
    with pytest.raises(MisuseError, match="wanted a plain one"):
        breaker.call(function.awaited)
    for refused in (lambda: breaker.call(lazy), lambda: breaker.wrap(lazy)):
        with pytest.raises(MisuseError, match="generator"):
            refused()

    assert (0, 0) == (function.calls, breaker.counts.successes)
    assert 3 == breaker.call(int, "3")


@pytest.mark.parametrize(
    "bad",
    [
        {"failure_threshold": 0},
        {"failure_threshold": 2.5},
        {"failure_ratio": 1.1},
        {"failure_ratio": -0.1},
        {"window": 0},
        {"timeout": -1},
        {"timeout": dt.timedelta(seconds=-1)},
        {"success_threshold": 0},
        {"half_open_permits": 0},
        {"probe_lease": 0},
        {"exclude": (BaseException,)},
        {"exclude": ("KeyError",)},
    ],
)
def test_bad_config(bad: dict[str, Any]) -> None:
    """A configuration that cannot work is refused when it is made."""
    with pytest.raises(PolicyInvalid, match="breaker:"):
        CircuitBreakerConfig(**bad)


@pytest.mark.parametrize("name", ["", None, 3])
def test_bad_name(name: Any) -> None:
    """A breaker without a name is refused."""
    with pytest.raises(PolicyInvalid, match="breaker: name"):
        UnifiedCircuitBreaker(name)


def test_timedelta() -> None:
    """The time it stays open may be a timedelta."""

    assert 90.0 == CircuitBreakerConfig(timeout=dt.timedelta(minutes=1.5)).open_s


def test_fork() -> None:
    """A child forked while the lock is held has a lock of its own."""
    breaker = UnifiedCircuitBreaker("b", CircuitBreakerConfig(failure_threshold=1))
    with breaker._lock:
        child = os.fork()
        if child == 0:
            try:
                breaker.open()
            finally:
                os._exit(int(breaker.state is not CircuitState.OPEN))
    _, status = os.waitpid(child, 0)

    assert (0, CircuitState.CLOSED) == (os.waitstatus_to_exitcode(status), breaker.state)


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=100))
def test_window_agrees(steps: list[tuple[float, bool]]) -> None:
    """The window holds every call of the last nine tenths of its length and none from before it."""
    window, now, calls = SlidingWindow(10.0), 1000.0, []
    for wait, succeeds in steps:
        now += wait
        if succeeds:
            if now >= window.ends_at:
                window.turn(now)
            window.succeed()
        else:
            window.fail(now)
        calls.append((now, succeeds))
    totals = window.totals(now)
    for outcome, total in zip((True, False), totals, strict=True):
        times = [at for at, succeeds in calls if succeeds is outcome]

        assert sum(at > now - 9.0 for at in times) <= total <= sum(at > now - 10.0 - 1e-6 for at in times)


def test_window_steps_back() -> None:
    """A clock that steps back loses nothing."""
    window = SlidingWindow(10.0)
    for now in (1000.0, 500.0, 1000.0):
        window.fail(now)

    assert (0, 3) == window.totals(1000.0)


def test_virtual_time_is_of_the_context() -> None:
    """Two contexts may live in different times: a twin in a replay does not see the real one."""
    ahead = VirtualTime(5000.0)
    breaker = UnifiedCircuitBreaker("b")
    with living_in(ahead.source):
        breaker.open(10)
        ahead.advance(9)

        assert 1.0 == breaker.opens_in()
