"""Copies of arguments and answers, taken on the caller and opened in the lane.

What cannot change is not copied. Everything else is pickled once on the caller (a third of the price of
``copy.deepcopy``) and loaded where the copy is needed, so that neither side can change what the other sees.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import pickle
import uuid
from collections.abc import Iterator
from typing import Any

from oms.domain.errors import NotSnapshottable
from oms.domain.observation import Raised, StandIn
from oms.domain.phase import Operation
from oms.routing.contain import CONTAINED

_FROZEN = frozenset(
    {
        str,
        int,
        float,
        bool,
        type(None),
        bytes,
        complex,
        dt.datetime,
        dt.date,
        dt.time,
        dt.timedelta,
        decimal.Decimal,
        uuid.UUID,
    }
)
_FROZEN_SIZE = 64


class Pickled:
    """A value as its pickle: ``load()`` gives a fresh copy each time.

    The bytes never leave the process, so loading them runs nothing that the caller did not hold already.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def load(self) -> Any:
        """Return a fresh copy. Raises whatever the class's own ``__setstate__`` raises."""
        return pickle.loads(self.data)


def is_frozen(value: object) -> bool:
    """Tell whether *value* can be shared as it is: an immutable scalar, an enum member, or a tuple or frozenset of such."""
    kind = type(value)
    if kind in _FROZEN:
        return True
    if kind is tuple or kind is frozenset:
        try:
            return all(is_frozen(item) for item in value)  # type: ignore[attr-defined]  # narrowed by `kind`
        except RecursionError:  # too deep to look into
            return False
    # Not isinstance(): it asks the value for its class, and a lazy proxy answers by loading, or raises.
    return issubclass(kind, enum.Enum)


def snapshot(value: object) -> object:
    """Return *value* itself if it is frozen, else a :class:`Pickled` of it.

    Raises:
        NotSnapshottable: if it cannot be pickled, or is an iterator, which a copy would have to consume.
    """
    if is_frozen(value):
        return value
    if issubclass(type(value), Iterator):
        raise NotSnapshottable(f"{type(value).__qualname__} is consumed by reading it")
    try:
        return Pickled(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
    except CONTAINED as error:
        raise NotSnapshottable(f"{type(value).__qualname__} cannot be pickled") from error


def snapshot_call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    """Return a snapshot of a call's arguments that opens to ``(args, kwargs)``.

    Raises:
        NotSnapshottable: if an argument can't be copied.
    """
    if is_frozen(args) and all(is_frozen(value) for value in kwargs.values()):
        return args, kwargs
    return snapshot((args, kwargs))


def opened(taken: object) -> Any:
    """Return the value of a snapshot: a fresh copy, or the frozen value itself."""
    return taken.load() if type(taken) is Pickled else taken


def size_of(taken: object) -> int:
    """Return about how many bytes a snapshot holds."""
    if type(taken) is Pickled:
        return len(taken.data)
    if isinstance(taken, (str, bytes)):
        return len(taken)
    if isinstance(taken, (tuple, frozenset)):
        return _FROZEN_SIZE + sum(map(size_of, taken))
    return size_of(tuple(taken.values())) if isinstance(taken, dict) else _FROZEN_SIZE


def raised(error: BaseException, operation: Operation) -> Raised:
    """Return the stand-in of *error*: its class and the fields that the port declares, each snapshotted or named by type."""
    name = type(error).__qualname__
    return Raised(StandIn(name, tuple((field, _field(error, field)) for field in operation.errors.get(name, ()))))


def _field(error: BaseException, name: str) -> object:
    try:
        value = getattr(error, name)
        return value if is_frozen(value) else repr(value)
    except CONTAINED as fault:  # a property of somebody else's exception
        return f"unreadable: {type(fault).__qualname__}"
