"""Where a phase stands when its file may be broken, and where a rollback takes it from there."""

from __future__ import annotations

from dataclasses import dataclass

from oms.domain.errors import BadInput, CouldNot, FlagFileInvalid, OmsError
from oms.domain.phase import Phase
from oms.domain.stage import Stage, rollback_target, stages_of
from oms.rollout.switchboard import FlagState, Switchboard
from oms.rollout.wording import state_text


@dataclass(frozen=True, slots=True)
class Present:
    """Where a phase stands, as well as it can be known.

    Attributes:
        stages: Every stage that somebody may stand at.
        text: The same for people.
        digest: Of the flag; ``default`` if the declared default stands in for it, as processes call it too.
        origin: Whose word it is: ``file``, ``last-good`` or ``default``.
        problem: What is wrong with the file, empty if it is the file's word.
        state: The flag behind it, None for the declared default.
    """

    stages: frozenset[Stage]
    text: str
    digest: str
    origin: str
    problem: str = ""
    state: FlagState | None = None

    @property
    def most_advanced(self) -> Stage:
        """The highest stage that somebody may stand at, from which a rollback goes."""
        return max(self.stages, key=lambda stage: stage.rank)

    @property
    def highest_goal(self) -> Stage:
        """The most advanced stage that a rollback may be sent to by name.

        A file that is broken may be mended at the stage it had. If nothing at all is known, every stage where legacy answers will do.
        """
        if self.origin == "default":
            return max(self.most_advanced, Stage.SHADOW, key=lambda stage: stage.rank)
        return self.most_advanced

    def stands_at(self, stage: Stage) -> bool:
        """Tell whether a good file puts everybody at *stage*."""
        return not self.problem and self.stages == {stage}


def present(board: Switchboard, phase: Phase) -> Present:
    """Return where *phase* stands: its file's word, else the last good one's, else its declared default."""
    try:
        state = board.flags.read(phase.name)
    except (FlagFileInvalid, CouldNot) as error:
        return _instead(board, phase, error)
    return Present(state.decision.stages, state_text(state), state.digest, "file", state=state)


def goal_of(now: Present, phase: Phase, to: Stage | None) -> Stage:
    """Return the stage that a rollback from *now* goes to: *to* if it is given.

    Raises:
        BadInput: if the phase has no stage *to*, or *to* is not below where it stands; to stand there already is fine.
    """
    if to is None:
        return rollback_target(now.most_advanced, writes=phase.writes) or Stage.SHADOW
    within = [stage for stage in stages_of(writes=phase.writes) if stage.rank <= now.highest_goal.rank]
    mended = bool(now.problem) or now.stages == {to}
    wanted = within if mended else [stage for stage in within if stage is not now.most_advanced]
    if to not in wanted:
        raise BadInput(
            f"phase {phase.name!r}: --to",
            found=to.value,
            wanted=f"a stage below {now.text}, where it stands: {' '.join(stage.value for stage in wanted) or 'there is none'}",
        )
    return to


def _instead(board: Switchboard, phase: Phase, error: OmsError) -> Present:
    try:
        state = board.last_good.read(phase.name)
    except (FlagFileInvalid, CouldNot):
        return Present(frozenset({phase.default}), phase.default.value, "default", "default", str(error))
    return Present(state.decision.stages, state_text(state), state.digest, "last-good", str(error), state)
