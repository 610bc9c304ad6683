"""How reports write times, durations and shares."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns"))


def utc(at: float | None) -> str:
    """Return a Unix time in seconds as ``2026-03-02 03:14:07Z``; ``never`` for None."""
    if at is None:
        return "never"
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def duration(ns: int) -> str:
    """Return nanoseconds with three significant digits: ``1.23 ms``."""
    size, unit = next(((size, unit) for size, unit in _UNITS if ns >= size), (1, "ns"))
    value = ns / size
    return f"{value:.{0 if size == 1 or value >= 99.95 else 1 if value >= 9.995 else 2}f} {unit}"


def ratio(value: float) -> str:
    """Return how many times as long: ``x0.75``, ``x12``."""
    return f"x{value:.2f}" if value < 9.995 else f"x{value:,.0f}"


def percent(share: float) -> str:
    """Return a share of 1 as a percentage; what is above 0 never reads 0, what is below 1 never reads 100."""
    if 0 < share < 0.0001:
        return "<0.01 %"
    if 0.9999 < share < 1:
        return ">99.99 %"
    return f"{share * 100:.2f} %"


def pairs(value: object, prefix: str = "") -> list[tuple[str, str]]:
    """Return a redacted sample as flat names and texts: ``legacy.type``, ``str``."""
    if isinstance(value, Mapping):
        return [
            pair for key, inner in value.items() for pair in pairs(inner, f"{prefix}.{key}" if prefix else str(key))
        ]
    return [(prefix, str(value))]


def bound_text(bound: float, confidence: float) -> str:
    """Return what is proved of the true divergence: ``below 1.58e-04 (95 %)``, or that nothing is."""
    return "nothing proved" if bound >= 1 else f"below {bound:.2e} ({confidence:.0%})".replace("%", " %")


def described(sample: Mapping[str, object]) -> str:
    """Return a redacted sample in words: both sides, the call's arguments and those of the key's last write."""
    if "left_out" in sample:
        return f"left out: {sample['left_out']}"
    parts = [f"{side} {_one(sample[side])}" for side in ("legacy", "unified") if side in sample]
    for name, title in (("call", "call"), ("write", "last write")):
        arguments = sample.get(name)
        if isinstance(arguments, Mapping) and arguments:
            parts.append(f"{title} " + ", ".join(f"{key}={_one(value)}" for key, value in arguments.items()))
    known = {"path", "control", "legacy", "unified", "call", "write", "replay"}
    rest = [f"{name}={value}" for name, value in pairs({k: v for k, v in sample.items() if k not in known})]
    return "; ".join([*parts, *rest])


def _one(value: object) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    if "value" in value:
        return f"{value['value']}"
    raised = "raised " if value.get("raised") else ""
    length = f" of {value['length']}" if "length" in value else ""
    hashed = f" #{str(value['hash'])[:8]}" if value.get("hash") else ""
    return f"{raised}{value.get('type', '?')}{length}{hashed}"
