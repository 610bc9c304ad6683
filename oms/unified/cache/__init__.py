"""Caches of the unified wing: one interface, one meaning of ttl, any storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oms.unified.cache.backend import MISSING, CacheStorageBackend
from oms.unified.cache.cache import UnifiedCache
from oms.unified.cache.compat import AsyncTtlSecondsCache, TtlSecondsCache
from oms.unified.cache.config import CacheConfig
from oms.unified.cache.counts import CacheStats, Counts
from oms.unified.cache.errors import (
    CacheConfigInvalid,
    CacheError,
    CacheUnavailable,
    KeyInvalid,
    RecursiveLoad,
    SyncNotSupported,
    TtlInvalid,
    ValueNotStorable,
)
from oms.unified.cache.memory import MemoryBackend
from oms.unified.cache.registry import CacheRegistry

if TYPE_CHECKING:
    from oms.unified.cache.redis.backend import RedisBackend

__all__ = [
    "MISSING",
    "AsyncTtlSecondsCache",
    "CacheConfig",
    "CacheConfigInvalid",
    "CacheError",
    "CacheRegistry",
    "CacheStats",
    "CacheStorageBackend",
    "CacheUnavailable",
    "Counts",
    "KeyInvalid",
    "MemoryBackend",
    "RecursiveLoad",
    "RedisBackend",
    "SyncNotSupported",
    "TtlInvalid",
    "TtlSecondsCache",
    "UnifiedCache",
    "ValueNotStorable",
]


def __getattr__(name: str) -> Any:
    # Importing two Redis clients takes longer than everything else here; who has only memory caches need not.
    if name == "RedisBackend":
        from oms.unified.cache.redis.backend import RedisBackend

        return RedisBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
