"""What a shadowed read costs its caller, alone and beside a candidate that burns CPU."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.peers import Peers
from bench.results import Line, within
from bench.sides import DictSide, runtime_at
from bench.timing import interleaved, quantile
from oms.domain.stage import Stage
from oms.routing import LaneLimits, Runtime
from oms.seams.cache import TYPES, Value

_OPEN = LaneLimits(jobs=10**6, size=1 << 34, cpu_share=10.0)
"""No call is refused, so that every one pays the price that is measured."""

_VALUE = {
    "id": "Person",
    "parents": ["Thing"],
    "properties": {f"p{n}": {"type": "Text", "many": n % 2 == 0} for n in range(20)},
}


class BurningSide(DictSide):
    """Takes half a millisecond of CPU for each read."""

    def get(self, key: str) -> Value | None:
        """Burn, then return."""
        until = time.perf_counter() + 0.0005
        while time.perf_counter() < until:
            pass
        return super().get(key)


def measure() -> list[Line]:
    """Return the lines of this section."""
    with TemporaryDirectory() as folder, Peers(Path(folder)) as peers:
        return [*_cost(peers), *_beside_a_burner()]


def _cost(peers: Peers) -> list[Line]:
    small, large = _shadowed(1), _shadowed(_VALUE)
    direct = DictSide()
    direct.set("k", 1)
    times = interleaved(
        {
            "direct": lambda: direct.get("k"),
            "small": lambda: small.facade(TYPES).get("k"),
            "large": lambda: large.facade(TYPES).get("k"),
            "laboratory": peers.laboratory_shadow,
            "launchdarkly": peers.launchdarkly_shadow,
            "parallel": peers.launchdarkly_shadow_parallel,
        },
        rounds=15,
        seconds=0.01,
    )
    small.stop(0), large.stop(0)
    quiet = (times["small"].best_ns - times["direct"].best_ns) / 1e3
    us = {name: (timing.median_ns - times["direct"].median_ns) / 1e3 for name, timing in times.items()}
    return [
        within(
            "shadowed read, cost to the caller, value that can't change",
            us["small"],
            "us",
            5.0,
            f"quietest rounds: {quiet:.3g}; laboratory {us['laboratory']:.3g} us + the candidate; LaunchDarkly serial {us['launchdarkly']:.3g},"
            f" parallel {us['parallel']:.3g}",
        ),
        Line("the same, 1.4 kB of nested dicts (snapshot included)", us["large"], "us"),
    ]


def _shadowed(value: Value) -> Runtime:
    legacy, unified = DictSide(), DictSide()
    legacy.set("k", value), unified.set("k", value)
    return runtime_at(Stage.SHADOW, legacy=legacy, unified=unified, limits=_OPEN)


def _beside_a_burner() -> list[Line]:
    """Time an I/O caller at off and in shadow with a burning candidate: one that waits 5 ms for somebody, and a bare echo."""
    return [
        _compared(
            "p99 of a caller with 5 ms of I/O beside a CPU-bound candidate, shadow / off",
            wait_s=0.005,
            requests=300,
            budget=1.10,
        ),
        _compared("the same for a bare loopback echo", wait_s=0.0, requests=1500, budget=None),
    ]


def _compared(what: str, *, wait_s: float, requests: int, budget: float | None) -> Line:
    taken: dict[Stage, list[float]] = {Stage.OFF: [], Stage.SHADOW: []}
    for _ in range(7):
        for stage in taken:
            taken[stage] += asyncio.run(_requests(stage, wait_s, requests))
    p50 = {stage: quantile(times, 0.50) * 1e3 for stage, times in taken.items()}
    p99 = {stage: quantile(times, 0.99) * 1e3 for stage, times in taken.items()}
    seen = "; ".join(f"{stage.value}: p50 {p50[stage]:.3f}, p99 {p99[stage]:.3f} ms" for stage in taken)
    ratio = p99[Stage.SHADOW] / p99[Stage.OFF]
    return Line(what, ratio, "times", peer=seen) if budget is None else within(what, ratio, "times", budget, seen)


async def _requests(stage: Stage, wait_s: float, requests: int) -> list[float]:
    """Return how long each of *requests* took: a line to a loopback server that waits *wait_s*, reads the facade and answers."""
    runtime = runtime_at(stage, legacy=DictSide(), unified=BurningSide())
    facade = runtime.facade(TYPES)
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if wait_s:
                await asyncio.sleep(wait_s)
            facade.get("k")
            writer.write(line)
        writer.close()
        ended.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    taken = []
    for _ in range(requests):
        began = time.perf_counter()
        writer.write(b"hello\n")
        await reader.readline()
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(0.0005)
    writer.close()
    await ended.wait()
    server.close()
    runtime.stop(0)
    return taken
