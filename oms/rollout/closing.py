"""What every move goes through, forward or back: the flag, its audit line, the acknowledgement, the journal, one look back."""

from __future__ import annotations

import time
from dataclasses import replace

from oms.domain.errors import CouldNot, FlagFileInvalid
from oms.domain.record import Flip
from oms.domain.split import Split
from oms.rollout.acknowledgement import wait_for_acknowledgement
from oms.rollout.audit import AuditOutcome
from oms.rollout.flip_report import FlipReport, Move
from oms.rollout.interrupts import held_back
from oms.rollout.switchboard import Mandate, Switchboard
from oms.rollout.wording import state_text


def carry_out(
    board: Switchboard,
    mandate: Mandate,
    phase: str,
    before: str,
    after: Split,
    *,
    based_on: str | None,
    warnings: tuple[str, ...] = (),
) -> Move:
    """Write the flag and its audit line; Ctrl-C in between takes effect after both.

    Raises:
        FlipRefused: if the flag no longer has the digest *based_on*.
        CouldNot: if the flag cannot be written. An audit that fails is a warning: the flag has moved already.
    """
    with held_back() as interrupt:
        digest = board.flags.write(phase, after, based_on=based_on)
        move = Move(
            phase=phase,
            before=before,
            after=str(after),
            digest=digest,
            changed=True,
            began=time.monotonic(),
            warnings=warnings,
        )
        move = _audited(board, mandate, move, AuditOutcome.DONE)
    return replace(move, interrupted=interrupt.came)


def leave_as_it_is(
    board: Switchboard, mandate: Mandate, phase: str, stands: str, digest: str, *, warnings: tuple[str, ...] = ()
) -> Move:
    """Note in the audit that there was nothing to do."""
    move = replace(_unmoved(phase, stands, stands, digest), warnings=warnings)
    return _audited(board, mandate, move, AuditOutcome.NOTHING)


def note_refusal(
    board: Switchboard, mandate: Mandate, phase: str, before: str, after: str, *, digest: str, why_not: str
) -> None:
    """Keep a refused wish in the audit, if it takes it."""
    flip = _as_flip(board, mandate, _unmoved(phase, before, after, digest))
    try:
        board.audit.append(flip, AuditOutcome.REFUSED, note=why_not)
    except CouldNot:
        # The refusal itself reaches whoever asked, and nothing has moved that the audit would have to explain.
        return


def conclude(board: Switchboard, move: Move, mandate: Mandate, *, wait_s: float) -> FlipReport:
    """Wait for the acknowledgement of *move*, record it, and say so if somebody has moved the flag again meanwhile."""
    wait_s = 0.0 if move.interrupted else wait_s
    end = wait_for_acknowledgement(
        board.processes, move.phase, move.digest, wait_s=wait_s, since=move.began, clock=board.clock
    )
    end = replace(end, interrupted=end.interrupted or move.interrupted)
    after = (*_record(board, move, mandate), *_overtaken(board, move))
    return FlipReport(replace(move, warnings=(*move.warnings, *after)), end)


def _unmoved(phase: str, before: str, after: str, digest: str) -> Move:
    return Move(phase=phase, before=before, after=after, digest=digest, changed=False, began=time.monotonic())


def _audited(board: Switchboard, mandate: Mandate, move: Move, outcome: AuditOutcome) -> Move:
    flip = _as_flip(board, mandate, move)
    try:
        board.audit.append(flip, outcome)
    except CouldNot as error:
        return replace(move, warnings=(*move.warnings, f"not in the audit: {error}"), recorded=False)
    return move


def _as_flip(board: Switchboard, mandate: Mandate, move: Move) -> Flip:
    return Flip(
        phase=move.phase,
        from_split=move.before,
        to_split=move.after,
        digest=move.digest,
        who=mandate.who,
        why=mandate.why,
        at=board.clock(),
        forced=mandate.force,
    )


def _record(board: Switchboard, move: Move, mandate: Mandate) -> tuple[str, ...]:
    if move.changed:
        try:
            board.record(_as_flip(board, mandate, move))
        except (CouldNot, OSError) as error:
            return (f"not in the journal: {error}",)
    return ()


def _overtaken(board: Switchboard, move: Move) -> tuple[str, ...]:
    try:
        now = board.flags.read(move.phase)
    except (CouldNot, FlagFileInvalid) as error:
        return (f"the flag cannot be read back: {error}",)
    if now.digest == move.digest:
        return ()
    return (f"somebody has moved the flag since: it says {state_text(now)} ({now.digest})",)
