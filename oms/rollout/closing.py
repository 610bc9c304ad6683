"""What follows every move, forward or back: an audit line, the acknowledgement, the journal, one look back."""

from __future__ import annotations

from dataclasses import replace

from oms.domain.errors import CouldNot, FlagFileInvalid
from oms.domain.record import Flip
from oms.rollout.acknowledgement import wait_for_acknowledgement
from oms.rollout.audit import AuditOutcome
from oms.rollout.flip_report import FlipReport, Move
from oms.rollout.switchboard import Mandate, Switchboard
from oms.rollout.wording import state_text


def audited(board: Switchboard, move: Move, mandate: Mandate) -> Move:
    """Add *move* to the audit. If that fails it is a warning: the flag has moved already."""
    try:
        board.audit.append(as_flip(board, move, mandate), AuditOutcome.DONE if move.changed else AuditOutcome.NOTHING)
    except CouldNot as error:
        return replace(move, warnings=(*move.warnings, f"not in the audit: {error}"), recorded=False)
    return move


def conclude(board: Switchboard, move: Move, mandate: Mandate, *, wait_s: float) -> FlipReport:
    """Wait for the acknowledgement of *move*, record it, and say so if somebody has moved the flag again meanwhile."""
    end = wait_for_acknowledgement(board.processes, move.phase, move.digest, wait_s=wait_s, since=move.began)
    after = (*_record(board, move, mandate), *_overtaken(board, move))
    return FlipReport(replace(move, warnings=(*move.warnings, *after)), end)


def as_flip(board: Switchboard, move: Move, mandate: Mandate) -> Flip:
    """Return *move* as the audit and the journal keep it."""
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
            board.record(as_flip(board, move, mandate))
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
