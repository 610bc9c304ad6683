"""Other rules for the same questions, one-sided: what pools calls over a ramp, and what takes one look for many."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import beta

from bench.guard_runs import Stretch

_LOOK_EVERY = 50


def pooled(chance: np.random.Generator, stretches: list[Stretch]) -> tuple[np.ndarray, ...]:
    """Return calls and bad calls of legacy and of unified, pooled since the beginning, at each look (every 50 calls)."""
    looks = [np.zeros((4, 0))]
    for calls, share, legacy, unified in stretches:
        size = calls // _LOOK_EVERY
        of_unified = chance.binomial(_LOOK_EVERY, share, size)
        of_legacy = _LOOK_EVERY - of_unified
        bad = chance.binomial(of_legacy, legacy), chance.binomial(of_unified, unified)
        looks.append(np.stack([of_legacy, bad[0], of_unified, bad[1]]))
    return tuple(np.cumsum(np.concatenate(looks, axis=1), axis=1))


def _difference(looks: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    calls, bad, calls_unified, bad_unified = looks
    n, m = np.maximum(calls, 1), np.maximum(calls_unified, 1)
    p, q = bad / n, bad_unified / m
    return q - p, np.maximum(p * (1 - p) / n + q * (1 - q) / m, 1e-12)


def naive_z(looks: tuple[np.ndarray, ...], *, critical: float = 2.326) -> bool:
    """Tell whether a z test of two pooled shares is ever beyond *critical* (1 %), from 5 bad calls of unified on."""
    difference, variance = _difference(looks)
    return bool(np.any((difference / np.sqrt(variance) > critical) & (looks[3] >= 5)))


def confidence_sequence(looks: tuple[np.ndarray, ...], *, alpha: float = 0.01, tuned_to: float = 5_000.0) -> bool:
    """Tell whether an asymptotic confidence sequence of the pooled difference ever lies above 0, as GrowthBook describes it.

    Half width ``sqrt(N v) sqrt(2 (N r^2 + 1)/(N^2 r^2) ln(sqrt(N r^2 + 1)/(2 alpha)))`` with N calls, v the variance of the difference and r
    tuned to 5,000 calls. Source: Waudby-Smith and others, "Time-uniform central limit theory" (2021); GrowthBook's documentation.
    """
    difference, variance = _difference(looks)
    n = looks[0] + looks[2]
    square = (-2 * math.log(2 * alpha) + math.log(-2 * math.log(2 * alpha) + 1)) / tuned_to
    width = np.sqrt(
        n * variance * 2 * (n * square + 1) / (n**2 * square) * np.log(np.sqrt(n * square + 1) / (2 * alpha))
    )
    return bool(np.any((difference > width) & (looks[3] >= 5)))


def absolute(looks: tuple[np.ndarray, ...], *, window: int = 500, limit: float = 0.05) -> bool:
    """Tell whether unified ever fails more than *limit* of its calls within *window* calls of both sides."""
    step = window // _LOOK_EVERY
    calls, bad = (part[step:] - part[:-step] for part in looks[2:])
    return bool(np.any((calls >= 20) & (bad > limit * calls)))


def clopper_pearson_needed(limit: float, mismatched: int, confidence: float = 0.95) -> int:
    """Return the least n at which the one-look bound of *mismatched* of n is at or below *limit*."""
    low, high = mismatched, 64 * (mismatched + 8) * math.ceil(1 / limit)
    while high - low > 1:
        middle = (low + high) // 2
        if beta.ppf(confidence, mismatched + 1, middle - mismatched) <= limit:
            high = middle
        else:
            low = middle
    return high
