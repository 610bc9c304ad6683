"""The backward compatible ``set``: ttl_seconds beside ttl."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import pytest

from oms.unified.cache import AsyncTtlSecondsCache, MemoryBackend, TtlInvalid, TtlSecondsCache, UnifiedCache

from .conftest import FakeClock


@pytest.fixture
def unified(clock: FakeClock) -> UnifiedCache:
    """A cache in memory whose time stands still."""
    return UnifiedCache(MemoryBackend(10, clock=clock), ttl=5)


@pytest.mark.parametrize(
    ("ttl", "lasts_s"),
    [({"ttl_seconds": 60}, 60), ({"ttl": dt.timedelta(minutes=1)}, 60), ({"ttl": 1.5}, 1.5), ({}, 5)],
)
@pytest.mark.filterwarnings("ignore:ttl_seconds is deprecated")
def test_both_spellings(unified: UnifiedCache, clock: FakeClock, ttl: dict[str, Any], lasts_s: float) -> None:
    """Either spelling gives the entry that time, neither gives it the cache's default."""
    old = TtlSecondsCache(unified)
    old.set("k", 1, **ttl)
    clock.advance(lasts_s - 0.001)

    assert 1 == old.get("k")
    clock.advance(0.001)
    assert None is old.get("k")


def test_positional(unified: UnifiedCache) -> None:
    """The third argument is ttl_seconds, as it was; it warns its caller, and 0 means at once, not for ever."""
    old = TtlSecondsCache(unified)
    with pytest.warns(DeprecationWarning, match="write ttl, in seconds") as warned:
        old.set("k", 1, 0)

    assert __file__ == warned[0].filename
    assert None is old.get("k")


def test_both_at_once(unified: UnifiedCache) -> None:
    """Giving both is a ValueError, and stores nothing."""
    old, async_old = TtlSecondsCache(unified), AsyncTtlSecondsCache(unified)
    with pytest.raises(TtlInvalid, match="ttl: found both ttl and ttl_seconds, wanted one of them"):
        old.set("k", 1, ttl_seconds=1, ttl=1)
    with pytest.raises(ValueError, match="both"):
        asyncio.run(async_old.aset("k", 1, ttl_seconds=0, ttl=0))
    assert False is unified.exists("k")


def test_the_rest_is_passed_on(unified: UnifiedCache) -> None:
    """get, delete and clear are the cache's own, plain and async."""
    old, async_old = TtlSecondsCache(unified), AsyncTtlSecondsCache(unified)
    old.set("a", 1)
    old.set("b", 2)

    assert (True, False) == (old.delete("a"), old.delete("a"))
    old.clear()
    assert None is old.get("b")

    async def main() -> tuple[Any, ...]:
        await async_old.aset("a", 1, ttl=dt.timedelta(seconds=9))
        found = await async_old.aget("a"), await async_old.adelete("a"), await async_old.adelete("a")
        await async_old.aset("b", 1)
        await async_old.aclear()
        return *found, await async_old.aget("b")

    assert (1, True, False, None) == asyncio.run(main())


def test_default_of_zero() -> None:
    """A default ttl of 0 would store nothing at all: refused when the cache is built."""
    with pytest.raises(TtlInvalid, match="cache 'c': default ttl: found 0, wanted more than 0"):
        UnifiedCache(MemoryBackend(1), name="c", ttl=0)
