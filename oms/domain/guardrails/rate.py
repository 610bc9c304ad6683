"""How often do the sides differ? Proof of below a limit, and the alarm for above it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace

from oms.domain.errors import BadInput
from oms.domain.guardrails.eprocess import EProcess, Logs, TripLine, log_sum_exp
from oms.domain.guardrails.reading import Reading, log_line, read_e, wanted, whole

FRACTIONS = (0.0, 0.1, 0.25, 0.5)
"""Alternatives of the proof: the true rate is this fraction of the limit."""

FACTORS = (2.0, 5.0, 20.0, 100.0)
"""Alternatives of the alarm: the true rate is this many times the limit."""


def _log_part(limit: float, fraction: float, clean: int, mismatched: int) -> float:
    """Return ``ln [f^k ((1 - f p)/(1 - p))^(n-k)]``: the likelihood of rate ``f p`` over that of ``p``."""
    if fraction == 0.0 and mismatched:
        return -math.inf
    odd = mismatched * math.log(fraction) if mismatched else 0.0
    return odd + (clean * (math.log1p(-fraction * limit) - math.log1p(-limit)) if clean else 0.0)


def log_e_below(limit: float, *, compared: int, mismatched: int) -> float:
    """Return ``ln E`` against "the true rate is *limit* or more".

    ``E = mean over f in FRACTIONS of f^k ((1 - f p)/(1 - p))^(n-k)`` with n compared, k of them mismatched, p the limit; 0 < p < 1. It
    grows with n and with p, and falls with k. Source: mixtures of likelihood ratios, Robbins 1970.
    """
    parts = (_log_part(limit, fraction, compared - mismatched, mismatched) for fraction in FRACTIONS)
    return log_sum_exp(parts) - math.log(len(FRACTIONS))


def log_e_above(limit: float, *, compared: int, mismatched: int) -> float:
    """Return ``ln E`` against "the true rate is *limit* or less": the same mean over the FACTORS that leave a rate below 1.

    Minus infinity where none does, for then nothing can be told. What :class:`RateAlarm` comes to before its first restart, but for the
    half of the stake that it keeps back.
    """
    factors = [factor for factor in FACTORS if factor * limit < 1.0]
    parts = [_log_part(limit, factor, compared - mismatched, mismatched) for factor in factors]
    return log_sum_exp(parts) - math.log(len(parts)) if parts else -math.inf


def rate_bound(*, compared: int, mismatched: int, confidence: float = 0.95) -> float:
    """Return the rate that the true one is below with *confidence*, however often somebody looks; 1 without evidence.

    The least limit at which :func:`log_e_below` reaches ``1/(1-confidence)``: those at which it does not are a confidence sequence (Ville).
    Never below the bound of Clopper and Pearson, which holds for one look only: by Markov's inequality ``P(K <= k) <= 1/E``.
    """
    _checked(compared, mismatched)
    wanted("confidence", confidence, above=0.0, below=1.0)
    line = log_line(1 - confidence)
    low, high = 0.0, 1.0
    if compared == mismatched:
        return high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if log_e_below(middle, compared=compared, mismatched=mismatched) >= line:
            high = middle
        else:
            low = middle
    return high


@dataclass(frozen=True, slots=True, kw_only=True)
class RateGate:
    """Proof that the sides differ less often than *limit*: opens with probability ``1 - confidence`` at most if that is not so.

    The probability is for all looks together: polling an interval that is made for one look (Clopper-Pearson, Wilson) opens falsely in
    more than a quarter of the cases (docs/evidence.md).
    """

    limit: float = 1e-4
    confidence: float = 0.95

    def __post_init__(self) -> None:
        wanted("limit", self.limit, above=0.0, below=1.0)
        wanted("confidence", self.confidence, above=0.0, below=1.0)

    def log_e(self, *, compared: int, mismatched: int) -> float:
        """``ln E``, see :func:`log_e_below`."""
        _checked(compared, mismatched)
        return log_e_below(self.limit, compared=compared, mismatched=mismatched)

    def is_open(self, *, compared: int, mismatched: int) -> bool:
        """Tell whether it is proved: the bound is at or below the limit."""
        return self.log_e(compared=compared, mismatched=mismatched) >= log_line(1 - self.confidence)

    def needed(self, *, mismatched: int) -> int:
        """Return how many comparisons it takes in all if no more than *mismatched* of them mismatch."""
        return _needed(self, mismatched)


@functools.lru_cache(maxsize=1_024)
def _needed(gate: RateGate, mismatched: int) -> int:
    """Search for it, once: all operations of a phase ask for the same, and most of them have no mismatch."""
    high = max(1, mismatched)
    while not gate.is_open(compared=high, mismatched=mismatched):
        high *= 2
    low = max(0, mismatched - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if gate.is_open(compared=middle, mismatched=mismatched) else (middle, high)
    return high


def _checked(compared: int, mismatched: int) -> None:
    if not 0 <= mismatched <= compared:
        raise BadInput("comparisons", found=f"{mismatched} mismatched of {compared}", wanted="0 to as many as compared")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRule:
    """What a :class:`RateAlarm` tolerates.

    Attributes:
        limit: The rate of mismatches that is tolerated. 0 < limit < 1.
        alpha: Probability of ever tripping while the true rate is not above it.
        min_bad: Fewer mismatches than this, counted from the oldest bet that is kept, never trip.
        factors: The alternatives: how many times *limit* the true rate may be. Those that come to 1 or more are left out.
        keep: Bets that are kept.
        line: Follows from *alpha*.

    Source of the defaults: the simulations of docs/evidence.md.
    """

    limit: float = 1e-3
    alpha: float = 0.01
    min_bad: int = 5
    factors: tuple[float, ...] = FACTORS
    keep: int = 8
    line: TripLine = field(init=False, repr=False)

    def __post_init__(self) -> None:
        wanted("limit", self.limit, above=0.0, below=1.0)
        wanted("alpha", self.alpha, above=0.0, below=1.0)
        whole("min_bad_events", self.min_bad, least=1)
        whole("restart.keep", self.keep, least=1)
        for factor in self.factors:
            wanted("factors", factor, above=1.0, below=math.inf)
        if not self.usable:
            raise BadInput("limit", found=repr(self.limit), wanted=f"below {1 / min(self.factors, default=1.0):g}")
        object.__setattr__(self, "line", TripLine.at(self.alpha, alternatives=len(self.usable)))

    @property
    def usable(self) -> tuple[float, ...]:
        """The factors that leave a rate below 1."""
        return tuple(factor for factor in self.factors if factor * self.limit < 1.0)


@dataclass(frozen=True, slots=True)
class RateAlarm:
    """Trips when the sides differ more often than the limit: ``P(ever trips | rate <= limit) <= alpha`` for all looks together.

    ``LR_f`` is ``f`` for a mismatch and ``(1 - f p)/(1 - p)`` for a comparison without; restarts as in
    :mod:`oms.domain.guardrails.eprocess`. Build it with :meth:`begun`. Simulated in docs/evidence.md.

    Attributes:
        mismatch, clean: ``ln LR`` of one comparison, per alternative.
        compared, mismatched: What was fed.
        mismatched_at: Mismatches at each bet that is kept.
    """

    rule: RateRule
    mismatch: Logs
    clean: Logs
    process: EProcess
    compared: int = 0
    mismatched: int = 0
    mismatched_at: tuple[int, ...] = (0,)

    @classmethod
    def begun(cls, rule: RateRule | None = None) -> RateAlarm:
        """Return an alarm before its first comparison."""
        rule = rule or RateRule()
        mismatch = tuple(_log_part(rule.limit, factor, 0, 1) for factor in rule.usable)
        clean = tuple(_log_part(rule.limit, factor, 1, 0) for factor in rule.usable)
        return cls(rule, mismatch, clean, EProcess.begun(len(rule.usable), keep=rule.keep))

    def after(self, *, compared: int, mismatched: int) -> RateAlarm:
        """Return the alarm after *compared* further comparisons, *mismatched* of them.

        Raises:
            BadInput: if these are no counts.
        """
        _checked(compared, mismatched)
        clean = compared - mismatched
        ratios = tuple(mismatched * one + clean * other for one, other in zip(self.mismatch, self.clean, strict=True))
        return replace(
            self,
            process=self.process.after(ratios),
            compared=self.compared + compared,
            mismatched=self.mismatched + mismatched,
        )

    def restarted(self) -> RateAlarm:
        """Return the alarm with a new bet."""
        kept = (*self.mismatched_at, self.mismatched)[-self.rule.keep :]
        return replace(self, process=self.process.restarted(), mismatched_at=kept)

    @property
    def log_e(self) -> float:
        """``ln E``."""
        return self.process.log_e

    @property
    def has_enough(self) -> bool:
        """True if ``min_bad`` mismatched since the oldest bet that is kept."""
        return self.mismatched - self.mismatched_at[0] >= self.rule.min_bad

    @property
    def is_tripped(self) -> bool:
        """True at or above the trip line with enough mismatches."""
        return self.has_enough and self.process.reaches(self.rule.line)

    def read(self) -> Reading:
        """Return the reading."""
        rate = self.mismatched / self.compared if self.compared else 0.0
        why = f"{self.mismatched:,} of {self.compared:,} comparisons mismatched ({rate:.2e}), limit {self.rule.limit:g}"
        return read_e(self.log_e, self.rule.alpha, enough=self.has_enough, why=why)
