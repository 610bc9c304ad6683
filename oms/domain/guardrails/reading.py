"""What a guard says when somebody looks at it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from oms.domain.errors import BadInput


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at one guard.

    Attributes:
        tripped: The guard asks for its action. Whoever acts latches it: a later reading may be calm again.
        progress: How far the way to the trip line is gone, 0 to 1 and above; for an e-process ``ln E / ln (1/alpha)``. Promotion wants
            every guard at or below 0.5.
        why: One sentence with counts, for on-call.
    """

    tripped: bool
    progress: float
    why: str


def log_line(alpha: float) -> float:
    """Return ``ln (1/alpha)``, the trip line of an e-process that may be wrong with probability *alpha*."""
    return -math.log(alpha)


def read_e(log_e: float, alpha: float, *, enough: bool, why: str) -> Reading:
    """Return the reading of an e-process at *log_e*; without *enough* events it never trips."""
    line = log_line(alpha)
    return Reading(enough and log_e >= line, max(0.0, log_e / line), why)


def split_alpha(total: float, *, acting: int) -> float:
    """Return the alpha of each of *acting* guards, so that any of them errs with probability *total* at most (Bonferroni).

    Guards that may only warn are not counted: they take no action that could be false.
    """
    return total / max(1, acting)


def wanted(where: str, value: float, *, above: float, below: float) -> None:
    """Refuse a *value* that is not strictly between the two bounds; NaN is refused, too.

    Raises:
        BadInput: that names *where*.
    """
    if not above < value < below:
        raise BadInput(where, found=f"{value!r}", wanted=f"above {above:g} and below {below:g}")


def whole(where: str, value: int, *, least: int) -> None:
    """Refuse a *value* that is no whole number or less than *least*.

    Raises:
        BadInput: that names *where*.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise BadInput(where, found=f"{value!r}", wanted=f"a whole number, {least} or more")
