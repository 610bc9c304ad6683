"""Where a process stands: what it serves, since when, and what still holds it to an older table."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PhaseStanding:
    """One phase in one process.

    Attributes:
        digest: Of the decision that new calls use.
        applied_at: When it was applied, Unix time in seconds.
        oldest_scope_at: When the oldest scope that still holds an older decision began, Unix time in seconds; None if there is none.
        in_flight: Older plans that calls are still running on; 0 once the last of them has returned.
        tripped: The stage that a guard of this process put in force over the flag, None if none did.
        repairs: Open repairs.
        tripped_by: Which guard that was, where and for what, on one line; None if none did.
    """

    digest: str
    applied_at: float
    oldest_scope_at: float | None = None
    in_flight: int = 0
    tripped: str | None = None
    repairs: int = 0
    tripped_by: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessStanding:
    """One serving process, as its process file tells.

    Attributes:
        pid: Process id.
        started: Start time of that pid in clock ticks since boot, so that a recycled pid is not taken for it.
        host: Host name.
        beat_at: When it last wrote, Unix time in seconds.
        alive: True if that pid with that start time exists now.
    """

    pid: int
    started: int
    host: str
    beat_at: float
    alive: bool
    phases: dict[str, PhaseStanding] = field(default_factory=dict)

    def acknowledges(self, phase: str, digest: str) -> bool:
        """Tell whether new calls of *phase* use the decision named *digest* here."""
        standing = self.phases.get(phase)
        return self.alive and standing is not None and standing.digest == digest
