"""A mergeable log histogram of durations: small enough for every operation, exact enough for a percentile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_SUB_BITS = 3
BUCKETS = 40 << _SUB_BITS
"""Eight buckets per power of two: a value is off by at most 12.5 %. The last bucket begins above 9 minutes."""


def bucket_of(duration_ns: int) -> int:
    """Return the bucket of *duration_ns* (0 or more), 0 to ``BUCKETS - 1``.

    Source: HdrHistogram's log-linear buckets with three sub-bucket bits.
    """
    if duration_ns < 1 << _SUB_BITS:
        return duration_ns if duration_ns > 0 else 0
    exponent = duration_ns.bit_length() - 1 - _SUB_BITS
    bucket = (exponent << _SUB_BITS) + (duration_ns >> exponent)
    return bucket if bucket < BUCKETS else BUCKETS - 1


def upper_ns(bucket: int) -> int:
    """Return the largest duration that falls into *bucket*, in nanoseconds."""
    if bucket < 2 << _SUB_BITS:
        return bucket
    exponent = (bucket >> _SUB_BITS) - 1
    mantissa = (bucket & ((1 << _SUB_BITS) - 1)) + (1 << _SUB_BITS)
    return ((mantissa + 1) << exponent) - 1


def quantile_ns(counts: Mapping[int, int], q: float) -> int | None:
    """Return the *q* quantile (0 < q <= 1) in nanoseconds, rounded up to its bucket's end; None without counts."""
    total = sum(counts.values())
    if not total:
        return None
    wanted, seen = q * total, 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            return upper_ns(bucket)
    return upper_ns(max(counts))


def count_above(counts: Mapping[int, int], duration_ns: int) -> int:
    """Return how many durations are above *duration_ns*: exactly, if it is the end of a bucket; else its own bucket is left out."""
    last = bucket_of(duration_ns)
    return sum(count for bucket, count in counts.items() if bucket > last)


def merged(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Return the histogram of all samples of *histograms*; the order does not matter."""
    sums: dict[int, int] = {}
    for counts in histograms:
        for bucket, count in counts.items():
            sums[bucket] = sums.get(bucket, 0) + count
    return sums
