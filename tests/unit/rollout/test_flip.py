"""Flips towards unified: in order, from a known state, with proof."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from oms.domain.errors import CouldNot, FlipRefused
from oms.domain.record import Flip
from oms.domain.split import Split, Wish, parse_wish
from oms.domain.stage import Stage
from oms.domain.standing import ProcessStanding
from oms.rollout import flip as flip_module
from oms.rollout.audit import AuditOutcome
from oms.rollout.flip import flip
from oms.rollout.flip_report import FlipReport
from oms.rollout.lock import exclusive
from oms.rollout.switchboard import Mandate
from oms.seams import PHASES
from tests.unit.rollout.room import ANA, Room, process

CACHE = PHASES["cache"]
CANARY = Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500)))


def move(room: Room, wish: str, *, force: bool = False, wait_s: float = 0.0, based_on: str | None = None) -> FlipReport:
    """Flip the cache phase in *room*."""
    mandate = replace(ANA, force=force)
    return flip(room.board, CACHE, parse_wish(wish, writes=True), mandate, wait_s=wait_s, based_on=based_on)


def test_without_processes(room: Room) -> None:
    """A flip needs nobody to be running."""
    report = move(room, "dualwrite")

    assert "dualwrite" == room.stands()
    assert {
        "schema": 1, "phase": "cache", "from": "off", "to": "dualwrite", "digest": room.flags.read("cache").digest,
        "processes": 0, "acknowledged": 0, "silent": [],
    } == {name: value for name, value in report.as_json().items() if name != "seconds"}  # fmt: skip
    assert report.confirmed
    assert () == report.warnings


def test_canary_leaves_the_rest(room: Room) -> None:
    """A share moves that share; the rest stays where it was, and the report says it as it is typed."""
    room.stand(Stage.SHADOW)

    report = move(room, "live=5")

    assert CANARY == room.flags.read("cache").split
    assert ("shadow", "live=5") == (report.move.before, report.move.after)


def test_all_acknowledge(room: Room) -> None:
    """The report counts the processes that serve the new flag, and how long they took."""
    room.standings, room.follow = [process(11), process(12)], True

    report = move(room, "dualwrite", wait_s=60.0)

    assert (2, 2, ()) == (report.acknowledgement.processes, report.acknowledgement.acknowledged, report.silent)
    assert 0 <= report.acknowledgement.seconds < 60


def test_one_stays_behind(room: Room) -> None:
    """A process that does not follow is counted, named and explained; the flip stands."""
    digest = room.flags.read("cache").digest
    room.standings = [process(11, digest=digest)]

    report = move(room, "dualwrite")

    assert "dualwrite" == room.stands()
    assert not report.confirmed
    assert (1, 0, (11,)) == (report.acknowledgement.processes, report.acknowledgement.acknowledged, report.silent)
    assert (f"pid 11 still serves {digest}, not {report.move.digest}",) == report.warnings


@pytest.mark.parametrize(
    "standing", [{"digest": "0" * 16}, {"in_flight": 1}, {"oldest_scope_at": 1.0}, {"tripped": "off"}]
)
def test_refused_while_a_process_is_in_the_way(room: Room, standing: dict[str, object]) -> None:
    """Nothing is written while a process has not acknowledged, holds something older, or has tripped; the audit keeps the refusal."""
    digest = room.flags.read("cache").digest
    room.standings = [process(11, **{"digest": digest, **standing})]

    with pytest.raises(FlipRefused, match=r"pid 11 (has|still)") as refusal:
        move(room, "dualwrite")

    assert "off" == room.stands()
    (line,) = room.audit.read().lines
    assert (AuditOutcome.REFUSED, "dualwrite", str(refusal.value)) == (line.outcome, line.flip.to_split, line.note)


def test_forced_over_an_objection(room: Room) -> None:
    """Force overrides what is in the way; warnings and audit say over what."""
    room.standings = [process(11, digest=room.flags.read("cache").digest, tripped="off")]

    report = move(room, "dualwrite", force=True)

    assert "dualwrite" == room.stands()
    assert "forced although pid 11 has tripped to off" == report.warnings[0]
    assert [True] == [line.flip.forced for line in room.audit.read().lines]


@pytest.mark.parametrize(("settle_s", "wait_s"), [(60.0, 100.0), (0.0, 300.0)], ids=["at least", "by the wait"])
def test_scope_that_ends_is_waited_for(
    room: Room, monkeypatch: pytest.MonkeyPatch, settle_s: float, wait_s: float
) -> None:
    """A scope that is just ending does not refuse the flip that comes a moment too early; who waits for long afterwards does so before."""
    monkeypatch.setattr(flip_module, "SETTLE_S", settle_s)
    looks = itertools.count()

    def processes() -> list[ProcessStanding]:
        scope = {"oldest_scope_at": 1.0} if next(looks) < 2 else {}
        return [process(11, digest=room.flags.read("cache").digest, **scope)]

    flip(replace(room.board, processes=processes), CACHE, parse_wish("dualwrite", writes=True), ANA, wait_s=wait_s)

    assert "dualwrite" == room.stands()
    assert next(looks) > 2


def test_moved_in_between(room: Room) -> None:
    """A flip that was decided on another state is refused, forced or not."""
    looked_at = room.flags.read("cache").digest
    room.stand(Stage.DUALWRITE)

    with pytest.raises(FlipRefused, match=f"moved in between: found dualwrite .*, wanted {looked_at}"):
        move(room, "shadow", based_on=looked_at, force=True)

    assert "dualwrite" == room.stands()


def test_already_there(room: Room) -> None:
    """A flip to where the phase stands writes nothing, succeeds and says so in the audit."""
    before = room.flags.signature("cache")

    report = move(room, "off")

    assert before == room.flags.signature("cache")
    assert (False, "off", "off") == (report.move.changed, report.move.before, report.move.after)
    assert [AuditOutcome.NOTHING] == [line.outcome for line in room.audit.read().lines]


@pytest.mark.parametrize("wish", ["live=1", "shadow", "dualwrite", "off"])
def test_lower_share_is_never_held_up(room: Room, wish: str) -> None:
    """Going back asks no process."""
    room.stand(CANARY)
    room.standings = [process(11, digest="0" * 16, tripped="shadow")]

    assert move(room, wish).move.changed


def test_complete_is_left_by_force_only(room: Room) -> None:
    """Leaving complete says since when legacy has missed writes, and needs force."""
    room.stand(Stage.RAMPDOWN)
    move(room, "complete")

    with pytest.raises(FlipRefused, match=r"in complete legacy has missed every write since \d{4}-.*Z \(.* ago\)"):
        move(room, "rampdown")

    assert "complete" == room.stands()
    assert "forced although in complete legacy" in move(room, "rampdown", force=True).warnings[0]
    assert "rampdown" == room.stands()


def test_broken_file_is_refused(room: Room) -> None:
    """A flip never builds on a file that is not served; the refusal names the way out."""
    room.break_file()

    with pytest.raises(FlipRefused) as refused:
        move(room, "dualwrite")

    assert 1 == str(refused.value).count("oms rollback cache")


def test_lock_held(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flip gives up when somebody holds on to the lock, names the holder, and nothing has changed."""
    monkeypatch.setattr(flip_module, "LOCK_WAIT_S", 0.05)

    with exclusive(room.board.lock, limit_s=0), pytest.raises(CouldNot, match=r"held by pid \d+ for more than 0.05 s"):
        move(room, "dualwrite")

    assert "off" == room.stands()


