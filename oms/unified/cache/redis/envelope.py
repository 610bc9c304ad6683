"""Values as Redis keeps them: JSON with type tags, so that a value comes back as the type it was. Never pickle: Redis is shared.

``{"v": 1, "d": ...}`` where null, booleans, numbers, texts, lists and text-keyed objects stand for themselves, and everything else is
``{"~": tag, "d": ...}``. What has no tag is refused when it is stored, subclasses included: they would come back as something else.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import decimal
import json
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from oms.seams.cache import Value
from oms.unified.cache.errors import ValueNotStorable

VERSION = 1

_PLAIN = frozenset({type(None), bool, int, float, str})
_TAG = "~"


class Unreadable(Exception):
    """What lies in Redis is not an envelope of ours. Read as a miss, never raised at a caller."""


def dumps(value: Value) -> bytes:
    """Return *value* in its envelope.

    Raises:
        ValueNotStorable: if a part of it is of a type without a tag, too deep, or refers to itself.
    """
    try:
        return json.dumps({"v": VERSION, "d": _tagged(value)}, separators=(",", ":")).encode()
    except (RecursionError, ValueError) as fault:
        raise _refused(value, "which is too deep, or too large a number") from fault


def loads(data: bytes) -> Value:
    """Return the value in the envelope *data*.

    Raises:
        Unreadable: if *data* is no envelope, or one of a later version.
    """
    try:
        envelope = json.loads(data)
        if envelope["v"] != VERSION:
            raise Unreadable(f"version {type(envelope['v']).__name__}")
        return _plain(envelope["d"])
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError, binascii.Error) as fault:
        raise Unreadable(type(fault).__name__) from fault


def _tagged(value: Any) -> Any:
    cls = type(value)
    if cls in _PLAIN:
        return value
    if cls is list:
        return [_tagged(item) for item in value]
    if cls is dict:
        return _tagged_dict(value)
    if cls not in _WRITERS:
        raise _refused(value, "which has no form in JSON")
    return {_TAG: cls.__name__, "d": _WRITERS[cls](value)}


def _tagged_dict(value: dict[Any, Any]) -> dict[str, Any]:
    if all(type(key) is str for key in value) and _TAG not in value:
        return {key: _tagged(item) for key, item in value.items()}
    return {_TAG: "dict", "d": [[_tagged(key), _tagged(item)] for key, item in value.items()]}


def _plain(data: Any) -> Any:
    if isinstance(data, list):
        return [_plain(item) for item in data]
    if not isinstance(data, dict):
        return data
    if _TAG not in data:
        return {key: _plain(item) for key, item in data.items()}
    return _READERS[data[_TAG]](data["d"])


def _write_datetime(value: dt.datetime) -> list[Any]:
    zone = value.tzinfo
    if zone is None or type(zone) is dt.timezone:
        return [value.isoformat(), None, value.fold]
    if isinstance(zone, zoneinfo.ZoneInfo) and zone.key:
        return [value.replace(tzinfo=None).isoformat(), zone.key, value.fold]
    raise _refused(zone, "which has no form in JSON")


def _read_datetime(data: list[Any]) -> dt.datetime:
    text, zone, fold = data
    moment = dt.datetime.fromisoformat(text).replace(fold=fold)
    return moment if zone is None else moment.replace(tzinfo=zoneinfo.ZoneInfo(zone))


def _write_time(value: dt.time) -> list[Any]:
    if value.tzinfo is not None and type(value.tzinfo) is not dt.timezone:
        raise _refused(value.tzinfo, "which has no form in JSON")
    return [value.isoformat(), value.fold]


def _write_items(value: Any) -> list[Any]:
    return [_tagged(item) for item in value]


def _write_bytes(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


_WRITERS: Mapping[type, Callable[[Any], Any]] = MappingProxyType(
    {
        tuple: _write_items,
        set: _write_items,
        frozenset: _write_items,
        bytes: _write_bytes,
        bytearray: _write_bytes,
        dt.datetime: _write_datetime,
        dt.date: dt.date.isoformat,
        dt.time: _write_time,
        dt.timedelta: lambda value: [value.days, value.seconds, value.microseconds],
        decimal.Decimal: str,
        uuid.UUID: str,
    }
)

_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "dict": lambda data: {_plain(key): _plain(item) for key, item in data},
        "tuple": lambda data: tuple(_plain(data)),
        "set": lambda data: set(_plain(data)),
        "frozenset": lambda data: frozenset(_plain(data)),
        "bytes": lambda data: base64.b64decode(data, validate=True),
        "bytearray": lambda data: bytearray(base64.b64decode(data, validate=True)),
        "datetime": _read_datetime,
        "date": dt.date.fromisoformat,
        "time": lambda data: dt.time.fromisoformat(data[0]).replace(fold=data[1]),
        "timedelta": lambda data: dt.timedelta(*data),
        "Decimal": decimal.Decimal,
        "UUID": uuid.UUID,
    }
)


def _refused(value: Any, why: str) -> ValueNotStorable:
    return ValueNotStorable(
        "cache value",
        found=f"a {type(value).__qualname__}, {why}",
        wanted="JSON types, tuple, set, frozenset, bytes, dates, Decimal or UUID",
        mend="store its data, or use a memory cache",
    )
