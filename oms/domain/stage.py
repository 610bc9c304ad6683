"""Stages, sides and the matrix that says who answers and who runs beside.

Source of the stage names and of the matrix: LaunchDarkly's migration flags (six stages, authoritative side first).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Side(StrEnum):
    """Who wrote an implementation. Never changes, whatever role the side plays in a call."""

    __hash__ = str.__hash__  # an Enum hashes its name in Python, which is too slow for every call

    LEGACY = "legacy"
    UNIFIED = "unified"

    @property
    def other(self) -> Side:
        """The side that this one is not."""
        return Side.UNIFIED if self is Side.LEGACY else Side.LEGACY


class Effect(StrEnum):
    """What an operation does to the world, and so what a shadow may do with it."""

    __hash__ = str.__hash__  # an Enum hashes its name in Python, which is too slow for every call

    READS = "reads"
    WRITES = "writes"
    EFFECTS = "effects"


class Stage(StrEnum):
    """Where a phase stands for one cohort, least advanced first."""

    __hash__ = str.__hash__  # an Enum hashes its name in Python, which is too slow for every call

    OFF = "off"
    DUALWRITE = "dualwrite"
    SHADOW = "shadow"
    LIVE = "live"
    RAMPDOWN = "rampdown"
    COMPLETE = "complete"

    @property
    def rank(self) -> int:
        """0 for off to 5 for complete; a rollback never raises it."""
        return _RANKS[self]


_RANKS = {stage: rank for rank, stage in enumerate(Stage)}
_WITH_WRITES = tuple(Stage)
_WITHOUT_WRITES = (Stage.OFF, Stage.SHADOW, Stage.LIVE, Stage.COMPLETE)


@dataclass(frozen=True, slots=True)
class Course:
    """Who answers an operation, and who runs beside: compared for a read, written second for a write, replayed for an effect."""

    answers: Side
    beside: Side | None


_COURSES: dict[Effect, dict[Stage, Course]] = {
    Effect.READS: {
        Stage.OFF: Course(Side.LEGACY, None),
        Stage.DUALWRITE: Course(Side.LEGACY, None),
        Stage.SHADOW: Course(Side.LEGACY, Side.UNIFIED),
        Stage.LIVE: Course(Side.UNIFIED, Side.LEGACY),
        Stage.RAMPDOWN: Course(Side.UNIFIED, None),
        Stage.COMPLETE: Course(Side.UNIFIED, None),
    },
    Effect.WRITES: {
        Stage.OFF: Course(Side.LEGACY, None),
        Stage.DUALWRITE: Course(Side.LEGACY, Side.UNIFIED),
        Stage.SHADOW: Course(Side.LEGACY, Side.UNIFIED),
        Stage.LIVE: Course(Side.UNIFIED, Side.LEGACY),
        Stage.RAMPDOWN: Course(Side.UNIFIED, Side.LEGACY),
        Stage.COMPLETE: Course(Side.UNIFIED, None),
    },
}
_COURSES[Effect.EFFECTS] = _COURSES[Effect.READS]


def course_for(stage: Stage, effect: Effect) -> Course:
    """Return who answers and who runs beside at *stage* (docs/glossary.md, stage)."""
    return _COURSES[effect][stage]


def stages_of(*, writes: bool) -> tuple[Stage, ...]:
    """Return the stages a phase can have, least advanced first; dualwrite and rampdown need *writes*."""
    return _WITH_WRITES if writes else _WITHOUT_WRITES


_WINDOWS = (
    frozenset({Stage.OFF, Stage.DUALWRITE, Stage.SHADOW}),
    frozenset({Stage.DUALWRITE, Stage.SHADOW, Stage.LIVE, Stage.RAMPDOWN}),
    frozenset({Stage.LIVE, Stage.RAMPDOWN, Stage.COMPLETE}),
)


def is_legal_mix(stages: Iterable[Stage], *, writes: bool) -> bool:
    """Tell whether *stages* may stand side by side in one flag.

    With writes, a mix must lie within ``off..shadow``, ``dualwrite..rampdown`` or ``live..complete``: outside these one
    cohort's writes are invisible to another's reads. Without writes every mix of the phase's stages is legal.
    """
    mix = frozenset(stages)
    if not mix <= frozenset(stages_of(writes=writes)):
        return False
    return not writes or any(mix <= window for window in _WINDOWS)


def before(stage: Stage, *, writes: bool) -> Stage | None:
    """Return the stage one step towards legacy, or None at off."""
    ladder = stages_of(writes=writes)
    place = ladder.index(stage)
    return ladder[place - 1] if place else None


def after(stage: Stage, *, writes: bool) -> Stage | None:
    """Return the stage one step towards unified, or None at complete."""
    ladder = stages_of(writes=writes)
    place = ladder.index(stage) + 1
    return ladder[place] if place < len(ladder) else None


def rollback_target(stage: Stage, *, writes: bool) -> Stage | None:
    """Return where a rollback from *stage* goes; off stays off.

    rampdown and live go to shadow, shadow to dualwrite (off without writes), dualwrite to off. Returns None for complete: legacy has
    missed writes since, so the way back (shadow) needs somebody's ``--force``.
    """
    if stage is Stage.COMPLETE:
        return None
    if stage in (Stage.LIVE, Stage.RAMPDOWN):
        return Stage.SHADOW
    return before(stage, writes=writes) or Stage.OFF


def authorities(stages: Iterable[Stage]) -> frozenset[Side]:
    """Return every side that answers writes in at least one of *stages*."""
    return frozenset(course_for(stage, Effect.WRITES).answers for stage in stages)


def written_sides(stage: Stage) -> frozenset[Side]:
    """Return the sides that a write reaches at *stage*."""
    course = course_for(stage, Effect.WRITES)
    return frozenset({course.answers} if course.beside is None else Side)
