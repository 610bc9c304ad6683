"""Counting targeting keys instead of calls: in a split all calls of a key fall on one stage, one coin for all of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from oms.domain.guardrails import FirstPerUnit, is_next_slot
from oms.domain.histogram import bucket_of
from oms.routing.contain import INSIDE
from oms.routing.scopes import CURRENT

SLOT_S = 600.0
"""A unit is a key in a slot of this many seconds, begun at its multiples. Source: the reference policy."""

MAX_UNITS = 20_000
"""Units that are told apart in one slot of one cell; later ones are left out, which costs delay and not validity."""

_SEEN_ONE_OF = 8

NEVER: Final = 1 << 62
"""Nanoseconds that no answer takes."""


class UnitBook:
    """The units of one cell: which have failed in this slot, and what the slowest answer of each was. For any thread.

    It sleeps until ``begin``: where everybody stands at one stage there is nothing to compare.

    Attributes:
        line_ns: Only answers that take longer are looked at, so that a fast call pays one comparison. It is drawn near legacy's 80th
            percentile, well below what guards call slow; before that is known every answer is looked at.
    """

    __slots__ = (
        "_buckets",
        "_clock",
        "_count",
        "_drained",
        "_failed",
        "_limit",
        "_lock",
        "_seen",
        "_slot",
        "_slowest",
        "is_counting",
        "line_ns",
    )

    def __init__(
        self, count: Callable[[str], None], *, limit: int = MAX_UNITS, clock: Callable[[], float] = time.time
    ) -> None:
        """Tell failed units to *count*, as ``unit_errors``; slots are those of *clock*, Unix time in seconds."""
        self._count, self._clock = count, clock
        self._limit = limit
        self.is_counting = False
        self.line_ns = NEVER
        self.forget()

    def forget(self) -> None:
        """Start from nothing with a new lock, as a forked child does; what counts goes on counting."""
        self._lock = threading.Lock()
        self._slot = 0.0
        self._slowest: dict[int, int] = {}
        self._failed = FirstPerUnit(every_s=SLOT_S, limit=self._limit)
        self._seen = FirstPerUnit(every_s=None, limit=self._limit)
        self._buckets: Counter[int] = Counter()
        self._drained: Counter[int] = Counter()

    def begin(self) -> None:
        """Count from now on."""
        if not self.is_counting:
            self.is_counting, self.line_ns = True, 0

    def slow(self, took_ns: int) -> None:
        """The control of a call in this thread or task took *took_ns*, which is more than the line."""
        key = _key()
        if key is None:
            return
        bucket, unit, at_s = bucket_of(took_ns), hash(key), self._clock()
        with self._lock:
            self._turn_locked(at_s)
            before = self._slowest.get(unit)
            if before is None:
                if len(self._slowest) >= self._limit:
                    return
            elif before >= bucket:
                return
            else:
                self._buckets[before] -= 1
            self._slowest[unit] = bucket
            self._buckets[bucket] += 1

    def failed(self) -> None:
        """The control of a call in this thread or task raised."""
        if not self.is_counting:
            return
        key, at_s = _key(), self._clock()
        with self._lock:
            is_first = self._failed.is_first(key, at_s=at_s)
        if is_first:
            self._count("unit_errors")

    def seen(self, key: str | None) -> None:
        """A call of *key*, which :func:`is_sampled`, was decided. Each key counts once, for all its calls are one coin."""
        if not self.is_counting:
            return
        with self._lock:
            is_first = self._seen.is_first(key, at_s=0.0)
        if is_first:
            self._count("units")

    def drain(self) -> dict[int, int]:
        """Return how the buckets have changed since the last time; a unit that became slower is taken out of its old one."""
        with self._lock:
            now = self._buckets
            fresh = {
                bucket: count - self._drained[bucket] for bucket, count in now.items() if count != self._drained[bucket]
            }
            self._drained = now.copy()
        return fresh

    def _turn_locked(self, at_s: float) -> None:
        slot = at_s // SLOT_S
        if is_next_slot(slot, self._slot):
            self._slot = slot
            self._slowest.clear()


def is_sampled(key: str | None) -> bool:
    """Tell whether *key* is one of the few whose place in a split is counted. It has nothing to do with where it falls there."""
    return key is not None and hash(key) % _SEEN_ONE_OF == 0


def _key() -> str | None:
    """Return the key that the present call was routed by; None outside of scopes, and within a candidate, whose calls are nobody's."""
    scope = CURRENT.get()
    return None if scope is None or INSIDE.get() else scope.targeting_key
