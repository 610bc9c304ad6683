"""What a report shows, in any format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from oms.domain.record import Repair
from oms.journal.reader import DivergenceGroup, Gap, ProcessEntry

SCHEMA = 1
"""Version of the report as JSON."""

TOO_MUCH = 0.05
"""A known-divergence rule that takes a larger share of an operation's comparisons is flagged: it may hide something else."""


class Finding(StrEnum):
    """What the comparisons of an operation or a phase come to. No judgement on whether it may move: that is the policy's."""

    DIVERGES = "diverges"
    CLEAN = "clean"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Durations of one side, in nanoseconds, each rounded up by at most 12.5 %."""

    count: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    p999_ns: int


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """Both sides at one stage. A side that did not run there is None.

    Attributes:
        unmeasured: Shadowed calls whose candidate was dropped or timed out: the slowest are missing from the percentiles of the side beside.
    """

    stage: str
    legacy: Percentiles | None
    unified: Percentiles | None
    unmeasured: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """How many calls there were and what is known from them.

    Attributes:
        calls: Routed calls; those that went straight to the side in charge are not counted.
        not_compared: By reason, never merged into either side.
        empty: Matches in which both sides had nothing to say: they count as matched and prove nothing.
        events: Calls that were rescued, unscoped and so on; they overlap with the rest.
    """

    calls: int
    matched: int
    reasonable: int
    ignored: int
    mismatched: int
    not_compared: Mapping[str, int]
    empty: int
    events: Mapping[str, int]

    @property
    def compared(self) -> int:
        """Calls with a comparison."""
        return self.matched + self.reasonable + self.ignored + self.mismatched

    @property
    def unaccounted(self) -> int:
        """Calls that are neither compared nor named as not compared; anything but 0 is a defect of ours or a lost part of the journal."""
        return self.calls - self.compared - sum(self.not_compared.values())

    @property
    def finding(self) -> Finding:
        """What the comparisons come to."""
        if self.mismatched:
            return Finding.DIVERGES
        return Finding.CLEAN if self.compared else Finding.NOT_COMPARED


@dataclass(frozen=True, slots=True)
class OperationReport:
    """One operation of one seam.

    Attributes:
        stages: Calls by the stage they were decided at.
    """

    phase: str
    seam: str
    operation: str
    stages: Mapping[str, int]
    evidence: Evidence
    latencies: tuple[LatencyReport, ...]

    @property
    def name(self) -> str:
        """``cache.types.get``."""
        return f"{self.phase}.{self.seam}.{self.operation}"


@dataclass(frozen=True, slots=True)
class GroupReport:
    """A group of divergences with its share.

    Attributes:
        share: Of the operation's comparisons, 0 to 1. A comparison may differ in several places, so shares may sum to more.
        takes_too_much: A rule that covers more than ``TOO_MUCH`` of the operation.
        still_happening: Seen in the last five minutes that the report tells of.
    """

    group: DivergenceGroup
    share: float
    takes_too_much: bool
    still_happening: bool

    @property
    def name(self) -> str:
        """``cache.types.get``."""
        return f"{self.group.phase}.{self.group.seam}.{self.group.operation}"


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
class PhaseReport:
    """One phase: its operations, the worst first, and its divergences, unexplained ones first."""

    name: str
    operations: tuple[OperationReport, ...]
    divergences: tuple[GroupReport, ...]

    @property
    def finding(self) -> Finding:
        """That of the worst operation."""
        findings = {operation.evidence.finding for operation in self.operations}
        return next((finding for finding in Finding if finding in findings), Finding.NOT_COMPARED)

    @property
    def headline(self) -> str:
        """One sentence."""
        evidence = [operation.evidence for operation in self.operations]
        compared, mismatched, calls = (
            (
                sum(numbers)
                for numbers in zip(*((one.compared, one.mismatched, one.calls) for one in evidence), strict=True)
            )
            if evidence
            else (0, 0, 0)
        )
        if self.finding is Finding.NOT_COMPARED:
            return f"none of {calls:,} calls was compared"
        unexplained = sum(1 for one in self.divergences if one.group.known is None)
        groups = f" ({unexplained:,} unexplained {'group' if unexplained == 1 else 'groups'})" if mismatched else ""
        return f"{mismatched:,} of {compared:,} compared calls mismatched{groups}; {calls:,} seen"


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything a report shows.

    Attributes:
        since, until: First and last minute with counts, Unix time in seconds; None without any.
        command: What to type to get this report again.
        repairs: Open ones, with the pid of the process.
    """

    journal: str
    command: str
    made_at: float
    since: float | None
    until: float | None
    phases: tuple[PhaseReport, ...]
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
