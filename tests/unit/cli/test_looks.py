"""``oms status``, ``oms flags check`` and ``oms report``: commands that change nothing."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from oms.domain.record import Batch, Tally
from oms.domain.record import Place as Counted
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.journal import Journal
from tests.architecture.sources import ROOT
from tests.unit.cli.conftest import Oms
from tests.unit.cli.place import Place, until


def test_status_screen(oms: Oms, place: Place) -> None:
    """The screen tells per phase a glyph with a word, stage, digest and who agrees; and what to type next."""
    place.stand(Split(((Stage.LIVE, 525), (Stage.SHADOW, 9475))))
    place.follower()

    done = oms("status")

    (row,) = [line for line in done.out.splitlines() if " cache " in line and line.startswith("ok good")]
    assert 0 == done.code
    assert f"live 5.25%, shadow 94.75%  {place.files.read('cache').digest[:8]}  1/1" in row
    assert "do   oms flip cache live --why TEXT\ndo   oms rollback cache\n" in done.out
    assert "1 of 1 processes agree" in done.out


def test_status_proposes_a_share_first(oms: Oms, place: Place) -> None:
    """From shadow the screen proposes live for a share, not for everybody, as the rollout page does."""
    place.stand(Stage.SHADOW)

    assert "do   oms flip cache live=5 --why TEXT\n" in oms("status", "cache").out


def test_status_without_the_folder(oms: Oms, place: Place) -> None:
    """Typed in the wrong place it says first of all that there is no folder of that name."""
    place.flags.rename(place.folder / "elsewhere")

    done = oms("status", "--json")

    assert (3, f"warning: {place.flags}: found no folder, wanted the one with the flag files; is --flags right?\n") == (
        done.code, done.err,
    )  # fmt: skip
    assert {"config", "resilience", "cache", "security", "observability"} == set(done.json["phases"])


def test_status_changes_nothing(oms: Oms, place: Place) -> None:
    """Looking leaves every file as it was."""
    before = place.contents()

    oms("status")

    assert before == place.contents()


def test_status_as_json(oms: Oms, place: Place) -> None:
    """The object has the keys that scripts read, and nothing else is on stdout."""
    follower = place.follower()

    done = oms("status", "--json")

    found = done.json
    assert (0, "", 1, "file") == (done.code, done.err, found["schema"], found["source"])
    assert ["config", "resilience", "cache", "security", "observability"] == list(found["phases"])
    assert {"split", "digest", "age_s", "tripped", "repairs", "rollout"} == set(found["phases"]["cache"])
    (process,) = found["processes"]
    assert (follower.pid, {"cache": place.files.read("cache").digest}) == (process["pid"], process["digests"])
    assert {"pid", "host", "digests", "beat_age_s"} == set(process)
    assert 0 <= process["beat_age_s"] < 60


def test_status_tells_what_comes_next(oms: Oms, place: Place) -> None:
    """Where a phase may move on by itself, the screen and the object say what it waits for, and that nobody leads."""
    place.files.write("cache", Split.whole(Stage.SHADOW), based_on=None)

    screen, found = oms("status", "cache"), oms("status", "cache", "--json").json

    assert "| no controller |" in screen.out
    assert "next cache: guards no data | hold: " in " ".join(screen.out.split())
    assert found["controller"] is None
    assert ("hold", "live=1") == tuple(found["phases"]["cache"]["rollout"]["next"][name] for name in ("action", "to"))


def test_status_of_one_phase_says_all_that_holds_it(oms: Oms, place: Place) -> None:
    """Asked for alone, a phase has a line for each thing that holds it; among others the first and their number do."""
    place.files.write("cache", Split.whole(Stage.SHADOW), based_on=None)

    holds = oms("status", "cache", "--json").json["phases"]["cache"]["rollout"]["next"]["holds"]
    alone, among = " ".join(oms("status", "cache").out.split()), " ".join(oms("status").out.split())

    assert len(holds) > 2
    assert all(f"hold {hold}" in alone for hold in holds)
    assert f"(and {len(holds) - 1} more)" in among
    assert f"hold {holds[1]}" not in among


def test_status_of_one_phase(oms: Oms) -> None:
    """PHASE leaves the others out."""
    assert ["cache"] == list(oms("status", "cache", "--json").json["phases"])


def test_status_of_a_broken_file(oms: Oms, place: Place) -> None:
    """A broken file is bad news: what is wrong, what is served meanwhile, and the command that mends it."""
    place.files.path("cache").write_text("{")

    done = oms("status")

    assert 3 == done.code
    assert "x  broken" in done.out
    said = " ".join(done.out.split())
    assert "cache: the declared default (off) is served until that is mended" in said
    assert done.out.endswith("do   oms rollback cache\n")


def test_status_of_a_silent_process(oms: Oms, place: Place) -> None:
    """A stopped process is named as silent, with exit code 1."""
    follower = place.follower()
    follower.send_signal(signal.SIGSTOP)
    until(lambda: oms("status", "cache").code == 1)

    done = oms("status", "cache")

    assert f"!  silent  {follower.pid}" in done.out
    assert "!  waiting" in done.out
    assert f"kill -CONT {follower.pid}" in done.out


def test_status_is_narrow_and_plain(place: Place) -> None:
    """No line is wider than 100 columns and none has colours where nobody looks at a terminal."""
    place.files.path("cache").write_text('{"flags": ' + "[" * 200)
    for phase in ("config", "security"):
        place.files.path(phase).write_text("{}")

    done = place.run("status", env={"COLUMNS": "300", "FORCE_COLOR": ""})

    assert 3 == done.code
    assert [] == [line for line in done.out.splitlines() if len(line) > 100]
    assert "\x1b" not in done.out


def test_status_on_a_terminal_without_colour(place: Place) -> None:
    """NO_COLOR holds on a terminal as well."""
    assert b"\x1b[" in _on_terminal(place, {"TERM": "xterm", "NO_COLOR": ""})
    assert b"\x1b[" not in _on_terminal(place, {"TERM": "xterm", "NO_COLOR": "1"})


def test_flags_check_good(oms: Oms, place: Place) -> None:
    """Good files are exit code 0, by --flags and by DIR."""
    done = oms("flags", "check")

    assert (0, f"{place.flags}: all 5 flag files are good\n") == (done.code, done.out)
    assert {"schema": 1, "folder": str(place.flags), "problems": [], "warnings": []} == oms(
        "flags", "check", str(place.flags), "--json"
    ).json


def test_flags_check_bad(oms: Oms, place: Place) -> None:
    """Each file that must not be served is one line with file, found, wanted; exit code 2."""
    place.files.path("cache").write_text("{")
    place.files.path("config").unlink()

    done = oms("flags", "check")
    as_json = oms("flags", "check", "--json")

    assert (2, 2) == (done.code, len(done.out.splitlines()))
    assert "cache.flagd.json" in done.out
    assert "wanted" in done.out
    assert (2, done.out.splitlines()[::1]) == (as_json.code, as_json.json["problems"])


def test_flags_check_expired(oms: Oms, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An expired known divergence is bad news, exit code 3: one line with file, id, owner, since when, and the mend."""
    monkeypatch.setattr(time, "time", lambda: _utc(2027, 7, 1))
    done = oms("flags", "check")
    as_json = oms("flags", "check", "--json").json

    expected = (
        "oms/seams/cache.known.toml: TC-01 of platform-caching expired on 2027-06-30, 1 day ago,"
        " wanted a date to come; look at it again, then renew or delete it"
    )
    assert (3, 3) == (done.code, oms("flags", "check", "--json").code)
    assert expected in done.out.splitlines()
    assert expected in as_json["problems"]
    assert "all 5 flag files are good" in done.out
    assert "known divergence TC-01 of platform-caching expired" in " ".join(oms("status").out.split())


