"""Copies, so that no two callers ever hold the same mutable object.

What is immutable is kept as it is. A flat list, dict or set of immutables is copied by its own ``copy``. Everything else is pickled once
when it is stored and unpickled at each read: measured, a quarter of what ``deepcopy`` costs. What cannot be pickled is deep-copied.
"""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import fractions
import pickle
import uuid
import zoneinfo
from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from typing import Any, NamedTuple

from oms.seams.cache import Value
from oms.unified.cache.errors import ValueNotStorable

_ATOMS = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        type(...),
        decimal.Decimal,
        fractions.Fraction,
        uuid.UUID,
        dt.datetime,
        dt.date,
        dt.time,
        dt.timedelta,
        dt.timezone,
        zoneinfo.ZoneInfo,
    }
)


class Sealed(NamedTuple):
    """A value as it is kept, and what makes a copy of it: None where the kept object itself may be handed out."""

    kept: Any
    copier: Callable[[Any], Any] | None

    def opened(self) -> Value:
        """Return a value that the caller may do with as he likes."""
        return self.kept if self.copier is None else self.copier(self.kept)


def seal(value: Value) -> Sealed:
    """Return *value* in a form that later changes to it do not reach.

    Raises:
        ValueNotStorable: if it can neither be pickled nor deep-copied.
    """
    if type(value) in _ATOMS:
        return Sealed(value, None)
    try:
        return Sealed(value, None) if is_immutable(value) else _flat(value) or _deep(value)
    except RecursionError as fault:
        raise _not_storable(value, "nested deeper than the interpreter follows") from fault


def share(value: Value) -> Sealed:
    """Return *value* itself: for caches whose callers promise to change nothing (``copy: False``)."""
    return Sealed(value, None)


def is_immutable(value: Value) -> bool:
    """Tell whether nobody can change *value*: scalars, dates, enum members, and tuples, frozensets or frozen dataclasses of such."""
    cls = type(value)
    if cls in _ATOMS or isinstance(value, Enum):
        return True
    if cls is tuple or cls is frozenset:
        return all(map(is_immutable, value))
    return _is_frozen_dataclass(cls) and all(map(is_immutable, _attributes(value)))


def _is_frozen_dataclass(cls: type) -> bool:
    # A plain subclass of a frozen dataclass inherits its promise but need not keep it.
    return "__dataclass_params__" in vars(cls) and bool(vars(cls)["__dataclass_params__"].frozen)


def _attributes(value: Any) -> list[Any]:
    return [getattr(value, field.name, None) for field in fields(value)] + list(getattr(value, "__dict__", {}).values())


def _flat(value: Value) -> Sealed | None:
    cls = type(value)
    if cls is list or cls is set:
        return Sealed(value.copy(), cls.copy) if all(map(is_immutable, value)) else None
    if cls is dict and all(map(is_immutable, value)) and all(map(is_immutable, value.values())):
        return Sealed(value.copy(), dict.copy)
    return None


def _deep(value: Value) -> Sealed:
    try:
        return Sealed(pickle.dumps(value, pickle.HIGHEST_PROTOCOL), pickle.loads)
    except RecursionError:
        raise
    except Exception:
        # Whatever a foreign __reduce__ raises means the same: not picklable.
        return _deep_copied(value)


def _deep_copied(value: Value) -> Sealed:
    try:
        return Sealed(copy.deepcopy(value), copy.deepcopy)
    except RecursionError:
        raise
    except Exception as fault:
        raise _not_storable(value, "neither picklable nor copyable") from fault


def _not_storable(value: Value, why: str) -> ValueNotStorable:
    return ValueNotStorable(
        "cache value",
        found=f"a {type(value).__qualname__}, {why}",
        wanted="something that can be copied",
        mend="store its data, or configure the cache with copy=False and never change what it hands out",
    )
