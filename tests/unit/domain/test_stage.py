"""Stages, sides and the matrix of the glossary, written out."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from oms.domain.stage import (
    Course,
    Effect,
    Side,
    Stage,
    after,
    authorities,
    before,
    course_for,
    is_legal_mix,
    rollback_target,
    stages_of,
    written_sides,
)

L, U = Side.LEGACY, Side.UNIFIED
OFF, DUALWRITE, SHADOW, LIVE, RAMPDOWN, COMPLETE = Stage

MATRIX = {
    # stage: (a read: answers, beside), (a write: first, second), (an effect: answers, replayed)
    OFF: ((L, None), (L, None), (L, None)),
    DUALWRITE: ((L, None), (L, U), (L, None)),
    SHADOW: ((L, U), (L, U), (L, U)),
    LIVE: ((U, L), (U, L), (U, L)),
    RAMPDOWN: ((U, None), (U, L), (U, None)),
    COMPLETE: ((U, None), (U, None), (U, None)),
}

LEGAL_WITH_WRITES = {
    # Within off..shadow.
    frozenset({OFF, DUALWRITE}),
    frozenset({OFF, SHADOW}),
    frozenset({DUALWRITE, SHADOW}),
    frozenset({OFF, DUALWRITE, SHADOW}),
    # Within dualwrite..rampdown.
    frozenset({DUALWRITE, LIVE}),
    frozenset({DUALWRITE, RAMPDOWN}),
    frozenset({SHADOW, LIVE}),
    frozenset({SHADOW, RAMPDOWN}),
    frozenset({LIVE, RAMPDOWN}),
    frozenset({DUALWRITE, SHADOW, LIVE}),
    frozenset({DUALWRITE, SHADOW, RAMPDOWN}),
    frozenset({DUALWRITE, LIVE, RAMPDOWN}),
    frozenset({SHADOW, LIVE, RAMPDOWN}),
    frozenset({DUALWRITE, SHADOW, LIVE, RAMPDOWN}),
    # Within live..complete.
    frozenset({LIVE, COMPLETE}),
    frozenset({RAMPDOWN, COMPLETE}),
    frozenset({LIVE, RAMPDOWN, COMPLETE}),
}

EVERY_MIX = [frozenset(mix) for mix in chain.from_iterable(combinations(Stage, size) for size in range(2, 7))]


def test_words() -> None:
    """The stages have LaunchDarkly's names, least advanced first, and their rank says so."""

    assert ["off", "dualwrite", "shadow", "live", "rampdown", "complete"] == [stage.value for stage in Stage]
    assert [0, 1, 2, 3, 4, 5] == [stage.rank for stage in Stage]


def test_other_side() -> None:
    """Each side has the other one."""

    assert (U, L) == (L.other, U.other)


@pytest.mark.parametrize("stage", Stage)
def test_matrix(stage: Stage) -> None:
    """Who answers and who runs beside is what the glossary's table says, for each kind of operation."""
    courses = [course_for(stage, effect) for effect in (Effect.READS, Effect.WRITES, Effect.EFFECTS)]

    assert [Course(*row) for row in MATRIX[stage]] == courses


@pytest.mark.parametrize("stage", Stage)
def test_written_sides(stage: Stage) -> None:
    """A write reaches exactly the sides of its row."""

    assert frozenset(MATRIX[stage][1]) - {None} == written_sides(stage)


def test_stages_without_writes() -> None:
    """A phase without writes has off, shadow, live and complete."""

    assert (OFF, SHADOW, LIVE, COMPLETE) == stages_of(writes=False)
    assert tuple(Stage) == stages_of(writes=True)


@pytest.mark.parametrize("mix", EVERY_MIX, ids=lambda mix: "+".join(sorted(mix)))
def test_mix_with_writes(mix: frozenset[Stage]) -> None:
    """In a phase with writes stages stand side by side within one of three windows only."""

    assert (mix in LEGAL_WITH_WRITES) is is_legal_mix(mix, writes=True)


@pytest.mark.parametrize("mix", EVERY_MIX, ids=lambda mix: "+".join(sorted(mix)))
def test_mix_without_writes(mix: frozenset[Stage]) -> None:
    """In a phase without writes every mix of its own four stages is legal, and no other."""

    assert (not mix & {DUALWRITE, RAMPDOWN}) is is_legal_mix(mix, writes=False)


@pytest.mark.parametrize("mix", EVERY_MIX, ids=lambda mix: "+".join(sorted(mix)))
def test_mix_hides_no_write(mix: frozenset[Stage]) -> None:
    """The reason for the windows: in a legal mix, every side that somebody reads is written by everybody."""
    read = {course_for(stage, Effect.READS).answers for stage in mix}
    written_by_all = frozenset.intersection(*(written_sides(stage) for stage in mix))

    assert (read <= written_by_all) is is_legal_mix(mix, writes=True)


@pytest.mark.parametrize("stage", Stage)
def test_one_stage_is_no_mix(stage: Stage) -> None:
    """One stage for all is legal wherever the phase has that stage."""

    assert is_legal_mix([stage], writes=True)
    assert (stage not in (DUALWRITE, RAMPDOWN)) is is_legal_mix([stage], writes=False)


def test_steps_with_writes() -> None:
    """One step up and one step down the ladder of six, with an end at each end."""

    assert [DUALWRITE, SHADOW, LIVE, RAMPDOWN, COMPLETE, None] == [after(stage, writes=True) for stage in Stage]
    assert [None, OFF, DUALWRITE, SHADOW, LIVE, RAMPDOWN] == [before(stage, writes=True) for stage in Stage]


def test_steps_without_writes() -> None:
    """One step up and one step down the ladder of four."""
    ladder = stages_of(writes=False)

    assert [SHADOW, LIVE, COMPLETE, None] == [after(stage, writes=False) for stage in ladder]
    assert [None, OFF, SHADOW, LIVE] == [before(stage, writes=False) for stage in ladder]


def test_rollback_with_writes() -> None:
    """rampdown and live go to shadow, shadow to dualwrite, dualwrite to off, off stays; complete has no way back without force."""

    assert [OFF, OFF, DUALWRITE, SHADOW, SHADOW, None] == [rollback_target(stage, writes=True) for stage in Stage]


def test_rollback_without_writes() -> None:
    """Without writes shadow goes to off at once."""
    ladder = stages_of(writes=False)

    assert [OFF, OFF, SHADOW, None] == [rollback_target(stage, writes=False) for stage in ladder]


def test_rollback_strands_nobody() -> None:
    """Wherever a rollback goes, the stage it leaves wrote the side that will answer."""
    moves = [(stage, rollback_target(stage, writes=True)) for stage in Stage]
    answers = {stage: course_for(target, Effect.READS).answers for stage, target in moves if target is not None}

    assert all(side in written_sides(stage) for stage, side in answers.items())


def test_authorities() -> None:
    """A flag has two authorities as soon as its mix straddles live."""

    assert {L} == authorities([OFF, SHADOW])
    assert {U} == authorities([LIVE, COMPLETE])
    assert {L, U} == authorities([SHADOW, LIVE])
