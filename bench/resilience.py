"""Retries and breakers of the unified wing beside tenacity, pybreaker and the legacy twins, and one breaker across processes."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pybreaker
import tenacity

from bench.results import Line, within
from bench.timing import Timing, interleaved, interleaved_async
from oms.legacy.shared.security.protection_facade import CircuitBreaker as ProtectionBreaker
from oms.legacy.shared.security.protection_facade import CircuitBreakerConfig as ProtectionConfig
from oms.legacy.utils.retry_strategy import RetryConfig
from oms.legacy.utils.retry_strategy import with_retry as legacy_with_retry
from oms.seams.resilience import TimeSource, living_in
from oms.unified.resilience import (
    RETRY_POLICIES,
    BreakerStore,
    CircuitOpenError,
    DistributedCircuitBreaker,
    UnifiedCircuitBreaker,
    with_retry,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.breaker_process import BreakerProcess
from servers.redis_server import RedisServer, find_redis_server

PROCESSES = 8
ROUNDS = 20


def measure() -> list[Line]:
    """Return the lines of this section."""
    lines = _success() + _success_async() + _rejections() + _failures()
    program = find_redis_server()
    if program is None:
        return [*lines, Line("a breaker across processes: no redis-server to measure with", 0, "")]
    with _server(program) as server:
        return lines + _closed_over_redis(server) + _across_processes(server)


def act() -> int:
    """Do nothing, well."""
    return 1


async def aact() -> int:
    """Do nothing, well."""
    return 1


def _success() -> list[Line]:
    theirs = tenacity.retry(stop=tenacity.stop_after_attempt(4))(act)
    breaker, other = UnifiedCircuitBreaker("bench"), pybreaker.CircuitBreaker()
    times = interleaved(
        {
            "retry": with_retry()(act),
            "tenacity": theirs,
            "breaker": lambda: breaker.call(act),
            "wrapped": breaker.wrap(act),
            "pybreaker": lambda: other.call(act),
        }
    )
    return [
        _beside("with_retry, success", times["retry"], 1000, tenacity=times["tenacity"]),
        _beside("breaker closed, call()", times["breaker"], 1000, pybreaker=times["pybreaker"]),
        _beside("breaker closed, decorated", times["wrapped"], 1000, pybreaker=times["pybreaker"]),
    ]


def _success_async() -> list[Line]:
    breaker = UnifiedCircuitBreaker("bench")
    legacy = ProtectionBreaker("bench", ProtectionConfig(use_distributed_state=False))
    retrying = tenacity.retry(stop=tenacity.stop_after_attempt(4))(aact)
    cases: dict[str, Callable[[int], Awaitable[None]]] = {
        "retry": _repeat(with_retry()(aact)),
        "legacy retry": _repeat(legacy_with_retry("bench", RetryConfig())(aact)),
        "tenacity": _repeat(retrying),
        "breaker": _repeat(lambda: breaker.acall(aact)),
        "legacy breaker": _repeat(lambda: legacy.execute(aact)),
    }
    times = asyncio.run(interleaved_async(cases, rounds=15, number=3000))
    return [
        _beside(
            "with_retry, success, async", times["retry"], 1000, legacy=times["legacy retry"], tenacity=times["tenacity"]
        ),
        _beside("breaker closed, async", times["breaker"], 1000, legacy=times["legacy breaker"]),
    ]


def _rejections() -> list[Line]:
    breaker, other = UnifiedCircuitBreaker("bench"), pybreaker.CircuitBreaker()
    breaker.open()
    other.open()
    times = interleaved(
        {
            "breaker": _expecting(lambda: breaker.call(act), CircuitOpenError),
            "pybreaker": _expecting(lambda: other.call(act), pybreaker.CircuitBreakerError),
        }
    )
    return [_beside("breaker open, rejected", times["breaker"], 2000, pybreaker=times["pybreaker"])]


def _failures() -> list[Line]:
    def failing() -> None:
        raise ConnectionError

    policy = RETRY_POLICIES["conservative"]
    retried = with_retry(policy)(failing)
    theirs = tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True, sleep=lambda _: None)(failing)
    with living_in(TimeSource(sleep=lambda _: None)):
        times = interleaved(
            {
                "retry": _expecting(retried, ConnectionError),
                "tenacity": _expecting(theirs, ConnectionError),
            }
        )
    ours, other = times["retry"].median_ns, times["tenacity"].median_ns
    return [
        Line(
            "three attempts, no wait", ours / 1000, "us", peer=f"tenacity: {other / 1000:.4g} us, {ours / other:.2f} x"
        )
    ]


def _closed_over_redis(server: RedisServer) -> list[Line]:
    store = BreakerStore(server.url, deadline_ms=5000, poll_s=60)
    breaker = DistributedCircuitBreaker("bench", store=store)
    breaker.call(act)
    with server.client() as client:
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        times = interleaved({"closed": lambda: breaker.call(act)})
        breaker.open()
        rejected = interleaved({"open": _expecting(lambda: breaker.call(act), CircuitOpenError)})
        trips = client.info("commandstats")["cmdstat_evalsha"]["calls"] - before - 1
    store.close()
    return [
        _beside("distributed breaker closed", times["closed"], 1000),
        within("distributed breaker closed and open: round trips", trips, "", 0),
        _beside("distributed breaker open, rejected", rejected["open"], 2000),
    ]


def _across_processes(server: RedisServer) -> list[Line]:
    config = {"failure_threshold": 1, "failure_ratio": 0, "timeout": 0.1, "success_threshold": 1}
    took, probes = [], []
    with ExitStack() as stack:
        processes = [stack.enter_context(BreakerProcess(server.url, **config)) for _ in range(PROCESSES)]
        for process in processes:
            process.ask("ok")
        for _ in range(ROUNDS):
            for process in processes[1:]:
                process.tell("await open")
            began = time.monotonic()
            processes[0].ask("fail")
            took.append(max(float(process.answer()) for process in processes[1:]) - began)
            _until(time.monotonic() + 0.11)
            probes.append(_probes_of_one_period(processes))
    return [
        within(f"open in one process to open in {PROCESSES}, worst of {ROUNDS}", max(took) * 1000, "ms", 50),
        within(f"probes per permit, {PROCESSES} processes at once, worst of {ROUNDS}", max(probes), "", 1),
    ]


def _probes_of_one_period(processes: list[BreakerProcess]) -> int:
    for process in processes:
        process.tell("hold")
    held = [process for process in processes if process.answer() == "held"]
    for process in held:
        process.ask("ok")
    for process in processes:
        process.ask("await closed")
    return len(held)


def _until(moment: float) -> None:
    while time.monotonic() < moment:
        time.sleep(0.001)


def _repeat(call: Callable[[], Awaitable[Any]]) -> Callable[[int], Awaitable[None]]:
    async def repeated(number: int) -> None:
        for _ in range(number):
            await call()

    return repeated


def _expecting(call: Callable[[], object], error: type[Exception]) -> Callable[[], None]:
    def expected() -> None:
        try:  # noqa: SIM105 - suppress() would be measured with it
            call()
        except error:
            pass

    return expected


def _beside(what: str, timing: Timing, budget_ns: float, **peers: Timing) -> Line:
    ours = timing.median_ns
    told = ", ".join(f"{name}: {peer.median_ns:.4g} ns, {ours / peer.median_ns:.2f} x" for name, peer in peers.items())
    return within(what, ours, "ns", budget_ns, told)


@contextmanager
def _server(program: Path) -> Iterator[RedisServer]:
    folder = Path(tempfile.mkdtemp(prefix="oms-redis-"))
    try:
        with RedisServer(folder, program) as server:
            yield server
    finally:
        shutil.rmtree(folder)
