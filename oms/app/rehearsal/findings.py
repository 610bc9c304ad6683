"""What a rehearsal came to: from the journal, the walk and the driver, as JSON and as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oms.app.rehearsal.driver import Counts
from oms.app.rehearsal.incident import ROLLBACK_WAIT_S, Tripping
from oms.app.rehearsal.neighbours import Reached
from oms.app.rehearsal.walk import Walked
from oms.app.rehearsal.watch import PROFILE
from oms.domain.observation import Outcome
from oms.domain.record import Trip
from oms.journal import JournalReader
from oms.journal.entries import DivergenceGroup
from oms.rollout.acknowledgement import Acknowledgement

GOOD, BAD_NEWS = 0, 3


@dataclass(frozen=True, slots=True)
class Found:
    """A divergence, as often as it was seen."""

    fingerprint: str
    known: str | None
    count: int
    what: str


@dataclass(frozen=True, slots=True)
class PhaseFindings:
    """One phase.

    Attributes:
        calls: Routed calls of its facades.
        outcomes: Every outcome by name, zeros too; they sum to the shadowed calls.
        rescued: Reads that legacy answered because unified raised.
        upstream: Requests to the neighbours, if the phase is the one that sends them.
        delayed: Callers of unified who waited longer than the port allows, because their call could not be cut.
    """

    calls: int
    shadowed: int
    outcomes: dict[str, int]
    divergences: tuple[Found, ...]
    trips: tuple[tuple[int, Trip], ...]
    rescued: int
    walked: Walked
    upstream: Reached | None = None
    delayed: int = 0

    @property
    def known(self) -> list[str]:
        """Ids of the known divergences that were found, sorted."""
        return sorted({each.known for each in self.divergences if each.known})

    @property
    def all_trips(self) -> list[Tripping]:
        """Every guard that tripped, with calls and seconds where an injection was the beginning that they are counted from."""
        if self.walked.incident is not None:
            return self.walked.incident.trips
        return [
            Tripping(
                trip.guard, trip.seam, trip.operation, trip.from_stage, trip.to_stage, None, None, pid, trip.reason
            )
            for pid, trip in self.trips
        ]

    @property
    def is_back_in_time(self) -> bool:
        """True if every process acknowledged the rollback while it was waited for."""
        end = self.way_back
        return end is not None and end.complete and end.seconds <= ROLLBACK_WAIT_S

    @property
    def way_back(self) -> Acknowledgement | None:
        """How the way back was acknowledged; after an injection only the one that a guard took counts."""
        if self.walked.incident is not None:
            return self.walked.incident.rolled_back
        return self.walked.rollback.acknowledgement if self.walked.rollback else None

    def as_json(self) -> dict[str, object]:
        """Return what ``--json`` says of the phase."""
        end, incident = self.way_back, self.walked.incident
        return {
            "calls": self.calls,
            "outcomes": self.outcomes,
            "divergences": [
                {"fingerprint": each.fingerprint, "known": each.known, "count": each.count} for each in self.divergences
            ],
            "stages": self.walked.stages,
            "rollback": {
                "processes": end.processes if end else 0,
                "acknowledged": end.acknowledged if end else 0,
                "seconds": round(end.seconds, 3) if end else None,
            },
            "trips": [trip.as_json() for trip in self.all_trips],
            "rescued": self.rescued,
            "delayed": self.delayed,
            "injection": incident.as_json() if incident else None,
            **({"upstream": self.upstream.as_json()} if self.upstream else {}),
        }


@dataclass(frozen=True, slots=True)
class Findings:
    """All of it.

    Attributes:
        caller_errors: Callers who got neither the control's own object or exception nor a counted rescue, and requests that were
            answered in a way in which legacy alone would not have answered them.
        problems: What was not as it should be, one line each.
        reads_inside: Reads that were made inside the workers, besides those of the requests.
    """

    seed: int
    caller_errors: int
    report: Path
    phases: dict[str, PhaseFindings]
    requests: Counts
    seconds: float
    problems: tuple[str, ...]
    reads_inside: int = 0

    @property
    def exit_code(self) -> int:
        """0 if callers saw no error, every phase went all its way and came back in time; else 3."""
        good = not self.caller_errors and not self.problems
        return GOOD if good and all(each.is_back_in_time for each in self.phases.values()) else BAD_NEWS

    def as_json(self) -> dict[str, object]:
        """Return the object of ``--json``."""
        return {
            "schema": 1,
            "seed": self.seed,
            "caller_errors": self.caller_errors,
            "report": str(self.report),
            "profile": PROFILE,
            "phases": {name: each.as_json() for name, each in self.phases.items()},
        }


def read_phase(journal: JournalReader, phase: str, walked: Walked, upstream: Reached | None = None) -> PhaseFindings:
    """Return what the journal says of *phase*; *upstream* is handed through."""
    sums: Counter[str] = Counter()
    for tally in journal.tallies():
        if tally.place.phase == phase:
            sums[tally.name] += tally.count
    return PhaseFindings(
        calls=sums["calls"],
        shadowed=sums["shadowed"],
        outcomes={outcome.value: sums[outcome.value] for outcome in Outcome},
        divergences=tuple(_found(each) for each in journal.divergences() if each.phase == phase),
        trips=tuple((pid, trip) for pid, trip in journal.trips() if trip.phase == phase),
        rescued=sums["rescued"],
        walked=walked,
        upstream=upstream,
        delayed=sums["delayed"],
    )


def _found(group: DivergenceGroup) -> Found:
    where = f"{group.seam}.{group.operation}"
    what = f"{where}: {group.kind} {group.path or '(whole)'}, {' / '.join(group.types)}"
    return Found(group.fingerprint, group.known, group.count, what)


def caller_errors(requests: Counts, identity: dict[str, int], phases: Sequence[PhaseFindings]) -> int:
    """Return how many callers were wronged: faulty answers, violations of identity, rescues that nobody counted."""
    uncounted = max(0, identity["rescued"] - sum(each.rescued for each in phases))
    return requests.faults + identity["violations"] + uncounted


def problems(walked: Iterable[Walked], *, broken_ends: int, workers: int, reached: Reached) -> list[str]:
    """Return what was not as it should be, one line each: walks that ended early, workers that ended badly, calls that were made twice."""
    found = [each.problem for each in walked if each.problem]
    if broken_ends:
        found.append(f"{broken_ends} of {workers} workers did not end in good order")
    if reached.received != reached.made:
        found.append(
            f"upstream: received {reached.received:,} requests, wanted the {reached.made:,} that the callers made"
        )
    return found
