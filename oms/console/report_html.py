"""The report as one HTML page: nothing is fetched, nothing runs, everything can be printed."""

from __future__ import annotations

from oms.console.numbers import bound_text, described, duration, percent, ratio, utc
from oms.console.report_data import LatencyReport, OperationReport, PhaseReport, ReportData
from oms.console.report_groups import GroupReport
from oms.console.report_text import before_words, noise_words, verdict_words
from oms.domain.errors import CouldNot
from oms.domain.readiness import Readiness
from oms.journal.entries import DivergenceGroup

_TREND_COLUMNS = 40
_GROUPS = 50
_DISTRIBUTIONS = 24
"""Charts of durations, shared by the phases; the table has every operation."""


def render_html(data: ReportData) -> str:
    """Return the report as a self-contained page.

    Raises:
        CouldNot: if Jinja or pygal is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined

        from oms.console.charts import latency_chart, timeline_chart
    except ImportError as error:
        raise CouldNot(
            f"report: found no {error.name}, wanted the extra 'report' for HTML; pip install 'oms[report]', or take text"
        ) from error
    environment = Environment(
        loader=PackageLoader("oms.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "utc": utc,
        "duration": duration,
        "percent": percent,
        "described": described,
        "number": "{:,}".format,
        "ratio": ratio,
        "words": lambda name: name.replace("_", " "),
    }
    marks = {
        Readiness.NO: "\N{MULTIPLICATION X}",
        Readiness.NOT_YET: "\N{HORIZONTAL ELLIPSIS}",
        Readiness.READY: "\N{CHECK MARK}",
    }
    moves = {phase.name: [move for move in data.moves if move.phase == phase.name] for phase in data.phases}
    return environment.get_template("report.html.jinja").render(
        data=data,
        marks=marks,
        moves=moves,
        timelines={
            phase.name: timeline_chart(phase.moments, moves[phase.name]) for phase in data.phases if phase.moments
        },
        distributions={
            phase.name: [
                (one, stage, latency_chart(stage)) for one, stage in charted(phase, _DISTRIBUTIONS // len(data.phases))
            ]
            for phase in data.phases
        },
        trend=trend,
        shown=shown,
        verdict_words=verdict_words,
        noise_words=noise_words,
        before_words=before_words,
        bound_text=bound_text,
    )


def charted(phase: PhaseReport, most: int) -> list[tuple[OperationReport, LatencyReport]]:
    """Return the operations and stages whose durations are drawn, at most *most*: those that both sides ran most often."""
    both = [
        (operation, latency)
        for operation in phase.operations
        for latency in operation.latencies
        if latency.legacy and latency.unified
    ]
    both.sort(key=lambda pair: -min(side.count for side in (pair[1].legacy, pair[1].unified) if side))
    return both[:most]


def shown(phase: PhaseReport) -> list[GroupReport]:
    """Return the divergences that are shown: the most frequent ones, of those that no rule covers and of the others."""
    unexplained = [report for report in phase.divergences if report.group.known is None]
    known = [report for report in phase.divergences if report.group.known is not None]
    return unexplained[:_GROUPS] + known[:_GROUPS]


def trend(group: DivergenceGroup) -> list[int]:
    """Return how often *group* was seen over time in at most 40 columns, as percentages of the highest one."""
    first, last = min(group.counts), max(group.counts)
    width = -(-(last - first + 1) // _TREND_COLUMNS)
    columns = [0] * ((last - first) // width + 1)
    for minute, count in group.counts.items():
        columns[(minute - first) // width] += count
    return [-(-100 * column // max(columns)) for column in columns]
