"""Times to live: one meaning whatever the caller writes."""

from __future__ import annotations

import datetime as dt
import math

from oms.unified.cache.errors import TtlInvalid

SHORTEST_S = 0.001
"""Redis counts in milliseconds; anything shorter is rounded up to one, so that every storage agrees."""

LONGEST_S = 100 * 365.25 * 86_400
"""A century; anything longer means the same, and fits every storage's clock."""

_WANTED = "seconds (0 or more), a timedelta, or None for the cache's default"


def ttl_in_seconds(ttl: object) -> float:
    """Return *ttl* in seconds: 0 (expires at once), or between 1 ms and a century.

    Args:
        ttl: Seconds as int or float, or a timedelta. The caller has dealt with None.

    Raises:
        TtlInvalid: if it is negative, not finite, or of another type; a bool is one.
    """
    if isinstance(ttl, dt.timedelta):
        found = ttl.total_seconds()
    elif isinstance(ttl, (int, float)) and not isinstance(ttl, bool):
        found = min(ttl, LONGEST_S) if isinstance(ttl, int) else ttl
    else:
        raise TtlInvalid("ttl", found=f"a {type(ttl).__name__}", wanted=_WANTED)
    if found < 0 or not math.isfinite(found):
        raise TtlInvalid("ttl", found=_named(found), wanted=_WANTED)
    return 0.0 if found == 0 else min(max(float(found), SHORTEST_S), LONGEST_S)


def one_ttl(ttl: object, ttl_seconds: object) -> object:
    """Return whichever of *ttl* and *ttl_seconds* is given, None if neither is.

    Raises:
        TtlInvalid: if both are given.
    """
    if ttl is not None and ttl_seconds is not None:
        raise TtlInvalid("ttl", found="both ttl and ttl_seconds", wanted="one of them", mend="leave ttl_seconds out")
    return ttl if ttl_seconds is None else ttl_seconds


def _named(found: float) -> str:
    # A huge negative int has more digits than a message should.
    return f"{found:g}" if isinstance(found, float) or abs(found) < 10**15 else "a negative number"
