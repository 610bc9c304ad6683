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


Arguments = tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class LastWrite:
    """The last write of a key that reached both sides.

    Attributes:
        at_s: When, in seconds of the performance counter.
        arguments: Its arguments other than key and value.
        removes: True if there is nothing under the key since.
    """

    at_s: float
    arguments: Arguments
    removes: bool


class KeyBook:
    """Bookkeeping of one binding's keys. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight: dict[str | None, InFlight] = {}
        self._stamp = 0
        self._stamps = [0] * _STRIPES
        self._everything_stamp = 0
        self._last: dict[str, LastWrite] = {}
        self._floor: LastWrite | None = None
        self._present = 0
        self.fuller: Side | None = None
        """The side that holds keys of the time before the other one was emptied."""
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
            entry.authorities.add(authority)
            # A write without a key crosses every other one.
            others = self._in_flight if key is EVERYTHING else (key, EVERYTHING)
            crossing = [self._in_flight[other] for other in others if other in self._in_flight]
            if len(crossing) > 1 or entry.count > 1:
                authorities = set().union(*(other.authorities for other in crossing))
                for other in crossing:
                    other.overlapped = True
                    other.authorities |= authorities
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
        if key is EVERYTHING and self._stamp > since:
            return True
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

    def wrote(self, key: str | None, arguments: Arguments, *, removes: bool) -> None:
        """Both sides took a write of *key* with *arguments* (those other than key and value)."""
        now = time.perf_counter()
        with self._lock:
            if key is EVERYTHING:
                self._empty_locked(now if removes else None)
                self.fuller = None if removes else self.fuller
                return
            self._drop_locked(key)
            if len(self._last) >= MAX_KEYS:
                self._drop_locked(next(iter(self._last)))
                self._floor = None
            self._last[key] = LastWrite(now, arguments, removes)
            self._present += not removes

    def unknown(self, key: str | None) -> None:
        """The sides may differ for *key*: nothing is known of its last write any more."""
        with self._lock:
            if key is EVERYTHING:
                self._empty_locked(None)
            else:
                self._drop_locked(key)

    def last_write(self, key: str | None) -> LastWrite | None:
        """Return the last write of *key* that reached both sides, None if it is not known."""
        known = self._last.get(key) if key is not None else None
        return known or self._floor

    @property
    def keys_written(self) -> int:
        """How many keys were written, and not removed, on both sides since they were last emptied."""
        return self._present

    def _drop_locked(self, key: str) -> None:
        known = self._last.pop(key, None)
        self._present -= known is not None and not known.removes

    def _empty_locked(self, emptied_s: float | None) -> None:
        """Forget every key; *emptied_s* is when both sides were emptied by a write, None if only one side was."""
        self._last.clear()
        self._present = 0
        self._floor = LastWrite(emptied_s, (), True) if emptied_s is not None else None

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
                self._empty_locked(None)
                self.fuller = side.other
            else:
                if owed.get(key) == debt:
                    del owed[key]
                self._drop_locked(key)
            return key not in owed
