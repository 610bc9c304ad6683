"""The histogram of durations: what a bucket holds, and how wrong a quantile may be."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.histogram import BUCKETS, bucket_of, count_above, merged, quantile_ns, upper_ns

LAST_EXACT_NS = upper_ns(BUCKETS - 2)
"""Beyond this everything falls into the last bucket."""

durations = st.integers(0, LAST_EXACT_NS) | st.integers(0, 2_000_000)


def nearest_rank(samples: list[int], q: float) -> int:
    """Return the exact *q* quantile of *samples*: the smallest that at least that share is not above."""
    return sorted(samples)[math.ceil(q * len(samples)) - 1]


@given(durations)
def test_bucket_holds_its_duration(duration_ns: int) -> None:
    """A duration lies above the bucket before its own and at or below the end of its own."""
    bucket = bucket_of(duration_ns)

    assert duration_ns <= upper_ns(bucket)
    assert bucket == 0 or upper_ns(bucket - 1) < duration_ns


@given(durations)
def test_error_bound(duration_ns: int) -> None:
    """A bucket's end is at most 12.5 % above any duration in it, and exact below 16 ns."""
    upper = upper_ns(bucket_of(duration_ns))

    assert upper - duration_ns <= duration_ns * 0.125
    assert duration_ns >= 16 or upper == duration_ns


def test_buckets_have_no_gap() -> None:
    """Every bucket begins where the one before ends, from the first to the last."""

    assert list(range(BUCKETS)) == [bucket_of(upper_ns(bucket)) for bucket in range(BUCKETS)]
    assert list(range(1, BUCKETS)) == [bucket_of(upper_ns(bucket) + 1) for bucket in range(BUCKETS - 1)]


@pytest.mark.parametrize("duration_ns", [LAST_EXACT_NS + 1, 10**15, 2**200])
def test_long_durations(duration_ns: int) -> None:
    """What is longer than the scale falls into the last bucket, which begins above nine minutes."""

    assert BUCKETS - 1 == bucket_of(duration_ns)
    assert duration_ns > 9 * 60 * 10**9


def test_negative_duration() -> None:
    """A clock that went back counts as zero."""

    assert 0 == bucket_of(-1)


@given(st.lists(durations, min_size=1, max_size=50), st.floats(0.001, 1.0) | st.sampled_from([0.25, 0.5, 0.75]))
def test_quantile(samples: list[int], q: float) -> None:
    """A quantile is the end of the bucket that holds the exact one."""
    exact = nearest_rank(samples, q)

    assert upper_ns(bucket_of(exact)) == quantile_ns(Counter(map(bucket_of, samples)), q)


@pytest.mark.parametrize("counts", [{}, {3: 0}])
def test_quantile_of_nothing(counts: dict[int, int]) -> None:
    """Without counts there is no quantile."""

    assert None is quantile_ns(counts, 0.99)


@pytest.mark.parametrize(("q", "expected"), [(0.25, 1), (0.26, 2), (0.5, 2), (0.75, 3), (1.0, 4)])
def test_quantile_at_a_sample(q: float, expected: int) -> None:
    """A quantile that falls on a sample is that sample."""

    assert expected == quantile_ns({1: 1, 2: 1, 3: 1, 4: 1}, q)


def test_histograms_add_up() -> None:
    """Adding two histograms is the histogram of both samples."""
    one, other = [5, 500, 50_000], [7, 700_000]
    added = Counter(map(bucket_of, one)) + Counter(map(bucket_of, other))

    assert quantile_ns(Counter(map(bucket_of, one + other)), 0.5) == quantile_ns(added, 0.5)


@given(st.lists(durations, max_size=50), st.integers(0, BUCKETS - 2))
def test_count_above(samples: list[int], bucket: int) -> None:
    """Above the end of a bucket are exactly the samples that are longer."""
    counts = Counter(map(bucket_of, samples))

    assert sum(sample > upper_ns(bucket) for sample in samples) == count_above(counts, upper_ns(bucket))


histograms = st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(0, 1_000), max_size=9)


@given(histograms, histograms, histograms)
def test_merge(one: dict[int, int], two: dict[int, int], three: dict[int, int]) -> None:
    """Histograms add up to one and the same in any order and grouping, and are left as they were."""
    before = dict(one)
    whole = merged([one, two, three])

    assert whole == merged([merged([one, two]), three]) == merged([three, merged([two, one])])
    assert sum(one.values()) + sum(two.values()) + sum(three.values()) == sum(whole.values())
    assert before == one


def test_merge_of_nothing() -> None:
    """No histograms are an empty one."""

    assert {} == merged([])
