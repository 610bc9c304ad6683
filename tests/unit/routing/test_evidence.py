"""What a runtime counts as evidence: who raised, which requests are repeated, where legacy differs from itself."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from oms.domain.stage import Stage
from oms.routing import LaneLimits, Runtime
from oms.routing.noise_paths import MAX_PATHS
from oms.routing.requests import Requests, request_of
from oms.routing.snapshot import snapshot_call
from oms.seams.cache import TYPES
from tests.unit.routing.probe import (
    ALONE,
    AMPLE,
    HASTY,
    Answers,
    Refused,
    assert_sums,
    counts,
    probe,
    raising,
    until,
)
from tests.unit.routing.sides import MapSide, runtime_with

NOISY = LaneLimits(cpu_share=50.0, block_s=60.0, noise_one_of=1)
"""Every read at shadow is done twice by legacy."""


def compared(runtime: Runtime, facade: Any, values: Sequence[Any], *, is_async: bool = False) -> Counter[str]:
    """Ask for each of *values*, and return the counts once the lanes have worked all of them off."""

    async def ask() -> None:
        for value in values:
            with contextlib.suppress(Refused):
                await facade.aask(value)
        await runtime.adrain(60)

    def do() -> None:
        for value in values:
            with contextlib.suppress(Refused):
                facade.ask(value)

    asyncio.run(ask()) if is_async else do()
    runtime.stop(5)
    return counts(runtime)


def errors(found: Counter[str]) -> dict[str, int]:
    """Return who raised how often, only what occurs."""
    return {name.removeprefix("errors."): count for name, count in found.items() if name.startswith("errors.")}


def noise(found: Counter[str]) -> dict[str, int]:
    """Return what was counted of noise."""
    return {name: count for name, count in found.items() if name.startswith("noise")}


BY_WHO = {"none": (False, False), "legacy": (True, False), "unified": (False, True), "both": (True, True)}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
@pytest.mark.parametrize("who", BY_WHO)
def test_who_raised(stage: Stage, who: str, is_async: bool) -> None:
    """Each comparison of a read says which sides raised: in shadow, in live, and where a rescue ran the other side already."""
    legacy, unified = (Answers(raising(Refused())) if fails else Answers() for fails in BY_WHO[who])
    runtime, facade = probe(legacy, unified, stage)

    assert {who: 1} == errors(compared(runtime, facade, [1], is_async=is_async))


@pytest.mark.parametrize("who", BY_WHO)
def test_who_raised_without_rescue(who: str) -> None:
    """Where nobody may stand in, legacy runs in the lane, and the pair is counted all the same."""
    legacy, unified = (Answers(raising(Refused())) if fails else Answers() for fails in BY_WHO[who])
    runtime, facade = probe(legacy, unified, Stage.LIVE, seam=ALONE)

    assert {who: 1} == errors(compared(runtime, facade, [1]))


def test_cut_read_is_an_error_of_unified() -> None:
    """A read of unified that was cut at its deadline, and rescued, is no comparison, but unified's error it is."""

    async def hang(value: Any) -> Any:
        await asyncio.Event().wait()

    runtime, facade = probe(Answers(), Answers(adoes=hang), Stage.LIVE, seam=HASTY)
    found = compared(runtime, facade, [1], is_async=True)

    assert ({"unified": 1}, 1) == (errors(found), found["uncomparable.censored"])


def test_no_pair_without_both_sides() -> None:
    """What only one side did is no pair: arguments that cannot be copied, stages without shadow, writes."""
    runtime, facade = probe(Answers(raising(Refused())), Answers())
    with contextlib.suppress(Refused):
        facade.ask(threading.Lock())
    runtime.stop(5)
    legacy = MapSide()
    both = runtime_with(legacy, MapSide(), Stage.DUALWRITE, AMPLE)
    cache = both.facade(TYPES)
    legacy.values["legacy alone"] = 1
    cache.set("k", 1), cache.delete("legacy alone"), cache.get("k")
    both.stop(5)

    assert 1 == counts(runtime)["uncomparable.not_snapshottable"]
    assert (1, 1) == (counts(both)["matched"], counts(both)["mismatched"])
    assert ({}, {}) == (errors(counts(runtime)), errors(counts(both)))


