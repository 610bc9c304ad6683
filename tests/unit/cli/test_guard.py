"""The words of guard, pause, resume, freeze and unfreeze: exit codes, one line, one JSON object."""

from __future__ import annotations

import io
import shutil
import signal
from collections.abc import Iterable

import pytest

from oms.cli.context import Folders, sources, switchboard
from oms.cli.guard import Run
from oms.cli.output import Output
from oms.domain.phase import Phase
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.rollout.guard.controller import Controller, Look
from oms.rollout.guard.leader import Candidate
from tests.architecture.sources import ROOT
from tests.unit.cli.conftest import Oms
from tests.unit.cli.place import Place


@pytest.fixture
def policy(place: Place) -> None:
    """Put our policy beside the flags."""
    shutil.copyfile(ROOT / "flags" / "rollout.toml", place.flags / "rollout.toml")


@pytest.mark.usefixtures("policy")
def test_once(oms: Oms, place: Place) -> None:
    """Where nothing can be moved on a look is good; where a phase waits it is exit code 1 and says for what."""
    assert 0 == oms("guard", "--once").code
    place.files.write("cache", Split.whole(Stage.SHADOW), based_on=None)

    done = oms("guard", "cache", "--once", "--json")

    assert 1 == done.code
    assert {"schema", "leads", "controller", "phases", "failed", "events"} == set(done.json)
    assert (True, [], 3) == (done.json["leads"], done.json["events"], done.json["controller"]["term"] + 1)
    assert "no running process follows it" in done.json["phases"]["cache"]["next"]["holds"]
    assert "cache: shadow | guards no data | hold: " in done.err


def test_without_a_policy(oms: Oms, place: Place) -> None:
    """A folder without a policy is looked at; nothing is moved on, and the mend is said."""
    place.files.write("cache", Split.whole(Stage.SHADOW), based_on=None)
    done = oms("guard", "cache", "--once")
    assert 1 == done.code
    assert "rollout.toml: (file): found no file, wanted a policy; write one" in done.out


@pytest.mark.usefixtures("policy")
def test_plan(oms: Oms) -> None:
    """The plan has a line for shadow and one for each step, and the same as JSON."""
    lines = oms("guard", "cache", "--plan").out.splitlines()
    assert (7, "cache: oms-platform, until 2027-06-30") == (len(lines), lines[0])
    assert "live 1%" in lines[2]
    steps = oms("guard", "--plan", "--json", "--profile", "rehearsal").json["phases"]["config"]["steps"]
    assert [0.05, 0.5] == [step["share"] for step in steps]
    assert 0 < steps[1]["units_to_detect"] < steps[0]["units_to_detect"]


@pytest.mark.usefixtures("policy")
def test_orders(oms: Oms, place: Place) -> None:
    """What is ordered keeps a flip towards unified back (exit code 3, one line), unless it is forced; a rollback always goes."""
    assert "cache: paused at off" in oms("pause", "cache", "--reason", "lunch").out
    assert "all phases: frozen by " in oms("freeze", "--all", "--reason", "weekend", "--until", "2h").out

    refused = oms("flip", "cache", "dualwrite", "--why", "on we go")
    assert (3, 1) == (refused.code, len(refused.err.splitlines()))
    assert "it is paused by" in refused.err
    assert "all phases are frozen by" in refused.err
    assert "off" == str(place.files.read("cache").split)
    assert 0 == oms("flip", "cache", "dualwrite", "--why", "on we go", "--force").code
    assert 0 == oms("rollback", "cache").code

    assert "! frozen" in " ".join(oms("status", "config").out.split())
    assert "do oms resume cache --reason TEXT" in " ".join(oms("status", "cache").out.split())
    assert "cache: resumed (paused by" in oms("resume", "cache", "--reason", "back").out
    assert "cache: not frozen, nothing changed" in oms("unfreeze", "cache", "--reason", "Monday").out
    assert "no longer frozen" in oms("unfreeze", "--all", "--reason", "Monday", "--json").json["said"]
    notes = [line.note.split()[0] for line in place.audit().lines if line.note and line.outcome.value == "order"]
    assert ["paused", "frozen", "resumed", "no"] == notes
    assert 0 == oms("flip", "cache", "dualwrite", "--why", "on we go").code


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["guard", "cach"], "did you mean cache?"),
        (["guard", "--every", "0s"], "--every: found '0s', wanted a duration such as 90s, 5m, 24h or 3d, above 0"),
        (["guard", "--every", "999999d"], "--every: found '999999d', wanted a duration such as 90s, 5m, 24h or 3d, above 0 and at most 5s"),
        (["guard", "--once", "--profile", "rehersal"], "profile.rehersal: found nothing, wanted one of rehearsal"),
        (["pause", "cache"], "--reason: found no reason"),
        (["freeze", "--reason", "x"], "oms freeze: found no PHASE"),
        (["freeze", "cache", "--all", "--reason", "x"], "found both cache and --all"),
        (["freeze", "cache", "--reason", "x", "--until", "yesterday"], "--until: found 'yesterday', wanted a time to come"),
        (["freeze", "cache", "--reason", "x", "--until", "2001-01-01T00:00Z"], "wanted a time to come"),
        (["unfreeze", "--reason", "x"], "oms unfreeze: found no PHASE"),
    ],
)  # fmt: skip
def test_mistakes(oms: Oms, words: list[str], says: str) -> None:
    """Every mistake is one line and exit code 2."""
    done = oms(*words)
    assert (2, "", 1) == (done.code, done.out, len(done.err.splitlines()))
    assert says in done.err


def test_a_defect_does_not_end_it(place: Place) -> None:
    """A look that fails in whatever way is told, once, and the next one comes: nobody else takes phases back."""
    looks = iter([RecursionError("deep"), RecursionError("deep"), OSError("disk")])

    class Broken(Controller):
        def look(self, phases: Iterable[Phase]) -> Look:
            error = next(looks, None)
            if error is None:
                signal.raise_signal(signal.SIGTERM)
                return Look(0.0, True, ())
            raise error

    err, folders = io.StringIO(), Folders(place.flags, place.var)
    out = Output(as_json=False, stdout=io.StringIO(), stderr=err)
    found = sources(folders, switchboard(folders, warn=out.warn))
    with Candidate(place.var / "guard") as leader:
        Run(Broken(found), leader, [], out).until_ended(0.01)

    told = ["warning: oms guard: could not look: RecursionError: deep", "warning: oms guard: disk"]
    assert told == err.getvalue().splitlines()


@pytest.mark.usefixtures("policy")
def test_flags_check(oms: Oms, place: Place) -> None:
    """The policy is checked with the flags: a line for each mistake, exit code 2."""
    assert 0 == oms("flags", "check").code
    policy = place.flags / "rollout.toml"
    policy.write_text(policy.read_text().replace("alpha = 0.01", "alpha = 7").replace("[security]", "[securty]"))

    done = oms("flags", "check")

    assert (2, 2) == (done.code, len(done.out.splitlines()))
    assert "did you mean security?" in done.out
    assert "default.guards.alpha: found 7, wanted a number above 0 and below 1" in done.out
