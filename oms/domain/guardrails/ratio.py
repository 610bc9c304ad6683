"""Is unified bad more often than legacy? The one statistic for errors, slow calls and pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from oms.domain.errors import BadInput
from oms.domain.guardrails.eprocess import EProcess, Logs, TripLine
from oms.domain.guardrails.reading import Reading, read_e, wanted, whole

PAIRED = 0.5
"""The share at which discordant pairs are fed: both sides ran the same call, so either could have been the bad one."""


_new = tuple.__new__


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioRule:
    """What a :class:`RatioGuard` tolerates.

    Attributes:
        margin: Unified may be bad this many times as often as legacy, 1 or more.
        alpha: Probability of ever tripping while it is not worse than that. 0 < alpha < 1.
        min_bad: Fewer bad events of unified than this, counted from the oldest bet that is kept, never trip.
        ratios: The alternatives: how many times *margin* the true ratio may be. Each above 1.
        keep: Bets that are kept, see :class:`~oms.domain.guardrails.restart.Restart`.
        line: Follows from *alpha*.

    Source of the defaults: the simulations of docs/evidence.md.
    """

    margin: float = 1.25
    alpha: float = 0.01
    min_bad: int = 5
    ratios: tuple[float, ...] = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
    keep: int = 8
    line: TripLine = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1.0 <= self.margin < math.inf:
            raise BadInput("margin", found=repr(self.margin), wanted="1 or more: how many times as often is tolerated")
        wanted("alpha", self.alpha, above=0.0, below=1.0)
        whole("min_bad_events", self.min_bad, least=1)
        whole("restart.keep", self.keep, least=1)
        if not self.ratios:
            raise BadInput("ratios", found="none", wanted="at least one alternative above 1")
        for ratio in self.ratios:
            wanted("ratios", ratio, above=1.0, below=math.inf)
        object.__setattr__(self, "line", TripLine.at(self.alpha, alternatives=len(self.ratios)))

    def events_to_detect(self, share: float, ratio: float) -> float:
        """Return about how many bad events it takes at *share* if unified is bad *ratio* times as often; infinite within the margin.

        ``(ln (1/alpha) + ln R) / KL(theta_true || theta0)`` with R alternatives: the growth rate of the best of them, less its part of
        the stake. docs/evidence.md has it beside the simulated delays.
        """
        if ratio <= self.margin:
            return math.inf
        null, true = _theta(share, self.margin), _theta(share, ratio)
        growth = true * math.log(true / null) + (1 - true) * math.log((1 - true) / (1 - null))
        return (self.line.log_line + math.log(len(self.ratios))) / growth

    def calls_to_detect(self, share: float, *, legacy: float, unified: float) -> float:
        """Return about how many calls, of both sides together, it takes when these shares of their calls are bad."""
        return self.events_to_detect(share, unified / legacy) / (share * unified + (1 - share) * legacy)


@dataclass(frozen=True, slots=True)
class Odds:
    """What one bad event is worth at one share, per alternative.

    ``theta`` is the probability that the bad event is unified's: ``odds0 = s m / (1-s)``, ``odds1 = odds0 r``, ``theta = odds/(1+odds)``.

    Attributes:
        unified, legacy: ``ln (theta1/theta0)`` and ``ln ((1-theta1)/(1-theta0))``.
    """

    share: float
    unified: Logs
    legacy: Logs

    @classmethod
    def at(cls, share: float, rule: RatioRule) -> Odds:
        """Return the odds while unified has *share* of the routing, 0 < share < 1."""
        null = _theta(share, rule.margin)
        alternatives = [_theta(share, rule.margin * ratio) for ratio in rule.ratios]
        unified = tuple(math.log(theta / null) for theta in alternatives)
        # (1-theta1)/(1-theta0) = (1+odds0)/(1+odds1), which stays exact where theta1 is nearly 1.
        odds = share * rule.margin / (1 - share)
        legacy = tuple(math.log1p(odds) - math.log1p(odds * ratio) for ratio in rule.ratios)
        return cls(share, unified, legacy)

    def times(self, unified: int, legacy: int) -> Logs:
        """Return the sums for so many bad events of either side."""
        if unified == 1 and legacy == 0:
            return self.unified
        if legacy == 1 and unified == 0:
            return self.legacy
        return tuple(unified * one + legacy * other for one, other in zip(self.unified, self.legacy, strict=True))


def _theta(share: float, ratio: float) -> float:
    odds = share * ratio / (1 - share)
    return odds / (1 + odds)


class RatioGuard(NamedTuple):
    """Asks of each bad event only: was it unified's, given the share that unified had of the routing at that moment?

    ``P(ever trips | unified is bad at most margin times as often) <= alpha``, exactly, under continuous looking, bursts, a changing share and
    outages that hit both sides. It needs the share as it was planned (not as it is counted), an independent coin for each *unit* that is
    fed (see :mod:`oms.domain.guardrails.unit`), and that unified does not make legacy bad, too. It asks nothing of how often anything
    fails. Pairs, where both sides ran the same call, need no coin: feed only the discordant ones, at share ``PAIRED``.

    Build it with :meth:`begun`. A tuple, because one is made for each bad event. Source: the conditional test of two
    rates (Przyborowski and Wilenski, Biometrika 1940), made into an e-process (:mod:`oms.domain.guardrails.eprocess`).

    Attributes:
        unified, legacy: Bad events that were fed, per side.
        expected: Bad events that unified would have had by its share alone.
        unified_at: Bad events of unified at each bet that is kept.
    """

    rule: RatioRule
    odds: Odds
    process: EProcess
    unified: int = 0
    legacy: int = 0
    expected: float = 0.0
    unified_at: tuple[int, ...] = (0,)

    @classmethod
    def begun(cls, rule: RatioRule | None = None, *, share: float = PAIRED) -> RatioGuard:
        """Return a guard before its first event; *share* is only a hint at the share of the first ones."""
        rule = rule or RatioRule()
        return cls(rule, Odds.at(share, rule), EProcess.begun(len(rule.ratios), keep=rule.keep))

    def after(self, *, share: float, unified: int = 0, legacy: int = 0) -> RatioGuard:
        """Return the guard after bad events while unified had *share* of the routing, in whatever order they came.

        A share of 0 or 1 says nothing about who is worse, so such events change nothing.

        Raises:
            BadInput: if the share is not within 0 to 1 or a count is negative.
        """
        rule, odds, process, of_unified, of_legacy, expected, unified_at = self
        if share != odds.share:
            if share in (0.0, 1.0):
                return self
            wanted("share", share, above=0.0, below=1.0)
            odds = Odds.at(share, rule)
        if unified < 0 or legacy < 0:
            raise BadInput("bad events", found=f"{unified} and {legacy}", wanted="0 or more of each side")
        process = process.after(odds.times(unified, legacy))
        expected += share * (unified + legacy)
        return _new(RatioGuard, (rule, odds, process, of_unified + unified, of_legacy + legacy, expected, unified_at))

    def restarted(self) -> RatioGuard:
        """Return the guard with a new bet: at each stage, and when :class:`~oms.domain.guardrails.restart.Restart` says so."""
        kept = (*self.unified_at, self.unified)[-self.rule.keep :]
        return self._replace(process=self.process.restarted(), unified_at=kept)

    def merged(self, other: RatioGuard) -> RatioGuard:
        """Return the guard that saw the events of both, which must have one rule and have restarted together.

        Raises:
            ValueError: if they differ in either.
        """
        if self.rule != other.rule:
            raise ValueError(f"guards of two rules cannot be added: {self.rule} and {other.rule}")
        return RatioGuard(
            self.rule,
            self.odds,
            self.process.merged(other.process),
            self.unified + other.unified,
            self.legacy + other.legacy,
            self.expected + other.expected,
            tuple(one + two for one, two in zip(self.unified_at, other.unified_at, strict=True)),
        )

    @property
    def log_e(self) -> float:
        """``ln E``."""
        return self.process.log_e

    @property
    def has_enough(self) -> bool:
        """True if unified had ``min_bad`` bad events since the oldest bet that is kept."""
        return self.unified - self.unified_at[0] >= self.rule.min_bad

    @property
    def is_tripped(self) -> bool:
        """True at or above the trip line with enough events."""
        rule, _, process, unified, _, _, unified_at = self
        return unified - unified_at[0] >= rule.min_bad and process.reaches(rule.line)

    def read(self, what: str = "bad events") -> Reading:
        """Return the reading; *what* says in plural what is counted: ``errors``, ``calls slower than 80 ms``."""
        total = self.unified + self.legacy
        why = f"{self.unified:,} of {total:,} {what} were unified's, {self.expected:,.1f} by its share"
        return read_e(self.log_e, self.rule.alpha, enough=self.has_enough, why=why + self._times())

    def _times(self) -> str:
        if not self.legacy or not self.unified:
            return ""
        ratio = self.unified / self.legacy * ((self.unified + self.legacy - self.expected) / self.expected)
        return f" (x{ratio:.1f})"
