"""Both sides of each cache seam, on one clock and as large as each other."""

from __future__ import annotations

from typing import Any

from oms.domain.phase import Seam
from oms.legacy.core.traversal.cache import LRUCache
from oms.legacy.core.validation.enterprise.implementations.validation_cache import ValidationCache
from oms.legacy.shared.cache.terminusdb_cache import TerminusDBCacheManager
from oms.legacy_adapters.cache import TerminusCacheAdapter, TraversalCacheAdapter, ValidationCacheAdapter
from oms.testing import FakeClock, Sides
from oms.unified.cache import CacheRegistry


def make_sides(seam: Seam[Any, Any], clock: FakeClock) -> Sides:
    """Return both sides of *seam*, fresh and empty."""
    legacy, size = _LEGACY[seam.name]
    return Sides(
        legacy=legacy(clock), unified=CacheRegistry(clock=clock).get_cache(seam.name, config={"max_size": size})
    )


def _types(clock: FakeClock) -> TraversalCacheAdapter:
    cache = LRUCache()
    cache._now = clock
    return TraversalCacheAdapter(cache)


def _validation(clock: FakeClock) -> ValidationCacheAdapter:
    cache = ValidationCache()
    cache._now = clock.naive_utc
    return ValidationCacheAdapter(cache)


def _documents(clock: FakeClock) -> TerminusCacheAdapter:
    cache = TerminusDBCacheManager()
    cache._now = clock.naive_utc
    return TerminusCacheAdapter(cache)


_LEGACY = {"types": (_types, 1000), "validation": (_validation, 10_000), "documents": (_documents, 1000)}
