"""What is within tolerance where only one cache has a key."""

from __future__ import annotations

import datetime as dt

import pytest

from oms.domain.observation import Facts, Raised, Returned, StandIn
from oms.domain.stage import Side, Stage
from oms.seams.cache import one_sided_miss, ttl_seconds

EXPLAIN = one_sided_miss(3)
HIT, MISS = Returned("v"), Returned(None)


def facts(
    operation: str = "get",
    *,
    ttl: object = 10,
    written_s: float | None = 100.0,
    read_s: float = 101.0,
    compared_s: float = 101.5,
    keys: int = 3,
) -> Facts:
    """Return the facts of a read one second after a write for ten."""
    return Facts(operation, Stage.SHADOW, Side.LEGACY, read_s, compared_s, written_s, (("ttl", ttl),), keys)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (facts(written_s=None), "cold start"),
        (facts("aget", written_s=None), "cold start"),
        (facts(keys=4), "eviction"),
        (facts(read_s=109.9, compared_s=110.1), "expiry within the lane delay"),
        (facts(ttl=dt.timedelta(seconds=1), compared_s=101.0), "expiry within the lane delay"),
        (facts(), None),
        (facts(ttl=None), None),
        (facts(read_s=110.1, compared_s=110.2), None),
        (facts(ttl=0, read_s=100.001, compared_s=100.002), None),
        (facts("delete", written_s=None), None),
    ],
)
def test_one_sided_miss(given: Facts, why: str | None) -> None:
    """A miss is explained by a cold start, an eviction or an end in between, the same whichever side has it."""
    assert (why, why) == (EXPLAIN(HIT, MISS, given), EXPLAIN(MISS, HIT, given))


def test_what_is_no_one_sided_miss() -> None:
    """Two values, two misses and an exception are never explained."""
    cold = facts(written_s=None)
    failed = Raised(StandIn("KeyError"))

    assert [None] * 4 == [
        EXPLAIN(HIT, Returned("w"), cold),
        EXPLAIN(MISS, MISS, cold),
        EXPLAIN(failed, MISS, cold),
        EXPLAIN(HIT, failed, cold),
    ]


@pytest.mark.parametrize(
    ("ttl", "seconds"), [(5, 5.0), (0.5, 0.5), (dt.timedelta(minutes=1), 60.0), (None, None), ("5", None)]
)
def test_ttl_seconds(ttl: object, seconds: float | None) -> None:
    """A ttl in seconds or as a timedelta is seconds; anything else is not known."""
    assert seconds == ttl_seconds(ttl)
