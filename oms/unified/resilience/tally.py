"""A count that every successful call can afford: one step of an ``itertools.count``, which no other thread can interrupt."""

from __future__ import annotations

import itertools
from collections.abc import Callable


class Tally:
    """Counts up without a lock.

    Attributes:
        step: Adds one. Call it without arguments and ignore what it returns.
    """

    __slots__ = ("_readings", "step")

    def __init__(self) -> None:
        self.step: Callable[[], int] = itertools.count().__next__
        self._readings = 0

    def read(self) -> int:
        """Return how often ``step`` was called. A reading is a step too, so its caller holds a lock around it."""
        steps = self.step() - self._readings
        self._readings += 1
        return steps
