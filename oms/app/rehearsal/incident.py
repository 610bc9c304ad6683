"""What came of an injection: who tripped, after how many calls, and how the phase came back."""

from __future__ import annotations

from dataclasses import dataclass, field

from oms.app.injection import Faults
from oms.rollout.acknowledgement import Acknowledgement

ROLLBACK_S = 1.0
"""What a rollback may take where nothing else runs, in seconds; a longer one is told. Source: the budget in ``bench/``."""

ROLLBACK_WAIT_S = 10.0
"""A rollback that takes longer is bad news: a process did not follow. Less than that may be the machine's doing."""


@dataclass(frozen=True, slots=True)
class Tripping:
    """A guard that tripped after the injection began.

    Attributes:
        guard, seam, operation: Which, and where.
        before, after: Where the phase stood, and where the trip put it.
        calls_to_trip: Calls of the operation, answered by either side, from the beginning of the injection until the guard saw enough;
            None if the journal does not tell.
        seconds: From the beginning until then; None without an injection.
        pid: Of the process that tripped by itself; None for the controller.
        why: What the guard says.
        also: Other guards of the controller that had tripped at the same look, ``mismatch types.get``.
    """

    guard: str
    seam: str
    operation: str
    before: str
    after: str
    calls_to_trip: int | None
    seconds: float | None
    pid: int | None
    why: str
    also: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return what ``--json`` says of it."""
        return {
            "guard": self.guard,
            "seam": self.seam,
            "operation": self.operation,
            "from": self.before,
            "to": self.after,
            "calls_to_trip": self.calls_to_trip,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "pid": self.pid,
            "also": list(self.also),
        }


@dataclass(slots=True)
class Incident:
    """What came of an injection.

    Attributes:
        at: Where the phase stood when it began.
        began_at: When, Unix time in seconds.
        trips: In the order in which they came.
        rolled_back: The way back as it was acknowledged; None if no guard took the phase back.
        calls: Calls of the phase from then until the end.
        reads_inside: How many of them were reads made inside the workers, not by callers over HTTP.
    """

    faults: Faults
    at: str
    began_at: float
    trips: list[Tripping] = field(default_factory=list)
    rolled_back: Acknowledgement | None = None
    calls: int = 0
    reads_inside: int = 0

    def as_json(self) -> dict[str, object]:
        """Return what ``--json`` says of it, without the trips."""
        return {
            "faults": str(self.faults),
            "at": self.at,
            "calls": self.calls,
            "reads_inside_workers": self.reads_inside,
            "rolled_back": self.rolled_back is not None,
        }
