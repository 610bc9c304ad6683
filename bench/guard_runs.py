"""Simulated rollouts for the guardrails: seeded streams of bad events, fed to the guards that ship."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Concatenate, NamedTuple, ParamSpec

import numpy as np

from oms.domain.guardrails import FirstPerUnit, RatioGuard, RatioRule, Restart


class Stretch(NamedTuple):
    """*calls* calls while unified has *share*; *legacy* and *unified* are the shares of their calls that are bad."""

    calls: int
    share: float
    legacy: float
    unified: float


class Bad(NamedTuple):
    """Bad events in order: after how many calls each came, and whether it was unified's."""

    at: np.ndarray
    is_unified: np.ndarray


def bad_events(chance: np.random.Generator, stretch: Stretch) -> Bad:
    """Return the bad events of *stretch*: an independent coin for each call."""
    rate = stretch.share * stretch.unified + (1 - stretch.share) * stretch.legacy
    at = np.sort(chance.choice(stretch.calls, chance.binomial(stretch.calls, rate), replace=False, shuffle=False)) + 1
    return Bad(at, chance.random(at.size) < stretch.share * stretch.unified / rate)


def calls_to_trip(
    chance: np.random.Generator, stretches: list[Stretch], rule: RatioRule, *, restart: Restart | None = None
) -> int | None:
    """Return after how many calls the guard trips, None if it never does. It is looked at after every bad event.

    It restarts at each further stretch that has another share, and as *restart* says.
    """
    guard, before, restarted_at = RatioGuard.begun(rule, share=stretches[0].share), 0, 0
    share = stretches[0].share
    for stretch in stretches:
        if stretch.share != share:
            guard, share, restarted_at = guard.restarted(), stretch.share, before
        for at, is_unified in zip(*(part.tolist() for part in bad_events(chance, stretch)), strict=True):
            while restart is not None and restart.is_due(calls=before + at - restarted_at, seconds=0.0):
                guard, restarted_at = guard.restarted(), restarted_at + restart.calls
            if not is_unified:
                guard = guard.after(share=share, legacy=1)
                continue
            guard = guard.after(share=share, unified=1)
            if guard.is_tripped:
                return int(before + at)
        before += stretch.calls
    return None


@dataclass(frozen=True, slots=True)
class Delays:
    """What many runs came to: calls until the trip, None for a run without."""

    runs: tuple[int | None, ...]

    @property
    def tripped(self) -> float:
        """The share of the runs that tripped."""
        return sum(run is not None for run in self.runs) / len(self.runs)

    def quantile(self, q: float) -> float:
        """Return the *q* quantile of the calls until the trip; infinite where that many runs never tripped."""
        ordered = sorted(np.inf if run is None else float(run) for run in self.runs)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))]

    @property
    def text(self) -> str:
        """``median / p95``."""
        return " / ".join("never" if np.isinf(calls) else f"{calls:,.0f}" for calls in map(self.quantile, (0.5, 0.95)))


Args = ParamSpec("Args")


def many(
    runs: int,
    seed: int,
    one: Callable[Concatenate[np.random.Generator, Args], int | None],
    *args: Args.args,
    **more: Args.kwargs,
) -> Delays:
    """Return the delays of *runs* runs of *one*; each has a stream of its own under *seed*, then *args* and *more*."""
    return Delays(tuple(one(chance, *args, **more) for chance in _streams(runs, seed)))


def _streams(runs: int, seed: int) -> Iterator[np.random.Generator]:
    return (np.random.default_rng([seed, run]) for run in range(runs))


@dataclass(frozen=True, slots=True)
class Tenants:
    """2,000 tenants of Zipf 1.05, one in a hundred of which fails 30 % of its calls on whatever side; the others fail *base*."""

    count: int = 2_000
    zipf: float = 1.05
    noisy: float = 0.01
    noisy_rate: float = 0.3
    base: float = 0.005
    calls: int = 200_000
    share: float = 0.1
    slot: int = 5_000
    """Calls in ten minutes."""

    def calls_to_trip(
        self, chance: np.random.Generator, rule: RatioRule, *, routing: str, unit: str, times: float = 1.0
    ) -> int | None:
        """Return after how many calls the guard trips.

        Args:
            routing: ``call`` (a coin each call), ``sticky`` (one a tenant), ``switchback`` (one a tenant and slot).
            unit: What is fed: each bad ``call``, the first of a tenant and ``slot``, or the first of a tenant (``key``).
            times: Unified is bad this many times as often as legacy.
        """
        return trips_at(rule, self.share, self.fed(chance, routing=routing, unit=unit, times=times))

    def fed(
        self, chance: np.random.Generator, *, routing: str, unit: str, times: float = 1.0
    ) -> Iterator[tuple[int, int]]:
        """Yield each bad event that is fed: the number of its call, and 1 if it was unified's. See ``calls_to_trip``."""
        weights = np.arange(1, self.count + 1) ** -self.zipf
        tenants = chance.choice(self.count, self.calls, p=weights / weights.sum())
        rates = np.where(chance.random(self.count) < self.noisy, self.noisy_rate, self.base)
        is_unified = self._sides(chance, tenants, routing)
        bad = chance.random(self.calls) < np.minimum(1.0, rates[tenants] * np.where(is_unified, times, 1.0))
        units = FirstPerUnit(every_s=float(self.slot) if unit == "slot" else None)
        for at in np.flatnonzero(bad).tolist():
            if unit == "call" or units.is_first(str(tenants[at]), at_s=float(at)):
                yield at, int(is_unified[at])

    def _sides(self, chance: np.random.Generator, tenants: np.ndarray, routing: str) -> np.ndarray:
        if routing == "call":
            return chance.random(self.calls) < self.share
        if routing == "sticky":
            return (chance.random(self.count) < self.share)[tenants]
        slots = np.arange(self.calls) // self.slot
        return (chance.random((self.calls // self.slot + 1, self.count)) < self.share)[slots, tenants]


def trips_at(rule: RatioRule, share: float, fed: Iterable[tuple[int, int]]) -> int | None:
    """Return after how many calls a guard trips that is fed with these bad events at *share*; None if it never does."""
    guard = RatioGuard.begun(rule, share=share)
    for at, of_unified in fed:
        guard = guard.after(share=share, unified=of_unified, legacy=1 - of_unified)
        if of_unified and guard.is_tripped:
            return at + 1
    return None
