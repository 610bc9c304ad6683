"""Where the bars of the latency chart stand: both sides of each operation on one logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from oms.console.numbers import duration
from oms.console.report_data import OperationReport, Percentiles

LEFT, RIGHT, TOP = 250, 860, 34
ROW, LANE = 46, 16
_MANTISSAS = (1, 2, 5)
_MOST_TICKS = 9


@dataclass(frozen=True, slots=True)
class Lane:
    """One side of one row: a bar from the median to p99, in the chart's units.

    Attributes:
        text: The same in words, for those who do not see the bar.
    """

    side: str
    y: float
    p50: float
    p90: float
    p99: float
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One operation at one stage."""

    name: str
    stage: str
    y: float
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the template draws."""

    width: int
    height: int
    ticks: tuple[Tick, ...]
    rows: tuple[Row, ...]


def latency_chart(operations: Iterable[OperationReport]) -> Chart | None:
    """Return the chart of every operation and stage in which a side ran, None if none did."""
    measured = [
        (operation, latency)
        for operation in operations
        for latency in operation.latencies
        if latency.legacy or latency.unified
    ]
    sides = [side for _, latency in measured for side in (latency.legacy, latency.unified) if side]
    if not sides:
        return None
    scale = _Scale(max(1, min(side.p50_ns for side in sides)), max(side.p99_ns for side in sides))
    rows = []
    for place, (operation, latency) in enumerate(measured):
        y = TOP + place * ROW
        both = (("legacy", latency.legacy), ("unified", latency.unified))
        lanes = [_lane(name, side, y + 4 + number * LANE, scale) for number, (name, side) in enumerate(both) if side]
        rows.append(Row(f"{operation.seam}.{operation.operation}", latency.stage, y, tuple(lanes)))
    return Chart(RIGHT + 40, TOP + len(rows) * ROW + 6, scale.ticks(), tuple(rows))


class _Scale:
    """Durations to places between LEFT and RIGHT, with lines at 1, 2 and 5 of each power of ten as far as they fit."""

    def __init__(self, least_ns: int, most_ns: int) -> None:
        self._low = math.floor(math.log10(least_ns))
        self._high = max(math.ceil(math.log10(max(most_ns, 2))), self._low + 1)

    def x(self, ns: int) -> float:
        share = (math.log10(max(ns, 1)) - self._low) / (self._high - self._low)
        return round(LEFT + share * (RIGHT - LEFT), 1)

    def ticks(self) -> tuple[Tick, ...]:
        mantissas = _MANTISSAS if (self._high - self._low) * len(_MANTISSAS) < _MOST_TICKS else (1,)
        marks = [mantissa * 10**power for power in range(self._low, self._high) for mantissa in mantissas]
        return tuple(Tick(self.x(mark), _short(mark)) for mark in (*marks, 10**self._high))


def _lane(name: str, side: Percentiles, y: float, scale: _Scale) -> Lane:
    p50, p90, p99 = (duration(ns) for ns in (side.p50_ns, side.p90_ns, side.p99_ns))
    return Lane(
        name,
        y,
        scale.x(side.p50_ns),
        scale.x(side.p90_ns),
        scale.x(side.p99_ns),
        f"{name}: p50 {p50}, p90 {p90}, p99 {p99}",
    )


def _short(ns: int) -> str:
    number, unit = duration(ns).split(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"
