"""What became of a phase's calls over time, in few enough steps to be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oms.console.report_data import Moment
from oms.domain.observation import Outcome

MOST_MOMENTS = 90
_MINUTE_S = 60.0
OUTCOMES = (Outcome.MATCHED, Outcome.REASONABLE, Outcome.IGNORED, Outcome.MISMATCHED)
NOT_COMPARED = "not compared"
CALLS = "calls"
COUNTED = (CALLS, *(outcome.value for outcome in OUTCOMES))
"""The tallies that it is made of."""


def moments(counts: Sequence[tuple[float, str, int]]) -> tuple[Moment, ...]:
    """Return the outcomes in *counts* in steps of equal length, at most ``MOST_MOMENTS``; a step without any call is there, too.

    Args:
        counts: When a minute began, the name of a tally of ``COUNTED``, how many.
    """
    begins = [at_s for at_s, name, _ in counts if name == CALLS]
    if not begins:
        return ()
    first, last = min(begins), max(begins)
    minutes = int((last - first) // _MINUTE_S) + 1
    length_s = -(-minutes // MOST_MOMENTS) * _MINUTE_S
    steps: list[dict[str, int]] = [{} for _ in range(int((last - first) // length_s) + 1)]
    for at_s, name, count in counts:
        # An outcome is counted where its call is, or a moment later: in the next minute, and there may be no further one.
        step = steps[min(len(steps) - 1, max(0, int((at_s - first) // length_s)))]
        step[name] = step.get(name, 0) + count
    return tuple(Moment(first + place * length_s, length_s, _outcomes(step)) for place, step in enumerate(steps))


def _outcomes(step: Mapping[str, int]) -> dict[str, int]:
    found = {outcome.value: step[outcome] for outcome in OUTCOMES if step.get(outcome)}
    rest = step.get(CALLS, 0) - sum(found.values())
    return {**found, NOT_COMPARED: rest} if rest > 0 else found
