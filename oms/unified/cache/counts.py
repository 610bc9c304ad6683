"""What a cache has done since it was built: plain integers, so that counting costs nothing worth measuring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Running totals of one cache. Each is written under the lock of its owner and read by anybody.

    Attributes:
        hits, misses: Answers of ``get`` and ``get_many``, one a key. ``exists`` counts as neither.
        sets: Values stored.
        deleted: Entries that ``delete`` or ``forget`` removed; a key that was not there does not count.
        replaced: Entries that a new value of the same key removed. Memory only: Redis does not tell.
        evicted: Entries that had to go because the cache was full. Memory only.
        expired: Entries removed because their time was over, a ttl of 0 included; in Redis only the latter.
        cleared: Entries that ``clear`` removed.
        loads: Loaders that ran for ``get_or_set``.
        errors: Calls that the storage failed, or whose stored value could not be read.
        skipped: Calls not even tried, because the storage had failed a moment before.
    """

    hits: int = 0
    misses: int = 0
    sets: int = 0
    deleted: int = 0
    replaced: int = 0
    evicted: int = 0
    expired: int = 0
    cleared: int = 0
    loads: int = 0
    errors: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """A reading of one cache.

    Attributes:
        name: The cache's name.
        size: Entries held now, expired ones that nobody asked for included; None where the storage cannot tell cheaply.
        max_size: The most it ever holds; None where the storage bounds itself.
        counts: A copy of the running totals.
    """

    name: str
    size: int | None
    max_size: int | None
    counts: Counts

    @property
    def hit_rate(self) -> float:
        """Share of reads that found something, 0 before the first read."""
        reads = self.counts.hits + self.counts.misses
        return self.counts.hits / reads if reads else 0.0
