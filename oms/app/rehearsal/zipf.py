"""Popularity: few things are asked for often, most seldom."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Zipf(Generic[T]):
    """Chooses among *items*, the most popular first, item n with a weight of ``n ** -exponent``.

    Source: Zipf's law; 0 would make all equal, web traffic is measured at 0.6 to 1.0.
    """

    def __init__(self, items: Sequence[T], *, exponent: float, chance: random.Random) -> None:
        self._items = items
        self._weights = list(itertools.accumulate(n**-exponent for n in range(1, len(items) + 1)))
        self._chance = chance

    def choose(self) -> T:
        """Return one item."""
        return self._chance.choices(self._items, cum_weights=self._weights)[0]