def test_flags_check_expires_soon(oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that expires within 14 days is a warning and no failure; earlier than that nobody is bothered."""
    monkeypatch.setattr(time, "time", lambda: _utc(2027, 6, 30))
    done = oms("flags", "check", "--json")
    monkeypatch.setattr(time, "time", lambda: _utc(2027, 6, 15))

    assert (0, []) == (done.code, done.json["problems"])
    assert any("TC-01 of platform-caching expires on 2027-06-30, in 0 days" in line for line in done.json["warnings"])
    assert [] == oms("flags", "check", "--json").json["warnings"]


def test_flags_check_broken_beats_expired(oms: Oms, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that must not be served is exit code 2, whatever has expired besides."""
    place.files.path("cache").write_text("{")
    monkeypatch.setattr(time, "time", lambda: _utc(2027, 7, 1))

    assert 2 == oms("flags", "check").code


def _utc(year: int, month: int, day: int) -> float:
    return dt.datetime(year, month, day, 12, tzinfo=dt.UTC).timestamp()


def test_report_without_a_journal(oms: Oms) -> None:
    """No journal is exit code 4 and one line that asks for --var."""
    done = oms("report")

    assert (4, "", 1) == (done.code, done.out, len(done.err.splitlines()))
    assert "is --var right?" in done.err


def test_report(oms: Oms, place: Place, tmp_path: Path) -> None:
    """The report comes as text, JSON, HTML and Markdown, to stdout or a file; its exit code follows the verdict."""
    assert (1, "NOT YET") == _reported(oms, place, matched=10)
    assert (3, "NO") == _reported(oms, place, matched=8, mismatched=2)
    assert "cache.types.get" in oms("report", "cache").out
    page, note = tmp_path / "deep" / "report.html", tmp_path / "report.md"
    done = oms("report", "--html", str(page), "--markdown", str(note), "--json")
    old = oms("report", "--format", "html", "--out", str(tmp_path / "old.html"))

    assert (3, "NO", f"report: {page}\nreport: {note}\n") == (done.code, done.json["verdict"], done.err)
    assert "<html" in page.read_text()
    assert note.read_text().startswith("## oms report: ")
    assert (3, "") == (old.code, old.out)
    assert "<html" in (tmp_path / "old.html").read_text()
    assert oms("report", "--markdown", "-").out.startswith("## oms report: ")


def test_report_needs_every_operation(oms: Oms, place: Place) -> None:
    """However clean one operation is: what the service hands out and nobody called is listed, and the phase is NOT YET."""
    code, verdict = _reported(oms, place, matched=400_000)
    found = oms("report", "cache", "--json").json["phases"]["cache"]

    assert (1, "NOT YET") == (code, verdict)
    assert "cache.types.set" in found["never_seen"]
    assert "cache.types.get" not in found["never_seen"]
    assert "cache.types.aset" not in found["never_seen"]


def test_report_since(oms: Oms, place: Place) -> None:
    """What is older than --since is left out, and the command says so."""
    _reported(oms, place, matched=10)
    later = dt.datetime.fromtimestamp(time.time() + 3_600, dt.UTC).strftime("%Y-%m-%dT%H:%MZ")
    done = oms("report", "--json", "--since", later)

    assert (1, {}) == (done.code, done.json["phases"])
    assert "--since" in done.json["command"]


@pytest.mark.parametrize("text", ["yesterday", "nan", "inf", "-1", "", "2026-13-01"])
def test_report_since_when(oms: Oms, text: str) -> None:
    """A time that is none is bad input."""
    done = oms("report", "--since", text)

    assert 2 == done.code
    assert "wanted a time such as 2026-03-02T03:00Z" in done.err


def test_report_by_a_profile(oms: Oms, place: Place) -> None:
    """A profile of the policy judges, and stands in the command that makes the report again; an unknown one is bad input."""
    shutil.copy(ROOT / "flags" / "rollout.toml", place.flags)
    _reported(oms, place, matched=1_000)
    limits = [
        oms("report", "cache", "--json", *words).json["phases"]["cache"]["operations"][0]["limit"]
        for words in ((), ("--profile", "rehearsal"))
    ]
    again = oms("report", "cache", "--json", "--profile", "rehearsal").json["command"]
    unknown = oms("report", "--profile", "nope")
    (place.flags / "rollout.toml").unlink()
    missing = oms("report", "--profile", "rehearsal")

    assert [1e-4, 1e-2] == limits
    assert f"oms report cache --var {place.var} --flags {place.flags} --profile rehearsal" == again
    assert (2, "", 1) == (unknown.code, unknown.out, len(unknown.err.splitlines()))
    assert "profile.nope: found nothing, wanted one of rehearsal" in unknown.err
    assert (2, "", 1) == (missing.code, missing.out, len(missing.err.splitlines()))


def test_report_by_a_broken_policy(oms: Oms, place: Place) -> None:
    """A policy that cannot be read is told of on stderr: the report goes by the defaults."""
    (place.flags / "rollout.toml").write_text("[")
    _reported(oms, place, matched=10)
    done = oms("report", "--json")

    assert (1, 1) == (done.code, len(done.err.splitlines()))
    assert "the report goes by the defaults there" in done.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "found an empty file, wanted a journal; a running service makes one in its place"),
        (b"hello\n" * 100, "found file is not a database, wanted a journal that can be read"),
    ],
)
def test_report_of_what_is_no_journal(oms: Oms, place: Place, content: bytes, said: str) -> None:
    """What is no journal is one line that says what it is, exit code 4, for the report and for a pin."""
    place.var.mkdir(exist_ok=True)
    (place.var / "journal.db").write_bytes(content)

    for words in (("report",), ("pin", "abcdef012345")):
        done = oms(*words)
        assert (4, "", 1) == (done.code, done.out, len(done.err.splitlines()))
        assert said in done.err


