"""Quirks RT-01 to RT-30 of the legacy retry strategy, each by its id."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import prometheus_client
import pytest

from oms.legacy.shared import utils as hollow
from oms.legacy.utils import retry_strategy as legacy
from oms.legacy.utils.retry_strategy import CircuitState, RetryConfig, RetryStrategy
from oms.testing import VirtualTime

Make = Callable[..., Any]

PRESETS = {
    "aggressive": RetryConfig.for_strategy(RetryStrategy.AGGRESSIVE),
    "standard": RetryConfig.for_strategy(RetryStrategy.STANDARD),
    "critical": legacy.DB_CRITICAL_CONFIG,
}


def run(operation: str, function: Any, config: RetryConfig | None = None, **options: Any) -> Any:
    """Call *function* with retry, on a loop of its own."""
    return asyncio.run(legacy.with_retry(operation, config, **options)(function)())


def ends_in(
    error: type[BaseException], operation: str, function: Any, config: RetryConfig | None = None
) -> BaseException:
    """Return what a call with retry raised, which must be an *error*."""
    with pytest.raises(error) as caught:
        run(operation, function, config)
    return caught.value


def status_error(status: int, **headers: str) -> httpx.HTTPStatusError:
    """Return what httpx raises for *status*."""
    request = httpx.Request("GET", "http://actions")
    return httpx.HTTPStatusError(
        str(status), request=request, response=httpx.Response(status, headers=headers, request=request)
    )


def budgeted(calls: int, operation: str = "op", config: RetryConfig | None = None) -> None:
    """Let *calls* originals earn budget for *operation*."""
    legacy.get_retry_budget(operation, config or RetryConfig()).total_requests = calls


def counted(operation: str, status: str) -> float:
    """Return the attempts counter of *operation*."""
    labels = {"operation": operation, "status": status}
    return prometheus_client.REGISTRY.get_sample_value("retry_attempts_total", labels) or 0.0


@pytest.mark.parametrize(
    ("config", "row"),
    [
        (RetryConfig(), (3, 1.0, 60.0, 2.0, 5, 10.0)),
        (PRESETS["aggressive"], (10, 0.5, 300.0, 1.5, 20, 20.0)),
        (PRESETS["standard"], (5, 1.0, 60.0, 2.0, 10, 10.0)),
        (RetryConfig.for_strategy(RetryStrategy.CONSERVATIVE), (3, 2.0, 30.0, 2.0, 5, 5.0)),
        (PRESETS["critical"], (15, 0.1, 120.0, 1.3, 30, 25.0)),
        (RetryConfig.for_strategy(RetryStrategy.CUSTOM), (3, 1.0, 60.0, 2.0, 5, 10.0)),
    ],
)
def test_presets(config: RetryConfig, row: tuple[float, ...]) -> None:
    """Attempts, waits, breaker and budget of each preset are the reference's."""
    found = (config.max_attempts, config.initial_delay, config.max_delay, config.exponential_base)

    assert row == (*found, config.circuit_breaker_threshold, config.retry_budget_percent)


@pytest.mark.parametrize("preset", PRESETS)
def test_rt_01(time: VirtualTime, scripted: Make, preset: str) -> None:
    """A cold operation that always fails is called twice, whatever the preset says, and ends with the budget's error."""
    failing = scripted(ConnectionError())
    ends_in(legacy.RetryBudgetExhaustedError, "op", failing, PRESETS[preset])

    assert (2, 2) == (failing.calls, len(time.sleeps))


def test_rt_02(time: VirtualTime, scripted: Make) -> None:
    """The error that was retried is lost."""
    error = ends_in(legacy.RetryBudgetExhaustedError, "op", scripted(ConnectionError()))

    assert (None, None) == (error.__cause__, error.__context__)


def test_rt_03(time: VirtualTime, scripted: Make) -> None:
    """After 61 s the credit of 10,000 healthy calls is gone: one retry, then none until ten more originals."""
    budgeted(10_000)
    time.advance(61)
    failing = scripted(ConnectionError())
    ends_in(legacy.RetryBudgetExhaustedError, "op", failing, RetryConfig(max_attempts=5, circuit_breaker_threshold=99))
    budget = legacy.get_retry_budget("op", RetryConfig())
    blocked = [budget.can_retry() or budget.record_request() for _ in range(12)]

    assert 2 == failing.calls
    assert 10 == blocked.index(True)


