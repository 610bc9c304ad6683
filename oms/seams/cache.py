"""Caches (roadmap 2.3): one port, three places where the monolith remembers things."""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol

from oms.domain.comparison import Difference
from oms.domain.known import Predicate
from oms.domain.observation import Explain, Facts, Observation, Returned, StandIn
from oms.domain.phase import Phase, reads, writes
from oms.domain.stage import Side, Stage

Value = Any
Ttl = float | dt.timedelta | None
"""Seconds (0 or more), a timedelta, or None for the cache's default."""

_TTL = frozenset({"ttl"})

_TYPE = frozenset({"name", "parents", "members", "properties"})
_REPORT = frozenset({"valid", "type", "errors", "path", "code", "cache_used"})
_DOCUMENT = frozenset(
    {"@context", "@id", "@type", "name", "identifier", "description", "url", "keywords", "geo", "latitude", "longitude",
     "dateCreated", "dateModified", "datePublished", "startDate", "endDate"}
)  # fmt: skip
"""Names out of the code and out of schema.org that stand in what is remembered; whatever else a client sends is a key that nobody knows."""


class Cache(Protocol):
    """Remembers values under a key for a while."""

    @reads(rescue=True)
    def get(self, key: str) -> Value | None:
        """Return the value under *key*, or None if absent or expired."""

    @writes(key="key", arguments=_TTL)
    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Remember *value* under *key* for *ttl*: seconds, a timedelta, or None for the cache's default. A ttl of 0 expires at once."""

    @writes(key="key", removes=True)
    def delete(self, key: str) -> bool:
        """Forget *key*. Return whether there was something."""
        ...

    @writes(removes=True)
    def clear(self) -> None:
        """Forget everything in this cache, and in no other."""


class AsyncCache(Protocol):
    """A cache whose storage may be across a network."""

    @reads(rescue=True)
    async def aget(self, key: str) -> Value | None:
        """Return the value under *key*, or None if absent or expired."""

    @writes(key="key", arguments=_TTL)
    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Remember *value* under *key* for *ttl*: seconds, a timedelta, or None for the cache's default. A ttl of 0 expires at once."""

    @writes(key="key", removes=True)
    async def adelete(self, key: str) -> bool:
        """Forget *key*. Return whether there was something."""
        ...

    @writes(removes=True)
    async def aclear(self) -> None:
        """Forget everything in this cache, and in no other."""


_CLOCK_SLACK_S = 0.005

_TERMINUS_ENTRIES = 1000
"""Room of the legacy TerminusDB cache. Source: quirk TM-05 of the migration guide."""


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
        missing = Side.LEGACY if legacy.value is None else Side.UNIFIED
        if facts.keys_written > capacity or facts.fuller is missing:
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
    """Tell whether the entry's end lies between the two reads. A ttl of 0 has none: such an entry was never to be read."""
    ttl = ttl_seconds(facts.written_with("ttl"))
    if not ttl:
        return False
    return facts.read_s - _CLOCK_SLACK_S <= written_s + ttl <= facts.compared_s + _CLOCK_SLACK_S


def _ttl_was_zero(difference: Difference, facts: Facts) -> bool:
    """The key's last write on both sides asked for 0 seconds."""
    return facts.written_s is not None and ttl_seconds(facts.written_with("ttl")) == 0


def _ttl_was_zero_just_now(difference: Difference, facts: Facts) -> bool:
    """As above, and a clock may not have ticked since."""
    return _ttl_was_zero(difference, facts) and facts.read_s - (facts.written_s or 0.0) <= _CLOCK_SLACK_S


def _ttl_was_left_out(difference: Difference, facts: Facts) -> bool:
    """This write is known to have given no ttl, and only legacy raised, and that a TypeError."""
    raised = isinstance(difference.legacy, StandIn) and difference.legacy.type_name == "TypeError"
    return raised and difference.unified is None and ("ttl", None) in facts.write


def _marked_in_place(difference: Difference, facts: Facts) -> bool:
    """A mark that a caller set on the object it got is on legacy's object and not on unified's."""
    return facts.written_s is not None and difference.legacy is True and difference.unified is False


def _full_without_a_new_key(difference: Difference, facts: Facts) -> bool:
    """There are as many keys as there is room for, and not one more."""
    return facts.written_s is not None and facts.keys_written == _TERMINUS_ENTRIES


def _delete_said_true(difference: Difference, facts: Facts) -> bool:
    """Legacy says that something was deleted, which it always says; unified found nothing."""
    return difference.legacy is True and difference.unified is False


def _came_back_as_json(difference: Difference, facts: Facts) -> bool:
    """Legacy has exactly what JSON makes of unified's value or key."""
    if difference.kind == "key":
        return type(difference.unified) in (int, float) and difference.legacy == str(difference.unified)
    return _is_json_of(difference.legacy, difference.unified)


def _is_json_of(read: object, value: object) -> bool:
    """Tell whether *read* is *value* after JSON, which writes what it does not know as text."""
    if isinstance(value, (list, tuple)):
        return type(read) is list and len(read) == len(value) and all(map(_is_json_of, read, value))
    if isinstance(value, dict):
        texts = {str(key): inner for key, inner in value.items()}
        return (
            isinstance(read, dict)
            and read.keys() == texts.keys()
            and all(_is_json_of(read[key], texts[key]) for key in texts)
        )
    if isinstance(value, (set, frozenset)):
        # Two copies of one set may list their members in another order, so only the characters are compared.
        return isinstance(read, str) and sorted(read) == sorted(str(value))
    # What JSON knows keeps its type, members of an enumeration and the like become what they are made of; all else becomes text.
    kept = next((kind for kind in (bool, int, float, str, type(None)) if isinstance(value, kind)), None)
    return type(read) is str and read == str(value) if kept is None else type(read) is kept and read == value


PREDICATES: dict[str, Predicate] = {
    "ttl was zero": _ttl_was_zero,
    "ttl was zero just now": _ttl_was_zero_just_now,
    "ttl was left out": _ttl_was_left_out,
    "marked in place": _marked_in_place,
    "full without a new key": _full_without_a_new_key,
    "delete said true": _delete_said_true,
    "came back as JSON": _came_back_as_json,
}
"""Predicates by the name that ``cache.known.toml`` gives them."""

CACHE = Phase("cache", default=Stage.OFF, writes=True)
TYPES = CACHE.seam("types", port=Cache, aport=AsyncCache, reasonable=one_sided_miss(1000), names=_TYPE)
VALIDATION = CACHE.seam("validation", port=Cache, reasonable=one_sided_miss(10_000), names=_REPORT)
DOCUMENTS = CACHE.seam("documents", port=AsyncCache, reasonable=one_sided_miss(1000), names=_DOCUMENT)
