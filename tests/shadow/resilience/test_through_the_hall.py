"""Each known divergence of resilience is found by its id through the hall, in shadow and in live, and nothing runs twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sides.resilience import end_of, until

from oms.domain.stage import Stage
from oms.seams.resilience import RESILIENCE
from oms.testing import fixed_stage
from oms.unified.resilience import (
    CircuitBreakerConfig,
    DependencyBreakers,
    ResilienceRegistry,
    UnifiedBackoffCalculator,
)

if TYPE_CHECKING:
    from conftest import Hall

Story = Callable[["Hall"], Awaitable[Any]]
REQUEST = httpx.Request("POST", "http://actions")


def status_error(status: int, **headers: str) -> httpx.HTTPStatusError:
    """Return what httpx raises for *status*."""
    answer = httpx.Response(status, headers={name.replace("_", "-"): text for name, text in headers.items()})
    return httpx.HTTPStatusError("it failed", request=REQUEST, response=answer)


class OthersError(Exception):
    """What another HTTP client raises."""

    response = httpx.Response(503)


async def cold_operation(hall: Hall) -> None:
    """The first call of an operation fails for good."""
    await hall.tried(ConnectionError)


async def little_credit(hall: Hall) -> None:
    """Ten healthy calls come before it."""
    await hall.earn(10, policy="conservative")
    await hall.tried(ConnectionError, policy="conservative")


async def credit_of_last_minute(hall: Hall) -> None:
    """Three hundred come a minute before it."""
    await hall.earn(300, policy="conservative")
    hall.time.advance(61)
    await hall.tried(ConnectionError, policy="conservative")


async def last_attempt(hall: Hall) -> None:
    """The policy has two attempts, and both fail."""
    await hall.tried(ConnectionError, policy="validation")


async def kinds_of_connection_errors(hall: Hall) -> None:
    """Connections fail in their several ways."""
    for kind in (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
        await hall.tried(kind, "well")


async def transport_errors(hall: Hall) -> None:
    """So do httpx's."""
    for kind in (httpx.ConnectTimeout, httpx.PoolTimeout, httpx.RemoteProtocolError):
        await hall.tried(kind("it failed"), "well")


async def statuses_that_stay(hall: Hall) -> None:
    """A redirection, and what a server will never do."""
    for status in (301, 501):
        await hall.tried(status_error(status), "well", operation=str(status))


async def statuses_that_ask_to_wait(hall: Hall) -> None:
    """A server is busy."""
    for status in (408, 429):
        await hall.tried(status_error(status), "well")


async def retry_after(hall: Hall) -> None:
    """A server asks for seven seconds."""
    await hall.tried(status_error(503, Retry_After="7"), "well")


async def others_status(hall: Hall) -> None:
    """Another client than httpx reports that a server is in trouble."""
    await hall.tried(OthersError, "well")


async def failures_among_successes(hall: Hall) -> None:
    """Now and then a call fails once."""
    await hall.earn(300)
    for _ in range(13):
        await hall.tried(ConnectionError, "well")


async def fifth_failure(hall: Hall) -> None:
    """Four calls recovered before one that does not."""
    await hall.earn(200, policy="conservative")
    for _ in range(4):
        await hall.tried(ConnectionError, "well", policy="conservative")
    await hall.tried(ConnectionError, policy="conservative")


async def attempts_of_policies(hall: Hall) -> None:
    """With credit, calls fail for good."""
    for policy in ("standard", "critical"):
        await hall.earn(150, operation=policy, policy=policy)
        await hall.tried(ConnectionError, operation=policy, policy=policy)


async def waits_of_policies(hall: Hall) -> None:
    """Calls fail once."""
    for policy in ("network", "database", "webhook"):
        await hall.tried(ConnectionError, "well", operation=policy, policy=policy)


async def unknown_policy(hall: Hall) -> None:
    """The name of a policy is written wrongly."""
    await hall.tried("well", policy="standart")


async def open_breaker(hall: Hall) -> None:
    """Calls go on after five failures."""
    for _ in range(8):
        await hall.broken(ConnectionError)


async def failures_of_long_ago(hall: Hall) -> None:
    """The fifth failure comes a minute after the fourth."""
    for _ in range(4):
        await hall.broken(ConnectionError)
    hall.time.advance(70)
    await hall.broken(ConnectionError)
    await hall.broken("well")


async def successes_between(hall: Hall) -> None:
    """The fifth failure comes after twenty successes."""
    for _ in range(4):
        await hall.broken(ConnectionError)
    for _ in range(20):
        await hall.broken("well")
    await hall.broken(ConnectionError)
    await hall.broken("well")


async def healthy_again(hall: Hall) -> None:
    """After an outage a dependency is well for good."""
    for _ in range(5):
        await hall.broken(ConnectionError)
    hall.time.advance(61)
    for _ in range(3):
        await hall.broken("well")


