"""``oms status``, ``oms flags check`` and ``oms report``: commands that change nothing."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from oms.domain.record import Batch, Tally
from oms.domain.record import Place as Counted
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.journal import Journal
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
    assert 0 <= process["beat_age_s"] < 5


def test_status_tells_what_comes_next(oms: Oms, place: Place) -> None:
    """Where a phase may move on by itself, the screen and the object say what it waits for, and that nobody leads."""
    place.files.write("cache", Split.whole(Stage.SHADOW), based_on=None)

    screen, found = oms("status", "cache"), oms("status", "cache", "--json").json

    assert "| no controller |" in screen.out
    assert "next cache: guards no data | hold: " in " ".join(screen.out.split())
    assert found["controller"] is None
    assert ("hold", "live=1") == tuple(found["phases"]["cache"]["rollout"]["next"][name] for name in ("action", "to"))


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
    assert {"schema": 1, "folder": str(place.flags), "problems": []} == oms(
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


def test_report_without_a_journal(oms: Oms) -> None:
    """No journal is exit code 4 and one line that asks for --var."""
    done = oms("report")

    assert (4, "", 1) == (done.code, done.out, len(done.err.splitlines()))
    assert "is --var right?" in done.err


def test_report(oms: Oms, place: Place, tmp_path: Path) -> None:
    """The report comes as text, JSON and HTML, to stdout or a file; its exit code follows the findings."""
    assert (0, "clean") == _reported(oms, place, mismatched=0)
    assert (3, "diverges") == _reported(oms, place, mismatched=2)
    assert "cache.types.get" in oms("report", "cache").out
    done = oms("report", "--format", "html", "--out", str(tmp_path / "deep" / "report.html"))
    assert (3, "") == (done.code, done.out)
    assert "<html" in (tmp_path / "deep" / "report.html").read_text()


def test_report_before_any_comparison(oms: Oms, place: Place) -> None:
    """A journal without comparisons is not yet evidence: exit code 1."""
    oms("flip", "cache", "dualwrite", "--why", "on")

    done = oms("report")
    assert (1, "oms report") == (done.code, done.out.splitlines()[0])
    assert "nothing was counted" in done.out


def _reported(oms: Oms, place: Place, *, mismatched: int) -> tuple[int, str]:
    where = Counted("cache", "types", "get", "shadow")
    counts = {"calls": 10, "shadowed": 10, "matched": 10 - mismatched, "mismatched": mismatched}
    batches = [Batch(tallies=[Tally(where, name, count) for name, count in counts.items() if count])]
    journal = Journal(place.var / "journal.db", lambda: batches.pop() if batches else Batch())
    journal.start()
    journal.stop(10)
    done = oms("report", "--format", "json")
    found = json.loads(done.out)
    return done.code, found["phases"]["cache"]["finding"] if isinstance(found["phases"], dict) else found["phases"][0][
        "finding"
    ]


def _on_terminal(place: Place, environment: dict[str, str]) -> bytes:
    master, terminal = os.openpty()
    try:
        child = place.start("status", env=environment, stdout=terminal)
        os.close(terminal)
        assert 0 == child.wait(60)
        return os.read(master, 65_536)
    finally:
        os.close(master)
