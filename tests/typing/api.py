"""What a type checker sees of the public API. Checked by ``make types``, never run."""

from __future__ import annotations

from typing import Any, assert_type

from oms.domain.phase import Seam, reads, writes
from oms.domain.record import Batch, Tally
from oms.domain.standing import PhaseStanding
from oms.routing import Runtime, Scope
from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION, AsyncCache, Cache
from oms.seams.config import SETTINGS, Settings, Value
from oms.unified.config import unified_env

assert_type(TYPES, Seam[Cache, AsyncCache])
assert_type(VALIDATION, Seam[Cache, None])
assert_type(DOCUMENTS, Seam[AsyncCache, None])
assert_type(SETTINGS, Seam[Settings, None])


def facades(runtime: Runtime) -> None:
    """A facade is its port, to callers and to whoever binds it."""
    assert_type(runtime.facade(TYPES), Cache)
    assert_type(runtime.afacade(TYPES), AsyncCache)
    assert_type(runtime.facade(VALIDATION), Cache)
    assert_type(runtime.facade(DOCUMENTS), AsyncCache)
    assert_type(runtime.facade(SETTINGS).read("IAM_TIMEOUT", "core/iam.py"), Value)
    assert_type(runtime.facade(TYPES).delete("key"), bool)
    assert_type(runtime.facade(TYPES).get("key"), Any | None)


def environment() -> None:
    """What was moved off os has the types that it had there."""
    assert_type(unified_env.getenv("X"), str | None)
    assert_type(unified_env.getenv("X", "d"), str)
    assert_type(unified_env.getenv("X", 3), str | int)
    assert_type(unified_env.require("X"), str)
    assert_type(unified_env.contains("X"), bool)


def scopes(runtime: Runtime) -> None:
    """A scope is a context manager; what carries or wears one keeps its signature."""
    assert_type(runtime.scope(targeting_key="tenant-42"), Scope)
    with runtime.scope(targeting_key="tenant-42", attributes={"region": "eu"}):
        assert_type(runtime.carry(length)("text", unit=2), int)


async def async_calls(runtime: Runtime) -> None:
    """An async facade is awaited like its port."""
    async with runtime.scope(targeting_key="tenant-42"):
        assert_type(await runtime.facade(DOCUMENTS).adelete("key"), bool)
        assert_type(await runtime.afacade(TYPES).aget("key"), Any | None)


def records(runtime: Runtime) -> None:
    """What journal, process files and telemetry take."""
    assert_type(runtime.drain(), Batch)
    assert_type(runtime.standing(), dict[str, PhaseStanding])
    assert_type(runtime.totals(), list[Tally])
    assert_type(runtime.stop(1.0), int)


def length(text: str, *, unit: int = 1) -> int:
    """Return the length of *text* in units."""
    return len(text) // unit


class Marked:
    """A mark leaves the signature as it is, bare or with arguments."""

    @reads
    def size(self) -> int:
        """Return a size."""
        return 0

    @writes(key="key")
    def put(self, key: str, *, value: bytes = b"") -> bool:
        """Put *value* under *key*."""
        return bool(key and value)


assert_type(Marked().size(), int)
assert_type(Marked().put("key", value=b""), bool)
