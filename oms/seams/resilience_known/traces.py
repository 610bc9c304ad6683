"""The two traces that a difference of effects holds."""

from __future__ import annotations

from oms.domain.comparison import Difference
from oms.domain.trace import Trace


def traces_of(difference: Difference) -> tuple[Trace, Trace]:
    """Return both traces.

    Raises:
        TypeError: if it is no difference of traces: then the rule stands at the wrong place.
    """
    legacy, unified = difference.legacy, difference.unified
    if not (isinstance(legacy, Trace) and isinstance(unified, Trace)):
        raise TypeError(f"known divergence: found a {type(legacy).__name__}, wanted traces of an effect")
    return legacy, unified
