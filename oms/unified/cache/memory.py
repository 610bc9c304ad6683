"""A bounded cache in the memory of this process."""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

from oms.seams.cache import Value
from oms.unified.cache.backend import MISSING, CacheStorageBackend, check_key
from oms.unified.cache.copies import seal, share
from oms.unified.cache.errors import CacheConfigInvalid
from oms.unified.cache.fork import renew_in_child

_SWEEP = 16
"""Most expired entries that one ``set`` removes, so that a mass expiry is not paid by one caller."""

_SLACK = 64
"""Outdated deadlines that may always lie in the heap, whatever the cache's size."""

_Entry = tuple[Any, Callable[[Any], Any] | None, float | None]


class MemoryBackend(CacheStorageBackend):
    """Keeps the *max_size* most recently used values, each for its time to live. Thread-safe; fork-safe.

    ``get`` and ``set`` touch an entry's place, ``exists`` does not. Expired entries are never answered: they go when somebody asks for
    them, and a few with each ``set``, before anything alive is evicted. Nothing ever walks over all entries but a rare rebuild of the
    heap of deadlines, once in as many sets as there are entries.

    Args:
        max_size: Most entries, 1 or more.
        clock: Monotonic seconds.
        copy: False hands out the very objects that were stored; the callers then promise to change nothing.

    Raises:
        CacheConfigInvalid: if *max_size* is below 1.
    """

    process_local = True
    max_size: int

    def __init__(self, max_size: int = 1000, *, clock: Callable[[], float] = time.monotonic, copy: bool = True) -> None:
        super().__init__()
        if max_size < 1:
            raise CacheConfigInvalid("max_size", found=str(max_size), wanted="1 or more")
        self.max_size = max_size
        self._clock = clock
        self._seal = seal if copy else share
        self._lock = Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._deadlines: list[tuple[float, str]] = []
        renew_in_child(self._renew)

    @property
    def size(self) -> int:
        """Entries held now, expired ones that nobody asked for included."""
        return len(self._entries)

    def answer(self, key: str, missing: Value = None) -> Value:
        """Return the value under *key*, or *missing*."""
        # Not `with`: entering a lock by its context manager costs three times as much, and as much as all the rest of a hit.
        self._lock.acquire()
        try:
            entry = self._entries.get(key)
            if entry is None:
                # Only here: a key that is not a text is never held, so a hit need not look at its type.
                if key.__class__ is not str:
                    check_key(key)
                self.counts.misses += 1
                return missing
            kept, copier, deadline = entry
            if deadline is not None and deadline <= self._clock():
                self._expired_locked(key)
                return missing
            self._entries.move_to_end(key)
            self.counts.hits += 1
        finally:
            self._lock.release()
        if copier is None:
            return kept
        try:
            return copier(kept)
        except Exception:
            # A class whose pickles cannot be read back: no answer is better than a wrong one.
            self._unreadable(key, entry)
            return missing

    def get_sync(self, key: str) -> Value:
        """Return the value under *key*, or MISSING."""
        return self.answer(key, MISSING)

    def set_sync(self, key: str, value: Value, ttl_s: float | None) -> bool:
        """Keep *value* under *key* for *ttl_s* seconds. True always.

        Raises:
            ValueNotStorable: if *value* cannot be copied.
        """
        check_key(key)
        if ttl_s == 0:
            self._expire(key)
            return True
        kept, copier = self._seal(value)
        deadline = None if ttl_s is None else self._clock() + ttl_s
        with self._lock:
            self.counts.sets += 1
            if self._entries.pop(key, None) is not None:
                self.counts.replaced += 1
            self._entries[key] = (kept, copier, deadline)
            if deadline is not None:
                self._remember_locked(deadline, key)
            if self._deadlines:
                self._sweep_locked()
            if len(self._entries) > self.max_size:
                self._entries.popitem(last=False)
                self.counts.evicted += 1
        return True

    def delete_sync(self, key: str) -> bool:
        """Remove *key*. Return whether there was something."""
        check_key(key)
        with self._lock:
            entry = self._entries.pop(key, None)
            if entry is None:
                return False
            gone = self._is_over(entry)
            if gone:
                self.counts.expired += 1
            else:
                self.counts.deleted += 1
            return not gone

    def exists_sync(self, key: str) -> bool:
        """Tell whether *key* is held, without touching its place in the order of eviction."""
        check_key(key)
        entry = self._entries.get(key)
        return entry is not None and not self._is_over(entry)

    def clear_sync(self) -> None:
        """Remove everything."""
        with self._lock:
            self.counts.cleared += len(self._entries)
            self._entries.clear()
            self._deadlines.clear()

    async def get(self, key: str) -> Value:
        """Return the value under *key*, or MISSING."""
        return self.get_sync(key)

    async def set(self, key: str, value: Value, ttl_s: float | None) -> bool:
        """Keep *value* under *key* for *ttl_s* seconds. Raises as ``set_sync`` does."""
        return self.set_sync(key, value, ttl_s)

    async def delete(self, key: str) -> bool:
        """Remove *key*. Return whether there was something."""
        return self.delete_sync(key)

    async def exists(self, key: str) -> bool:
        """Tell whether *key* is held, without touching its place in the order of eviction."""
        return self.exists_sync(key)

    async def clear(self) -> None:
        """Remove everything."""
        self.clear_sync()

    def _is_over(self, entry: _Entry) -> bool:
        return entry[2] is not None and entry[2] <= self._clock()

    def _expired_locked(self, key: str) -> None:
        del self._entries[key]
        self.counts.expired += 1
        self.counts.misses += 1

    def _unreadable(self, key: str, entry: _Entry) -> None:
        with self._lock:
            if self._entries.get(key) is entry:
                del self._entries[key]
            self.counts.errors += 1
            self.counts.hits -= 1
            self.counts.misses += 1

    def _expire(self, key: str) -> None:
        with self._lock:
            if self._entries.pop(key, None) is not None:
                self.counts.expired += 1

    def _remember_locked(self, deadline: float, key: str) -> None:
        heapq.heappush(self._deadlines, (deadline, key))
        if len(self._deadlines) > 2 * len(self._entries) + _SLACK:
            self._deadlines = [(entry[2], key) for key, entry in self._entries.items() if entry[2] is not None]
            heapq.heapify(self._deadlines)

    def _sweep_locked(self) -> None:
        now = self._clock()
        for _ in range(_SWEEP):
            if not self._deadlines or self._deadlines[0][0] > now:
                return
            deadline, key = heapq.heappop(self._deadlines)
            entry = self._entries.get(key)
            # The key may have been set again since, with another deadline.
            if entry is not None and entry[2] == deadline:
                del self._entries[key]
                self.counts.expired += 1

    def _renew(self) -> None:
        # Each step above leaves the entries usable; only the lock can be inherited in the hands of a thread that is not there.
        self._lock = Lock()
