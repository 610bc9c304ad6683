"""What became of a phase's calls over time, in few enough steps to be drawn."""

from __future__ import annotations

from collections.abc import Sequence

from oms.console.report_data import Moment
from oms.domain.observation import Outcome
from oms.domain.record import Slice

MOST_MOMENTS = 90
_MINUTE_S = 60.0
OUTCOMES = (Outcome.MATCHED, Outcome.REASONABLE, Outcome.IGNORED, Outcome.MISMATCHED)
NOT_COMPARED = "not compared"


def moments(slices: Sequence[Slice]) -> tuple[Moment, ...]:
    """Return the outcomes of *slices* in steps of equal length, at most ``MOST_MOMENTS``; a step without any call is there, too."""
    counted = [one for one in slices if one.counts.get("calls")]
    if not counted:
        return ()
    first, last = min(one.at_s for one in counted), max(one.at_s for one in counted)
    minutes = int((last - first) // _MINUTE_S) + 1
    length_s = -(-minutes // MOST_MOMENTS) * _MINUTE_S
    steps: list[dict[str, int]] = [{} for _ in range(int((last - first) // length_s) + 1)]
    for one in counted:
        step = steps[int((one.at_s - first) // length_s)]
        compared = 0
        for outcome in OUTCOMES:
            if count := one.counts.get(outcome, 0):
                step[outcome.value] = step.get(outcome.value, 0) + count
                compared += count
        if rest := one.counts["calls"] - compared:
            step[NOT_COMPARED] = step.get(NOT_COMPARED, 0) + rest
    return tuple(Moment(first + place * length_s, length_s, step) for place, step in enumerate(steps))
