"""What people order: pause, resume, freeze, unfreeze. Each is latched and audited; none of them moves a flag."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from oms.domain.errors import CouldNot, FlipRefused
from oms.domain.phase import Phase
from oms.domain.record import Flip
from oms.rollout.audit import AuditOutcome
from oms.rollout.guard.facts import Facts, Sources, gather
from oms.rollout.guard.latches import WHO, Latched, Latches, Order, PhaseLatch
from oms.rollout.guard.steps import MINUTE_S
from oms.rollout.present import present
from oms.rollout.switchboard import Mandate, Switchboard
from oms.rollout.wording import clock_text


@dataclass(frozen=True, slots=True)
class Ordered:
    """What came of an order: a sentence, and what went wrong without stopping it."""

    text: str
    warnings: tuple[str, ...] = ()


def pause(board: Switchboard, latches: Latches, phase: Phase, mandate: Mandate) -> Ordered:
    """Stop *phase* from being moved on until it is resumed. Guards go on, and so do rollbacks.

    Raises:
        CouldNot: if it cannot be latched.
    """
    order = Order(who=mandate.who, why=mandate.why, at_s=board.clock())
    latches.change(phase.name, lambda latch: replace(latch, paused=order))
    return _audited(board, phase, mandate, f"paused at {present(board, phase).text}")


def freeze(board: Switchboard, latches: Latches, phase: Phase | None, mandate: Mandate, *, until_s: float) -> Ordered:
    """Stop *phase*, or all of them for None, from being moved on until *until_s* (Unix time in seconds), or until it is unfrozen.

    Raises:
        CouldNot: if it cannot be latched.
    """
    order = Order(who=mandate.who, why=mandate.why, at_s=board.clock(), until_s=until_s)
    _set_frozen(latches, phase, order)
    return _audited(board, phase, mandate, f"frozen {order.text}")


def unfreeze(board: Switchboard, latches: Latches, phase: Phase | None, mandate: Mandate) -> Ordered:
    """End a freeze of *phase*, or the one of all phases for None. One does not end the other.

    Raises:
        CouldNot: if it cannot be written down.
    """
    latched = latches.read()
    order = latched.frozen if phase is None else latched.of(phase.name).frozen
    if order is None or not order.holds_at(board.clock()):
        return Ordered("not frozen, nothing changed")
    _set_frozen(latches, phase, None)
    return _audited(board, phase, mandate, f"no longer frozen ({order.text})")


def resume(sources: Sources, phase: Phase, mandate: Mandate, *, same_version: bool = False) -> Ordered:
    """Let a tripped or paused *phase* be moved on again, and accept the policy as it stands. What a guard stopped begins anew.

    Raises:
        FlipRefused: if what tripped is still served and nobody says that it may be, or it has tripped since somebody looked.
        CouldNot: if it cannot be written down.
    """
    facts = gather(sources, phase, sources.policy())
    try:
        latch = sources.latches.read().of(phase.name)
    except CouldNot:
        # What cannot be read holds every phase; somebody who resumes one has seen that.
        sources.latches.change_all(lambda latched: latched, anew=True)
        return _audited(sources.board, phase, mandate, "latches written anew: nothing is tripped, paused or frozen")
    if latch.tripped is not None and not same_version:
        _must_be_another(facts, latch)
    changed = sources.latches.change(phase.name, lambda current: _resumed(current, facts, seen=latch))
    if changed == latch:
        return Ordered("neither tripped nor paused, nothing changed")
    what = ", ".join(_what_was(latch, changed)) or "the policy was changed"
    return _audited(sources.board, phase, mandate, f"resumed ({what})")


def _what_was(latch: PhaseLatch, changed: PhaseLatch) -> Collection[str]:
    tripped = [f"tripped by {latch.tripped.name}"] if latch.tripped else []
    ahead = [f"counts until {clock_text(changed.ahead_s)} left out"] if changed.ahead_s != latch.ahead_s else []
    return [*tripped, *([f"paused {latch.paused.text}"] if latch.paused else []), *ahead]


def _resumed(latch: PhaseLatch, facts: Facts, *, seen: PhaseLatch) -> PhaseLatch:
    if latch.tripped is not None and latch.tripped != seen.tripped:
        raise FlipRefused(f"phase {facts.phase.name!r} has tripped meanwhile by {latch.tripped.name}; look again")
    mark = latch.step
    if mark is not None and mark.policy != facts.standing.policy.digest:
        # The controller marks the step anew with the policy that it goes by, of whatever profile.
        mark = None
    # What a guard has seen so far would only have it stop the phase again.
    by_guard = latch.tripped is not None or (latch.paused is not None and latch.paused.who == WHO)
    since_s = facts.now_s if by_guard else latch.since_s
    # So would what a clock that ran ahead has put where nobody comes for long.
    ahead_s = facts.newest_s if facts.newest_s > facts.now_s + MINUTE_S else latch.ahead_s
    return replace(latch, tripped=None, paused=None, step=mark, since_s=since_s, ahead_s=ahead_s)


def _must_be_another(facts: Facts, latch: PhaseLatch) -> None:
    tripped = latch.tripped
    if tripped is None:
        return
    seam = tripped.operation.partition(".")[0]
    served = {track.version for track in facts.tracks.tracks if track.operation.partition(".")[0] == seam or not seam}
    if not served or tripped.version in served or not tripped.version:
        found = f"still {tripped.version}" if tripped.version in served and tripped.version else "not known"
        raise FlipRefused(
            f"phase {facts.phase.name!r} tripped by {tripped.guard} {tripped.operation}".rstrip()
            + f": what is served is {found}, wanted another version than the one that tripped; deploy it, or --same-version"
        )


def _set_frozen(latches: Latches, phase: Phase | None, order: Order | None) -> None:
    def change(latched: Latched) -> Latched:
        if phase is None:
            return replace(latched, frozen=order)
        latch = replace(latched.of(phase.name), frozen=order)
        return replace(latched, phases={**latched.phases, phase.name: latch})

    latches.change_all(change)


def _audited(board: Switchboard, phase: Phase | None, mandate: Mandate, text: str) -> Ordered:
    if phase is None:
        name, stands, digest = "all", "", ""
    else:
        now = present(board, phase)
        name, stands, digest = phase.name, now.text, now.digest
    flip = Flip(name, stands, stands, digest, mandate.who, mandate.why, board.clock())
    try:
        board.audit.append(flip, AuditOutcome.ORDER, note=text)
    except CouldNot as error:
        return Ordered(text, (f"not in the audit: {error}",))
    return Ordered(text)