@pytest.mark.parametrize("is_async", [False, True])
def test_repeated(is_async: bool) -> None:
    """The second time within the hour a request matches it is counted as repeated; other arguments are another request."""
    runtime, facade = probe(Answers(), Answers())
    found = compared(runtime, facade, [1, 2, 1, [1], [1], [2], 1], is_async=is_async)

    assert (7, 3) == (found["matched"], found["repeated"])


def test_mismatch_or_empty_is_not_repeated() -> None:
    """Only clean evidence is repeated: a mismatch counts each time, and a match of two empty answers counts never."""
    runtime, facade = probe(Answers(lambda value: value and 1), Answers(lambda value: value and 2))
    found = compared(runtime, facade, [1, 1, 1, "", "", ""])

    assert (3, 3, 0) == (found["mismatched"], found["empty"], found["repeated"])


def test_repeated_writes() -> None:
    """A write is one request with another of the same key; it is looked at later, not on the caller."""
    runtime = runtime_with(MapSide(), MapSide(), Stage.DUALWRITE, AMPLE)
    cache = runtime.facade(TYPES)
    for key, value in (("a", 1), ("a", 2), ("b", 1), ("a", 1)):
        cache.set(key, value)
    cache.delete("a"), cache.clear(), cache.clear()
    runtime.stop(5)

    assert {"set": 2, "delete": 0, "clear": 1} == {
        name: counts(runtime, name)["repeated"] for name in ("set", "delete", "clear")
    }


def test_request_counts_once_an_hour() -> None:
    """After an hour the same request is evidence again; until then it is not, however often it comes."""
    requests = Requests(within_s=3600.0)
    told = [requests.is_repeated(7, at_s=at_s) for at_s in (0.0, 1.0, 3599.0, 3600.0, 3601.0, 7199.0, 7200.0)]

    assert [False, True, True, False, True, True, False] == told


def test_requests_are_bounded() -> None:
    """Beyond the bound nothing is taken for new, until the oldest are an hour old: evidence may stall, it is never made up."""
    requests = Requests(within_s=3600.0, limit=3)

    assert [False, False, False, True, True] == [requests.is_repeated(n, at_s=float(n)) for n in range(5)]
    assert [False, True] == [requests.is_repeated(n, at_s=3600.5) for n in (8, 9)]


class Odd(str):
    """A str of somebody else's."""

    __slots__ = ()


def test_request() -> None:
    """Requests differ by operation and arguments, whether these are shared or copied."""
    calls = [
        request_of(operation, snapshot_call(args, kwargs))
        for operation in ("get", "aget")
        for args, kwargs in (((1,), {}), ((2,), {}), ((1,), {"ttl": 1}), (([1],), {}), (([2],), {}), ((Odd("1"),), {}))
    ]

    assert len(calls) == len(set(calls))
    assert request_of("get", snapshot_call(([1],), {})) == request_of("get", snapshot_call(([1],), {}))


# -- noise


@pytest.mark.parametrize("is_async", [False, True])
def test_noise(is_async: bool) -> None:
    """Legacy is asked twice, and where it differs from itself is counted by path; unified's differences are no noise."""
    ticks = itertools.count()
    legacy = Answers(lambda value: {"id": value, "at": next(ticks), "items": [{"seen": next(ticks)}]})
    unified = Answers(lambda value: {"id": -value, "at": 0, "items": []})
    runtime, facade = probe(legacy, unified, limits=NOISY)
    found = compared(runtime, facade, [1, 2, 3], is_async=is_async)

    assert {"noise": 3, "noise.at": 3, "noise.items.*.seen": 3} == noise(found)
    assert (6, 3) == (len(legacy.asked), len(unified.asked))
    assert_sums(runtime, 3)


def test_quiet_legacy() -> None:
    """Where legacy answers the same, or raises the same, the reads are counted and nothing else; no divergence is noted."""
    runtime, facade = probe(Answers(), Answers(lambda value: 0), limits=NOISY)
    found = compared(runtime, facade, [1, 2])
    failing, other = probe(Answers(raising(Refused())), Answers(), limits=NOISY)

    assert {"noise": 2} == noise(found)
    assert {"noise": 1} == noise(compared(failing, other, [1]))
    assert 2 == len(runtime.drain().divergences)