def test_report_where_nothing_can_be_written(oms: Oms, place: Place, tmp_path: Path) -> None:
    """A folder, or a file where a folder is wanted, is one line and exit code 4."""
    _reported(oms, place, matched=10)
    (tmp_path / "file").write_text("")

    for target in (tmp_path, tmp_path / "file" / "report.html"):
        done = oms("report", "--html", str(target))
        assert (4, 1) == (done.code, len(done.err.splitlines()))
        assert "wanted a file for the report" in done.err


def test_report_in_no_format(oms: Oms) -> None:
    """A mistake in an option names the option."""
    done = oms("report", "--format", "pdf")

    assert (2, "oms report --format: found 'pdf', wanted one of text json html markdown\n") == (done.code, done.err)


def test_report_twice_to_stdout(oms: Oms) -> None:
    """Two formats on stdout would be neither."""
    done = oms("report", "--json", "--markdown", "-")

    assert 2 == done.code
    assert "markdown and json for stdout" in done.json["error"]


def test_report_before_any_comparison(oms: Oms, place: Place) -> None:
    """A journal without comparisons is not yet evidence: exit code 1."""
    oms("flip", "cache", "dualwrite", "--why", "on")

    done = oms("report")
    assert (1, "oms report") == (done.code, done.out.splitlines()[0])
    assert "nothing was counted" in done.out


def _reported(oms: Oms, place: Place, *, matched: int, mismatched: int = 0) -> tuple[int, str]:
    where = Counted("cache", "types", "get", "shadow")
    calls = matched + mismatched
    counts = {"calls": calls, "shadowed": calls, "matched": matched, "mismatched": mismatched}
    batches = [Batch(tallies=[Tally(where, name, count) for name, count in counts.items() if count])]
    journal = Journal(place.var / "journal.db", lambda: batches.pop() if batches else Batch())
    journal.start()
    journal.stop(10)
    done = oms("report", "--format", "json")
    return done.code, done.json["phases"]["cache"]["verdict"]


def _on_terminal(place: Place, environment: dict[str, str]) -> bytes:
    master, terminal = os.openpty()
    try:
        child = place.start("status", env=environment, stdout=terminal)
        os.close(terminal)
        assert 0 == child.wait(100)
        return os.read(master, 65_536)
    finally:
        os.close(master)
