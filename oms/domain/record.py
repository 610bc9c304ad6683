"""What a process hands to the journal: plain rows, already aggregated."""

from __future__ import annotations

from dataclasses import dataclass, field

from oms.domain.divergence import Divergence


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was counted: one operation of one seam at one stage."""

    phase: str
    seam: str
    operation: str
    stage: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something happened since the last drain.

    Attributes:
        name: A :class:`~oms.domain.observation.Disposition`, an :class:`~oms.domain.observation.Outcome`, ``uncomparable.<reason>``, or one
            of ``calls unscoped rescued delayed beside_failed beside_cut empty``.
    """

    place: Place
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Durations of one side since the last drain, as counts per bucket of :mod:`oms.domain.histogram`."""

    place: Place
    side: str
    buckets: dict[int, int]


@dataclass(frozen=True, slots=True)
class Repair:
    """A key that a side must forget because a write failed or was cut there.

    Attributes:
        id: Unique within the process.
        key: The key, or None for everything the side holds.
        opened_at: Unix time in seconds.
        closed_at: Unix time in seconds; None while open.
        process_local: True if the side's memory ends with the process, and so does the repair.
    """

    id: int
    phase: str
    seam: str
    side: str
    key: str | None
    opened_at: float
    closed_at: float | None
    process_local: bool


@dataclass(frozen=True, slots=True)
class Trip:
    """A guard of this process that took a phase back by itself.

    Attributes:
        guard: ``watchdog`` for a read in flight for too long.
        from_stage, to_stage: What was served and what is served now, in this process only.
        at: Unix time in seconds.
    """

    phase: str
    seam: str
    operation: str
    guard: str
    from_stage: str
    to_stage: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Flip:
    """One line of the audit: who moved a phase, from where to where, and why. *at* is Unix time in seconds."""

    phase: str
    from_split: str
    to_split: str
    digest: str
    who: str
    why: str
    at: float
    forced: bool = False


@dataclass(slots=True)
class Batch:
    """Everything since the last drain."""

    tallies: list[Tally] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    divergences: list[Divergence] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    trips: list[Trip] = field(default_factory=list)
    lost_divergences: int = 0
    """Divergences that did not fit the bound since the last drain; they are in the tallies, only their samples are gone."""
