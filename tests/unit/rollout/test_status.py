"""Where everything stands."""

from __future__ import annotations

import time
from dataclasses import replace

from oms.domain.errors import CouldNot
from oms.domain.split import Split, parse_wish
from oms.domain.stage import Stage
from oms.rollout.flip import flip
from oms.rollout.status import StatusReport, gather
from oms.seams import PHASES
from tests.unit.rollout.room import ANA, Room, process

CACHE = PHASES["cache"]


def look(room: Room) -> StatusReport:
    """Look at the cache phase."""
    return gather(room.board, [CACHE])


def test_shape(room: Room) -> None:
    """The JSON object has the keys that scripts read, and no others."""
    room.stand(Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500))))
    digest = room.flags.read("cache").digest
    room.standings = [process(11, digest=digest, repairs=2)]

    found = look(room).as_json()

    assert {
        "schema": 1,
        "source": "file",
        "controller": None,
        "phases": {
            "cache": {
                "split": {"live": 500, "shadow": 9500}, "digest": digest, "age_s": None, "tripped": None, "repairs": 2,
                "rollout": None,
            }
        },
    } == {name: value for name, value in found.items() if name != "processes"}  # fmt: skip
    assert [{"pid": 11, "host": "host", "digests": {"cache": digest}}] == [
        {name: value for name, value in one.items() if name != "beat_age_s"} for one in found["processes"]
    ]


def test_who_answers_for_the_flags(room: Room) -> None:
    """The source is the file; where that is broken, the last good one; where there is none, the declared default."""
    room.break_file()
    room.last_good.write("cache", Split.whole(Stage.SHADOW), based_on=None)
    room.break_file("config")

    report = gather(room.board, PHASES.values())

    assert "file, config: default, cache: last-good" == report.source
    stands = {status.phase.name: status.now.text for status in report.phases}
    assert ("shadow", "off") == (stands["cache"], stands["config"])
    assert report.has_bad_news


def test_everything_broken(room: Room) -> None:
    """With no good file at all the source does not claim one."""
    room.break_file()

    assert "cache: default" == look(room).source


def test_agreement(room: Room) -> None:
    """A process that serves another flag, or is silent, is named with the reason; dead ones are listed apart."""
    digest = room.flags.read("cache").digest
    room.standings = [
        process(11, digest=digest),
        process(12, digest="0" * 16),
        replace(process(13, digest=digest), beat_at=time.time() - 60),
        replace(process(14), alive=False),
    ]

    report = look(room)

    (status,) = report.phases
    assert [f"pid 12 still serves {'0' * 16}, not {digest}", "pid 13 is silent"] == [
        lag.partition(":")[0] for lag in status.lags
    ]
    assert ([11, 12, 13], (14,), False) == ([one.pid for one in report.processes], report.ended, report.agreed)
    assert [False, False, True] == [one.silent for one in report.processes]


def test_tripped(room: Room) -> None:
    """The lowest stage that a guard put in force is shown, with the processes that did, and what each says of it."""
    digest = room.flags.read("cache").digest
    room.standings = [process(11, digest=digest, tripped="shadow"), process(12, digest=digest)]

    (status,) = look(room).phases

    assert ("shadow", {11: None}) == (status.tripped, status.tripped_in)

    own = replace(process(13, digest=digest, tripped="shadow"))
    own.phases["cache"] = replace(own.phases["cache"], tripped_by="hard_fail at types.get: 15 of 20")
    room.standings = [own]

    (status,) = look(room).phases

    assert {13: "hard_fail at types.get: 15 of 20"} == status.tripped_in


def test_age(room: Room) -> None:
    """The audit knows how long a phase stands there; else its file does; else nobody."""
    assert None is look(room).phases[0].age_s
    filed = replace(room.board, changed_at=lambda phase: time.time() - 100)
    assert 99 < (gather(filed, [CACHE]).phases[0].age_s or 0) < 160
    flip(room.board, CACHE, parse_wish("dualwrite", writes=True), ANA)
    assert (gather(filed, [CACHE]).phases[0].age_s or 0) < 60


def test_trouble_is_a_note(room: Room) -> None:
    """Process files or an audit that can't be read are told, and the rest is still shown."""

    def unreadable() -> list[object]:
        raise CouldNot("var/run: Permission denied")

    room.audit.path.mkdir()
    report = gather(replace(room.board, processes=unreadable), [CACHE])

    assert "process files: var/run: Permission denied" == report.notes[0]
    assert "audit.jsonl" in report.notes[1]
    assert "off" == report.phases[0].now.text


def test_targeting_by_hand(room: Room) -> None:
    """Stages whose share a rule of its own decides have no weight."""
    room.break_file(
        content="""{"flags": {"phase.cache": {"state": "ENABLED", "defaultVariant": "off",
        "variants": {"off": "off", "shadow": "shadow"},
        "targeting": {"if": [{"==": [{"var": "plan"}, "gold"]}, "shadow", "off"]}}}}"""
    )

    assert {"shadow": None, "off": None} == look(room).phases[0].as_json()["split"]
