"""Counting units instead of calls: of each key's bad events in a while, the first."""

from __future__ import annotations

import math

from oms.domain.guardrails.reading import wanted, whole


def is_next_slot(slot: float, newest: float) -> bool:
    """Tell whether *slot* begins anew after *newest*, both numbers of slots.

    A clock that goes back by a slot stays in the newest one. By more it was set, and whoever waited until it is there again would count
    nothing that it knows for a year, if it once ran a year ahead.
    """
    return slot > newest or slot < newest - 1


class FirstPerUnit:
    """Lets the first event of a key in each slot of time through, within bounded memory. For one thread.

    Routing is sticky on the targeting key, so all calls of a noisy tenant fall on one side: fed call by call they are one coin counted many
    times. A slot is ``every_s`` of the clock, begun at its multiples; None means once and for all. When *limit* keys were seen in a slot,
    later ones are not let through, whichever side they are on: that costs delay, not validity.

    Within one slot the units are independent. From slot to slot the same key falls on the same side again: see docs/evidence.md for what that
    costs in false alarms, and lean on pairs where there are any.
    """

    __slots__ = ("_every_s", "_limit", "_seen", "_slot", "refused")

    def __init__(self, *, every_s: float | None = 600.0, limit: int = 100_000) -> None:
        if every_s is not None:
            wanted("every", every_s, above=0.0, below=math.inf)
        whole("limit", limit, least=1)
        self._every_s = every_s
        self._limit = limit
        self._slot = -math.inf
        self._seen: set[int] = set()
        self.refused = 0
        """First events that the bound kept out."""

    def is_first(self, key: str | None, *, at_s: float) -> bool:
        """Tell whether this is the first event of *key* in the slot of *at_s*, and remember it.

        A call without a key was not routed by the share, so it is never let through. A clock that goes back, see :func:`is_next_slot`.
        """
        if key is None:
            return False
        self._turn(at_s)
        # A hash is enough, and nobody's key is kept in memory for it.
        unit = hash(key)
        if unit in self._seen:
            return False
        if len(self._seen) >= self._limit:
            self.refused += 1
            return False
        self._seen.add(unit)
        return True

    def _turn(self, at_s: float) -> None:
        slot = 0.0 if self._every_s is None else at_s // self._every_s
        if is_next_slot(slot, self._slot):
            self._slot = slot
            self._seen.clear()
