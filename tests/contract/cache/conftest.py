"""Both sides of each cache seam, on one clock, and the table of promises that legacy breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oms.domain.phase import Seam
from oms.legacy.core.traversal.cache import LRUCache
from oms.legacy.core.validation.enterprise.implementations.validation_cache import ValidationCache
from oms.legacy.shared.cache.terminusdb_cache import TerminusDBCacheManager
from oms.legacy_adapters.cache import TerminusCacheAdapter, TraversalCacheAdapter, ValidationCacheAdapter
from oms.seams.cache import Cache
from oms.testing import FakeClock, Sides
from oms.unified.cache import CacheRegistry


def types(clock: FakeClock) -> TraversalCacheAdapter:
    """Return the legacy side of ``types``."""
    cache = LRUCache()
    cache._now = clock
    return TraversalCacheAdapter(cache)


def validation(clock: FakeClock) -> ValidationCacheAdapter:
    """Return the legacy side of ``validation``."""
    cache = ValidationCache()
    cache._now = clock.naive_utc
    return ValidationCacheAdapter(cache)


def documents(clock: FakeClock) -> TerminusCacheAdapter:
    """Return the legacy side of ``documents``."""
    cache = TerminusDBCacheManager()
    cache._now = clock.naive_utc
    return TerminusCacheAdapter(cache)


LEGACY = {"types": types, "validation": validation, "documents": documents}
SIZES = {"types": 1000, "validation": 10_000, "documents": 1000}


@pytest.fixture
def sides(clock: FakeClock) -> Callable[[Seam[Any, Any]], Sides]:
    """Makes both sides of a cache seam, as large as each other."""

    def make(seam: Seam[Any, Any]) -> Sides:
        unified = CacheRegistry(clock=clock).get_cache(seam.name, config={"max_size": SIZES[seam.name]})
        return Sides(legacy=LEGACY[seam.name](clock), unified=unified)

    return make


@pytest.fixture
def cache(subject: Cache) -> Cache:
    """The cache that the contract is asked of."""
    return subject
