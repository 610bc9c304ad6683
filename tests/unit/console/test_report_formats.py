"""The same report for a terminal, a script and a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import oms.console
from oms.console.latency_chart import LEFT, RIGHT, latency_chart
from oms.console.numbers import duration, pairs, percent, utc
from oms.console.report_html import render_html, trend
from oms.console.report_json import render_json
from oms.console.lines import WIDTH
from oms.console.report_text import render_text


def test_text_fits_the_terminal(data):
    """No line is wider than 100 columns, long names included."""
    phase = data.phases[0]
    wide = replace(
        phase, operations=(replace(phase.operations[0], operation="an_operation_with_a_name_that_never_ends" * 3),)
    )
    text = render_text(replace(data, phases=(wide, *data.phases[1:]), command="oms report " + "x " * 80))

    assert max(map(len, text.splitlines())) <= WIDTH


def test_text_says_what_matters(data):
    """State, counts, causes, moves, ends, losses and the command are all there, in words."""
    text = " ".join(render_text(data).split())

    for wanted in (
        "x DIVERGES CACHE 100 of 38,180 compared calls mismatched (1 unexplained group)", "not compared: sampled out 1,200", "TC-01",
        "4f3a90b1c2d3 cache.types.get type at properties.*.range: list / tuple", "TRIP cache live > shadow", "pid 4242 on worker-2 ended",
        "lost: 7", "again: oms report cache --var var", "this rule takes more than 5 %",
    ):  # fmt: skip
        assert wanted in text


def test_colour_changes_no_word(data):
    """Without its colours the coloured text is the plain one."""
    coloured = render_text(data, colour=True)

    assert "\x1b[" in coloured
    assert render_text(data) == re.sub(r"\x1b\[[0-9;]*m", "", coloured)


def test_text_cannot_steer_the_terminal(data):
    """A reason that somebody typed moves no cursor and sets no title."""
    moves = (replace(data.moves[0], why="fine\x1b]0;owned\x07\r"),)

    assert "fine?]0;owned??" in render_text(replace(data, moves=moves))


@pytest.mark.parametrize(
    ("environment", "is_terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(environment, is_terminal, expected):
    """NO_COLOR with anything in it turns it off."""
    assert expected is wants_colour(environment, is_terminal=is_terminal)


def test_json_is_one_object_with_the_same_numbers(data):
    """A script finds every number under a name, and the schema's version first."""
    found = json.loads(render_json(data))
    get = found["phases"]["cache"]["operations"][0]

    assert ["schema", 1] == [next(iter(found)), found["schema"]]
    assert get["calls"] == get["compared"] + sum(get["not_compared"].values())
    assert (100, "diverges", 0) == (get["mismatched"], get["finding"], get["unaccounted"])
    assert {"fingerprint": "4f3a90b1c2d3", "known": None, "count": 100}.items() <= found["phases"]["cache"][
        "divergences"
    ][0].items()
    assert ["clean", "killed"] == sorted(process["ending"] for process in found["processes"])
    assert 1 == render_json(data).count("\n")


FETCHES = ("href", "src", "xlink:href", "srcset", "action")


class Page(HTMLParser):
    """Collects what a page would fetch or run, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag and where it points."""
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in FETCHES or name.startswith("on")]

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text += data


def test_page_fetches_and_runs_nothing(data):
    """The page can be mailed, opened from a disk without a network, and read with scripts turned off."""
    html = render_html(data)
    page = Page(html)

    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert ["#phase-cache", "#phase-config"] == page.references
    assert [] == re.findall(r"https?:|@import|url\(", html)


def test_page_says_what_matters(data):
    """It shows what the text shows."""
    text = " ".join(Page(render_html(data)).text.split())

    for wanted in (
        "100 of 38,180 compared calls mismatched", "uncomparable: raced 180", "Known: TC-01", "Unexplained", "killed ended without a word",
        "Trip: cache live → shadow", "oms report cache --var var --format html", "120 more at shadow were dropped or timed out",
        "legacy.hash=5f0c",
    ):  # fmt: skip
        assert wanted in text


def test_page_shows_states_in_words_and_marks(data):
    """Colour alone says nothing."""
    html = render_html(data)

    assert "\N{MULTIPLICATION X} diverges" in html
    assert "\N{CHECK MARK} clean" in html
    assert "\N{EM DASH} not compared" in html


def test_page_escapes_what_the_journal_holds(data):
    """A field path or a reason is text, whatever stands in it."""
    evil = "<script>alert(1)</script>"
    moves = (replace(data.moves[0], why=evil),)
    page = Page(render_html(replace(data, moves=moves, command=evil)))

    assert "script" not in page.tags
    assert 2 == page.text.count(evil)


def test_page_of_an_empty_journal(data):
    """Nothing to show is shown as such."""
    empty = replace(data, since=None, until=None, phases=(), moves=(), repairs=(), processes=(), gaps=())

    assert "Nothing was counted" in render_html(empty)
    assert "nothing was counted" in render_text(empty)
    assert {} == json.loads(render_json(empty))["phases"]


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("text", "paper"),
    [("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("good", "good-paper"), ("bad", "bad-paper"), ("bad", "paper"),
     ("open", "open-paper"), ("open", "paper"), ("legacy", "paper"), ("unified", "paper")],
)  # fmt: skip
def test_contrast(text, paper):
    """Every text stands out from its paper by 4.5 to 1 at least."""
    template = Path(oms.console.__file__).with_name("templates") / "report.html.jinja"
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", template.read_text()))
    light, dark = sorted((luminance(colours[text]), luminance(colours[paper])), reverse=True)

    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_bars_stand_on_the_scale(data):
    """Every bar runs from left to right within the chart, both sides of a row below each other."""
    chart = latency_chart(data.phases[0].operations)

    assert chart is not None
    lanes = [lane for row in chart.rows for lane in row.lanes]
    assert 8 == len(lanes)
    assert all(LEFT <= lane.p50 <= lane.p90 <= lane.p99 <= RIGHT for lane in lanes)
    assert ["legacy", "unified"] == [lane.side for lane in chart.rows[0].lanes]
    assert sorted(tick.x for tick in chart.ticks) == [tick.x for tick in chart.ticks]


def test_chart_needs_a_measured_side(data):
    """A phase that never ran beside has no chart."""
    assert latency_chart(data.phases[1].operations) is None


def test_trend_has_at_most_forty_columns(data):
    """A long life is folded; the highest column is 100."""
    group = data.phases[0].divergences[0].group
    long = trend(replace(group, counts={minute: 1 + minute % 7 for minute in range(0, 5000, 3)}))

    assert len(long) <= 40
    assert (100, True) == (max(long), min(long) > 0)


@pytest.mark.parametrize(
    ("ns", "expected"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_234, "1.23 us"),
        (12_345, "12.3 us"),
        (999_999, "1000 us"),
        (2_500_000_000, "2.50 s"),
    ],
)
def test_durations_read_with_three_digits(ns, expected):
    """A reader compares them at a glance."""
    assert expected == duration(ns)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "0.00 %"), (0.00001, "<0.01 %"), (0.25, "25.00 %"), (0.99999, ">99.99 %"), (1, "100.00 %")],
)
def test_rare_is_not_never(share, expected):
    """One in a million is not rounded to nothing."""
    assert expected == percent(share)


def test_times_are_utc():
    """No reader has to guess a zone."""
    assert "2026-03-02 03:00:00Z" == utc(1_772_420_400.0)


def test_samples_read_flat():
    """Nested descriptions become names with dots."""
    assert [("path", "a"), ("legacy.type", "str")] == pairs({"path": "a", "legacy": {"type": "str"}})
