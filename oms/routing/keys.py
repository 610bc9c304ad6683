"""What is known of each key of a binding: writes in flight, the last write, and what a side must forget before it is used again."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from oms.domain.stage import Side

MAX_KEYS = 20_000
"""Keys whose last write is remembered, per binding. A key beyond that counts as never written."""

MAX_STALE = 10_000
"""Keys that a side may owe to forget, one by one; beyond that it must forget everything."""

EVERYTHING = None
"""The key of a write that has none, and of a repair that covers the whole side."""

_STRIPES = 4096


@dataclass(slots=True)
class InFlight:
    """Writes of one key that have begun and not ended."""

    count: int = 0
    overlapped: bool = False
    authorities: set[Side] = field(default_factory=set)


class KeyBook:
    """Bookkeeping of one binding's keys. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight: dict[str | None, InFlight] = {}
        self._stamp = 0
        self._stamps = [0] * _STRIPES
        self._everything_stamp = 0
        self._last: dict[str, tuple[float, tuple[tuple[str, object], ...]]] = {}
        self._floor: float | None = None
        self._debts = 0
        self.owed_by: dict[Side, dict[str | None, int]] = {side: {} for side in Side}
        """What each side owes to forget: key to the debt's number. Read freely, changed only here."""

    def reset_locks(self) -> None:
        """In a forked child: writes of the parent's other threads are not in flight here."""
        self._lock = threading.Lock()
        self._in_flight.clear()

    # -- writes in flight

    def enter(self, key: str | None, authority: Side) -> None:
        """A write of *key* begins; *authority* answers it."""
        with self._lock:
            entry = self._in_flight.setdefault(key, InFlight())
            entry.count += 1
            entry.overlapped = entry.overlapped or entry.count > 1
            entry.authorities.add(authority)
            self._touch_locked(key)

    def leave(self, key: str | None) -> frozenset[Side] | None:
        """A write of *key* ended. Return the authorities of all writes that overlapped, if this is the last one out of several; else None."""
        with self._lock:
            entry = self._in_flight.setdefault(key, InFlight(1))
            entry.count -= 1
            self._touch_locked(key)
            if entry.count:
                return None
            del self._in_flight[key]
            return frozenset(entry.authorities) if entry.overlapped else None

    def stamp(self) -> int:
        """Return the present moment, to ask ``raced`` about later."""
        return self._stamp

    def is_raced(self, key: str | None, since: int) -> bool:
        """Tell whether *key* was written, or is being written, after the moment *since*."""
        if self._everything_stamp > since or self._stamps[hash(key) % _STRIPES] > since:
            return True
        return bool(self._in_flight) and (key in self._in_flight or EVERYTHING in self._in_flight)

    def _touch_locked(self, key: str | None) -> None:
        self._stamp += 1
        if key is EVERYTHING:
            self._everything_stamp = self._stamp
        else:
            self._stamps[hash(key) % _STRIPES] = self._stamp

    # -- the last write that reached both sides

    def wrote(self, key: str | None, arguments: tuple[tuple[str, object], ...]) -> None:
        """Both sides took a write of *key* with *arguments* (those other than key and value)."""
        now = time.perf_counter()
        with self._lock:
            if key is EVERYTHING:
                self._last.clear()
                self._floor = now
                return
            if key not in self._last and len(self._last) >= MAX_KEYS:
                self._last.pop(next(iter(self._last)))
                self._floor = None
            self._last[key] = (now, arguments)

    def unknown(self, key: str | None) -> None:
        """The sides may differ for *key*: nothing is known of its last write any more."""
        with self._lock:
            if key is EVERYTHING:
                self._last.clear()
                self._floor = None
            else:
                self._last.pop(key, None)

    def last_write(self, key: str | None) -> tuple[float | None, tuple[tuple[str, object], ...], int]:
        """Return when *key* was last written on both sides, with which arguments, and how many keys were.

        The time is in seconds of the performance counter, None if it is not known.
        """
        entry = self._last.get(key) if key is not None else None
        if entry is None:
            return self._floor, (), len(self._last)
        return entry[0], entry[1], len(self._last)

    # -- what a side owes to forget

    def owe(self, side: Side, key: str | None) -> None:
        """Note that *side* must forget *key* before it is used for it again."""
        with self._lock:
            self._debts += 1
            owed = self.owed_by[side]
            owed[EVERYTHING if len(owed) >= MAX_STALE else key] = self._debts

    def owed(self, side: Side, key: str | None) -> tuple[tuple[str | None, int], ...]:
        """Return what *side* must forget before it is used for *key*, each with its debt; an operation without a key needs all of it."""
        with self._lock:
            owed = self.owed_by[side]
            if EVERYTHING in owed:
                return ((EVERYTHING, owed[EVERYTHING]),)
            if key is EVERYTHING:
                return tuple(owed.items())
            return ((key, owed[key]),) if key in owed else ()

    def settled(self, side: Side, key: str | None, debt: int) -> bool:
        """*side* forgot *key*. What came to be owed after *debt* stays owed. Return whether nothing is owed for *key* now."""
        with self._lock:
            owed = self.owed_by[side]
            if key is EVERYTHING:
                for paid in [other for other, number in owed.items() if number <= debt]:
                    del owed[paid]
                self._last.clear()
                self._floor = None
            else:
                if owed.get(key) == debt:
                    del owed[key]
                self._last.pop(key, None)
            return key not in owed