@pytest.mark.parametrize(("preset", "needed"), [("standard", 28), ("aggressive", 33), ("critical", 40)])
def test_rt_04(time: VirtualTime, scripted: Make, preset: str, needed: int) -> None:
    """So many originals within a minute earn the retries that the preset promises, and one less does not."""
    config = RetryConfig(
        max_attempts=PRESETS[preset].max_attempts,
        initial_delay=0,
        circuit_breaker_threshold=99,
        retry_budget_percent=PRESETS[preset].retry_budget_percent,
    )
    outcomes = []
    for originals in (needed - 1, needed):
        legacy._retry_budgets.clear()
        budgeted(originals - 1, config=config)
        failing = scripted(ConnectionError())
        with pytest.raises((ConnectionError, legacy.RetryBudgetExhaustedError)):
            run("op", failing, config)
        outcomes.append(failing.calls == config.max_attempts)

    assert [False, True] == outcomes


@pytest.mark.parametrize("error", [ConnectionRefusedError, ConnectionResetError, BrokenPipeError])
def test_rt_05(time: VirtualTime, scripted: Make, error: type[Exception]) -> None:
    """A subclass of a retryable error is not retried."""
    failing = scripted(error())
    ends_in(error, "op", failing)

    assert 1 == failing.calls


@pytest.mark.parametrize("name", ["ConnectTimeout", "PoolTimeout", "WriteTimeout", "ReadError", "RemoteProtocolError"])
def test_rt_06(time: VirtualTime, scripted: Make, name: str) -> None:
    """Of httpx's transport errors only three are retried, and this is none of them."""
    failing = scripted(getattr(httpx, name)("x"))
    ends_in(httpx.TransportError, "op", failing)

    assert 1 == failing.calls


@pytest.mark.parametrize("status", [301, 304])
def test_rt_07(time: VirtualTime, scripted: Make, status: int) -> None:
    """A redirection is retried."""
    failing = scripted(status_error(status), "moved")

    assert ("moved", 2) == (run("op", failing), failing.calls)


@pytest.mark.parametrize("status", [408, 429])
def test_rt_08(time: VirtualTime, scripted: Make, status: int) -> None:
    """What asks to be repeated later is not retried, and Retry-After not read."""
    failing = scripted(status_error(status, **{"Retry-After": "1"}))
    ends_in(httpx.HTTPStatusError, "op", failing)

    assert 1 == failing.calls


def test_rt_09(time: VirtualTime, scripted: Make) -> None:
    """With a set of one's own, HTTP 503 is not retried: the rule for statuses lives in the default set."""
    failing = scripted(status_error(503))
    ends_in(httpx.HTTPStatusError, "op", failing, RetryConfig(non_retryable_exceptions={ValueError}))

    assert 1 == failing.calls
    assert legacy.is_retryable_exception(status_error(503), RetryConfig())


def test_rt_10(time: VirtualTime, scripted: Make) -> None:
    """An empty set of retryable errors means the default one."""
    failing = scripted(ConnectionError(), "well")

    assert ("well", 2) == (run("op", failing, RetryConfig(retryable_exceptions=set())), failing.calls)


def test_rt_11(time: VirtualTime) -> None:
    """Jitter comes after the cap: waits at the cap of 60 s lie between 54 and 66, and some above 60."""
    delays = [legacy.calculate_delay(20, RetryConfig()) for _ in range(500)]

    assert 54.0 <= min(delays) < 55.0
    assert 65.0 < max(delays) <= 66.0


def test_rt_12(time: VirtualTime) -> None:
    """A negative cap is a negative wait."""

    assert -1 == legacy.calculate_delay(1, RetryConfig(max_delay=-1, jitter=False))


def test_rt_13(time: VirtualTime) -> None:
    """The power overflows before the cap is applied."""
    with pytest.raises(OverflowError):
        legacy.calculate_delay(2000, RetryConfig())


def test_rt_14(time: VirtualTime, scripted: Make) -> None:
    """With no attempt the function is not called, and None is raised."""
    function = scripted("well")
    error = ends_in(TypeError, "op", function, RetryConfig(max_attempts=0))

    assert 0 == function.calls
    assert "BaseException" in str(error)


