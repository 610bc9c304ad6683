"""The calls of a cache in Redis, each written once for the plain and the async client: as a generator of commands."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from oms.seams.cache import Value
from oms.unified.cache.backend import MISSING
from oms.unified.cache.counts import Counts
from oms.unified.cache.fork import renew_in_child
from oms.unified.cache.redis.envelope import Unreadable, dumps, loads
from oms.unified.cache.redis.names import Names
from oms.unified.cache.redis.outage import Debts, Outage

_WALK = 10
"""Steps of SCAN that one call adds to the removal of a doubtful namespace, so that none pays for all of it."""

Command = tuple[Any, ...]
Steps = Generator[Command, Any, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One call of the cache, written once for both clients.

    Attributes:
        name: What the caller wanted, for messages.
        steps: Yields commands (method name and arguments), is sent their replies, returns the answer.
        otherwise: The answer if Redis fails.
        writes: The names that must be doubted if it does; None for all of them, empty for a read.
        bounded: False for a walk over the namespace, which takes as long as it takes, each step within the deadline.
        strict: Raise instead of answering *otherwise*.
        reads: How many keys are looked up, all of them misses if Redis fails.
    """

    name: str
    steps: Steps
    otherwise: Any
    writes: tuple[bytes, ...] | None = ()
    bounded: bool = True
    strict: bool = False
    reads: int = 0


class Calls:
    """Makes the tasks of one namespace.

    Args:
        namespace: Of the cache.
        outage: What is owed to Redis; every call pays first.
        counts: Where hits, misses and removals are counted.
    """

    def __init__(self, namespace: str, outage: Outage, counts: Counts) -> None:
        self._names = Names(namespace)
        self._outage = outage
        self._counts = counts
        self._renew()
        renew_in_child(self._renew)

    def get(self, key: str) -> Task:
        """Look *key* up: its value, or MISSING."""
        name = self._names.of(key)

        def steps() -> Steps:
            yield from self._settle()
            data = None if self._outage.doubts(name) else (yield "read", name)
            return self._counted([self._opened(data)])[0]

        return Task("get", steps(), MISSING, reads=1)

    def get_many(self, keys: Iterable[str]) -> Task:
        """Look *keys* up: what is held of them, in their order."""
        names = {key: self._names.of(key) for key in keys}

        def steps() -> Steps:
            yield from self._settle()
            data = (yield "read_many", list(names.values())) if names else []
            values = [
                MISSING if self._outage.doubts(name) else self._opened(found)
                for name, found in zip(names.values(), data, strict=True)
            ]
            return {key: value for key, value in zip(names, self._counted(values), strict=True) if value is not MISSING}

        return Task("get_many", steps(), {}, reads=len(names))

    def set_many(self, items: Mapping[str, Value], ttl_s: float | None) -> Task:
        """Keep *items* for *ttl_s* seconds: True. Raises ValueNotStorable here, before anything is asked."""
        # What expires at once is never stored, so it need not be storable.
        data = {self._names.of(key): b"" if ttl_s == 0 else dumps(value) for key, value in items.items()}

        def steps() -> Steps:
            yield from self._settle()
            if data and ttl_s == 0:
                self.count("expired", (yield "remove", list(data)))
            elif data:
                yield (
                    ("write_many", data, _ms(ttl_s))
                    if len(data) > 1
                    else ("write", *next(iter(data.items())), _ms(ttl_s))
                )
                self.count("sets", len(data))
            return True

        return Task("set", steps(), False, writes=tuple(data))

    def delete(self, key: str) -> Task:
        """Remove *key*: whether there was something."""
        name = self._names.of(key)

        def steps() -> Steps:
            yield from self._settle()
            removed = yield "remove", [name]
            self.count("deleted", removed)
            return removed > 0

        return Task("delete", steps(), False, writes=(name,))

    def exists(self, key: str) -> Task:
        """See whether *key* is held."""
        name = self._names.of(key)

        def steps() -> Steps:
            yield from self._settle()
            return False if self._outage.doubts(name) else (yield "holds", name)

        return Task("exists", steps(), False)

    def clear(self) -> Task:
        """Remove every key of the namespace."""

        def steps() -> Steps:
            debts = self._outage.debts()
            cursor = -1
            while cursor != 0:
                cursor = yield from self._walk_on(max(cursor, 0))
            self._outage.settle(debts)

        return Task("clear", steps(), None, writes=None, bounded=False)

    def forget(self, key: str | None) -> Task:
        """Remove *key*, everything if None; strict, whatever the cache is."""
        return replace(self.clear() if key is None else self.delete(key), name="forget", strict=True)

    # -- what an earlier failure left to do

    def _settle(self) -> Steps:
        """Remove what this process has written in vain, before anything else is asked."""
        debts = self._outage.debts()
        if debts.everything is not None:
            yield from self._settle_everything(debts)
        elif debts:
            yield "remove", list(debts.names)
            self._outage.settle(debts)

    def _settle_everything(self, debts: Debts) -> Steps:
        cursor = debts.cursor
        for _ in range(_WALK):
            cursor = yield from self._walk_on(cursor)
            if cursor == 0:
                self._outage.settle(debts)
                return
        self._outage.walked(debts, cursor)

    def _walk_on(self, cursor: int) -> Steps:
        cursor, names = yield "scan", cursor, self._names.pattern
        if names:
            self.count("cleared", (yield "remove", names))
        return cursor

    def _opened(self, data: bytes | None) -> Value:
        if data is None:
            return MISSING
        try:
            return loads(data)
        except Unreadable:
            self.count("errors", 1)
            return MISSING

    def _counted(self, values: list[Value]) -> list[Value]:
        misses = sum(value is MISSING for value in values)
        self.count("misses", misses)
        self.count("hits", len(values) - misses)
        return values

    def count(self, total: str, by: int) -> None:
        """Add *by* to the running total called *total*."""
        with self._lock:
            setattr(self._counts, total, getattr(self._counts, total) + by)

    def _renew(self) -> None:
        self._lock = Lock()


def _ms(ttl_s: float | None) -> int | None:
    return None if ttl_s is None else math.ceil(ttl_s * 1000)
