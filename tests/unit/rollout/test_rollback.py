"""Rollbacks: always possible, whatever is broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oms.domain.errors import BadInput, CouldNot, FlipRefused
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.rollout.audit import AuditOutcome
from oms.rollout.flip_report import FlipReport, NotDone
from oms.rollout.lock import exclusive
from oms.rollout.rollback import rollback, rollback_all
from oms.seams import PHASES
from tests.unit.rollout.room import ANA, Room, process

CACHE, CONFIG = PHASES["cache"], PHASES["config"]
FORCED = replace(ANA, force=True)


def back(room: Room, to: Stage | None = None, *, force: bool = False, phase: str = "cache") -> FlipReport:
    """Take *phase* of *room* back without waiting."""
    return rollback(room.board, PHASES[phase], FORCED if force else ANA, to=to, wait_s=0.0)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (Split.whole(Stage.RAMPDOWN), "shadow"),
        (Split.whole(Stage.LIVE), "shadow"),
        (Split.whole(Stage.SHADOW), "dualwrite"),
        (Split.whole(Stage.DUALWRITE), "off"),
        (Split(((Stage.RAMPDOWN, 1), (Stage.LIVE, 9999))), "shadow"),
        (Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500))), "shadow"),
        (Split(((Stage.SHADOW, 500), (Stage.DUALWRITE, 9500))), "dualwrite"),
        (Split(((Stage.DUALWRITE, 500), (Stage.OFF, 9500))), "off"),
    ],
)
def test_where_it_goes(room: Room, start: Split, end: str) -> None:
    """A rollback goes from the most advanced stage of the split to where the rollout page says, for everybody."""
    room.stand(start)

    report = back(room)

    assert end == room.stands()
    assert (str(start), end, True) == (report.move.before, report.move.after, report.move.changed)


def test_without_writes_shadow_goes_off(room: Room) -> None:
    """A phase without writes has no dualwrite to go to."""
    room.stand(Stage.SHADOW, "config")

    back(room, phase="config")

    assert "off" == room.stands("config")


def test_off_is_done_already(room: Room) -> None:
    """There is nothing below off: nothing is written and it is good."""
    before = room.flags.signature("cache")

    report = back(room)

    assert before == room.flags.signature("cache")
    assert report.confirmed
    assert (False, "off", "off") == (report.move.changed, report.move.before, report.move.after)


def test_to_any_lower_stage(room: Room) -> None:
    """--to takes it straight there, and a second time finds it done."""
    room.stand(Stage.LIVE)

    assert "off" == back(room, Stage.OFF).move.after
    assert not back(room, Stage.OFF).move.changed


@pytest.mark.parametrize(
    ("start", "to"),
    [(Split.whole(Stage.SHADOW), Stage.LIVE), (Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500))), Stage.LIVE)],
)
def test_to_a_higher_stage_is_bad_input(room: Room, start: Split, to: Stage) -> None:
    """A rollback never takes anybody up, and says which stages are below."""
    room.stand(start)

    with pytest.raises(BadInput, match=r"found live, wanted a stage below .*: off dualwrite"):
        back(room, to)

    assert start == room.flags.read("cache").split


def test_complete_needs_force(room: Room) -> None:
    """From complete it goes to shadow by force only, saying what legacy has missed; the refusal is in the audit."""
    room.stand(Stage.COMPLETE)

    with pytest.raises(FlipRefused, match=r"in complete legacy has missed every write since .*--force"):
        back(room)

    assert "complete" == room.stands()
    assert [AuditOutcome.REFUSED] == [line.outcome for line in room.audit.read().lines]
    report = back(room, force=True)
    assert ("complete", "shadow") == (report.move.before, report.move.after)
    assert "in complete legacy has missed every write" in report.warnings[0]


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"flags": {"phase.cache": {"state": "ENABLED"}}}'])
def test_over_the_last_good(room: Room, content: str) -> None:
    """With a broken file it starts from the last good one and writes a good file over the broken one."""
    room.last_good.write("cache", Split.whole(Stage.LIVE), based_on=None)
    room.break_file(content=content)

    report = back(room)

    assert "shadow" == room.stands()
    assert ("live", "shadow") == (report.move.before, report.move.after)
    assert "the flag was broken (" in report.warnings[0]
    assert report.warnings[0].endswith("the last good one says live")


def test_file_and_folder_are_gone(room: Room) -> None:
    """A flag file that is missing is written anew, from the last good one's stage."""
    room.last_good.write("cache", Split.whole(Stage.SHADOW), based_on=None)
    room.flags.path("cache").unlink()

    back(room)

    assert "dualwrite" == room.stands()


def test_nothing_good_is_left(room: Room) -> None:
    """With neither file nor last good one the declared default is written, or the stage that is asked for if legacy answers there."""
    room.break_file()
    report = back(room)

    assert "off" == room.stands()
    assert report.warnings[0].endswith("no last good one is left, the declared default is off")
    room.break_file()
    back(room, Stage.SHADOW)
    assert "shadow" == room.stands()
    room.break_file()
    with pytest.raises(BadInput, match="found live"):
        back(room, Stage.LIVE)


