"""Charts as SVG, drawn by pygal without a script: how long calls took on both sides, and what became of calls over time."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence

import pygal
from pygal.etree import etree
from pygal.style import Style

from oms.console.numbers import duration, utc
from oms.console.report_data import LatencyReport, Moment, Move, Percentiles
from oms.console.timeline import NOT_COMPARED, OUTCOMES
from oms.domain.histogram import upper_ns

# pygal leaves a finder for its plugins behind, of which Python 3.11 warns at each import that fails. We have none of these.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

_DROPPED_TAGS = ("style", "script", "desc")
_SMALL = (400, 150)
_WIDE = (1060, 250)
_FEW = 12
_FLOOR = -0.25
_LABEL_ROWS = (0.2, 0.55, 0.9)
"""How far below the top the numbers of marks stand, in turn: two flips in one second would be written over each other."""
_FINE = 4
"""Points of a distribution for each doubling of the duration."""


def latency_chart(latency: LatencyReport) -> str:
    """Return the distributions of both sides over one logarithmic scale: how large a share of the calls took about so long."""
    chart = _xy(_SMALL)
    curves = {
        side: _density(found) for side, found in (("legacy", latency.legacy), ("unified", latency.unified)) if found
    }
    xs = [x for curve in curves.values() for x, _ in curve]
    low = min(xs)
    high = max(low + 0.5, *xs)
    chart.xrange = (low, high)
    chart.x_labels = [{"value": at, "label": _short(round(10**at))} for at in _decades(low, high)]
    chart.show_y_labels = chart.show_y_guides = False
    for side in ("legacy", "unified"):
        chart.add(side, curves.get(side, []), fill=side == "legacy")
    told = "; ".join(
        f"{name} p50 {duration(side.p50_ns)}, p99 {duration(side.p99_ns)}"
        for name, side in (("legacy", latency.legacy), ("unified", latency.unified))
        if side
    )
    return _svg(chart, f"Distribution of durations at {latency.stage}: {told}", "distribution")


def timeline_chart(moments: Sequence[Moment], moves: Iterable[Move]) -> str:
    """Return the outcomes of calls over time on a logarithmic scale, with a mark where a flip or a trip was."""
    chart = _xy(_WIDE)
    first, last = moments[0].at_s, moments[-1].at_s + moments[-1].length_s
    marks = [(place, move) for place, move in enumerate(moves, 1) if first - 60 <= move.at <= last + 60]
    begin, end = (
        min([first, *(move.at for _, move in marks)]),
        max([last, first + 60, *(move.at for _, move in marks)]),
    )
    most = max(max(moment.outcomes.values(), default=1) for moment in moments)
    top = math.log10(most) + 0.35
    chart.range, chart.xrange = (_FLOOR, top), (begin, end)
    chart.y_labels = [{"value": power, "label": f"{10**power:,}"} for power in range(int(top) + 1)]
    chart.x_labels = [{"value": at, "label": utc(at)[5:16]} for at in _ticks(begin, end)]
    for name in (*(outcome.value for outcome in OUTCOMES), NOT_COMPARED):
        points = [
            (moment.at_s + moment.length_s / 2, math.log10(count) if (count := moment.outcomes.get(name, 0)) else None)
            for moment in moments
        ]
        is_rare = name in ("mismatched", "ignored")
        chart.add(name, points, show_dots=is_rare or len(moments) <= _FEW, dots_size=2.5, allow_interruptions=True)
    for is_trip in (False, True):
        lines = [
            point
            for place, move in marks
            if move.is_trip is is_trip
            for point in (
                (move.at, _FLOOR),
                {"value": (move.at, top - _LABEL_ROWS[place % len(_LABEL_ROWS)]), "label": f"{place}"},
                (move.at, None),
            )
        ]
        name = "trip" if is_trip else "flip"
        chart.add(name, lines, show_dots=True, dots_size=0.5, allow_interruptions=True)
    step = f"{moments[0].length_s / 60:g} min"
    return _svg(chart, f"Calls in each {step} by outcome, {utc(first)} to {utc(last)}", "timeline")


def _xy(size: tuple[int, int]) -> pygal.XY:
    return pygal.XY(
        width=size[0],
        height=size[1],
        margin=6,
        margin_right=34,
        margin_left=12,
        js=(),
        show_dots=False,
        show_legend=False,
        print_labels=True,
        truncate_label=-1,
        style=Style(value_font_size=11, label_font_size=11, major_label_font_size=11),
    )


def _density(side: Percentiles) -> list[tuple[float, float]]:
    """Return a curve over the power of ten of the duration in nanoseconds; its area is the same for every number of calls."""
    steps: dict[int, float] = {}
    for bucket, count in side.buckets.items():
        low, high = math.log2(max(1, upper_ns(bucket - 1) if bucket else 1)), math.log2(upper_ns(bucket) + 1)
        # A bucket may be wider than a step where durations are of a few nanoseconds.
        first, last = math.floor(low * _FINE), max(math.floor(low * _FINE), math.ceil(high * _FINE) - 1)
        for step in range(first, last + 1):
            overlap = min(high, (step + 1) / _FINE) - max(low, step / _FINE)
            steps[step] = steps.get(step, 0.0) + count * max(0.0, overlap) / max(high - low, 1e-9)
    total, first, last = side.count, min(steps), max(steps)
    curve = [((step + 0.5) / _FINE, steps.get(step, 0.0) / total) for step in range(first - 1, last + 2)]
    return [(max(0.0, x) * math.log10(2), share) for x, share in curve]


def _ticks(begin: float, end: float) -> list[float]:
    """Return at most eight round times between *begin* and *end*, Unix times in seconds."""
    steps = (60, 300, 600, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 172_800, 604_800)
    step = next((step for step in steps if (end - begin) / step <= 8), steps[-1] * 4)
    first = math.ceil(begin / step)
    return [place * step for place in range(first, math.floor(end / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Return powers of ten between *low* and *high*, as logarithms; of a narrow range their doubles and fives, too."""
    mantissas = (1,) if high - low >= 2 else (1, 2, 5)
    marks = [power + math.log10(one) for power in range(math.floor(low), math.ceil(high) + 1) for one in mantissas]
    return [mark for mark in marks if low <= mark <= high]


def _short(ns: int) -> str:
    number, unit = duration(ns).split(" ")
    return f"{float(number):g} {unit}"


def _svg(chart: pygal.XY, label: str, kind: str) -> str:
    """Return the chart without the style and the script that pygal puts into each one: the page has one style for all."""
    root = chart.render_tree()
    for parent in list(root.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in _DROPPED_TAGS:
                parent.remove(child)
    for name in ("id", "width", "height"):
        root.attrib.pop(name, None)
    attributes: Mapping[str, str] = {"class": f"chart {kind}", "role": "img", "aria-label": label}
    root.attrib.update(attributes)
    title = next(child for child in root if str(child.tag).endswith("title"))
    title.text = label
    return str(etree.tostring(root, encoding="unicode"))
