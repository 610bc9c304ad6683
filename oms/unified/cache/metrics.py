"""Caches as OpenTelemetry sees them: callbacks that read the plain totals when somebody collects, and cost nothing in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from oms.unified.cache.cache import UnifiedCache

Caches = Callable[[], Iterable[UnifiedCache]]

_REQUESTS = {"hit": "hits", "miss": "misses"}
_REMOVALS = {cause: cause for cause in ("deleted", "replaced", "evicted", "expired", "cleared")}
_FAULTS = {"failed": "errors", "skipped": "skipped"}
_COUNTERS = (
    ("oms.cache.requests", "{request}", "Reads, one a key, by result.", "result", _REQUESTS),
    ("oms.cache.removals", "{entry}", "Entries removed, by cause.", "cause", _REMOVALS),
    (
        "oms.cache.faults",
        "{call}",
        "Calls that the storage failed, or that were not tried because it had just failed.",
        "kind",
        _FAULTS,
    ),
    ("oms.cache.sets", "{entry}", "Values stored.", None, {"": "sets"}),
    ("oms.cache.loads", "{load}", "Loaders that ran for get_or_set.", None, {"": "loads"}),
)


def observe(meter_provider: MeterProvider, caches: Caches) -> None:
    """Export the totals of *caches*, each under the attribute ``cache``.

    Args:
        meter_provider: Whose readers decide when to collect.
        caches: Asked at every collection, so that caches built later are seen: ``registry.caches`` fits.
    """
    meter = meter_provider.get_meter("oms.cache")
    for name, unit, description, attribute, totals in _COUNTERS:
        meter.create_observable_counter(
            name, [partial(_totals, caches, attribute, totals)], unit=unit, description=description
        )
    meter.create_observable_gauge(
        "oms.cache.size", [partial(_sizes, caches)], unit="{entry}", description="Entries held."
    )


def _totals(caches: Caches, attribute: str | None, totals: dict[str, str], _: CallbackOptions) -> Iterable[Observation]:
    for cache in caches():
        for label, total in totals.items():
            labels = {"cache": cache.name} if attribute is None else {"cache": cache.name, attribute: label}
            yield Observation(getattr(cache.storage.counts, total), labels)


def _sizes(caches: Caches, _: CallbackOptions) -> Iterable[Observation]:
    for cache in caches():
        if cache.storage.size is not None:
            yield Observation(cache.storage.size, {"cache": cache.name})