def test_rt_15(time: VirtualTime) -> None:
    """A plain function runs, effect and all, before it fails because its result cannot be awaited."""
    effects: list[str] = []
    ends_in(TypeError, "op-15", lambda: effects.append("done"))

    assert ["done"] == effects
    assert 1 == counted("op-15", "non_retryable")


def test_rt_16(time: VirtualTime) -> None:
    """Failures are added up however many successes lie between them."""
    breaker = legacy.CircuitBreaker("op", RetryConfig(circuit_breaker_threshold=3))
    for _ in range(3):
        breaker.record_failure()
        for _ in range(1000):
            breaker.record_success()

    assert CircuitState.OPEN is breaker.state


def half_open(time: VirtualTime, config: RetryConfig | None = None) -> legacy.CircuitBreaker:
    """Return a breaker that was opened and whose time is over."""
    breaker = legacy.get_circuit_breaker("op", config or RetryConfig())
    for _ in range(5):
        breaker.record_failure()
    time.advance(60.1)
    return breaker


def test_rt_17(time: VirtualTime) -> None:
    """Half-open lets four through: the one that finds the time over, and three more."""
    breaker = half_open(time)

    assert [False, False, False, False, True] == [breaker.is_open() for _ in range(5)]


def test_rt_18(time: VirtualTime, scripted: Make) -> None:
    """Four probes that end with an error that is none to retry block the breaker for ever."""
    half_open(time)
    for _ in range(4):
        ends_in(ValueError, "op", scripted(ValueError()))
    time.advance(1e9)
    healthy = scripted("well")
    ends_in(legacy.CircuitBreakerOpenError, "op", healthy)

    assert 0 == healthy.calls


def test_rt_19(time: VirtualTime, scripted: Make) -> None:
    """The first success closes it."""
    breaker = half_open(time)
    run("op", scripted("well"))

    assert (CircuitState.CLOSED, 0) == (breaker.state, breaker.failure_count)


def test_rt_20(time: VirtualTime, scripted: Make) -> None:
    """When the first attempt opens the breaker, the wait is waited all the same and the breaker's error hides the first one."""
    failing = scripted(ConnectionError())
    error = ends_in(legacy.CircuitBreakerOpenError, "op", failing, RetryConfig(circuit_breaker_threshold=1))

    assert (1, 1, None) == (failing.calls, len(time.sleeps), error.__context__)


def test_rt_21(time: VirtualTime) -> None:
    """The first configuration of a name wins, for breaker, budget and bulkhead."""
    first, second = RetryConfig(), RetryConfig(circuit_breaker_threshold=1, retry_budget_percent=99)
    pairs = [(get("op", first), get("op", second)) for get in (legacy.get_circuit_breaker, legacy.get_retry_budget)]

    assert all(a is b and b.config is first for a, b in pairs)
    assert 1 == [legacy.get_bulkhead("r", 1), legacy.get_bulkhead("r", 9)][1].size


def test_rt_22(time: VirtualTime, scripted: Make) -> None:
    """No preset gives a bulkhead its size, so naming one isolates nothing."""
    run("op", scripted("well"), PRESETS["standard"], bulkhead_resource="terminusdb")

    assert {} == legacy._bulkheads
    assert {None} == {config.bulkhead_size for config in PRESETS.values()}


def test_bulkhead(time: VirtualTime) -> None:
    """With a size, the one call too many is rejected at once, and counted as not retryable (RT-27)."""
    config = RetryConfig(bulkhead_size=1)

    async def two() -> list[Any]:
        release = asyncio.Event()
        call = legacy.with_retry("op-bulkhead", config, "r")
        first = asyncio.ensure_future(call(release.wait)())
        await asyncio.sleep(0)
        second = await asyncio.gather(call(release.wait)(), return_exceptions=True)
        release.set()
        return [await first, *second]

    first, second = asyncio.run(two())

    assert (True, legacy.BulkheadFullError, 1) == (first, type(second), counted("op-bulkhead", "non_retryable"))


