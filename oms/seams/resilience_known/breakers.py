"""Predicates of ``Breaker``: who lets a call through, and where the breakers stand."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from oms.domain.comparison import Difference
from oms.domain.known import Predicate
from oms.domain.observation import Facts
from oms.domain.trace import Trace
from oms.seams.resilience_known.traces import traces_of

THRESHOLD = 5
"""Failures in a row that open a breaker of either wing."""

WINDOW_S = 54.0
"""Within which they surely open unified's: its minute has ten buckets, and the oldest goes as a whole."""


def _both_reject(difference: Difference, facts: Facts) -> bool:
    """Both reject, each with its own error."""
    legacy, unified = traces_of(difference)
    return (legacy.attempts, unified.attempts, legacy.refused_by, unified.refused_by) == (
        0,
        0,
        "ProtectionViolation",
        "CircuitOpenError",
    )


def _counts_for_ever(difference: Difference, facts: Facts) -> bool:
    """Legacy opens, or rejects, while unified is closed; fewer failures came in a row, within its window, than open unified."""
    legacy, unified = traces_of(difference)
    failed_ago_s = facts.written_with("failed_ago_s")
    if isinstance(failed_ago_s, tuple) and sum(ago_s <= WINDOW_S for ago_s in failed_ago_s) >= THRESHOLD:
        return False
    opens = unified.state == "closed" and legacy.outcome.startswith("error ")
    is_let_in = _before(unified, facts) == "closed" and _rejects(legacy, unified)
    return legacy.state == "open" and (opens or is_let_in)


def _never_closes(difference: Difference, facts: Facts) -> bool:
    """Legacy has opened again, or rejects, while unified is half-open and lets one through."""
    legacy, unified = traces_of(difference)
    reopened = unified.state == "half_open" and legacy.outcome.startswith("result ")
    is_let_in = _before(unified, facts) == "half_open" and _rejects(legacy, unified)
    return legacy.state == "open" and (reopened or is_let_in)


def _before(unified: Trace, facts: Facts) -> object:
    """Return where unified's breaker stood before the call; where it stands now, if that is not known."""
    return facts.written_with("unified_before") or unified.state


def _rejects(legacy: Trace, unified: Trace) -> bool:
    return (legacy.attempts, legacy.refused_by) == (0, "ProtectionViolation") and unified.refused_by is None


PREDICATES: Mapping[str, Predicate] = MappingProxyType(
    {
        "both reject": _both_reject,
        "counts for ever": _counts_for_ever,
        "never closes": _never_closes,
    }
)
