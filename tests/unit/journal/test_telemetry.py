"""Counts as OpenTelemetry instruments, seen by real readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from opentelemetry.metrics import CallbackOptions, NoOpMeter, NoOpMeterProvider, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from oms.domain.record import Place, Tally
from oms.journal import observe

SHADOW = Place("cache", "types", "get", "shadow")
LIVE = Place("cache", "types", "get", "live")


def totals() -> list[Tally]:
    """What a process has counted."""
    return [
        Tally(SHADOW, "calls", 10), Tally(SHADOW, "shadowed", 8), Tally(SHADOW, "sampled_out", 2), Tally(SHADOW, "matched", 7),
        Tally(SHADOW, "uncomparable", 1), Tally(SHADOW, "uncomparable.raced", 1), Tally(LIVE, "rescued", 3), Tally(LIVE, "matched", 4),
    ]  # fmt: skip


@pytest.fixture
def points():
    """Collect once and return ``{instrument: {(stage, side, what): value}}``."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    observe(provider, totals)
    data = reader.get_metrics_data()
    assert data is not None
    found: dict[str, dict[tuple[object, ...], object]] = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            extra = [
                value
                for key, value in point.attributes.items()
                if key not in ("phase", "seam", "operation", "stage", "side")
            ]
            found.setdefault(metric.name, {})[point.attributes["stage"], point.attributes["side"], *extra] = point.value
    yield found
    provider.shutdown()


def test_calls_by_disposition(points):
    """The total is the sum of what became of the calls, so it is not counted a second time."""
    expected = {("shadow", "legacy", "shadowed"): 8, ("shadow", "legacy", "sampled_out"): 2}

    assert expected == points["oms.calls"]


def test_outcomes_by_stage_and_answering_side(points):
    """Legacy answers in shadow, unified in live."""
    expected = {
        ("shadow", "legacy", "matched"): 7,
        ("shadow", "legacy", "uncomparable"): 1,
        ("live", "unified", "matched"): 4,
    }

    assert expected == points["oms.outcomes"]


def test_reasons_and_events(points):
    """Why a comparison was not made, and what else happened to a call."""
    assert {("shadow", "legacy", "raced"): 1} == points["oms.uncomparable"]
    assert {("live", "unified", "rescued"): 3} == points["oms.events"]


def test_prometheus_reads_them():
    """The optional Prometheus reader shows the same counts as text."""
    prometheus = pytest.importorskip("opentelemetry.exporter.prometheus")
    import prometheus_client

    registry = prometheus_client.CollectorRegistry()
    provider = MeterProvider(
        metric_readers=[prometheus.PrometheusMetricReader(registry=registry)], shutdown_on_exit=False
    )
    observe(provider, totals)
    lines = prometheus_client.generate_latest(registry).decode().splitlines()
    provider.shutdown()

    (line,) = [
        line
        for line in lines
        if line.startswith("oms_outcomes_total") and 'outcome="matched"' in line and 'stage="live"' in line
    ]
    assert line.endswith(" 4.0")
    assert 'side="unified"' in line


def test_plans_are_one_series() -> None:
    """Counts of several plans and versions are one time series, and what only evidence counts is none."""
    places = [replace(SHADOW, plan=plan, version=version) for plan in "ab" for version in "cd"]
    names = ("matched", "rescued", "errors.none", "noise", "noise.price", "repeated", "unit_errors")
    told: dict[str, Callable[..., Iterable[Observation]]] = {}

    class Collecting(NoOpMeter):
        """Keeps the callbacks: an instrument may add up what it is told twice, and need not."""

        def create_observable_counter(self, name, callbacks=None, unit="", description=""):
            told[name] = callbacks[0]
            return super().create_observable_counter(name, callbacks, unit, description)

    class Provider(NoOpMeterProvider):
        """Returns that meter."""

        def get_meter(self, name, *more, **others):
            return Collecting(name)

    observe(Provider(), lambda: [Tally(place, name, 1) for place in places for name in names])
    found = {name: [one.value for one in callback(CallbackOptions())] for name, callback in told.items()}

    assert {"oms.calls": [], "oms.outcomes": [4], "oms.uncomparable": [], "oms.events": [4]} == found
