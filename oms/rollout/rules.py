"""When a phase may move: pure answers over the flag as it is and the processes as they stand."""

from __future__ import annotations

from collections.abc import Sequence

from oms.domain.errors import FlipRefused
from oms.domain.phase import Phase
from oms.domain.split import WHOLE, Split, Wish, advance, is_rollback
from oms.domain.stage import Stage
from oms.domain.standing import ProcessStanding
from oms.rollout.acknowledgement import follows, lag, older_work
from oms.rollout.switchboard import FlagState
from oms.rollout.wording import state_text


def next_split(state: FlagState, wish: Wish, phase: Phase, *, force: bool) -> Split:
    """Return the split that *wish* leads to from *state*; *force* lets it skip stages.

    Raises:
        FlipRefused: if it skips one without force, or would mix stages that may not stand side by side.
    """
    if state.split is None and wish.weight != WHOLE:
        raise FlipRefused(
            f"the flag has targeting of its own ({state_text(state)}), which a share cannot be added to; flip all of it"
        )
    current = state.split or Split.whole(min(state.decision.stages, key=lambda stage: stage.rank))
    try:
        return advance(current, wish, writes=phase.writes)
    except FlipRefused:
        if force and wish.weight == WHOLE:
            return Split.whole(wish.stage)
        raise


def goes_back(state: FlagState, new: Split) -> bool:
    """Tell whether *new* puts nobody higher than *state* does."""
    if state.split is not None:
        return is_rollback(state.split, new)
    return all(new.most_advanced.rank <= stage.rank for stage in state.decision.stages)


def goes_live(state: FlagState, new: Split) -> bool:
    """Tell whether *new* has unified answer callers that legacy answers by *state*."""
    answers = [stage for stage in state.decision.stages if stage.rank >= Stage.LIVE.rank]
    return new.most_advanced.rank >= Stage.LIVE.rank and not (answers and goes_back(state, new))


def leaves_complete(state: FlagState, new: Split) -> bool:
    """Tell whether callers leave complete, where legacy was not written to."""
    share = state.split.share(Stage.COMPLETE) if state.split else WHOLE * (Stage.COMPLETE in state.decision.stages)
    return new.share(Stage.COMPLETE) < share


def objections(processes: Sequence[ProcessStanding], phase: str, digest: str, *, now: float) -> list[str]:
    """Return why *phase* must not move towards unified from the flag named *digest*, one sentence for each process in the way.

    In the way is a live process that follows the phase and has not acknowledged the flag, still has calls or scopes on an older
    one, or has tripped.
    """
    found = (objection(process, phase, digest, now) for process in processes if follows(process, phase))
    return [sentence for sentence in found if sentence]


def objection(process: ProcessStanding, phase: str, digest: str, now: float) -> str | None:
    """Return what stands against moving *phase* on in one live *process*, None if nothing does."""
    standing = process.phases.get(phase)
    if standing is not None and standing.tripped:
        return f"pid {process.pid} has tripped to {standing.tripped}"
    return lag(process, phase, digest, now) or older_work(process, phase, now)