def test_broken_at_the_same_stage(room: Room) -> None:
    """A broken file whose last good one says off is mended: off is written, not found done."""
    room.last_good.write("cache", Split.whole(Stage.OFF), based_on=None)
    room.break_file()

    assert back(room).move.changed
    assert "off" == room.stands()


def test_targeting_is_dropped(room: Room) -> None:
    """What is written has one static stage, whatever rules stood there."""
    room.break_file(
        content="""{"flags": {"phase.cache": {"state": "ENABLED", "defaultVariant": "shadow",
        "variants": {"shadow": "shadow", "live": "live"},
        "targeting": {"if": [{"==": [{"var": "plan"}, "gold"]}, "live", "shadow"]}}}}"""
    )

    report = back(room)

    assert ("targeting(live shadow)", "shadow") == (report.move.before, report.move.after)
    assert b"targeting" not in room.flags.read_raw("cache")


def test_goes_on_without_the_lock(room: Room) -> None:
    """A lock that somebody holds on to is waited for one second, then done without."""
    room.stand(Stage.LIVE)

    with exclusive(room.board.lock, limit_s=0):
        report = back(room)

    assert "shadow" == room.stands()
    assert "held by pid" in report.warnings[0]
    assert report.warnings[0].endswith("went on without the lock")


def test_lock_and_audit_cannot_be_written(room: Room) -> None:
    """With no place for lock and audit it goes back all the same; both are warnings."""
    room.stand(Stage.LIVE)
    room.board.lock.mkdir()
    room.audit.path.mkdir()

    report = back(room)

    assert "shadow" == room.stands()
    assert report.confirmed
    assert not report.move.recorded
    assert ["went on without the lock" in report.warnings[0], "not in the audit" in report.warnings[1]] == [True, True]


def test_digest_is_ignored(room: Room) -> None:
    """A flag that moves between looking and writing is written over."""
    room.stand(Stage.LIVE)
    read = room.flags.read

    class Moving:
        """A store whose flag is moved by somebody else right after it was read."""

        def read(self, phase: str) -> object:
            state = read(phase)
            if str(state.split) == "live":
                room.stand(Stage.RAMPDOWN)
            return state

        write = room.flags.write

    rollback(replace(room.board, flags=Moving()), CACHE, ANA, wait_s=0.0)

    assert "shadow" == room.stands()


def test_flag_cannot_be_written(room: Room) -> None:
    """Only a flag that can't be written stops it."""
    room.stand(Stage.LIVE)
    room.flags.path("cache").unlink()
    room.flags.path("cache").mkdir()
    room.last_good.write("cache", Split.whole(Stage.LIVE), based_on=None)

    with pytest.raises(CouldNot, match=r"cache\.flagd\.json: not written"):
        back(room)


def test_nobody_is_asked_for_leave(room: Room) -> None:
    """Silent, tripped and lagging processes do not hold it up; they are named afterwards."""
    room.stand(Stage.LIVE)
    room.standings = [process(11, digest="0" * 16, tripped="shadow", in_flight=3)]

    report = back(room)

    assert "shadow" == room.stands()
    assert (11,) == report.silent


def test_all_of_them(room: Room) -> None:
    """--all takes back every phase it can, names the rest, and leaves those at off where they are."""
    room.stand(Stage.LIVE)
    room.stand(Stage.COMPLETE, "config")
    room.stand(Stage.SHADOW, "security")

    results = rollback_all(room.board, PHASES.values(), ANA, wait_s=0.0)

    done = {one.move.phase: one.move.after for one in results if isinstance(one, FlipReport)}
    left = [one for one in results if isinstance(one, NotDone)]
    assert {"cache": "shadow", "security": "off", "resilience": "off", "observability": "off"} == done
    assert [("config", True)] == [(one.phase, one.refused) for one in left]
    assert {"schema": 1, "phase": "config", "error": left[0].error} == left[0].as_json()


def test_all_to_one_stage(room: Room) -> None:
    """--all --to leaves alone what stands there or below."""
    room.stand(Stage.LIVE)
    room.stand(Stage.SHADOW, "config")

    results = rollback_all(room.board, PHASES.values(), ANA, to=Stage.SHADOW, wait_s=0.0)

    moved = [one.move.phase for one in results if isinstance(one, FlipReport) and one.move.changed]
    assert ["cache"] == moved
    assert ["off", "shadow"] == [room.stands("observability"), room.stands("config")]


def test_all_names_a_machine_that_fails(room: Room) -> None:
    """A phase whose flag can't be written does not stop the others."""
    room.stand(Stage.LIVE)
    room.flags.path("config").unlink()
    room.flags.path("config").mkdir()

    results = rollback_all(room.board, PHASES.values(), ANA, wait_s=0.0)

    assert "shadow" == room.stands()
    assert [("config", False)] == [(one.phase, one.refused) for one in results if isinstance(one, NotDone)]