@pytest.mark.parametrize("stage", [Stage.OFF, Stage.DUALWRITE, Stage.LIVE, Stage.COMPLETE])
def test_noise_is_of_shadow(stage: Stage) -> None:
    """At any other stage legacy is never asked twice, and a write never at all."""
    legacy = MapSide()
    runtime = runtime_with(legacy, MapSide(), stage, NOISY)
    cache = runtime.facade(TYPES)
    cache.set("k", 1), cache.get("k")
    runtime.stop(5)

    assert {} == noise(counts(runtime))
    assert all(count == 1 for count in Counter(legacy.calls).values())


def test_writes_make_no_noise() -> None:
    """At shadow a read is done twice by legacy and a write once."""
    legacy = MapSide()
    runtime = runtime_with(legacy, MapSide(), Stage.SHADOW, NOISY)
    cache = runtime.facade(TYPES)
    cache.set("k", 1), cache.get("k")
    runtime.stop(5)

    assert {("set", "k"): 1, ("get", "k"): 2} == Counter(legacy.calls)


def test_one_of_so_many() -> None:
    """About one of so many reads is looked at twice, not the same one of each round."""
    legacy = Answers()
    runtime, facade = probe(legacy, Answers(), limits=LaneLimits(cpu_share=50.0, jobs=10_000, noise_one_of=8))
    found = compared(runtime, facade, range(800))
    again = [value for value, count in Counter(legacy.asked).items() if count == 2]

    assert found["noise"] == len(again)
    assert 60 <= found["noise"] <= 150
    assert 4 <= len({value % 8 for value in again})


def test_noise_keeps_within_the_allowance() -> None:
    """When the lanes have used up their share of the CPU nothing is done twice."""
    legacy = Answers()
    runtime, facade = probe(legacy, Answers(), limits=LaneLimits(cpu_share=1e-9, noise_one_of=1))
    with runtime._allowance._lock:  # the test's hand on the bucket: nothing is left of it
        runtime._allowance._left_s = 0.0
    found = compared(runtime, facade, [1])

    assert {} == noise(found)
    assert [1] == legacy.asked


def test_raced_noise_is_not_counted() -> None:
    """A key that is written between the two looks makes them incomparable."""
    legacy, unified = MapSide(), MapSide()
    runtime = runtime_with(legacy, unified, Stage.SHADOW, NOISY)
    cache = runtime.facade(TYPES)
    looks: list[str] = []
    is_written = threading.Event()

    def hold_the_second(name: str, key: str | None) -> None:
        if name == "get":
            looks.append(name)
            assert len(looks) < 2 or is_written.wait(60)

    cache.set("k", 1)
    legacy.before = hold_the_second
    cache.get("k")
    until(lambda: 2 == len(looks))
    cache.set("k", 2)
    is_written.set()
    runtime.stop(5)

    assert {} == noise(counts(runtime))


def test_noise_paths_are_bounded() -> None:
    """Paths beyond the bound are counted together."""
    ticks = itertools.count()
    runtime, facade = probe(Answers(lambda value: {f"field_{value}": next(ticks)}), Answers(), limits=NOISY)
    found = noise(compared(runtime, facade, range(MAX_PATHS + 10)))

    assert MAX_PATHS + 10 == found.pop("noise")
    assert 10 == found.pop("noise.other")
    assert dict.fromkeys((f"noise.field_{number}" for number in range(MAX_PATHS)), 1) == found


def test_noise_within_tolerance() -> None:
    """What the port takes for reasonable between two sides is no noise within one either."""
    ticks = itertools.count()
    legacy = MapSide()
    runtime = runtime_with(legacy, MapSide(), Stage.SHADOW, NOISY)
    legacy.before = lambda name, key: legacy.values.update(k=1.0 + next(ticks) * 1e-12)
    cache = runtime.facade(TYPES)
    cache.get("k")
    runtime.stop(5)

    assert 1 == counts(runtime)["noise"]


def test_divergence_stands_where_its_call_is_counted() -> None:
    """A divergence has the plan and the version of the counts of its call."""
    runtime, facade = probe(Answers(lambda value: value), Answers(lambda value: -value))
    facade.ask(1)
    runtime.stop(5)
    batch = runtime.drain()
    (place,) = {tally.place for tally in batch.tallies if tally.name == "mismatched"}
    (divergence,) = batch.divergences

    assert (place.plan, place.version) == (divergence.plan, divergence.version)
    assert "" not in (place.plan, place.version)
