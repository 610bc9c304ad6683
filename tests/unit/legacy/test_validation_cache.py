"""Quirks VC-01 to VC-09 of the legacy validation cache, each by its id."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from oms.legacy.core.validation.enterprise.implementations.validation_cache import ValidationCache

NOON = dt.datetime(2025, 7, 2, 12)


class Clock:
    """A naive UTC clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> ValidationCache:
    """A cache on that clock."""
    made = ValidationCache(max_size=3)
    made._now = clock
    return made


def key(data: object) -> str:
    """Return the cache's own key for *data*."""
    return ValidationCache.generate_cache_key(data, "standard", "entity")


def test_defaults() -> None:
    """Capacity is 10,000 and the default ttl, which nobody reads, 300 seconds."""
    cache = ValidationCache()

    assert (10_000, 300) == (cache.max_size, cache.default_ttl)


def test_vc_01_set_without_ttl() -> None:
    """VC-01: the default ttl is dead; a set that leaves the ttl out raises TypeError."""
    with pytest.raises(TypeError, match="ttl_seconds"):
        ValidationCache(default_ttl=5).set("k", "v")


def test_vc_02_key_without_skipped_rules() -> None:
    """VC-02: the key has no place for skipped rules or context."""
    with pytest.raises(TypeError, match="skip_rules"):
        ValidationCache.generate_cache_key({}, "standard", "entity", skip_rules={"security"})


def test_vc_03_same_object(cache: ValidationCache) -> None:
    """VC-03: what one caller writes into a cached result, the next caller reads."""
    cache.set("k", {"valid": True}, 60)
    first = cache.get("k")
    assert first is not None
    first["cache_used"] = True

    assert {"valid": True, "cache_used": True} == cache.get("k")


@pytest.mark.parametrize("value", [NOON, Decimal(1), {1}, b"x"])
def test_vc_04_key_of_what_json_does_not_know(value: object) -> None:
    """VC-04: a key over a datetime, a Decimal, a set or bytes raises TypeError."""
    with pytest.raises(TypeError, match="not JSON serializable"):
        key({"field": value})


def test_vc_05_key_of_mixed_keys() -> None:
    """VC-05: a dict with both int and str keys raises TypeError while its keys are sorted."""
    with pytest.raises(TypeError, match="not supported between"):
        key({1: "a", "b": 2})


def test_vc_06_number_key_and_text_key() -> None:
    """VC-06: a number as a key and its text give one cache key."""
    assert key({1: "x"}) == key({"1": "x"})


def test_vc_07_no_room() -> None:
    """VC-07: with max_size 0 every set is evicted at once."""
    cache = ValidationCache(max_size=0)
    cache.set("k", "v", 60)

    assert None is cache.get("k")


def test_vc_07_less_than_no_room() -> None:
    """VC-07: a negative max_size pops from an empty cache."""
    with pytest.raises(KeyError):
        ValidationCache(max_size=-1).set("k", "v", 60)


def test_vc_08_nothing_counted(cache: ValidationCache, clock: Clock) -> None:
    """VC-08: an expired get counts as a miss, and neither expiries nor evictions are counted."""
    cache.set("k", "v", 1)
    clock.move(2)
    cache.get("k")
    for name in "abcd":
        cache.set(name, name, 60)

    expected = {"size": 3, "max_size": 3, "hits": 0, "misses": 1, "hit_rate": 0.0, "total_requests": 1}
    assert expected == cache.get_stats()


def test_vc_09_zero_seconds(cache: ValidationCache, clock: Clock) -> None:
    """VC-09: an entry for 0 seconds is read until the clock ticks."""
    cache.set("k", "v", 0)
    at_once = cache.get("k")
    clock.move(0.000001)

    assert ("v", None) == (at_once, cache.get("k"))


def test_expiry_is_strictly_later(cache: ValidationCache, clock: Clock) -> None:
    """An entry for 5 seconds is still there after exactly 5."""
    cache.set("k", "v", 5)
    clock.move(5)
    at_the_end = cache.get("k")
    clock.move(0.001)

    assert ("v", None) == (at_the_end, cache.get("k"))


def test_least_recently_used_goes_first(cache: ValidationCache) -> None:
    """A get keeps an entry from being evicted next."""
    for name in "abc":
        cache.set(name, name, 60)
    cache.get("a")
    cache.set("d", "d", 60)

    assert ["a", None, "c", "d"] == [cache.get(name) for name in "abcd"]


def test_delete_of_an_expired_entry(cache: ValidationCache, clock: Clock) -> None:
    """A delete finds an entry that has expired but was not swept yet."""
    cache.set("k", "v", 1)
    clock.move(2)

    assert [True, False] == [cache.delete("k"), cache.delete("k")]


def test_clear_starts_statistics_again(cache: ValidationCache) -> None:
    """A clear removes every entry and the counts too."""
    cache.set("k", "v", 60)
    cache.get("k")
    cache.clear()

    assert (0, 0, 0) == tuple(cache.get_stats()[name] for name in ("size", "hits", "misses"))
