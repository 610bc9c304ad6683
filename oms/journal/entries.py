"""What a reader of the journal gets: windows to look through, groups of divergences, processes, gaps."""

from __future__ import annotations

from dataclasses import dataclass

from oms.domain.trace import Trace
from oms.journal.samples import Sample


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when, Unix time in seconds; None is open. Counts are kept per minute, older ones per hour: edges round outward."""

    since: float | None = None
    until: float | None = None

    @property
    def minutes(self) -> tuple[int, int]:
        """First and last minute that belong to it."""
        first = -1 if self.since is None else int(self.since // 60)
        return first, 2**62 if self.until is None else int(self.until // 60)

    @property
    def seconds(self) -> tuple[float, float]:
        """The same with numbers in place of None."""
        return -1.0 if self.since is None else self.since, 1e18 if self.until is None else self.until


ALWAYS = Window()


@dataclass(frozen=True, slots=True)
class DivergenceGroup:
    """All divergences with one fingerprint and one version that one rule covers, or none does.

    Attributes:
        known: Id of the rule, None for an unexplained divergence.
        version: Of both sides and the comparison; empty of what a journal kept before it kept versions.
        stages: Where it was seen.
        count: How often in the window.
        counts: How often, by minute (Unix time / 60), oldest first.
        first_seen, last_seen: Unix time in seconds, over the whole journal.
        samples: Redacted; the first ones and the newest.
    """

    fingerprint: str
    known: str | None
    version: str
    phase: str
    seam: str
    operation: str
    stages: tuple[str, ...]
    kind: str
    path: str
    types: tuple[str, str]
    count: int
    counts: dict[int, int]
    first_seen: float
    last_seen: float
    samples: tuple[Sample, ...]

    @property
    def is_replayed(self) -> bool:
        """True if it tells of what the sides did with a caller's function, not of what they answered."""
        return self.types == (Trace.__name__, Trace.__name__)


@dataclass(frozen=True, slots=True)
class ProcessEntry:
    """One process that wrote to the journal.

    Attributes:
        seen_at: When it wrote last, Unix time in seconds.
        ended_at: None while it runs; of a killed one, when it was last seen.
        ending: ``running``, ``clean`` or ``killed`` (gone without a word).
    """

    host: str
    pid: int
    started_at: float
    seen_at: float
    ended_at: float | None
    ending: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which a process could not write, or something that was lost. Unix time in seconds; *lost* 0 is a delay only."""

    pid: int
    since: float
    until: float
    lost: int
    reason: str
