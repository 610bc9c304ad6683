"""What every cache promises, whoever answers."""

from __future__ import annotations

import datetime as dt

import pytest

from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION, Cache, Value
from oms.seams.known import load_known
from oms.testing import FakeClock, KnownException, contract

EXCEPTIONS = (
    KnownException("TC-01", "types", "test_ttl_of_zero"),
    KnownException("CA-01", "types", "test_delete_of_an_expired_key"),
    KnownException("CA-02", "types", "test_cached_value_is_changed_by_its_reader"),
    KnownException("CA-02", "types", "test_cached_value_is_changed_by_its_writer"),
    KnownException("VC-01", "validation", "test_default_ttl", raises=TypeError),
    KnownException("VC-03", "validation", "test_cached_value_is_changed_by_its_reader"),
    KnownException("VC-03", "validation", "test_cached_value_is_changed_by_its_writer"),
    KnownException("VC-09", "validation", "test_ttl_of_zero"),
    KnownException("CA-01", "validation", "test_delete_of_an_expired_key"),
    KnownException("TM-01", "documents", "test_types_of_a_value"),
    KnownException("TM-01", "documents", "test_keys_of_a_mapping"),
    KnownException("TM-05", "documents", "test_overwrite_in_a_full_cache"),
    KnownException("TM-06", "documents", "test_delete_of_a_missing_key"),
    KnownException("TM-06", "documents", "test_delete_twice"),
    KnownException("TM-06", "documents", "test_delete_of_an_expired_key"),
)
"""Every promise that a legacy cache breaks. Once one is kept, its line here makes the run red."""

MINUTE = 60


