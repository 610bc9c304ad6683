"""Timing on a noisy machine: several rounds, cases interleaved in a fresh order each round, medians."""

from __future__ import annotations

import random
import statistics
import time
import timeit
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Case = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Timing:
    """Nanoseconds per call: the median round, and the best one as the estimate of a quiet machine."""

    median_ns: float
    best_ns: float


def interleaved(
    cases: Mapping[str, Case], *, rounds: int = 21, seconds: float = 0.02, seed: int = 1
) -> dict[str, Timing]:
    """Time each case for about *seconds* in each of *rounds* rounds, cases in random order."""
    numbers = {name: max(1, int(seconds / _once(case))) for name, case in cases.items()}
    taken: dict[str, list[float]] = {name: [] for name in cases}
    shuffled, dice = list(cases), random.Random(seed)
    for _ in range(rounds):
        dice.shuffle(shuffled)
        for name in shuffled:
            taken[name].append(timeit.timeit(cases[name], number=numbers[name]) / numbers[name] * 1e9)
    return {name: Timing(statistics.median(times), min(times)) for name, times in taken.items()}


def _once(case: Case) -> float:
    repeats = 200
    return max(timeit.timeit(case, number=repeats) / repeats, 1e-8)


async def interleaved_async(
    cases: Mapping[str, Callable[[int], Awaitable[None]]], *, rounds: int = 21, number: int = 20_000, seed: int = 1
) -> dict[str, Timing]:
    """Time async cases; each takes how often to await and does so in one coroutine."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    shuffled, dice = list(cases), random.Random(seed)
    for _ in range(rounds):
        dice.shuffle(shuffled)
        for name in shuffled:
            began = time.perf_counter_ns()
            await cases[name](number)
            taken[name].append((time.perf_counter_ns() - began) / number)
    return {name: Timing(statistics.median(times), min(times)) for name, times in taken.items()}


def quantile(values: list[float], q: float) -> float:
    """Return the *q* quantile of *values* (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
