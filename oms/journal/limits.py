"""How much the journal may hold, on disk and in memory."""

from __future__ import annotations

from dataclasses import dataclass

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLimits:
    """Bounds of the journal. What goes beyond one on disk is pruned, oldest first; in memory it is counted as lost.

    Attributes:
        age_s: Rows older than this go, in seconds.
        rows: At most this many rows of counts, latencies and divergences.
        bytes: Size of the file without its free pages; the write-ahead log comes on top, about 4 MiB.
        fold_after_s: Rows per minute that are older than this become rows per hour, in seconds.
        prune_every_s: How often one of the processes prunes, in seconds.
        samples_first, samples_newest: How many samples of a divergence are kept: its first ones, and its newest.
        sample_chars: A sample longer than this as JSON is left out, its length said instead.
        pending_counts: Distinct counters and histograms that wait in memory while the file cannot be written.
        pending_divergences: Distinct divergences that wait.
        pending_events: Repairs, trips and losses that wait, each.
    """

    age_s: float = 14 * _DAY_S
    rows: int = 500_000
    bytes: int = 256 * 1024 * 1024
    fold_after_s: float = 2 * 3600.0
    prune_every_s: float = 60.0
    samples_first: int = 2
    samples_newest: int = 3
    sample_chars: int = 2_000
    pending_counts: int = 20_000
    pending_divergences: int = 2_000
    pending_events: int = 2_000
