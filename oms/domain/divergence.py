"""Naming a difference so that a thousand of the same are one line, and describing it without showing it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from oms.domain.comparison import Difference
from oms.domain.observation import StandIn
from oms.domain.trace import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """One difference between the sides, as it is counted and kept.

    Attributes:
        fingerprint: 12 hex digits over operation, kind, folded path and the two types: the same cause, the same name.
        kind, path: See :class:`~oms.domain.comparison.Difference`.
        types: Type names, legacy then unified.
        known: Id of the known-divergence rule that it matches, or None.
        seen_at: Unix time in seconds.
        plan, version: As of the counts, see :class:`~oms.domain.record.Place`.
        sample: Path, types, lengths and keyed hashes of both values, of the call's arguments and of those of the key's last write; values only
            where the port allows them.
    """

    fingerprint: str
    phase: str
    seam: str
    operation: str
    stage: str
    kind: str
    path: str
    types: tuple[str, str]
    known: str | None
    seen_at: float
    sample: Mapping[str, object]
    plan: str = ""
    version: str = ""


def fingerprint(seam: str, operation: str, difference: Difference) -> str:
    """Return the 12 hex digits that name *difference*; *seam* is the full name, ``cache.types``."""
    parts = (
        seam,
        operation,
        difference.kind,
        difference.path,
        type_name(difference.legacy),
        type_name(difference.unified),
    )
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def type_name(value: object) -> str:
    """Return the class name of *value*; of a stand-in, the class of the exception it stands for."""
    return value.type_name if isinstance(value, StandIn) else type(value).__qualname__


def describe(value: object, *, show: bool, key: bytes) -> dict[str, object]:
    """Describe *value* by type, length, a hash keyed with *key* and whether it was raised; the value itself only if *show*.

    A hash without a key would give away short values (yes or no, ages, post codes) to anybody who tries them all.
    """
    described: dict[str, object] = {"type": type_name(value)}
    if isinstance(value, StandIn):
        described["raised"] = True
    if isinstance(value, Collection):
        described["length"] = len(value)
    if value is not None:
        described["hash"] = hmac.new(key, _text(value).encode(errors="replace"), hashlib.sha256).hexdigest()[:16]
    if show:
        described["value"] = (str(value) if isinstance(value, Trace) else _text(value))[:200]
    return described


def _text(value: object) -> str:
    """Return the text form, or the type's name where ``repr`` fails: describing must not."""
    try:
        return repr(value)
    except Exception:  # somebody else's __repr__
        return type(value).__qualname__
