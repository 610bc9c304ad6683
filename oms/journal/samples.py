"""Merging what is kept as text in a row: histograms and samples, in memory as in the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Sample = tuple[float, Mapping[str, object]]
"""When it was seen, Unix time in seconds, and the redacted description."""


def keep(samples: Sequence[Sample], *, first: int, newest: int) -> list[Sample]:
    """Return the *first* oldest and the *newest* youngest of *samples*, oldest first.

    The first alone would hide every later cause; the newest alone would hide how it began.
    """
    in_order = sorted(samples, key=lambda sample: sample[0])
    return in_order if len(in_order) <= first + newest else in_order[:first] + in_order[-newest:]


def dump_samples(samples: Sequence[Sample], *, longest: int) -> str:
    """Return *samples* as JSON; one that takes more than *longest* characters is replaced by its length."""
    return "[" + ",".join(f"[{seen_at!r},{_bounded(sample, longest)}]" for seen_at, sample in samples) + "]"


def load_samples(text: str) -> list[Sample]:
    """Return what ``dump_samples`` wrote."""
    return [(seen_at, sample) for seen_at, sample in json.loads(text)]


def _bounded(sample: Mapping[str, object], longest: int) -> str:
    try:
        text = json.dumps(dict(sample), default=_type_only)
    except (TypeError, ValueError):
        return json.dumps({"left_out": "a sample that JSON cannot hold"})
    return text if len(text) <= longest else json.dumps({"left_out": f"a sample of {len(text)} characters"})


def _type_only(value: object) -> str:
    """Stand in for a value that JSON cannot hold by its type: its text might show what must not be shown."""
    return f"<{type(value).__qualname__}>"


def dump_buckets(buckets: Mapping[int, int]) -> str:
    """Return a histogram as JSON, bucket to count."""
    return json.dumps(buckets, separators=(",", ":"))


def load_buckets(text: str) -> dict[int, int]:
    """Return what ``dump_buckets`` wrote."""
    return {int(bucket): count for bucket, count in json.loads(text).items()}


def add_buckets(into: dict[int, int], more: Mapping[int, int]) -> None:
    """Add *more* to *into*, bucket by bucket."""
    for bucket, count in more.items():
        into[bucket] = into.get(bucket, 0) + count
