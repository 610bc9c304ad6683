"""From when on a call is slow: legacy's own percentile, frozen before the stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oms.domain.histogram import bucket_of, count_above, quantile_ns, upper_ns


@dataclass(frozen=True, slots=True)
class SlowLine:
    """A call is slow above *line_ns*. Slow calls are the bad events of a :class:`~oms.domain.guardrails.ratio.RatioGuard`.

    Any line that was fixed before the calls it judges is valid; a bad one costs delay only. Use two, p99 and p90: a shift of all calls shows
    soonest at p90, a longer tail only at p99. Simulated in docs/evidence.md.
    """

    quantile: float
    line_ns: int

    def is_slow(self, duration_ns: int) -> bool:
        """Tell whether a call of *duration_ns* is slow."""
        return duration_ns > self.line_ns

    def count(self, buckets: Mapping[int, int]) -> int:
        """Return how many calls of a histogram are slow: exactly those, for the line is the end of a bucket."""
        return count_above(buckets, self.line_ns)


def freeze(
    buckets: Mapping[int, int], quantile: float, *, min_calls: int = 1_000, floor_ns: int = 0
) -> SlowLine | None:
    """Return the line at *quantile* of legacy's calls before the stage, but never below *floor_ns*: faster than that nobody calls slow.

    None below *min_calls*, for then nobody knows it.
    """
    line_ns = quantile_ns(buckets, quantile)
    if line_ns is None or sum(buckets.values()) < min_calls:
        return None
    return SlowLine(quantile, max(line_ns, upper_ns(bucket_of(floor_ns))))