async def call_during_a_probe(hall: Hall) -> None:
    """A call comes while the first probe is on its way."""
    gate, began = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        began.set()
        await gate.wait()
        return "well"

    for _ in range(5):
        await hall.broken(ConnectionError)
    hall.time.advance(61)
    probe = asyncio.ensure_future(hall.breaker.acall(slow, name="a"))
    await until(began.is_set)
    await hall.broken("well")
    gate.set()
    await end_of(probe)


async def long_waits(hall: Hall) -> None:
    """A job fails again and again."""
    for strategy in ("exponential", "linear", "fibonacci"):
        for base in (60, 60.0):
            await _survived(hall.backoff.delay, base, 5000, strategy)


async def counts_that_are_none(hall: Hall) -> None:
    """A job has failed fewer than no times."""
    for strategy in ("exponential", "linear", "fixed", "fibonacci"):
        await _survived(hall.backoff.delay, 60, -1, strategy)


async def strategies_in_another_case(hall: Hall) -> None:
    """A strategy is written with a capital."""
    for strategy in ("Linear", "Fixed", "FIBONACCI"):
        hall.backoff.delay(60, 3, strategy)


async def unknown_strategies(hall: Hall) -> None:
    """A strategy is written wrongly."""
    await _survived(hall.backoff.delay, 60, 3, "quadratic")


async def bases_that_are_none(hall: Hall) -> None:
    """A job waits less than nothing."""
    await _survived(hall.backoff.delay, -60, 3, "linear")


async def _survived(call: Callable[..., Any], *args: Any) -> None:
    async def called() -> Any:
        return call(*args)

    await end_of(called())


CASES: list[tuple[Story, set[str], set[str]]] = [
    (cold_operation, {"RT-01"}, {"RT-01"}),
    (little_credit, {"RT-01", "MT-02"}, {"RT-01", "MT-02"}),
    (credit_of_last_minute, {"RT-01", "MT-02"}, {"RT-01", "MT-02"}),
    (last_attempt, {"RT-02"}, {"RT-02", "MT-02"}),
    (kinds_of_connection_errors, {"RT-05"}, {"RT-05"}),
    (transport_errors, {"RT-06"}, {"RT-06"}),
    (statuses_that_stay, {"RT-07"}, {"RT-07"}),
    (statuses_that_ask_to_wait, {"RT-08"}, {"RT-08"}),
    (retry_after, {"RT-08"}, set()),
    (others_status, {"RE-02"}, {"RE-02"}),
    (failures_among_successes, {"RT-16", "RT-20"}, {"RT-01", "RT-20"}),
    (fifth_failure, {"RT-20"}, {"RT-20"}),
    (attempts_of_policies, {"MT-02"}, {"MT-02"}),
    (waits_of_policies, {"MT-02"}, {"MT-02"}),
    (unknown_policy, {"RE-01"}, {"RE-01"}),
    (open_breaker, {"RE-07"}, {"RE-07"}),
    (failures_of_long_ago, {"PF-03", "RE-07"}, {"PF-03"}),
    (successes_between, {"PF-03", "RE-07"}, {"PF-03"}),
    (healthy_again, {"PF-01", "RE-07"}, {"PF-01"}),
    (call_during_a_probe, {"PF-01", "RE-07"}, {"PF-01", "RE-07"}),
    (long_waits, {"SC-01"}, {"SC-01"}),
    (counts_that_are_none, {"SC-02"}, {"SC-02"}),
    (strategies_in_another_case, {"SC-08"}, {"SC-08"}),
    (unknown_strategies, {"SC-08"}, {"SC-08"}),
    (bases_that_are_none, {"SC-02"}, {"SC-02"}),
]
"""What happens, and the ids that a shadow finds, then those that it finds in live, where legacy's twin is the candidate."""

STORIES = [pytest.param(story, id=story.__name__) for story, _, _ in CASES]


@pytest.mark.parametrize(("story", "ids"), [pytest.param(one, ids, id=one.__name__) for one, ids, _ in CASES])
def test_in_shadow(make_hall: Callable[..., Hall], story: Story, ids: set[str]) -> None:
    """While legacy answers, each quirk is found by its id, and nothing else differs."""
    hall = make_hall(Stage.SHADOW)
    hall.live(story)

    assert (ids, []) == (hall.journal.known(), hall.journal.unknown())


@pytest.mark.parametrize(("story", "ids"), [pytest.param(one, ids, id=one.__name__) for one, _, ids in CASES])
def test_in_live(make_hall: Callable[..., Hall], story: Story, ids: set[str]) -> None:
    """While unified answers, legacy's twin shows them, and nothing else differs."""
    hall = make_hall(Stage.LIVE)
    hall.live(story)

    assert (ids, []) == (hall.journal.known(), hall.journal.unknown())


