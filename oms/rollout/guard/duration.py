"""Durations as people write them in a policy: ``90s``, ``5m``, ``24h``, ``3d``."""

from __future__ import annotations

import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])")

WANTED = "a duration such as 90s, 5m, 24h or 3d"


def parse_duration(text: object) -> float | None:
    """Return seconds, 0 or more; None if *text* is no duration."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    return float(match[1]) * _UNITS[match[2]] if match else None


def duration_text(seconds: float) -> str:
    """Return *seconds*, rounded up, in the largest unit in which it is two or more: ``90 s``, ``5 min``, ``24 h``, ``3 d``."""
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{-(-seconds // size):,.0f} {unit}"
    return f"{-(-seconds // 1):.0f} s"
