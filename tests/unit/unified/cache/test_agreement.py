"""What every storage promises, by plain and by async calls: they must not be told apart."""

from __future__ import annotations

import datetime as dt
import decimal
import inspect
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

import pytest

from oms.seams.cache import AsyncCache, Cache
from oms.unified.cache import KeyInvalid, TtlInvalid, UnifiedCache, ValueNotStorable

PARIS = dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris"))
VALUES = [
    True,
    0,
    1,
    -(10**30),
    1.5,
    float("inf"),
    "",
    "text",
    "\ud800 half",
    [],
    [1, [2, [3]]],
    {},
    {"a": {"b": [1]}},
    (1, (2, "x")),
    (),
    {1, 2},
    frozenset({("a", 1)}),
    {1: "a", "1": "b", (2, 3): "c", None: "d"},
    {"~": "tuple", "d": [1]},
    b"\x00\xff",
    bytearray(b"ab"),
    decimal.Decimal("1.10"),
    uuid.UUID(int=7),
    dt.date(2024, 2, 29),
    dt.time(23, 59, 59, 999999),
    dt.time(1, fold=1, tzinfo=dt.UTC),
    dt.timedelta(days=-1, microseconds=3),
    dt.datetime(2024, 1, 1),
    dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5))),
    PARIS,
]
KEYS = ["", " ", "a", "a:b", "ключ", "🗝", "\ud800", "a\nb", "\x00", "*", "[a]", "#x", "k" * 100_000, "oms:suite:a"]
BAD_TTLS = [
    -1,
    -0.001,
    float("nan"),
    float("inf"),
    float("-inf"),
    True,
    False,
    "60",
    dt.timedelta(seconds=-1),
    -(10**400),
    [1],
]


class Unknown:
    """A class that no storage has heard of."""

    def __reduce__(self) -> Any:
        raise RuntimeError("not to be copied")


def _types(value: Any) -> Any:
    if isinstance(value, dict):
        return [(_types(key), _types(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [_types(item) for item in value]
    return type(value)


@pytest.mark.parametrize("port", [Cache, AsyncCache])
def test_fits_the_ports(port: type) -> None:
    """Each method of both ports is there with the very same parameters."""
    for name, method in inspect.getmembers(port, inspect.isfunction):
        if not name.startswith("_"):
            mine = getattr(UnifiedCache, name)

            assert inspect.signature(method) == inspect.signature(mine)
            assert inspect.iscoroutinefunction(method) == inspect.iscoroutinefunction(mine)


def test_unknown_key(cache: Any) -> None:
    """A key that was never set reads as None, is not there, and there is nothing to delete."""
    assert None is cache.get("nobody")
    assert False is cache.exists("nobody")
    assert False is cache.delete("nobody")
    assert {} == cache.get_many(["nobody"])


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}")
def test_round_trip(cache: Any, value: Any) -> None:
    """A value comes back equal and of the same types throughout."""
    cache.set("k", value)

    found = cache.get("k")

    assert value == found
    assert _types(value) == _types(found)
    if isinstance(value, dt.datetime):
        assert (value.utcoffset(), value.fold, value.tzname()) == (found.utcoffset(), found.fold, found.tzname())


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key[:12]))
def test_any_text_is_a_key(cache: Any, key: str) -> None:
    """Any text can be a key, and no two of them share an entry."""
    for other in KEYS:
        cache.set(other, other)
    cache.set(key, "mine")

    assert {other: "mine" if other == key else other for other in KEYS} == cache.get_many(KEYS)
    assert True is cache.delete(key)
    assert None is cache.get(key)
    assert len(KEYS) - 1 == len(cache.get_many(KEYS))


@pytest.mark.parametrize("key", [1, None, b"k", 1.0, ("a",), True])
def test_only_texts_are_keys(cache: Any, key: Any) -> None:
    """A key of another type is refused by every call, so that 1 and "1" never meet."""
    calls: list[Callable[[], Any]] = [
        lambda: cache.get(key),
        lambda: cache.set(key, 1),
        lambda: cache.set(key, 1, ttl=0),
        lambda: cache.delete(key),
        lambda: cache.exists(key),
        lambda: cache.get_many([key]),
        lambda: cache.set_many({key: 1}),
        lambda: cache.get_or_set(key, int),
    ]
    for call in calls:
        with pytest.raises(KeyInvalid, match=rf"cache key: found a {type(key).__name__}, wanted a str"):
            call()


def test_none_is_a_value(cache: Any) -> None:
    """None is kept: exists, get_many and get_or_set tell it from a miss."""
    cache.set("k", None)

    assert None is cache.get("k")
    assert True is cache.exists("k")
    assert {"k": None} == cache.get_many(["k", "other"])
    assert None is cache.get_or_set("k", lambda: "loaded")
    assert True is cache.delete("k")


def test_nobody_can_change_what_is_kept(cache: Any) -> None:
    """Neither the object that was stored nor one that was handed out reaches the kept value, at any depth."""
    for value in ([1, [2]], {"a": {"b": 1}}, [1, 2], {"a": 1}, {1, 2}, ([],)):
        expected = repr(value)
        cache.set("k", value)
        for handed_out in (value, cache.get("k"), cache.get_many(["k"])["k"], cache.get_or_set("k", int)):
            inner = handed_out[0] if isinstance(handed_out, tuple) else handed_out
            inner.clear()

        assert expected == repr(cache.get("k"))


def test_what_cannot_be_kept_is_refused(cache: Any) -> None:
    """A value that cannot be given back as it was is refused by name of its type, and what was there stays."""
    cache.set("k", "old")
    for value in (Unknown(), [Unknown()], {"a": (Unknown(),)}):
        with pytest.raises(ValueNotStorable, match=r"cache value: found a \w+, .*, wanted .*; store its data"):
            cache.set("k", value)

    assert "old" == cache.get("k")
    cache.set("k", Unknown(), ttl=0)
    assert None is cache.get("k")


