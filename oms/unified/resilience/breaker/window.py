"""How many calls succeeded and failed lately."""

from __future__ import annotations

from oms.unified.resilience.tally import Tally

BUCKETS = 10
"""Parts of a window; the oldest one falls out as a whole."""


class _Bucket:
    """One tenth of a window."""

    __slots__ = ("failures", "index", "successes")

    def __init__(self, index: int) -> None:
        self.index, self.successes, self.failures = index, Tally(), 0


class SlidingWindow:
    """Calls of the last *length_s* seconds in ten buckets. Its owner holds a lock around every method, not around :attr:`succeed`.

    Attributes:
        succeed: Counts a success, in the bucket of the last turn. Who counts at ``ends_at`` or later calls ``turn`` first.
        ends_at: Second at which the present bucket ends.
    """

    __slots__ = ("_buckets", "_width", "ends_at", "succeed")

    def __init__(self, length_s: float) -> None:
        self._width = length_s / BUCKETS
        self.clear()

    def clear(self) -> None:
        """Forget every call."""
        self._buckets: list[_Bucket] = []
        self.ends_at = float("-inf")
        self.succeed = Tally().step

    def turn(self, now: float) -> _Bucket:
        """Return the bucket of *now*, seconds of a clock; one that steps back all the same counts into the newest bucket."""
        index = int(now / self._width)
        if not self._buckets or index > self._buckets[-1].index:
            self._buckets.append(_Bucket(index))
            self._drop_before(index - BUCKETS + 1)
            self.ends_at = (index + 1) * self._width
            self.succeed = self._buckets[-1].successes.step
        return self._buckets[-1]

    def fail(self, now: float) -> None:
        """Count a failure at *now*."""
        self.turn(now).failures += 1

    def totals(self, now: float) -> tuple[int, int]:
        """Return successes and failures of the window that ends at *now*."""
        self._drop_before(int(now / self._width) - BUCKETS + 1)
        if not self._buckets:
            self.clear()
        return sum(one.successes.read() for one in self._buckets), sum(one.failures for one in self._buckets)

    def _drop_before(self, index: int) -> None:
        while self._buckets and self._buckets[0].index < index:
            del self._buckets[0]