def test_audit_that_takes_no_line(room: Room) -> None:
    """A flip that could not be audited does not begin."""
    room.audit.path.mkdir()

    with pytest.raises(CouldNot, match=r"audit\.jsonl.*wanted a file that can be appended to"):
        move(room, "dualwrite")

    assert "off" == room.stands()


def test_overtaken(room: Room) -> None:
    """Whoever is overtaken while waiting is told what stands now."""

    def processes() -> list[object]:
        if "dualwrite" == room.stands():
            room.stand(Stage.OFF)
        return []

    report = flip(replace(room.board, processes=processes), CACHE, parse_wish("dualwrite", writes=True), ANA)

    assert "somebody has moved the flag since: it says off" in report.warnings[0]


def test_recorded_once_it_stands(room: Room) -> None:
    """The journal is told of a flip that stands, and its failure is a warning."""
    told: list[Flip] = []
    flip(replace(room.board, record=told.append), CACHE, parse_wish("dualwrite", writes=True), ANA)

    def full(_: Flip) -> None:
        raise CouldNot("journal.db: disk is full")

    report = flip(replace(room.board, record=full), CACHE, parse_wish("off", writes=True), ANA)

    assert [("cache", "off", "dualwrite", "ana")] == [
        (one.phase, one.from_split, one.to_split, one.who) for one in told
    ]
    assert ("not in the journal: journal.db: disk is full",) == report.warnings


