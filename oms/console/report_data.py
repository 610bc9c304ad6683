"""What a report shows, in any format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oms.console.report_groups import GroupReport, RuleReport
from oms.domain.evidence import Evidence
from oms.domain.readiness import Demand, OperationVerdict, PhaseVerdict, Readiness
from oms.domain.record import Repair
from oms.journal.entries import Gap, ProcessEntry
from oms.rollout.wording import age_text, clock_text

SCHEMA = 1
"""Version of the report as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the policy wants of a phase.

    Attributes:
        demand: What each operation must prove.
        waived: Operations, ``types.clear``, that need not.
        unseen_holds: An operation that nobody called keeps the phase from READY; False lists it only.
        cap_per_request: Of a request that is made again and again only the first in a while is evidence.
        quiet_s: Nothing is READY for so long after counts were lost, in seconds.
    """

    demand: Demand = field(default_factory=Demand)
    waived: tuple[str, ...] = ()
    unseen_holds: bool = True
    cap_per_request: bool = True
    quiet_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Durations of one side, in nanoseconds, each rounded up by at most 12.5 %.

    Attributes:
        buckets: Counts per bucket of :mod:`oms.domain.histogram`.
    """

    count: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    p999_ns: int
    buckets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """Both sides at one stage, the judged version only. A side that did not run there is None.

    Attributes:
        unmeasured: Shadowed calls whose candidate was dropped or timed out: the slowest are missing from the percentiles of the side beside.
    """

    stage: str
    legacy: Percentiles | None
    unified: Percentiles | None
    unmeasured: int

    @property
    def cuts_p99(self) -> bool:
        """True if what is missing is more than one in a hundred: p99 is too good then."""
        measured = min((side.count for side in (self.legacy, self.unified) if side), default=0)
        return self.unmeasured * 100 > measured

    @property
    def ratios(self) -> tuple[float, float] | None:
        """How long unified takes for one of legacy, at the median and at p99; None unless both ran."""
        if self.legacy is None or self.unified is None:
            return None
        return self.unified.p50_ns / max(1, self.legacy.p50_ns), self.unified.p99_ns / max(1, self.legacy.p99_ns)


@dataclass(frozen=True, slots=True)
class Errors:
    """Comparisons of calls that both sides ran, by who raised."""

    neither: int
    legacy: int
    unified: int
    both: int

    def __bool__(self) -> bool:
        return any((self.neither, self.legacy, self.unified, self.both))


@dataclass(frozen=True, slots=True)
class Noise:
    """Reads that legacy did twice, and where it differed from itself, by folded field path."""

    reads: int
    paths: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class VersionReport:
    """What was counted with one version of the sources of both sides and of the comparison. Unix times in seconds."""

    version: str
    evidence: Evidence
    first_at_s: float
    last_at_s: float


@dataclass(frozen=True, slots=True)
class OperationReport:
    """One operation of one seam: the version that was counted last is judged, older ones are named.

    Attributes:
        stages: Calls by the stage they were decided at.
        per_s: Comparisons a second of late that are evidence; None if there were none.
        events: Calls that were rescued, unscoped and so on; they overlap with the rest.
        older: Earlier versions, the newest first.
        waived: The policy does not ask for its proof: it is no part of the phase's verdict.
    """

    phase: str
    seam: str
    operation: str
    version: str
    verdict: OperationVerdict
    per_s: float | None
    stages: Mapping[str, int]
    events: Mapping[str, int]
    errors: Errors
    noise: Noise
    latencies: tuple[LatencyReport, ...]
    older: tuple[VersionReport, ...]
    waived: bool = False

    @property
    def name(self) -> str:
        """``cache.types.get``."""
        return f"{self.phase}.{self.seam}.{self.operation}"

    @property
    def evidence(self) -> Evidence:
        """The counts of the version that is judged."""
        return self.verdict.evidence

    @property
    def differing_share(self) -> float:
        """The part of the comparisons that differed somewhere, explained or not, 0 to 1."""
        it = self.evidence
        return (it.ignored + it.mismatched) / it.compared if it.compared else 0.0

    def compared_with(self, version: str) -> int:
        """Return how many comparisons were made with *version*."""
        if version == self.version:
            return self.evidence.compared
        return sum(one.evidence.compared for one in self.older if one.version == version)


