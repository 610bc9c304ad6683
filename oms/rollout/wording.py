"""The same few facts in the same few words: a flag's state, a wish, an age, what legacy has missed."""

from __future__ import annotations

import datetime as dt

from oms.domain.errors import CouldNot
from oms.domain.phase import Phase
from oms.domain.split import WHOLE, Wish, percent_text
from oms.domain.stage import Stage
from oms.rollout.switchboard import FlagState, Switchboard


def state_text(state: FlagState) -> str:
    """Return a flag's state as the command line writes it; ``targeting(live off)`` for a rule that oms did not write."""
    if state.split is not None:
        return str(state.split)
    stages = sorted(state.decision.stages, key=lambda stage: -stage.rank)
    return f"targeting({' '.join(stage.value for stage in stages)})"


def wish_text(wish: Wish) -> str:
    """Return a wish as it was typed."""
    return wish.stage.value if wish.weight == WHOLE else f"{wish.stage.value}={percent_text(wish.weight)}"


def age_text(seconds: float) -> str:
    """Return an age in its largest fitting unit: ``0.4 s``, ``12 s``, ``14 min``, ``3 h``, ``9 d``."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.0f} d"


def clock_text(at: float) -> str:
    """Return Unix time in seconds as UTC, to the second."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def missed_by_legacy(board: Switchboard, phase: Phase) -> str:
    """Return what the way back from complete costs, in one clause."""
    since = _complete_since(board, phase)
    when = (
        f"{clock_text(since)} ({age_text(board.clock() - since)} ago)"
        if since
        else "it became complete (the audit does not say when)"
    )
    missed = "has missed every write" if phase.writes else "has answered nobody"
    return f"in complete legacy {missed} since {when}"


def _complete_since(board: Switchboard, phase: Phase) -> float | None:
    try:
        return board.audit.read().standing_since(phase.name, Stage.COMPLETE.value)
    except CouldNot:
        return None
