"""What it is like out there, call by call: errors, outages and slowness that are nobody's fault, and the noise of each side."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import NormalDist

from oms.domain.stage import Side

_NORMAL = NormalDist()
_OUTAGES = 3
_MASK = (1 << 64) - 1
_STREAMS = {"common": 0, "own": 1, "odd": 3, "time": 5}
"""Numbers of the streams of luck; those of one side alone take two each."""


class Unavailable(Exception):
    """The store behind both sides does not answer, or one side has trouble of its own."""


@dataclass(frozen=True, slots=True)
class World:
    """One seeded day. What happens to a call depends on its number alone, so both sides of it live in the same world.

    The shapes are those of the reference simulations: an error level that rises tenfold over the ramp, outages of both sides, lognormal
    durations with a p99 at 6.4 times the median, which get half as long again over the day.

    Attributes:
        begin_s: When it begins, Unix time in seconds.
        length_s: Over how many seconds the level of errors and the durations rise.
        errors: Share of the calls that fail on both sides, at the beginning and at the end.
        outage_errors: The same in an outage.
        outage_s: How long one takes, in seconds.
        own_errors: Share of the calls that fail on one side alone, on each.
        own_values: Share of the answers that differ although nothing is wrong.
        median_s, sigma: Of the durations at the beginning.
    """

    seed: int
    begin_s: float
    length_s: float = 3_600.0
    errors: tuple[float, float] = (0.005, 0.05)
    outage_errors: float = 0.3
    outage_s: float = 60.0
    own_errors: float = 1e-4
    own_values: float = 1e-4
    median_s: float = 0.020
    sigma: float = 0.8
    outages: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)
        starts = sorted(self.begin_s + chance.random() * self.length_s for _ in range(_OUTAGES))
        object.__setattr__(self, "outages", tuple(starts))

    def meet(self, side: Side, number: int, at_s: float, spend: Callable[[float], None]) -> None:
        """Let call *number* take its time on *side*.

        Raises:
            Unavailable: if it fails.
        """
        spend(self.duration_s(side, number, at_s))
        if self._luck("common", number) < self.common_errors(at_s) or self._luck("own", number, side) < self.own_errors:
            raise Unavailable("the store does not answer")

    def is_odd(self, side: Side, number: int) -> bool:
        """Tell whether *side* answers call *number* a little differently."""
        return self._luck("odd", number, side) < self.own_values / 2

    def common_errors(self, at_s: float) -> float:
        """Return the share of the calls that fail on both sides at *at_s*."""
        if any(start <= at_s < start + self.outage_s for start in self.outages):
            return self.outage_errors
        low, high = self.errors
        return low * math.exp(math.log(high / low) * self._progress(at_s))

    def duration_s(self, side: Side, number: int, at_s: float) -> float:
        """Return how long call *number* takes on *side*, in seconds."""
        z = _NORMAL.inv_cdf(self._luck("time", number, side))
        return self.median_s * (1.0 + self._progress(at_s) / 2) * math.exp(self.sigma * z)

    def _progress(self, at_s: float) -> float:
        return min(1.0, max(0.0, (at_s - self.begin_s) / self.length_s))

    def _luck(self, what: str, number: int, side: Side = Side.LEGACY) -> float:
        """Return a number above 0 and below 1 that depends on nothing but the seed and these three."""
        stream = _STREAMS[what] + (side is Side.UNIFIED)
        return ((_mixed(_mixed(self.seed * 64 + stream) ^ number) >> 12) + 0.5) / 2**52


def _mixed(x: int) -> int:
    """Return 64 bits that look like chance, one to one. Source: splitmix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)
