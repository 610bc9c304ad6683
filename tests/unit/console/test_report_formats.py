"""The same report for a terminal, a script and a browser."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import oms.console
from oms.console.charts import latency_chart, timeline_chart
from oms.console.lines import WIDTH
from oms.console.numbers import bound_text, described, duration, pairs, percent, utc
from oms.console.report_html import render_html, trend
from oms.console.report_json import render_json
from oms.console.report_markdown import render_markdown
from oms.console.report_text import render_text


def test_text_fits_the_terminal(data):
    """No line is wider than 100 columns, long names included."""
    phase = data.phases[0]
    wide = replace(
        phase, operations=(replace(phase.operations[0], operation="an_operation_with_a_name_that_never_ends" * 3),)
    )
    text = render_text(replace(data, phases=(wide, *data.phases[1:]), command="oms report " + "x " * 80))

    assert [] == [line for line in text.splitlines() if len(line) > WIDTH]


def test_text_says_what_matters(data):
    """State, counts, causes, moves, ends, losses and the command are all there, in words."""
    text = " ".join(render_text(data).split())

    for wanted in (
        "x NO CACHE 0 of 4 operations ready, 1 never seen; 100 of 38,180 compared calls mismatched (1 unexplained group)",
        "NO: below 4.69e-03 (95 %) by 31,400 comparisons, limit 0.0001; type at properties.*.range (100)",
        "not compared: sampled out 1,200, paused 300, timed out 20, dropped 100", "raised: legacy alone 5, unified alone 60, both 15",
        "900 matches of two empty answers: no evidence", "older version old: 50 compared, 20 mismatched", "never seen: cache.types.clear",
        "4f3a90b1c2d3 cache.types.get type at properties.*.range: list / tuple", "pin it: oms pin 4f3a90b1c2d3",
        "legacy differed from itself there in 3 of 300 reads (1.00 %): the comparison cannot tell",
        "VC-02 200 20.00 %", "! in no rules file any more", "TC-01 480", "nothing was counted of security",
        "TRIP cache live > shadow", "pid 4242 on worker-2 ended", "lost: 7", "again: oms report cache --var var",
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


def test_json_is_one_object_with_the_same_numbers(data):
    """A script finds every number under a name, and the schema's version first."""
    found = json.loads(render_json(data))
    get = found["phases"]["cache"]["operations"][0]

    assert ["schema", 1] == [next(iter(found)), found["schema"]]
    assert get["calls"] == get["compared"] + sum(get["not_compared"].values())
    assert (100, "NO", 0, 31_400) == (get["mismatched"], get["verdict"], get["unaccounted"], get["trials"])
    assert ({"neither": 28_100, "legacy": 5, "unified": 60, "both": 15}, 300) == (get["errors"], get["noise"]["reads"])
    assert ["old"] == [older["version"] for older in get["older"]]
    assert "NO" == found["verdict"]
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
    assert ["#phase-cache", "#phase-config", "#provenance"] == page.references
    # The one address in it names the language of the drawings, and nobody asks for it.
    assert [] == re.findall(r"https?:|@import|url\(", html.replace("http://www.w3.org/2000/svg", ""))


def test_page_says_what_matters(data):
    """It shows what the text shows."""
    text = " ".join(Page(render_html(data)).text.split())

    for wanted in (
        "100 of 38,180 compared calls mismatched", "raced 180", "Known: TC-01", "Unexplained", "killed ended without a word",
        "Trip: live → shadow", "oms report cache --var var --html report.html", "120 more at shadow were dropped or timed out",
        "legacy list of 3 #5f0c2a1b", "NO below 4.69e-03 (95 %) by 31,400 comparisons", "Never seen: cache.types.clear", "Errors two by two",
        "oms pin 4f3a90b1c2d3", "does not count", "2 on 2 hosts, 1 killed", "in no rules file any more", "Nothing was counted of security",
    ):  # fmt: skip
        assert wanted in text


def test_page_shows_states_in_words_and_marks(data):
    """Colour alone says nothing."""
    html = render_html(data)

    assert "\N{MULTIPLICATION X} NO" in html
    assert "\N{HORIZONTAL ELLIPSIS} NOT YET" in html


def test_page_escapes_what_the_journal_holds(data):
    """A field path or a reason is text, whatever stands in it."""
    evil = "<script>alert(1)</script>"
    moves = (replace(data.moves[0], why=evil),)
    page = Page(render_html(replace(data, moves=moves, command=evil)))

    assert "script" not in page.tags
    assert 2 == page.text.count(evil)


def test_page_of_an_empty_journal(data):
    """Nothing to show is shown as such."""
    empty = replace(data, since=None, until=None, phases=(), silent=(), moves=(), repairs=(), processes=(), gaps=())

    assert "Nothing was counted" in render_html(empty)
    assert "nothing was counted" in render_text(empty)
    assert "Nothing was counted" in render_markdown(empty)
    assert {} == json.loads(render_json(empty))["phases"]


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "paper"),
    [("ink", "paper"), ("ink", "card"), ("soft", "paper"), ("soft", "card"), ("good", "good-paper"), ("bad", "bad-paper"), ("bad", "paper"),
     ("open", "open-paper"), ("open", "paper"), ("legacy", "paper"), ("unified", "paper"), ("accepted", "paper")],
)  # fmt: skip
def test_contrast(text, paper, scheme):
    """Every text stands out from its paper by 4.5 to 1 at least, by day and by night."""
    light, dark = (Path(oms.console.__file__).with_name("templates") / "report.css").read_text().split("@media", 2)[:2]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))
    high, low = sorted((luminance(colours[text]), luminance(colours[paper])), reverse=True)

    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_charts_leave_the_imports_alone():
    """The library that draws puts a finder of its own into every later import; it is gone."""
    assert [] == [finder for finder in sys.meta_path if "pygal" in type(finder).__module__]