def test_too_deep_is_refused(cache: Any) -> None:
    """A value that is nested deeper than the interpreter follows is refused, not half kept."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueNotStorable):
        cache.set("k", deep)

    assert False is cache.exists("k")
    while deep:
        deep = deep.pop()


def test_set_again(cache: Any) -> None:
    """The last value counts, with its own ttl: setting without one makes the entry last."""
    cache.set("k", 1, ttl=0.02)
    cache.set("k", 2)
    cache.set("other", 1, ttl=0.02)

    while cache.exists("other"):
        pass
    assert 2 == cache.get("k")


@pytest.mark.parametrize("ttl", [0.02, dt.timedelta(milliseconds=20), 1e-9], ids=str)
def test_expires(cache: Any, eventually: Any, ttl: Any) -> None:
    """After its ttl a key is a miss for every call."""
    cache.set("k", 1, ttl=ttl)

    eventually(lambda: not cache.exists("k"))
    assert None is cache.get("k")
    assert {} == cache.get_many(["k"])
    assert False is cache.delete("k")


@pytest.mark.parametrize(
    "ttl", [500, 600.5, dt.timedelta(days=1), dt.timedelta.max, 10**400, 1e300], ids=lambda ttl: str(ttl)[:12]
)
def test_lasts(cache: Any, ttl: Any) -> None:
    """Before its ttl it is there, however long that is."""
    cache.set("k", 1, ttl=ttl)

    assert 1 == cache.get("k")


@pytest.mark.parametrize("ttl", [0, 0.0, -0.0, dt.timedelta(0)], ids=str)
def test_ttl_of_zero(cache: Any, ttl: Any) -> None:
    """A ttl of 0 stores nothing and removes what was there."""
    cache.set("k", "old")
    cache.set("k", "new", ttl=ttl)
    cache.set_many({"a": 1, "b": 2}, ttl=ttl)

    assert None is cache.get("k")
    assert {} == cache.get_many(["a", "b"])
    assert 1 == cache.stats().counts.expired


@pytest.mark.parametrize("ttl", BAD_TTLS, ids=lambda ttl: str(ttl)[:12])
def test_bad_ttl(cache: Any, ttl: Any) -> None:
    """An unusable ttl is a ValueError that names what was found; nothing changes and no loader runs."""
    cache.set("k", "old")
    for call in (
        lambda: cache.set("k", 1, ttl=ttl),
        lambda: cache.set_many({"k": 1}, ttl=ttl),
        lambda: cache.get_or_set("new", lambda: pytest.fail("loaded"), ttl=ttl),
    ):
        with pytest.raises(TtlInvalid, match=r"^ttl: found .+, wanted seconds \(0 or more\)") as refused:
            call()
        assert isinstance(refused.value, ValueError)
        assert 200 > len(str(refused.value))

    assert "old" == cache.get("k")


def test_delete(cache: Any) -> None:
    """Delete says whether there was something, and leaves the others alone."""
    cache.set_many({"a": 1, "b": 2})

    assert True is cache.delete("a")
    assert False is cache.delete("a")
    assert {"b": 2} == cache.get_many(["a", "b"])


def test_clear_and_forget(cache: Any) -> None:
    """Clear empties the cache; forget empties one key, or all with None; both are content with nothing to do."""
    for empty in (cache.clear, lambda: cache.forget(None)):
        cache.set_many({str(n): n for n in range(30)})
        cache.forget("0")

        assert None is cache.get("0")
        assert 1 == cache.get("1")
        assert None is empty()
        assert None is empty()
        assert {} == cache.get_many([str(n) for n in range(30)])


def test_many_in_order(cache: Any) -> None:
    """Many keys come back in the order asked, each once, misses left out; none asked is none answered."""
    cache.set_many({"a": 1, "b": 2, "c": 3})
    cache.set_many({})

    assert [("c", 3), ("a", 1)] == list(cache.get_many(["c", "x", "a", "c"]).items())
    assert [("b", 2)] == list(cache.get_many(iter(["b"])).items())
    assert {} == cache.get_many([])


def test_get_or_set(cache: Any) -> None:
    """The loader runs once, its value is kept; what it raises is raised and not kept."""
    calls: list[int] = []

    def load() -> list[int]:
        calls.append(1)
        return [len(calls)]

    def fail() -> None:
        raise LookupError("upstream")

    with pytest.raises(LookupError, match="upstream"):
        cache.get_or_set("k", fail)
    assert [1] == cache.get_or_set("k", load)
    assert [1] == cache.get_or_set("k", load)
    assert [2] == cache.get_or_set("other", load, ttl=0)
    assert None is cache.get("other")
    assert 3 == cache.stats().counts.loads


def test_counts(cache: Any) -> None:
    """Hits, misses, sets and removals are counted, one a key; exists counts nothing."""
    cache.set_many({"a": 1, "b": 2})
    cache.set("c", 3)
    cache.get("a")
    cache.get("nobody")
    cache.get_many(["a", "b", "nobody"])
    cache.exists("a")
    cache.delete("a")
    cache.delete("a")
    cache.clear()
    stats = cache.stats()

    assert (3, 2, 3, 1, 2) == (
        stats.counts.hits,
        stats.counts.misses,
        stats.counts.sets,
        stats.counts.deleted,
        stats.counts.cleared,
    )
    assert (0.6, "suite") == (stats.hit_rate, stats.name)
    assert (0, 0) == (stats.counts.errors, stats.counts.skipped)