def test_process_files_cannot_be_read(room: Room) -> None:
    """If nobody can be asked, the flip stands and is not confirmed."""
    answers: list[list[object]] = [[]]

    def processes() -> list[object]:
        if not answers:
            raise OSError(5, "Input/output error")
        return answers.pop()

    board = replace(room.board, processes=processes)
    report = flip(board, CACHE, parse_wish("dualwrite", writes=True), ANA, wait_s=0.0)

    assert "dualwrite" == room.stands()
    assert not report.confirmed
    assert ("process files: [Errno 5] Input/output error",) == report.warnings


def test_one_of_two_wins(room: Room) -> None:
    """Of two flips from one state at once, one moves the flag and the other is refused or finds it done; the audit has both."""
    outcomes: list[str] = []

    def racer(wish: str) -> Callable[[], None]:
        def run() -> None:
            try:
                outcomes.append("moved" if move(room, wish, based_on=digest).move.changed else "already")
            except FlipRefused:
                outcomes.append("refused")

        return run

    room.stand(Stage.DUALWRITE)
    digest = room.flags.read("cache").digest
    threads = [threading.Thread(target=racer(wish)) for wish in ("shadow", "off")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["moved", "refused"] == sorted(outcomes)
    assert 2 == len(room.audit.read().lines)
    assert () == room.audit.read().problems


def test_mandate_reaches_the_audit(room: Room) -> None:
    """Who and why stand in the audit as they were given."""
    flip(room.board, CACHE, parse_wish("dualwrite", writes=True), Mandate(who="bo", why="clean for a day"))

    line = room.audit.read().last_done("cache")
    assert line is not None
    assert ("bo", "clean for a day", "off", "dualwrite") == (
        line.flip.who, line.flip.why, line.flip.from_split, line.flip.to_split,
    )  # fmt: skip


def test_live_of_a_phase_without_rescue_needs_accepted_divergences(room: Room) -> None:
    """Where legacy can't stand in, live waits for every divergence to be accepted; force says that it did not."""
    board = replace(room.board, unaccepted=lambda phase: [f"{phase}: 1 kind of divergence has no accepted rule"])
    room.stand(Stage.SHADOW, "config")

    with pytest.raises(FlipRefused, match="no accepted rule"):
        flip(board, PHASES["config"], Wish(Stage.LIVE, 500), ANA, wait_s=0)
    assert "shadow" == room.stands("config")
    report = flip(board, PHASES["config"], Wish(Stage.LIVE, 500), replace(ANA, force=True), wait_s=0)
    assert ("live=5", True) == (room.stands("config"), any("no accepted rule" in each for each in report.warnings))


def test_live_of_a_rescuable_phase_does_not_ask(room: Room) -> None:
    """A cache may go live with divergences that nobody has accepted: legacy rescues."""
    board = replace(room.board, unaccepted=lambda phase: ["never asked"])
    room.stand(Stage.SHADOW)
    flip(board, PHASES["cache"], Wish(Stage.LIVE, 500), ANA, wait_s=0)

    assert "live=5" == room.stands()
