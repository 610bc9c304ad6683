"""Caches (roadmap 2.3): one port, three places where the monolith remembers things."""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol

from oms.domain.comparison import Difference
from oms.domain.known import Predicate
from oms.domain.observation import Explain, Facts, Observation, Returned
from oms.domain.phase import Phase, reads, writes
from oms.domain.stage import Stage

Value = Any
Ttl = float | dt.timedelta | None
"""Seconds (0 or more), a timedelta, or None for the cache's default."""


class Cache(Protocol):
    """Remembers values under a key for a while."""

    @reads(rescue=True)
    def get(self, key: str) -> Value | None:
        """Return the value under *key*, or None if absent or expired."""

    @writes(key="key")
    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Remember *value* under *key* for *ttl*: seconds, a timedelta, or None for the cache's default. A ttl of 0 expires at once."""

    @writes(key="key")
    def delete(self, key: str) -> bool:
        """Forget *key*. Return whether there was something."""
        ...

    @writes
    def clear(self) -> None:
        """Forget everything in this cache, and in no other."""


class AsyncCache(Protocol):
    """A cache whose storage may be across a network."""

    @reads(rescue=True)
    async def aget(self, key: str) -> Value | None:
        """Return the value under *key*, or None if absent or expired."""

    @writes(key="key")
    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Remember *value* under *key* for *ttl*: seconds, a timedelta, or None for the cache's default. A ttl of 0 expires at once."""

    @writes(key="key")
    async def adelete(self, key: str) -> bool:
        """Forget *key*. Return whether there was something."""
        ...

    @writes
    async def aclear(self) -> None:
        """Forget everything in this cache, and in no other."""


_CLOCK_SLACK_S = 0.005


def one_sided_miss(capacity: int) -> Explain:
    """Return a tolerance: only one side has the key, and eviction, a cold start or expiry in between explains it.

    Args:
        capacity: How many entries the smaller of the two sides holds at least before it evicts.
    """

    def explain(legacy: Observation, unified: Observation, facts: Facts) -> str | None:
        if not (isinstance(legacy, Returned) and isinstance(unified, Returned)):
            return None
        if facts.operation not in ("get", "aget") or (legacy.value is None) is (unified.value is None):
            return None
        if facts.written_s is None:
            return "cold start"
        if facts.keys_written > capacity:
            return "eviction"
        if _expired_in_between(facts, facts.written_s):
            return "expiry within the lane delay"
        return None

    return explain


def ttl_seconds(ttl: object) -> float | None:
    """Return a port's ttl as seconds, None for the default of the cache."""
    if isinstance(ttl, dt.timedelta):
        return ttl.total_seconds()
    return float(ttl) if isinstance(ttl, (int, float)) else None


def _expired_in_between(facts: Facts, written_s: float) -> bool:
    ttl = ttl_seconds(facts.written_with("ttl"))
    if ttl is None:
        return False
    return facts.read_s - _CLOCK_SLACK_S <= written_s + ttl <= facts.compared_s + _CLOCK_SLACK_S


def _ttl_was_zero(difference: Difference, facts: Facts) -> bool:
    return facts.written_s is not None and ttl_seconds(facts.written_with("ttl")) == 0


def _always(difference: Difference, facts: Facts) -> bool:
    return True


def _full_without_a_new_key(difference: Difference, facts: Facts) -> bool:
    return facts.written_s is not None and facts.keys_written == 1000


def _delete_said_true(difference: Difference, facts: Facts) -> bool:
    return difference.legacy is True and difference.unified is False


def _came_back_as_json(difference: Difference, facts: Facts) -> bool:
    """JSON has no tuples, sets, dates or bytes, and its object keys are texts."""
    turned = {"tuple": "list", "set": "str", "frozenset": "str", "datetime": "str", "date": "str", "bytes": "str"}
    if difference.kind == "type":
        return turned.get(type(difference.unified).__name__) == type(difference.legacy).__name__
    return difference.kind in ("missing", "extra") and difference.path.rsplit(".", 1)[-1] == "*"


PREDICATES: dict[str, Predicate] = {
    "always": _always,
    "ttl was zero": _ttl_was_zero,
    "full without a new key": _full_without_a_new_key,
    "delete said true": _delete_said_true,
    "came back as JSON": _came_back_as_json,
}
"""Predicates by the name that ``cache.known.toml`` gives them."""

CACHE = Phase("cache", default=Stage.OFF, writes=True)
TYPES = CACHE.seam("types", port=Cache, aport=AsyncCache, reasonable=one_sided_miss(1000))
VALIDATION = CACHE.seam("validation", port=Cache, reasonable=one_sided_miss(10_000))
DOCUMENTS = CACHE.seam("documents", port=AsyncCache, reasonable=one_sided_miss(1000))