@dataclass(frozen=True, slots=True)
class Move:
    """A change of what is served: a flip by somebody, or a trip by a guard of one process. *at* is Unix time in seconds."""

    at: float
    phase: str
    source: str
    target: str
    by: str
    why: str
    forced: bool
    is_trip: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """What became of the calls of a phase that began at *at_s* or in the *length_s* after it."""

    at_s: float
    length_s: float
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """One phase.

    Its operations stand the worst first and the waived last, its divergences unexplained ones first, its rules those with hits first.

    Attributes:
        never_seen: Operations of its bound seams that nobody called.
        waived: Operations that need not be proved, and are no part of the verdict.
        divergences: Of the versions that are judged.
        older: Divergences that were seen with older versions only: they do not count.
        digests: Flag decisions that its calls were counted under, the first seen first.
        moments: In order of time.
        due_at: When it is expected to be READY, Unix time in seconds; None if it is, or nobody knows.
    """

    name: str
    verdict: PhaseVerdict
    operations: tuple[OperationReport, ...]
    never_seen: tuple[str, ...]
    waived: tuple[str, ...]
    divergences: tuple[GroupReport, ...]
    older: tuple[GroupReport, ...]
    rules: tuple[RuleReport, ...]
    moments: tuple[Moment, ...]
    digests: tuple[str, ...]
    due_at: float | None

    @property
    def readiness(self) -> Readiness:
        """That of the worst operation."""
        return self.verdict.readiness

    @property
    def headline(self) -> str:
        """One sentence: how far it is, over all operations."""
        evidence = [operation.evidence for operation in self.operations]
        ready = sum(one.readiness is Readiness.READY for one in self.verdict.operations)
        total = len(self.verdict.operations)
        compared, mismatched = sum(one.compared for one in evidence), sum(one.mismatched for one in evidence)
        unexplained = sum(1 for one in self.divergences if one.group.known is None)
        groups = f" ({unexplained:,} unexplained {'group' if unexplained == 1 else 'groups'})" if unexplained else ""
        never = f", {len(self.never_seen)} never seen" if self.never_seen else ""
        return (
            f"{ready} of {total} operations ready{never}; {mismatched:,} of {compared:,} compared calls mismatched{groups},"
            f" {sum(one.seen for one in evidence):,} seen{self._due}"
        )

    @property
    def _due(self) -> str:
        if self.readiness is not Readiness.NOT_YET:
            return ""
        if self.due_at is not None and self.verdict.wait_s:
            return f"; expected in {age_text(self.verdict.wait_s)} at the present rate, {clock_text(self.due_at)}"
        return (
            "; nobody knows when while operations are unseen"
            if self.verdict.never_seen
            else "; no date at the present rate"
        )


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything a report shows.

    Attributes:
        since, until: First and last minute with counts, Unix time in seconds; None without any.
        command: What to type to get this report again.
        silent: Phases whose sides are bound, and of which nothing was counted.
        repairs: Open ones, with the pid of the process.
    """

    journal: str
    command: str
    made_at: float
    since: float | None
    until: float | None
    phases: tuple[PhaseReport, ...]
    silent: tuple[str, ...]
    moves: tuple[Move, ...]
    repairs: tuple[tuple[int, Repair], ...]
    processes: tuple[ProcessEntry, ...]
    gaps: tuple[Gap, ...]

    @property
    def lost(self) -> int:
        """What the journal could not keep."""
        return sum(gap.lost for gap in self.gaps)

    @property
    def killed(self) -> tuple[ProcessEntry, ...]:
        """Processes that ended without a word."""
        return tuple(process for process in self.processes if process.ending == "killed")

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where the processes ran."""
        return tuple(sorted({process.host for process in self.processes}))

    @property
    def readiness(self) -> Readiness:
        """That of the worst phase; NOT YET without any."""
        worst_first = tuple(Readiness)
        return min((phase.readiness for phase in self.phases), key=worst_first.index, default=Readiness.NOT_YET)
