"""What the comparisons of one operation prove so far: counts, and a bound on how often the sides really differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from oms.domain.guardrails.rate import rate_bound
from oms.domain.observation import Disposition, Outcome

_COMPARED = (Outcome.MATCHED, Outcome.REASONABLE, Outcome.IGNORED, Outcome.MISMATCHED)
_REASON = "uncomparable."

EMPTY = "empty"
"""Name of the tally of matches in which both sides answered with nothing."""

REPEATED = "repeated"
"""Name of the tally of clean, not empty comparisons of a request that already counted a short while ago: identical requests are not
independent. Mismatches are never repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Counts of one operation while both versions stayed the same; a new version of either side or of the comparison begins anew.

    ``seen`` is the sum of ``matched``, ``reasonable``, ``ignored``, ``mismatched`` and all of ``not_compared``, unless counts were lost.

    Attributes:
        seen: Routed calls.
        sampled: Calls for which the other side was to run, too.
        matched, reasonable, ignored, mismatched: As in :class:`~oms.domain.observation.Outcome`.
        not_compared: Calls without a comparison by reason, only reasons that occur; ``pending`` were sampled and have no outcome so
            far, ``unaccounted`` are calls of which nothing else is known.
        empty: Matches of two empty answers, part of ``matched``: no evidence.
        repeated: Clean comparisons of a request that counted already, part of ``matched`` or ``reasonable``: no evidence.
        surplus: Outcomes without their call: counts were lost on the way.
        first_at_s: When the first of them was counted, Unix time in seconds; None if that is not known.
    """

    seen: int = 0
    sampled: int = 0
    matched: int = 0
    reasonable: int = 0
    ignored: int = 0
    mismatched: int = 0
    not_compared: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    empty: int = 0
    repeated: int = 0
    surplus: int = 0
    first_at_s: float | None = None

    @classmethod
    def of(cls, counts: Mapping[str, int], *, first_at_s: float | None = None) -> Evidence:
        """Return the evidence of tallies by name, see :class:`~oms.domain.record.Tally`; names that it does not know are left out."""
        seen, sampled = counts.get("calls", 0), counts.get(Disposition.SHADOWED, 0)
        reasons, lost = _not_compared(counts)
        compared = {outcome: counts.get(outcome, 0) for outcome in _COMPARED}
        outcomes = sum(compared.values()) + sum(counts.get(one, 0) for one in _WITHOUT)
        dispositions = sum(counts.get(one, 0) for one in Disposition)
        reasons["pending"] = max(0, sampled - outcomes)
        reasons["unaccounted"] = max(0, seen - dispositions)
        return cls(
            seen=seen,
            sampled=sampled,
            matched=compared[Outcome.MATCHED],
            reasonable=compared[Outcome.REASONABLE],
            ignored=compared[Outcome.IGNORED],
            mismatched=compared[Outcome.MISMATCHED],
            not_compared=MappingProxyType({reason: count for reason, count in reasons.items() if count}),
            empty=counts.get(EMPTY, 0),
            repeated=counts.get(REPEATED, 0),
            surplus=max(0, outcomes - sampled) + max(0, dispositions - seen) + lost,
            first_at_s=first_at_s,
        )

    def merged(self, other: Evidence) -> Evidence:
        """Return the evidence of both, of other processes or other minutes. Associative and commutative."""
        reasons = dict(self.not_compared)
        for reason, count in other.not_compared.items():
            reasons[reason] = reasons.get(reason, 0) + count
        began = [at for at in (self.first_at_s, other.first_at_s) if at is not None]
        return Evidence(
            not_compared=MappingProxyType(reasons),
            first_at_s=min(began, default=None),
            **{name: getattr(self, name) + getattr(other, name) for name in _COUNTS},
        )

    @property
    def uncapped(self) -> Evidence:
        """The same where a policy lets every request count, however often it was made."""
        return replace(self, repeated=0)

    @property
    def compared(self) -> int:
        """Comparisons that came to an answer, whatever it was."""
        return self.matched + self.reasonable + self.ignored + self.mismatched

    @property
    def clean(self) -> int:
        """Comparisons that speak for unified: matched or reasonable, neither empty nor repeated.

        What a rule ignored speaks for nobody: the sides did differ, and somebody accepted it.
        """
        return max(0, self.matched + self.reasonable - self.empty - self.repeated)

    @property
    def trials(self) -> int:
        """What the bound is made of: clean ones and mismatches."""
        return self.clean + self.mismatched

    @property
    def ignored_share(self) -> float:
        """The part of the comparisons that a known-divergence rule took, 0 to 1."""
        return self.ignored / self.compared if self.compared else 0.0

    def bound(self, confidence: float = 0.95) -> float:
        """Return the rate that the true divergence is below with *confidence*, however often one looks; 1 without trials.

        See :func:`~oms.domain.guardrails.rate.rate_bound`.
        """
        return rate_bound(compared=self.trials, mismatched=self.mismatched, confidence=confidence)


_COUNTS = ("seen", "sampled", "matched", "reasonable", "ignored", "mismatched", "empty", "repeated", "surplus")
_WITHOUT = (Outcome.UNCOMPARABLE, Outcome.TIMED_OUT, Outcome.DROPPED)
_NOT_SAMPLED = tuple(one for one in Disposition if one is not Disposition.SHADOWED)


def _not_compared(counts: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Return calls without a comparison by reason, and how many more reasons than uncomparable calls there are."""
    reasons = {name.removeprefix(_REASON): count for name, count in counts.items() if name.startswith(_REASON)}
    unexplained = counts.get(Outcome.UNCOMPARABLE, 0) - sum(reasons.values())
    plain = (*_NOT_SAMPLED, Outcome.TIMED_OUT, Outcome.DROPPED)
    found = {**{one.value: counts.get(one, 0) for one in plain}, **reasons}
    return {**found, Outcome.UNCOMPARABLE.value: max(0, unexplained)}, max(0, -unexplained)


def total(parts: Iterable[Evidence]) -> Evidence:
    """Return the evidence of all *parts* together."""
    whole = Evidence()
    for part in parts:
        whole = whole.merged(part)
    return whole
