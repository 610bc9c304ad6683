"""What a facade costs while nothing is going on, and a canary's decision, beside the peers' way of deciding."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.peers import Peers
from bench.results import Line, within
from bench.sides import DictSide, runtime_at
from bench.timing import Timing, interleaved, interleaved_async
from oms.domain.decision import DecisionTable
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.files import FlagFiles
from oms.routing import Runtime
from oms.seams import PHASES
from oms.seams.cache import TYPES


def measure() -> list[Line]:
    """Return the lines of this section."""
    legacy, unified = DictSide(), DictSide()
    runtime = runtime_at(Stage.OFF, legacy=legacy, unified=unified)
    with TemporaryDirectory() as folder, Peers(Path(folder)) as peers:
        lines = _sync(legacy, runtime, peers) + asyncio.run(_async(legacy, runtime))
        lines += _canary(legacy, unified, Path(folder), peers)
    runtime.stop()
    return lines


def _sync(legacy: DictSide, runtime: Runtime, peers: Peers) -> list[Line]:
    facade = runtime.facade(TYPES)
    times = interleaved(
        {
            "direct": lambda: legacy.get("k"),
            "facade": lambda: facade.get("k"),
            "laboratory": peers.laboratory_off,
            "launchdarkly": peers.launchdarkly_off,
        }
    )
    cost = _over(times, "facade")
    return [
        Line("the direct call itself, for scale", times["direct"].median_ns, "ns"),
        within(
            "facade at rest, sync (over the direct call)",
            cost,
            "ns",
            50,
            _ratio("laboratory, disabled", _over(times, "laboratory"), cost),
        ),
        Line(
            "the same beside LaunchDarkly's migration read, off",
            cost,
            "ns",
            peer=_ratio("LaunchDarkly", _over(times, "launchdarkly"), cost),
        ),
    ]


async def _async(legacy: DictSide, runtime: Runtime) -> list[Line]:
    facade = runtime.afacade(TYPES)

    def repeated(method: Callable[[str], Awaitable[object]]) -> Callable[[int], Awaitable[None]]:
        async def run(number: int) -> None:
            for _ in range(number):
                await method("k")

        return run

    times = await interleaved_async({"direct": repeated(legacy.aget), "facade": repeated(facade.aget)})
    return [within("facade at rest, async (over the direct call)", _over(times, "facade"), "ns", 150)]


def _canary(legacy: DictSide, unified: DictSide, folder: Path, peers: Peers) -> list[Line]:
    files = FlagFiles(folder / "canary", PHASES)
    (folder / "canary").mkdir()
    files.write("cache", Split(((Stage.DUALWRITE, 500), (Stage.OFF, 9_500))), based_on=None)
    runtime = runtime_at(Stage.OFF, legacy=legacy, unified=unified)
    runtime.publish(DecisionTable.of(cache=files.read("cache").decision))
    facade = runtime.facade(TYPES)
    keys = iter(f"tenant-{number}" for number in range(10**9))

    def first() -> None:
        with runtime.scope(targeting_key=next(keys)):
            facade.get("k")

    def scope_only() -> None:
        with runtime.scope(targeting_key=next(keys)):
            pass

    with runtime.scope(targeting_key="tenant-42"):
        times = interleaved(
            {
                "direct": lambda: legacy.get("k"),
                "pinned": lambda: facade.get("k"),
                "openfeature": peers.openfeature_decision,
            }
        )
    times |= interleaved({"first": first, "scope": scope_only})
    pinned, decided = _over(times, "pinned") / 1e3, (times["first"].median_ns - times["scope"].median_ns) / 1e3
    client = times["openfeature"].median_ns / 1e3
    runtime.stop()
    return [
        within(
            "canary call, decision pinned (over the direct call)",
            pinned,
            "us",
            1.0,
            _ratio("OpenFeature client on a flagd file", client, pinned),
        ),
        within(
            "canary call, first decision of a scope",
            decided,
            "us",
            2.0,
            _ratio("OpenFeature client on a flagd file", client, decided),
        ),
        Line("opening and closing a scope", times["scope"].median_ns / 1e3, "us"),
    ]


def _over(times: dict[str, Timing], name: str) -> float:
    return times[name].median_ns - times["direct"].median_ns


def _ratio(peer: str, theirs: float, ours: float) -> str:
    return f"{peer}: {theirs:.4g}, {theirs / ours:.1f} times as much"
