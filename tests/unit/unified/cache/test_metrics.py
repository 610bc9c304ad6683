"""Caches as OpenTelemetry sees them."""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from oms.unified.cache import CacheRegistry
from oms.unified.cache.metrics import observe


def _collected(reader: InMemoryMetricReader) -> dict[tuple[str, ...], float]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        (metric.name, *(str(value) for _, value in sorted(dict(point.attributes or {}).items()))): point.value
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_totals_are_exported() -> None:
    """Every total stands under its cache's name, and moves with it; a cache built later is seen too."""
    reader, registry = InMemoryMetricReader(), CacheRegistry()
    provider = MeterProvider([reader])
    observe(provider, registry.caches)
    types = registry.get_cache("types", {"max_size": 1})
    types.set("a", 1)
    types.set("a", 2)
    types.set("b", 1)
    types.get("b")
    types.get("a")
    types.get_or_set("c", lambda: 1, ttl=0)
    first = _collected(reader)
    registry.get_cache("later")
    types.clear()
    second = _collected(reader)
    provider.shutdown()

    assert {
        ("oms.cache.requests", "types", "hit"): 1,
        ("oms.cache.requests", "types", "miss"): 2,
        ("oms.cache.sets", "types"): 3,
        ("oms.cache.removals", "types", "replaced"): 1,
        ("oms.cache.removals", "types", "evicted"): 1,
        ("oms.cache.removals", "types", "expired"): 0,
        ("oms.cache.removals", "types", "deleted"): 0,
        ("oms.cache.removals", "types", "cleared"): 0,
        ("oms.cache.faults", "types", "failed"): 0,
        ("oms.cache.faults", "types", "skipped"): 0,
        ("oms.cache.loads", "types"): 1,
        ("oms.cache.size", "types"): 1,
    } == first
    assert (1, 0, 0) == (
        second["oms.cache.removals", "types", "cleared"],
        second["oms.cache.size", "types"],
        second["oms.cache.size", "later"],
    )