@contract(TYPES, VALIDATION, DOCUMENTS, exceptions=EXCEPTIONS)
class TestCache:
    """The promises of ``Cache`` and of ``AsyncCache``."""

    def test_unknown_key(self, cache: Cache) -> None:
        """A key that was never set reads as None."""
        assert None is cache.get("nobody")

    def test_set_and_get(self, cache: Cache) -> None:
        """What was set is read, with its type."""
        values: list[Value] = ["text", "", 0, 1.5, True, False, [1, "a", None], [], {"a": {"b": [1]}}, {}]
        for place, value in enumerate(values):
            cache.set(f"k{place}", value, ttl=MINUTE)
        found = [cache.get(f"k{place}") for place in range(len(values))]

        assert [(value, type(value)) for value in values] == [(value, type(value)) for value in found]

    def test_none(self, cache: Cache) -> None:
        """A stored None reads as None."""
        cache.set("k", "before", ttl=MINUTE)
        cache.set("k", None, ttl=MINUTE)

        assert None is cache.get("k")

    def test_any_text_is_a_key(self, cache: Cache) -> None:
        """Every text is a key of its own."""
        keys = ["", "a b", "é:ü", "a:b", "a", "x" * 5000, "*", "\x00", "1"]
        for key in keys:
            cache.set(key, f"value of {key}", ttl=MINUTE)

        assert [f"value of {key}" for key in keys] == [cache.get(key) for key in keys]

    def test_last_write_counts(self, cache: Cache) -> None:
        """A second set replaces the value."""
        cache.set("k", "first", ttl=MINUTE)
        cache.set("k", "second", ttl=MINUTE)

        assert "second" == cache.get("k")

    @pytest.mark.parametrize("ttl", [10, 10.0, dt.timedelta(seconds=10)])
    def test_ttl(self, cache: Cache, clock: FakeClock, ttl: float | dt.timedelta) -> None:
        """A value is read until its ttl is over, in seconds or as a timedelta."""
        cache.set("k", "v", ttl=ttl)
        clock.advance(9.9)
        before = cache.get("k")
        clock.advance(0.2)

        assert ("v", None) == (before, cache.get("k"))

    def test_ttl_below_a_second(self, cache: Cache, clock: FakeClock) -> None:
        """A fraction of a second is a ttl too."""
        cache.set("k", "v", ttl=0.5)
        clock.advance(0.4)
        before = cache.get("k")
        clock.advance(0.2)

        assert ("v", None) == (before, cache.get("k"))

    def test_ttl_starts_again(self, cache: Cache, clock: FakeClock) -> None:
        """A second set starts the ttl again; a get does not."""
        cache.set("k", "first", ttl=10)
        clock.advance(8)
        cache.set("k", "second", ttl=10)
        clock.advance(8)
        after_set = cache.get("k")
        clock.advance(3)

        assert ("second", None) == (after_set, cache.get("k"))

    def test_ttl_of_zero(self, cache: Cache) -> None:
        """A ttl of 0 expires at once."""
        cache.set("k", "v", ttl=0)

        assert None is cache.get("k")

    def test_default_ttl(self, cache: Cache, clock: FakeClock) -> None:
        """Without a ttl the cache's default holds, which is longer than a minute in each."""
        cache.set("k", "v")
        clock.advance(MINUTE)

        assert "v" == cache.get("k")

    def test_delete(self, cache: Cache) -> None:
        """A deleted key is gone, and the delete says that there was something."""
        cache.set("k", "v", ttl=MINUTE)
        cache.set("other", "v", ttl=MINUTE)

        assert (True, None, "v") == (cache.delete("k"), cache.get("k"), cache.get("other"))

    def test_delete_of_a_missing_key(self, cache: Cache) -> None:
        """Deleting what is not there says that there was nothing."""
        assert False is cache.delete("nobody")

    def test_delete_twice(self, cache: Cache) -> None:
        """The second delete finds nothing."""
        cache.set("k", "v", ttl=MINUTE)

        assert (True, False) == (cache.delete("k"), cache.delete("k"))

    def test_delete_of_an_expired_key(self, cache: Cache, clock: FakeClock) -> None:
        """What has expired is nothing to delete."""
        cache.set("k", "v", ttl=1)
        clock.advance(2)

        assert False is cache.delete("k")

    def test_clear(self, cache: Cache) -> None:
        """A clear forgets every key, and the cache goes on."""
        for key in "abc":
            cache.set(key, key, ttl=MINUTE)
        cache.clear()
        cache.set("d", "d", ttl=MINUTE)

        assert [None, None, None, "d"] == [cache.get(key) for key in "abcd"]

    def test_cached_value_is_changed_by_its_reader(self, cache: Cache) -> None:
        """What a reader does to the value he got is not seen by the next reader."""
        cache.set("k", {"valid": True, "errors": []}, ttl=MINUTE)
        first = cache.get("k")
        assert first is not None
        first["errors"].append("mine")

        assert {"valid": True, "errors": []} == cache.get("k")

    def test_cached_value_is_changed_by_its_writer(self, cache: Cache) -> None:
        """What a writer does to the value afterwards is not seen by readers."""
        value = {"valid": True, "errors": []}
        cache.set("k", value, ttl=MINUTE)
        value["errors"] = ["mine"]

        assert {"valid": True, "errors": []} == cache.get("k")

    def test_types_of_a_value(self, cache: Cache) -> None:
        """Tuples, sets, dates and bytes come back as what they were."""
        value = {"geo": (48.1, 11.6), "keywords": {"a", "b"}, "born": dt.date(2025, 7, 2), "raw": b"x"}
        cache.set("k", value, ttl=MINUTE)

        assert value == cache.get("k")

    def test_keys_of_a_mapping(self, cache: Cache) -> None:
        """A number as a key of a mapping comes back as a number."""
        cache.set("k", {1: "a"}, ttl=MINUTE)

        assert {1: "a"} == cache.get("k")

    def test_room_for_a_thousand(self, cache: Cache) -> None:
        """A thousand keys all fit."""
        fill(cache, 1000)

        assert list(range(1000)) == [cache.get(f"k{number}") for number in range(1000)]

    def test_overwrite_in_a_full_cache(self, cache: Cache) -> None:
        """Overwriting a key of a full cache evicts no other."""
        fill(cache, 1000)
        cache.set("k999", "again", ttl=MINUTE)

        assert (0, "again") == (cache.get("k0"), cache.get("k999"))


def fill(cache: Cache, keys: int) -> None:
    """Set *keys* keys, ``k0`` first."""
    for number in range(keys):
        cache.set(f"k{number}", number, ttl=MINUTE)


def test_exceptions_are_known() -> None:
    """Each exception is a known divergence by its id, or one that the rules cannot see and the migration guide tells of."""
    told_only = {"CA-01", "CA-02"}

    assert set() == {exception.id for exception in EXCEPTIONS} - {rule.id for rule in load_known("cache")} - told_only
