"""What one side did with the user's function in one call, and where two sides part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oms.domain.comparison import Difference
from oms.domain.stage import Side

NO_OUTCOME = "no outcome"
"""Kind of a difference: the candidate would have called where nothing was recorded. Also the outcome of such a candidate."""

ADMITTED = "admitted"
"""Path of a difference: one side called, the other refused with an error of its own. ``admitted.again`` if that was not the first attempt."""

_EXACT = 1e-9
"""Waits this near are one wait: both sides add the same floats, perhaps in another order."""

Band = Callable[[int], tuple[float, float] | None]
"""``band(attempt)``: least and most seconds that the control may wait after failed attempt *attempt*, counted from 1; None if unknown."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What one side did in one call of an ``@effects`` operation. It holds no value and no exception of the caller's.

    Attributes:
        attempts: How often it called the function, or wanted to.
        errors: How each failed attempt failed, by label: a class name, ``cut`` where the side's own time limit ended it.
        delays: Seconds slept after each failed attempt that was followed by something.
        outcome: ``result 2``, ``error 3`` or ``cut 1`` if the call ended as that attempt did, ``own result`` or the class name of an error if
            the side made it up by itself, or ``no outcome``.
        state: Where the breaker stood afterwards, None if there is none.
    """

    attempts: int
    errors: tuple[str, ...] = ()
    delays: tuple[float, ...] = ()
    outcome: str = ""
    state: str | None = None

    def __str__(self) -> str:
        waits = ", ".join(f"{delay:.3g}" for delay in self.delays)
        parts = [f"{self.attempts} attempt{'' if self.attempts == 1 else 's'}"]
        parts += [f"failed with {', '.join(self.errors)}"] if self.errors else []
        parts += [f"waited {waits} s"] if waits else []
        return "; ".join([*parts, self.outcome, *([self.state] if self.state else [])])

    @property
    def has_result(self) -> bool:
        """True if the call returned."""
        return has_result(self.outcome)

    @property
    def refused_by(self) -> str | None:
        """The class name of the side's own error, None if the call ended as an attempt did."""
        word = self.outcome.partition(" ")[0]
        return None if word in ("result", "own", "error", "cut", "no") else self.outcome


def has_result(outcome: str) -> bool:
    """Tell whether a call with the *outcome* of a :class:`Trace` returned."""
    return outcome.startswith(("result ", "own "))


def part(
    *, legacy: Trace, unified: Trace, control: Side, band: Band = lambda attempt: None
) -> tuple[tuple[Difference, ...], bool]:
    """Return where the traces differ, and whether they are alike to the last digit.

    Where the sides part nothing after it can be compared, so there is one difference of that kind at most: at ``admitted``, or at
    ``retried.<label>`` if only one of them tried again after that error. Waits differ at ``delays``, unless the candidate's lie within the
    control's band. Both traces stand whole in each difference, for rules to look at.
    """
    sides = {Side.LEGACY: legacy, Side.UNIFIED: unified}
    first, second = sides[control], sides[control.other]
    found = []
    is_exact = all(_are_near(one, other) for one, other in zip(first.delays, second.delays, strict=False))
    if not is_exact and not _is_within(first, second, band):
        found.append(("value", "delays"))
    parting = _parting(first, second)
    if parting is not None:
        kind = NO_OUTCOME if second.outcome == NO_OUTCOME else "value"
        found.insert(0, (kind, parting))
    elif first.outcome != second.outcome:
        found.insert(0, ("error" if first.refused_by and second.refused_by else "value", "outcome"))
    elif first.state != second.state and first.state is not None and second.state is not None:
        found.insert(0, ("value", "state"))
    return tuple(Difference(kind, path, legacy, unified) for kind, path in found), is_exact


def _parting(first: Trace, second: Trace) -> str | None:
    """Return the path of the first step that only one side took, None if they went the whole way together."""
    fewer, more = sorted((first, second), key=lambda trace: (trace.attempts, len(trace.delays)))
    if fewer.attempts == more.attempts and len(fewer.delays) == len(more.delays):
        return None
    if fewer.refused_by and len(fewer.delays) >= fewer.attempts:
        return f"{ADMITTED}.again" if fewer.attempts else ADMITTED
    labels = (*fewer.errors, *more.errors[len(fewer.errors) :])
    at = len(fewer.delays)
    return f"retried.{labels[at]}" if at < len(labels) else f"{ADMITTED}.again"


def _is_within(first: Trace, second: Trace, band: Band) -> bool:
    for attempt, (one, other) in enumerate(zip(first.delays, second.delays, strict=False), start=1):
        limits = None if _are_near(one, other) else band(attempt)
        if not _are_near(one, other) and (limits is None or not limits[0] - _EXACT <= other <= limits[1] + _EXACT):
            return False
    return True


def _are_near(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= _EXACT * max(1.0, abs(one), abs(other))
