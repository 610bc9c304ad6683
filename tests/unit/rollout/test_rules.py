"""When a phase may move."""

from __future__ import annotations

import time

import pytest

from oms.domain.errors import FlipRefused
from oms.domain.split import Split, parse_wish
from oms.domain.stage import Stage
from oms.domain.standing import ProcessStanding
from oms.rollout.rules import goes_back, leaves_complete, next_split, objections
from oms.seams import PHASES
from tests.unit.rollout.room import Room, process

CACHE = PHASES["cache"]
CANARY = Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500)))
TARGETING = """{"flags": {"phase.cache": {"state": "ENABLED", "defaultVariant": "off",
  "variants": {"off": "off", "dualwrite": "dualwrite", "shadow": "shadow"},
  "targeting": {"if": [{"==": [{"var": "plan"}, "gold"]}, "shadow", "off"]}}}}"""


def test_clean_processes_object_to_nothing() -> None:
    """A live process that serves the flag and has nothing older is not in the way."""
    assert [] == objections([process(digest="d1")], "cache", "d1", now=time.time())


@pytest.mark.parametrize(
    ("in_the_way", "says"),
    [
        (process(12, digest="d0"), "pid 12 still serves d0, not d1"),
        (process(12, digest="d1", in_flight=2), "pid 12 has calls in flight on 2 older plan(s) from before"),
        (process(12, digest="d1", oldest_scope_at=96.0), "pid 12 has a scope open for 4.0 s from before"),
        (process(12, digest="d1", tripped="shadow"), "pid 12 has tripped to shadow"),
        (ProcessStanding(12, 1, "host", 100.0, alive=True), "pid 12 serves no flags yet, not d1"),
        (ProcessStanding(12, 1, "host", 93.0, alive=True), "pid 12 is silent: its last beat is 7.0 s old"),
    ],
)
def test_objection_names_the_process(in_the_way: ProcessStanding, says: str) -> None:
    """Each thing in the way is one sentence with the pid."""
    beating = ProcessStanding(
        12, 1, "host", in_the_way.beat_at if in_the_way.beat_at < 101 else 100.0, alive=True, phases=in_the_way.phases
    )

    assert [says] == objections([beating], "cache", "d1", now=100.0)


def test_dead_and_uninvolved_processes_do_not_count() -> None:
    """A process that is gone, or that follows other phases only, is not in the way."""
    dead = ProcessStanding(12, 1, "host", 0.0, alive=False)
    other = ProcessStanding(13, 1, "host", time.time(), alive=True, phases={"config": process().phases["cache"]})

    assert [] == objections([dead, other], "cache", "d1", now=time.time())


def test_one_stage_at_a_time(room: Room) -> None:
    """A wish that skips a stage is refused, unless somebody forces it."""
    state = room.flags.read("cache")
    wish = parse_wish("live", writes=True)

    with pytest.raises(FlipRefused, match="more than one stage above off"):
        next_split(state, wish, CACHE, force=False)

    assert Split.whole(Stage.LIVE) == next_split(state, wish, CACHE, force=True)


def test_force_does_not_mix_what_may_not_be_mixed(room: Room) -> None:
    """A share needs the rest at the stage before it, whoever insists."""
    with pytest.raises(FlipRefused, match="needs the rest to stand at the stage before"):
        next_split(room.flags.read("cache"), parse_wish("live=5", writes=True), CACHE, force=True)


def test_targeting_by_hand_takes_no_share(room: Room) -> None:
    """A share can't be added to a rule that oms did not write; a whole stage replaces it."""
    room.break_file(content=TARGETING)
    state = room.flags.read("cache")

    with pytest.raises(FlipRefused, match=r"targeting\(shadow off\)"):
        next_split(state, parse_wish("dualwrite=5", writes=True), CACHE, force=True)

    assert Split.whole(Stage.DUALWRITE) == next_split(state, parse_wish("dualwrite", writes=True), CACHE, force=False)
    assert not goes_back(state, Split.whole(Stage.DUALWRITE))
    assert goes_back(state, Split.whole(Stage.OFF))


def test_leaving_complete(room: Room) -> None:
    """Taking any share away from complete leaves callers with a legacy that missed writes; adding one does not."""
    room.stand(Split(((Stage.COMPLETE, 5000), (Stage.RAMPDOWN, 5000))))
    state = room.flags.read("cache")

    assert leaves_complete(state, Split.whole(Stage.RAMPDOWN))
    assert leaves_complete(state, Split(((Stage.COMPLETE, 4999), (Stage.RAMPDOWN, 5001))))
    assert not leaves_complete(state, Split.whole(Stage.COMPLETE))
