"""What a process hands to the journal: plain rows, already aggregated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oms.domain.divergence import Divergence


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was counted: one operation of one seam at one stage.

    Attributes:
        plan: Digest of the phase's flag file that the call was decided by: one step of a rollout, with its shares.
        version: Digest of the sources of both sides and of the comparison, taken at wiring.
    """

    phase: str
    seam: str
    operation: str
    stage: str
    plan: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something happened since the last drain.

    Attributes:
        name: A :class:`~oms.domain.observation.Disposition`, an :class:`~oms.domain.observation.Outcome`, ``uncomparable.<reason>``, or one
            of ``calls unscoped rescued delayed beside_failed beside_cut empty repeated``, or one of these:

            - ``errors.none errors.legacy errors.unified errors.both``: comparisons of calls that both sides ran, by who raised; not those
              where one side alone did, as a known divergence says;
            - ``units``: targeting keys, one of eight, that were decided here for the first time in this process;
            - ``unit_errors``: units (a targeting key in ten minutes) whose first failed answer was counted here;
            - ``noise`` and ``noise.<folded path>``: reads that legacy did twice, and where it differed from itself.
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
class Units:
    """Slowest answer of each unit since the last drain, as counts per bucket; a unit is a targeting key in ten minutes.

    A unit that became slower is taken out of its old bucket, so a count may be below 0. Only slow answers are counted: buckets above
    about the 80th percentile of legacy's answers.
    """

    place: Place
    buckets: dict[int, int]


@dataclass(frozen=True, slots=True)
class Slice:
    """What was counted at one place in one minute, or in all of them together.

    Attributes:
        at_s: Where the minute begins, Unix time in seconds; of several minutes the first.
        counts: By the name of the tally.
        durations: By side, then by bucket.
        units: Slowest answers of units, by bucket.
    """

    place: Place
    at_s: float
    counts: Mapping[str, int] = field(default_factory=dict)
    durations: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    units: Mapping[int, int] = field(default_factory=dict)


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
    units: list[Units] = field(default_factory=list)
