"""READY, NOT YET or NO: whether the evidence lets an operation, and with it a phase, move on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from oms.domain.errors import BadInput
from oms.domain.evidence import Evidence
from oms.domain.guardrails.rate import RateGate, log_e_above
from oms.domain.guardrails.reading import log_line, wanted

TOO_MUCH_IGNORED = 0.05
"""Where rules take more than this part of an operation, the verdict says so."""

LEAST_QUIET_S = 60.0
"""Counts are kept by the minute, so nothing shorter tells that a loss is over."""

_GROUPS = 3


class Lost(Protocol):
    """Counts that did not reach the journal.

    Attributes:
        until: When it ended, Unix time in seconds.
        lost: How many; 0 if they only came late.
        reason: Why, on one line.
    """

    @property
    def until(self) -> float:
        """When it ended."""

    @property
    def lost(self) -> int:
        """How many."""

    @property
    def reason(self) -> str:
        """Why."""


def loss_hold(losses: Iterable[Lost], *, now_s: float, quiet_s: float) -> str | None:
    """Return the clause that holds a phase after a loss of counts, None if nothing was lost within *quiet_s* seconds before *now_s*.

    What is missing may have been a mismatch, so nothing moves on, and nothing is READY, until counting has gone on for so long without a
    further loss. What only came late is no loss. The controller and the report go by this one rule.

    Args:
        now_s: Until when there are counts, Unix time in seconds: a service that stopped after a loss is not quiet, it is silent.
        quiet_s: The time that the step must be looked at anyway; a minute at least.
    """
    lost = [one for one in losses if one.lost]
    if not lost:
        return None
    last = max(lost, key=lambda one: one.until)
    left_s = last.until + max(quiet_s, LEAST_QUIET_S) - now_s
    if left_s <= 0:
        return None
    return f"{sum(one.lost for one in lost):,} counts were lost ({last.reason}): {_duration(left_s)} to go without"


class Readiness(StrEnum):
    """What the evidence says. Worst first, so that the least is the worst."""

    NO = "NO"
    NOT_YET = "NOT YET"
    READY = "READY"


_WORST_FIRST = tuple(Readiness)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What an operation must prove.

    Attributes:
        limit: The true divergence must be below this. 0 < limit < 1.
        confidence: Of that, for all looks together. 0 < confidence < 1.
        min_age_s: Evidence must have come in for this long, in seconds: what happens once a day is not in an hour's calls.

    The defaults ask for 35,575 clean comparisons of each operation, and for a business cycle in small.
    """

    limit: float = 1e-4
    confidence: float = 0.95
    min_age_s: float = 3 * 86_400.0

    def __post_init__(self) -> None:
        wanted("ready.limit", self.limit, above=0.0, below=1.0)
        wanted("ready.confidence", self.confidence, above=0.0, below=1.0)
        if not 0.0 <= self.min_age_s < math.inf:
            raise BadInput("ready.min_age", found=repr(self.min_age_s), wanted="seconds, 0 or more")

    @property
    def gate(self) -> RateGate:
        """The proof that it asks for."""
        return RateGate(limit=self.limit, confidence=self.confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationVerdict:
    """What the evidence says of one operation.

    Attributes:
        name: ``cache.types.get``.
        bound: The true divergence is below this, at the demanded confidence and for all looks; 1 without evidence.
        more: Comparisons that are still needed if all of them are clean, 0 when there are enough.
        wait_s: Seconds until READY if nothing but clean comparisons come in at the present rate; 0 when it is, None when nobody knows.
        missing: What is missing, a clause each; empty when READY.
        diverging: What differs most, with counts; at most three.
        notes: What a reader should know besides.
    """

    name: str
    readiness: Readiness
    evidence: Evidence
    demand: Demand
    bound: float
    more: int
    wait_s: float | None
    missing: tuple[str, ...] = ()
    diverging: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """One line: counts, bound, limit, verdict, and what is missing or what diverges."""
        it = self.evidence
        head = (
            f"{self.name}: {it.trials:,} compared, {it.mismatched:,} mismatched, below {self.bound:.2e}"
            f" ({self.demand.confidence:.0%}), limit {self.demand.limit:g}: {self.readiness.value}"
        )
        clauses = self.diverging if self.readiness is Readiness.NO else self.missing
        return ", ".join((head, *clauses))


def judge(
    name: str,
    evidence: Evidence,
    demand: Demand,
    *,
    now_s: float,
    per_s: float | None = None,
    diverging: Mapping[str, int] | None = None,
    holds: Sequence[str] = (),
) -> OperationVerdict:
    """Return the verdict on one operation.

    NO: the mismatches are evidence that the true rate is above the limit, at the demanded confidence and for all looks. READY: it is proved
    to be below, and nothing else is missing. Everything between is NOT YET, and so is missing data, always.

    Args:
        now_s: Unix time in seconds; before the evidence's beginning it counts as that beginning.
        per_s: Trials a second of late; None or 0 means that nobody knows when.
        diverging: Divergences that no rule covers, with counts, for the text.
        holds: What else speaks against moving on, a clause each: a stale process, a journal with gaps, a freeze.
    """
    gate, n, k = demand.gate, evidence.trials, evidence.mismatched
    more = max(0, gate.needed(mismatched=k) - n)
    age_s = max(0.0, now_s - evidence.first_at_s) if evidence.first_at_s is not None else 0.0
    young_s = max(0.0, demand.min_age_s - age_s)
    missing = (*_missing(evidence, more, young_s, per_s), *holds)
    is_above = log_e_above(demand.limit, compared=n, mismatched=k) >= log_line(1 - demand.confidence)
    readiness = Readiness.NO if is_above else Readiness.NOT_YET if missing else Readiness.READY
    return OperationVerdict(
        name=name,
        readiness=readiness,
        evidence=evidence,
        demand=demand,
        bound=evidence.bound(demand.confidence),
        more=more,
        wait_s=None if is_above or holds or not evidence.seen else _wait_s(more, young_s, per_s),
        missing=missing,
        diverging=_most(diverging or {}, k),
        notes=_notes(evidence),
    )


def _missing(evidence: Evidence, more: int, young_s: float, per_s: float | None) -> tuple[str, ...]:
    if not evidence.seen:
        return ("never seen",)
    clauses = []
    if evidence.surplus:
        clauses.append(f"counts were lost ({evidence.surplus:,} outcomes without their call)")
    if not evidence.trials:
        clauses.append(f"nothing was compared that is evidence, of {evidence.seen:,} calls")
    if more:
        clauses.append(f"{more:,} more clean ones, {_duration(_wait_s(more, 0.0, per_s))}")
    if young_s:
        clauses.append(f"{_duration(young_s)} more of age")
    return tuple(clauses)


def _wait_s(more: int, young_s: float, per_s: float | None) -> float | None:
    if not more:
        return young_s
    return max(young_s, more / per_s) if per_s is not None and per_s > 0 else None


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "no date at the present rate"
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= size:
            return f"~{seconds / size:,.0f} {unit}"
    return f"~{math.ceil(seconds)} s"


def _most(diverging: Mapping[str, int], mismatched: int) -> tuple[str, ...]:
    ranked = sorted(diverging.items(), key=lambda entry: (-entry[1], entry[0]))[:_GROUPS]
    if not ranked and mismatched:
        return (f"{mismatched:,} mismatched",)
    return tuple(f"{what} ({count:,})" for what, count in ranked)


def _notes(evidence: Evidence) -> tuple[str, ...]:
    notes = []
    if evidence.ignored_share > TOO_MUCH_IGNORED:
        notes.append(f"rules ignore {evidence.ignored_share:.1%} of the comparisons")
    if evidence.empty:
        notes.append(f"{_many(evidence.empty, 'match', 'matches')} of two empty answers: no evidence")
    if evidence.repeated:
        notes.append(f"{_many(evidence.repeated, 'repeated request', 'repeated requests')}: no evidence")
    return tuple(notes)


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


@dataclass(frozen=True, slots=True)
class PhaseVerdict:
    """What the evidence says of a phase: what it says of its worst operation.

    Attributes:
        operations: Worst first; within a readiness, the one that takes longest first.
    """

    operations: tuple[OperationVerdict, ...]

    @property
    def readiness(self) -> Readiness:
        """The worst of the operations; NOT YET without any."""
        return self.operations[0].readiness if self.operations else Readiness.NOT_YET

    @property
    def never_seen(self) -> tuple[str, ...]:
        """The operations that nobody called."""
        return tuple(sorted(one.name for one in self.operations if not one.evidence.seen))

    @property
    def wait_s(self) -> float | None:
        """Seconds until the last operation is READY, None when nobody knows."""
        waits = [one.wait_s for one in self.operations]
        known = [wait for wait in waits if wait is not None]
        return max(known) if known and len(known) == len(waits) else None


def phase_verdict(verdicts: Iterable[OperationVerdict]) -> PhaseVerdict:
    """Return the verdict on a phase from those on all its operations, the never seen among them."""
    return PhaseVerdict(tuple(sorted(verdicts, key=_badness)))


def _badness(verdict: OperationVerdict) -> tuple[int, float, str]:
    wait = math.inf if verdict.wait_s is None else verdict.wait_s
    return _WORST_FIRST.index(verdict.readiness), -wait, verdict.name