def test_latency_chart(data):
    """Both sides are drawn, described for those who do not see, without script or style of its own."""
    drawing = latency_chart(data.phases[0].operations[0].latencies[0])

    assert drawing.startswith("<svg")
    assert [2, 0, 0] == [drawing.count(what) for what in ('class="line reactive', "<script", "<style")]
    assert "legacy p50 2.56 us" in drawing
    assert ">5 us</text>" in drawing


def test_latency_chart_of_one_side(data):
    """A side that did not run is not drawn, and one duration is enough to draw."""
    row = data.phases[0].operations[0].latencies[0]
    one = replace(row.legacy, count=1, buckets={0: 1})

    assert 1 == latency_chart(replace(row, legacy=one, unified=None)).count('class="line reactive')


def test_timeline_chart(data):
    """Outcomes are lines, and each flip is a mark with its number in the list below."""
    phase = data.phases[0]
    drawing = timeline_chart(phase.moments, data.moves)

    assert "Calls in each 1 min by outcome" in drawing
    marks = [re.search(rf'class="series serie-{series} [^>]*>(.*?)</g>', drawing) for series in (5, 6)]
    assert [4, 1] == [mark[1].count("<path") for mark in marks if mark]
    assert ["1", "2", "3", "4", "5"] == sorted(re.findall(r'class="label"[^>]*>(\d+)<', drawing))


def test_chart_of_a_single_moment(data):
    """A rehearsal of seconds has one step, which is drawn as a dot."""
    drawing = timeline_chart(data.phases[0].moments[-1:], ())

    assert "circle" in drawing


def test_charts_are_bounded(data):
    """A page of many operations has two dozen charts of durations, those of the busiest; the table has all."""
    phase = data.phases[0]
    many = replace(
        phase, operations=tuple(replace(phase.operations[0], operation=f"get{place}") for place in range(50))
    )
    html = render_html(replace(data, phases=(many,)))

    assert (24, True) == (html.count("chart distribution"), "get49" in html)


def test_divergences_are_bounded(data):
    """A side that differs everywhere makes no endless report: the most frequent ones are shown, the rest is counted."""
    phase = data.phases[0]
    many = replace(phase, divergences=phase.divergences[:1] * 130 + phase.divergences[1:])
    text, html = (render(replace(data, phases=(many,))) for render in (render_text, render_html))

    assert (20, 50) == (text.count("pin it: oms pin"), html.count("pin it: <code>oms pin"))
    assert "and 110 more, none more frequent" in text
    assert "And 80 more, none more frequent" in html
    assert ("TC-01" in text, "Known: TC-01" in html) == (True, True)


def test_markdown_is_for_a_pull_request(data):
    """The verdict comes first, tables follow, the rest is folded away; short enough to be read."""
    text = render_markdown(data)

    assert text.startswith("## oms report: \N{CROSS MARK} NO\n")
    assert len(text.splitlines()) <= 60
    assert text.count("<details>") == text.count("</details>") == 3
    for wanted in (
        "| `types.get` | \N{CROSS MARK} NO | 33,180 | 100 | 480 |",
        "Never seen: `cache.types.clear`.",
        "`4f3a90b1c2d3`",
        "x0.",
    ):
        assert wanted in text


def test_markdown_shows_text_as_text(data):
    """What the journal holds cannot become a link, a mention, a tag or another column."""
    phase = data.phases[0]
    report = phase.divergences[0]
    evil = replace(report, group=replace(report.group, path="a|b</details><img src=x>[l](http://x)@all`c`\n# h"))
    text = render_markdown(replace(data, phases=(replace(phase, divergences=(evil,)),)))

    code = re.sub(r"`[^`\n]*`", "", text)
    assert "<img" not in code
    assert code.count("</details>") == code.count("<details>")
    assert "`type at a|b</details><img src=x>[l](http://x)@all'c'?# h: list / tuple`" in text


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


def test_bound_reads_as_what_is_proved():
    """Without evidence nothing is proved."""
    assert ("nothing proved", "below 1.58e-04 (95 %)") == (bound_text(1.0, 0.95), bound_text(1.58e-4, 0.95))


def test_samples_read_as_words():
    """A sample is both sides and the call; a value stands where the port allows it, a hash elsewhere."""
    sample = {
        "path": "a", "control": "legacy", "legacy": {"type": "KeyError", "raised": True}, "unified": {"type": "str", "value": "'x'"},
        "call": {"key": {"type": "str", "length": 3, "hash": "0123456789abcdef"}}, "write": {"ttl": {"type": "int", "value": "60"}},
    }  # fmt: skip

    assert "legacy raised KeyError; unified 'x'; call key=str of 3 #01234567; last write ttl=60" == described(sample)
    assert "left out: a sample of 9 characters" == described({"left_out": "a sample of 9 characters"})


def test_samples_read_flat():
    """Nested descriptions become names with dots."""
    assert [("path", "a"), ("legacy.type", "str")] == pairs({"path": "a", "legacy": {"type": "str"}})
