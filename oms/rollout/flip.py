"""A flip: under the lock, from the state it was based on, one stage at a time, written, audited, acknowledged."""

from __future__ import annotations

import time

from oms.domain.errors import CouldNot, FlagFileInvalid, FlipRefused
from oms.domain.phase import Phase
from oms.domain.split import Split, Wish
from oms.rollout.closing import carry_out, conclude, leave_as_it_is, note_refusal
from oms.rollout.flip_report import FlipReport, Move
from oms.rollout.lock import exclusive
from oms.rollout.rules import goes_back, goes_live, leaves_complete, next_split, objections
from oms.rollout.switchboard import LOCK_WAIT_S, FlagState, Mandate, Switchboard
from oms.rollout.wording import missed_by_legacy, state_text, wish_text

SETTLE_S = 1.0
"""How long a flip gives processes to acknowledge, and scopes to end, before it is refused because of them, where five seconds are waited."""

_SETTLE_SHARE = 0.2
"""Part of a longer wait that it gives them: who waits for a minute afterwards has time before, too."""

_POLL_S = 0.005


def flip(
    board: Switchboard, phase: Phase, wish: Wish, mandate: Mandate, *, wait_s: float = 5.0, based_on: str | None = None
) -> FlipReport:
    """Move *phase* to what is wished, then wait until every live process says so.

    Args:
        wait_s: How long to wait for processes, in seconds. Before the flip they are given a fifth of it, one second at least.
        based_on: Digest of the flag that somebody looked at before deciding; None for the flag as it is at this call.

    Raises:
        FlipRefused: if the rules of docs/rollout.md forbid it now; the refusal is in the audit.
        CouldNot: if the lock, the flag or the audit cannot be had; nothing has changed then.
    """
    seen = based_on or ""
    try:
        seen = seen or _present(board, phase).digest
        _settle(board, phase, wish, mandate, min(wait_s, max(SETTLE_S, wait_s * _SETTLE_SHARE)))
        with exclusive(board.lock, limit_s=LOCK_WAIT_S):
            move = _move_locked(board, phase, wish, mandate, seen)
    except FlipRefused as refusal:
        _note_refusal(board, phase, wish, mandate, str(refusal))
        raise
    return conclude(board, move, mandate, wait_s=wait_s)


def _move_locked(board: Switchboard, phase: Phase, wish: Wish, mandate: Mandate, seen: str) -> Move:
    state = _present(board, phase)
    if state.digest != seen:
        raise FlipRefused(
            f"phase {phase.name!r} has moved in between: found {state_text(state)} ({state.digest}), wanted {seen}; look again"
        )
    new = next_split(state, wish, phase, force=mandate.force)
    if new == state.split:
        return leave_as_it_is(board, mandate, phase.name, state_text(state), state.digest)
    overridden = _weigh(board, phase, state, new, force=mandate.force)
    board.audit.check()
    mandate.fence()
    return carry_out(board, mandate, phase.name, state_text(state), new, based_on=seen, warnings=overridden)


def _weigh(board: Switchboard, phase: Phase, state: FlagState, new: Split, *, force: bool) -> tuple[str, ...]:
    """Return the objections that force overrides, or refuse because of them."""
    found = [missed_by_legacy(board, phase)] if leaves_complete(state, new) else []
    found += _standstill(board, phase, state, new)
    found += _objections(board, phase, state, new)
    if goes_live(state, new) and not phase.rescuable:
        found += board.unaccepted(phase.name)
    if found and not force:
        raise FlipRefused(
            f"phase {phase.name!r}: {state_text(state)} -> {new}: {'; '.join(found)}; wait, mend it, or --force"
        )
    return tuple(f"forced although {objection}" for objection in found)


def _standstill(board: Switchboard, phase: Phase, state: FlagState, new: Split) -> list[str]:
    if goes_back(state, new):
        return []
    try:
        return list(board.standstill(phase.name))
    except CouldNot as error:
        return [f"whether it is tripped or frozen is not known ({error})"]


def _settle(board: Switchboard, phase: Phase, wish: Wish, mandate: Mandate, limit_s: float) -> None:
    """Give processes that are just acknowledging, and scopes that are just ending, a moment."""
    deadline = time.monotonic() + limit_s
    while not mandate.force and time.monotonic() < deadline:
        state = _present(board, phase)
        if not _objections(board, phase, state, next_split(state, wish, phase, force=False)):
            return
        time.sleep(_POLL_S)


def _objections(board: Switchboard, phase: Phase, state: FlagState, new: Split) -> list[str]:
    if new == state.split or goes_back(state, new):
        return []
    return objections(board.processes(), phase.name, state.digest, now=board.clock())


def _present(board: Switchboard, phase: Phase) -> FlagState:
    try:
        return board.flags.read(phase.name)
    except FlagFileInvalid as error:
        way_back = f"oms rollback {phase.name}"
        raise FlipRefused(f"{error}" if way_back in error.mend else f"{error}; {way_back} writes a good one") from error


def _note_refusal(board: Switchboard, phase: Phase, wish: Wish, mandate: Mandate, why_not: str) -> None:
    try:
        state = board.flags.read(phase.name)
        before, digest = state_text(state), state.digest
    except (CouldNot, FlagFileInvalid):
        before, digest = "unreadable", ""
    note_refusal(board, mandate, phase.name, before, wish_text(wish), digest=digest, why_not=why_not)
