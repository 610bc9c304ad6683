"""A rollback: always possible, whatever is broken. It writes one static stage and reports what it had to do without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from oms.domain.errors import BadInput, CouldNot, FlipRefused, OmsError
from oms.domain.phase import Phase
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.rollout.closing import carry_out, conclude, leave_as_it_is, note_refusal
from oms.rollout.flip_report import FlipReport, Move, NotDone
from oms.rollout.lock import exclusive
from oms.rollout.present import Present, goal_of, present
from oms.rollout.switchboard import ROLLBACK_LOCK_WAIT_S, Mandate, Switchboard
from oms.rollout.wording import missed_by_legacy


def rollback(
    board: Switchboard, phase: Phase, mandate: Mandate, *, to: Stage | None = None, wait_s: float = 5.0
) -> FlipReport:
    """Take *phase* back to *to*, or to where a rollback from its most advanced stage goes (docs/rollout.md).

    Raises:
        BadInput: if *to* is not below where the phase stands.
        FlipRefused: if the phase is complete and nobody forces it.
        CouldNot: if the flag cannot be written.
    """
    # A wish that cannot be is bad input, and that touches nothing, the lock included.
    goal_of(present(board, phase), phase, to)
    with _lock_if_possible(board) as warnings:
        move = _take_back(board, phase, mandate, to, warnings)
    return conclude(board, move, mandate, wait_s=wait_s)


def rollback_all(
    board: Switchboard, phases: Iterable[Phase], mandate: Mandate, *, to: Stage | None = None, wait_s: float = 5.0
) -> list[FlipReport | NotDone]:
    """Take back every phase that can be, all of them before waiting for any; the rest is named.

    A phase that stands at *to* or below it is left where it is.
    """
    with _lock_if_possible(board) as warnings:
        moves = [_try_to_take_back(board, phase, mandate, to, warnings) for phase in phases]
    return _concluded(board, moves, mandate, wait_s)


def _concluded(
    board: Switchboard, moves: Iterable[Move | NotDone], mandate: Mandate, wait_s: float
) -> list[FlipReport | NotDone]:
    """Conclude one after the other; the waits overlap, since each counts from its move. Ctrl-C ends all of them."""
    results: list[FlipReport | NotDone] = []
    for move in moves:
        result = move if isinstance(move, NotDone) else conclude(board, move, mandate, wait_s=wait_s)
        if isinstance(result, FlipReport) and result.acknowledgement.interrupted:
            wait_s = 0.0
        results.append(result)
    return results


@contextmanager
def _lock_if_possible(board: Switchboard) -> Iterator[tuple[str, ...]]:
    """Hold the lock, or go on without it after a second; yields what to say about that."""
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(board.lock, limit_s=ROLLBACK_LOCK_WAIT_S))
        except CouldNot as error:
            yield (f"{error}; went on without the lock",)
        else:
            yield ()


def _take_back(board: Switchboard, phase: Phase, mandate: Mandate, to: Stage | None, warnings: tuple[str, ...]) -> Move:
    now = present(board, phase)
    goal = goal_of(now, phase, to)
    mandate.fence()
    if now.stands_at(goal):
        return leave_as_it_is(board, mandate, phase.name, now.text, now.digest, warnings=warnings)
    warnings = (*warnings, *_told_of_the_file(now), *_weigh_complete(board, phase, now, goal, mandate))
    return carry_out(board, mandate, phase.name, now.text, Split.whole(goal), based_on=None, warnings=warnings)


def _try_to_take_back(
    board: Switchboard, phase: Phase, mandate: Mandate, to: Stage | None, warnings: tuple[str, ...]
) -> Move | NotDone:
    try:
        now = present(board, phase)
        if to is not None and not now.problem and now.most_advanced.rank <= to.rank:
            return leave_as_it_is(board, mandate, phase.name, now.text, now.digest, warnings=warnings)
        return _take_back(board, phase, mandate, to, warnings)
    except (OmsError, OSError) as error:
        return NotDone(phase.name, str(error), refused=isinstance(error, FlipRefused | BadInput))


def _weigh_complete(board: Switchboard, phase: Phase, now: Present, goal: Stage, mandate: Mandate) -> tuple[str, ...]:
    if now.most_advanced is not Stage.COMPLETE:
        return ()
    missed = missed_by_legacy(board, phase)
    if mandate.force:
        return (missed,)
    refusal = f"phase {phase.name!r}: {now.text} -> {goal.value}: {missed}; --force takes it back all the same"
    note_refusal(board, mandate, phase.name, now.text, goal.value, digest=now.digest, why_not=refusal)
    raise FlipRefused(refusal)


def _told_of_the_file(now: Present) -> tuple[str, ...]:
    if not now.problem:
        return ()
    instead = (
        "the last good one says" if now.origin == "last-good" else "no last good one is left, the declared default is"
    )
    return (f"the flag was broken ({now.problem}); {instead} {now.text}",)