@pytest.mark.parametrize(("beside", "alone"), [(Stage.SHADOW, Stage.OFF), (Stage.LIVE, Stage.COMPLETE)])
@pytest.mark.parametrize("story", STORIES)
def test_nothing_runs_twice(make_hall: Callable[..., Hall], story: Story, beside: Stage, alone: Stage) -> None:
    """The user's functions are called as often, with as many sleeps between, whether or not the other side is replayed."""
    seen = []
    for stage in (alone, beside):
        hall = make_hall(stage)
        hall.time.sleeps.clear()
        hall.live(story)
        seen.append((hall.calls, len(hall.time.sleeps)))
        assert (hall.journal.count("shadowed") > 0) is (stage is beside)

    assert seen[0] == seen[1]


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_nothing_else_differs(make_hall: Callable[..., Hall], stage: Stage) -> None:
    """Calls without a quirk match on every seam, waits within their jitter."""

    async def story(hall: Hall) -> None:
        for number in range(30):
            await hall.tried({"is": number})
            await hall.broken({"is": number})
            for strategy in ("exponential", "linear", "fixed", "fibonacci"):
                assert hall.backoff.delay(60, number % 10, strategy) > 0
        await hall.tried(ConnectionError, "well")
        await hall.tried(ValueError)
        await hall.tried(KeyError, operation="other", policy="critical")
        await hall.tried(asyncio.CancelledError)
        for _ in range(4):
            await hall.broken(ConnectionError)
        await hall.broken(asyncio.CancelledError)

    hall = make_hall(stage)
    hall.live(story)

    assert [] == hall.journal.divergences
    assert {"reasonable"} >= set(hall.outcomes())
    assert 30 + 30 + 120 + 3 + 4 == hall.journal.count("shadowed")


def test_a_wrong_wait_is_not_taken_for_a_quirk(make_hall: Callable[..., Hall]) -> None:
    """Waits that unified caps far too low are mismatches, not within tolerance."""
    hall = make_hall(Stage.SHADOW, backoff=UnifiedBackoffCalculator(max_delay=30.0))

    async def story(hall: Hall) -> None:
        hall.backoff.delay(60, 0, "fixed")

    hall.live(story)

    assert {"mismatched": 1} == hall.outcomes()
    assert ["fixed"] == [each.path for each in hall.journal.unknown()]


@pytest.mark.parametrize(("old", "new"), [(Stage.SHADOW, Stage.LIVE), (Stage.LIVE, Stage.SHADOW)])
def test_a_breaker_that_was_handed_over(make_hall: Callable[..., Hall], old: Stage, new: Stage) -> None:
    """One that was open at the flip, and whose time is over when somebody calls, is as half-open on the side that is replayed."""
    hall = make_hall(old)

    async def story(hall: Hall) -> None:
        for _ in range(5):
            await hall.broken(ConnectionError)
        hall.time.advance(20)
        hall.runtime.publish(fixed_stage(new, RESILIENCE))
        hall.time.advance(41)
        for _ in range(3):
            await hall.broken("well")

    hall.live(story)

    assert ({"PF-01"}, []) == (hall.journal.known() - {"RE-07"}, hall.journal.unknown())


@pytest.mark.parametrize(("timeout", "after_s"), [(120, 61), (30, 31)], ids=["for longer", "too short"])
@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_a_breaker_that_stays_open_otherwise_is_not_taken_for_a_quirk(
    make_hall: Callable[..., Hall], stage: Stage, timeout: float, after_s: float
) -> None:
    """A unified breaker that stays open for longer than legacy's, or lets somebody in before it, is a mismatch."""
    registry = ResilienceRegistry(breaker_config=CircuitBreakerConfig(timeout=timeout))
    hall = make_hall(stage, breaker=DependencyBreakers(registry))

    async def story(hall: Hall) -> None:
        for _ in range(5):
            await hall.broken(ConnectionError)
        hall.time.advance(after_s)
        await hall.broken("well")

    hall.live(story)

    assert ["admitted"] == [each.path for each in hall.journal.unknown()]


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_a_breaker_that_opens_too_soon_is_not_taken_for_a_quirk(make_hall: Callable[..., Hall], stage: Stage) -> None:
    """A unified breaker that rejects what legacy calls is a mismatch."""
    registry = ResilienceRegistry(breaker_config=CircuitBreakerConfig(failure_threshold=2))
    hall = make_hall(stage, breaker=DependencyBreakers(registry))

    async def story(hall: Hall) -> None:
        for _ in range(3):
            await hall.broken(ConnectionError)

    hall.live(story)

    assert {"state"} == {each.path for each in hall.journal.unknown()}
