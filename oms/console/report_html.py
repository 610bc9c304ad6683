"""The report as one HTML page: nothing is fetched, nothing runs, everything can be printed."""

from __future__ import annotations

from oms.console.latency_chart import latency_chart
from oms.console.numbers import duration, pairs, percent, utc
from oms.console.report_data import Finding, ReportData
from oms.domain.errors import CouldNot
from oms.journal.reader import DivergenceGroup

_TREND_COLUMNS = 40


def render_html(data: ReportData) -> str:
    """Return the report as a self-contained page.

    Raises:
        CouldNot: if Jinja is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise CouldNot(
            "report --format html: found no jinja2, wanted the extra 'report'; pip install 'oms[report]', or use --format text"
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
        "pairs": pairs,
        "number": "{:,}".format,
    }
    chart = {phase.name: latency_chart(phase.operations) for phase in data.phases}
    marks = {
        Finding.DIVERGES: "\N{MULTIPLICATION X}",
        Finding.CLEAN: "\N{CHECK MARK}",
        Finding.NOT_COMPARED: "\N{EM DASH}",
    }
    return environment.get_template("report.html.jinja").render(data=data, chart=chart, marks=marks, trend=trend)


def trend(group: DivergenceGroup) -> list[int]:
    """Return how often *group* was seen over time in at most 40 columns, as percentages of the highest one."""
    first, last = min(group.counts), max(group.counts)
    width = -(-(last - first + 1) // _TREND_COLUMNS)
    columns = [0] * ((last - first) // width + 1)
    for minute, count in group.counts.items():
        columns[(minute - first) // width] += count
    return [-(-100 * column // max(columns)) for column in columns]