def test_rt_23(time: VirtualTime) -> None:
    """A timeout of 0 is no timeout."""

    async def slow() -> str:
        time.advance(1000)
        return "late"

    assert "late" == run("op", slow, RetryConfig(timeout=0))
    ends_in(TimeoutError, "op-2", slow, RetryConfig(timeout=1, max_attempts=1))


def test_rt_24(time: VirtualTime, scripted: Make) -> None:
    """The duration of a failed call is not observed."""
    ends_in(ConnectionError, "op-24", scripted(ConnectionError()), RetryConfig(max_attempts=1))
    run("op-24", scripted("well"))

    assert 1 == prometheus_client.REGISTRY.get_sample_value("retry_duration_seconds_count", {"operation": "op-24"})


def test_rt_25() -> None:
    """Imported under a second name, the module registers its metrics twice, which is refused."""
    spec = importlib.util.spec_from_file_location("another_name", Path(legacy.__file__))
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(ValueError, match="Duplicated"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_rt_26(time: VirtualTime, scripted: Make) -> None:
    """A second batch reports the first one, too."""
    executor = legacy.BatchRetryExecutor()
    asyncio.run(executor.execute_all([("a", scripted(ValueError()), (), {})]))
    second = asyncio.run(executor.execute_all([("b", scripted("well"), (), {})]))

    assert ({"b": "well"}, ["a"], 0.5) == (second["results"], list(second["failures"]), second["success_rate"])


def test_rt_27(time: VirtualTime, scripted: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A budget that is spent counts, and is logged, as an error that is none to retry."""
    with caplog.at_level(logging.ERROR):
        ends_in(legacy.RetryBudgetExhaustedError, "op-27", scripted(ConnectionError()))

    assert (1, 0) == (counted("op-27", "non_retryable"), counted("op-27", "exhausted"))
    assert "Non-retryable error in op-27: RetryBudgetExhaustedError" in caplog.messages


def test_rt_28(time: VirtualTime) -> None:
    """A wall clock set back keeps the breaker open for as much longer."""
    breaker = legacy.CircuitBreaker("op", RetryConfig(circuit_breaker_threshold=1))
    breaker.record_failure()
    time.advance(-3600)
    time.advance(61)

    assert breaker.is_open()


def test_rt_29(time: VirtualTime, scripted: Make) -> None:
    """Another module has a decorator of the same name, and configurations that are words: nothing is retried."""
    failing = scripted(ConnectionError())
    with pytest.raises(ConnectionError):
        asyncio.run(hollow.with_retry("terminusdb_query", config=hollow.DB_READ_CONFIG)(failing)())

    assert (1, [], "read") == (failing.calls, time.sleeps, hollow.DB_READ_CONFIG)


def test_rt_30(time: VirtualTime, scripted: Make) -> None:
    """Around a function that wraps every error in one of its own, as the check of tokens does, nothing is retried."""

    class AuthenticationServiceError(Exception):
        pass

    down = scripted(ConnectionError())

    async def validate() -> None:
        try:
            await down()
        except ConnectionError as error:
            raise AuthenticationServiceError from error

    ends_in(AuthenticationServiceError, "op-30", validate, RetryConfig.for_strategy(RetryStrategy.CONSERVATIVE))

    assert (1, []) == (down.calls, time.sleeps)


def test_cancellation(time: VirtualTime, scripted: Make) -> None:
    """Cancellation passes untouched: no retry, nothing counted."""
    cancelled = scripted(asyncio.CancelledError())
    ends_in(asyncio.CancelledError, "op", cancelled)

    assert (1, []) == (cancelled.calls, time.sleeps)


def test_retry_context(time: VirtualTime) -> None:
    """The context swallows what may be retried, after the wait, until the attempts are used up."""

    async def attempts() -> int:
        context = legacy.RetryContext("op", RetryConfig(max_attempts=2))
        async with context:
            raise ConnectionError
        with pytest.raises(ConnectionError):
            async with context:
                raise ConnectionError
        return context.attempt

    assert (2, 1) == (asyncio.run(attempts()), len(time.sleeps))


def test_samples(time: VirtualTime) -> None:
    """The sample functions answer."""
    read = asyncio.run(legacy.read_from_terminusdb("q"))
    written = asyncio.run(legacy.write_to_terminusdb({"a": 1}))

    assert ({"query": "q"}, {"written": {"a": 1}}) == (read, written)
