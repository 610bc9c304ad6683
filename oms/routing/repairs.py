"""Repairs: a side that missed a write, or took one that nobody acknowledged, forgets the key before it is used for it again.

A miss is always right; an older value never is. A debt (``KeyBook.owe``) is what has to be forgotten; a repair is a
debt that came from a fault, and so is shown to people and kept in the journal until it is paid.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from oms.domain.record import Repair
from oms.domain.stage import Side
from oms.routing.binding import Binding
from oms.routing.contain import CONTAINED, is_own_cancellation
from oms.routing.keys import EVERYTHING, KeyBook
from oms.routing.tally import Ledger

_IDS = itertools.count(1)


class Repairs:
    """What the sides of one binding owe to forget, and how they come to forget it."""

    def __init__(self, binding: Binding, keys: KeyBook, ledger: Ledger, changed: Callable[[Side], None]) -> None:
        """Keep the repairs of *binding*; *changed* is told of a side that owes something, or nothing any more."""
        self._changed = changed
        self._binding = binding
        self._keys = keys
        self._ledger = ledger
        self._lock = threading.Lock()
        self._open: dict[tuple[Side, str | None], Repair] = {}

    @property
    def open_count(self) -> int:
        """Repairs not yet done."""
        return len(self._open)

    def reset_locks(self) -> None:
        """In a forked child: a lock that another thread of the parent held must not stay held here."""
        self._lock = threading.Lock()

    def open(self, side: Side, key: str | None) -> None:
        """A write of *key* failed or was cut on *side*."""
        self._keys.owe(side, key)
        self._keys.unknown(key)
        with self._lock:
            if (side, key) in self._open:
                return
            seam = self._binding.seam
            repair = Repair(
                next(_IDS),
                seam.phase.name,
                seam.name,
                side.value,
                key,
                time.time(),
                None,
                self._binding.is_process_local(side),
            )
            self._open[side, key] = repair
        self._ledger.repair(repair)
        self._changed(side)

    def settle(self, side: Side, key: str | None) -> bool:
        """Make *side* forget what it owes for *key*. Return whether it can be used for it now."""
        usable = True
        for owed, debt in self._keys.owed(side, key):
            try:
                self._binding.sides[side].forget(owed)
            except CONTAINED:
                self.open(side, owed)
                usable = False
            else:
                self._paid(side, owed, debt)
        return usable

    async def asettle(self, side: Side, key: str | None) -> bool:
        """Do what ``settle`` does where the port is async."""
        usable = True
        for owed, debt in self._keys.owed(side, key):
            try:
                await self._binding.sides[side].aforget(owed)
            except CONTAINED as error:
                if is_own_cancellation(error):
                    raise
                self.open(side, owed)
                usable = False
            else:
                self._paid(side, owed, debt)
        return usable

    def _paid(self, side: Side, key: str | None, debt: int) -> None:
        if not self._keys.settled(side, key, debt):
            return
        with self._lock:
            done = [place for place in self._open if place[0] is side and (key is EVERYTHING or place[1] == key)]
            closed = [replace(self._open.pop(place), closed_at=time.time()) for place in done]
        for repair in closed:
            self._ledger.repair(repair)
        if not self._keys.owed_by[side]:
            self._changed(side)
