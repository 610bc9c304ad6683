"""Evidence against a null hypothesis that may be looked at after every event.

An e-process is the fortune of somebody who starts with 1 and bets against the null hypothesis at fair odds: while that hypothesis holds the
fortune does not grow in expectation, so by Ville's inequality it ever reaches ``1/alpha`` with probability ``alpha`` at most, whatever
the number of looks. Each event multiplies the stake on alternative r by a likelihood ratio ``LR_r(i)``, and

    E_t = sum_k w_k * mean_r prod_{i = start_k .. t} LR_r(i)  +  1/(K+1)        w_k = 1/(k (k+1)),  k = 1 .. K

A new bet k is laid at each restart, so that a long healthy past does not hide a late onset; ``1/(K+1)`` is what is not yet laid. Only
the newest bets are kept: dropping one only lowers E, so validity stays.

Source: Ville 1939; Ramdas, Gruenwald, Vovk and Shafer, "Game-theoretic statistics and safe anytime-valid inference" (Statistical Science
2023) for the mixture over alternatives; Shin, Ramdas and Rinaldo, "E-detectors" (2023) for bets laid at successive starts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import add, sub
from typing import NamedTuple

Logs = tuple[float, ...]
"""One natural logarithm per alternative."""

_new = tuple.__new__
"""What a named tuple's own constructor calls, less the parsing of its arguments."""


def log_sum_exp(logs: Iterable[float]) -> float:
    """Return ``ln sum exp`` of *logs* without overflow; minus infinity of nothing."""
    terms = tuple(logs)
    top = max(terms, default=-math.inf)
    return top if math.isinf(top) else top + math.log(sum([math.exp(term - top) for term in terms]))


class TripLine(NamedTuple):
    """Where an e-process trips.

    Attributes:
        log_line: ``ln (1/alpha)``.
        log_screen: Where the largest fortune is below this, E is below the line, so most looks need no exponential: with R alternatives
            and at most 1/2 not laid, ``E <= R exp(largest) + 1/2``.
    """

    log_line: float
    log_screen: float

    @classmethod
    def at(cls, alpha: float, *, alternatives: int) -> TripLine:
        """Return the line that is ever reached with probability *alpha* at most. 0 < alpha < 1."""
        return cls(-math.log(alpha), -math.log(2 * alternatives * alpha))


class Bet(NamedTuple):
    """A bet that was laid at a restart.

    Attributes:
        number: k of the formula, from 1.
        log_sums: ``sum ln LR_r(i)`` over all events before it, per alternative.
    """

    number: int
    log_sums: Logs


class EProcess(NamedTuple):
    """The bets so far. Build it with :meth:`begun`. A tuple, because one is made for each event.

    Attributes:
        log_fortunes: ``ln`` of what each alternative has come to, over all bets that are kept: with it an event costs one addition per
            alternative, not one per bet.
        log_openings: ``ln (sum_k w_k exp(-log_sums at start_k) / R)`` per alternative: the fortunes less the sums.
        bets: The bets that are kept, newest last.
        keep: How many bets are kept.
    """

    log_fortunes: Logs
    log_openings: Logs
    bets: tuple[Bet, ...]
    keep: int

    @classmethod
    def begun(cls, alternatives: int, *, keep: int) -> EProcess:
        """Return the process before its first event, the first bet laid on *alternatives* equal parts."""
        return _laid((0.0,) * alternatives, (Bet(1, (0.0,) * alternatives),), keep)

    def after(self, log_ratios: Logs) -> EProcess:
        """Return the process after events whose log likelihood ratios sum to *log_ratios* per alternative.

        A look between events that were fed as one sum is a look not taken; it costs delay, never validity.
        """
        log_fortunes, log_openings, bets, keep = self
        return _new(EProcess, (tuple(map(add, log_fortunes, log_ratios)), log_openings, bets, keep))

    def restarted(self) -> EProcess:
        """Return the process with one more bet laid now."""
        sums = self.log_sums
        bets = (*self.bets, Bet(self.bets[-1].number + 1, sums))[-self.keep :]
        return _laid(sums, bets, self.keep)

    def merged(self, other: EProcess) -> EProcess:
        """Return the process that saw the events of both, which must have restarted together.

        Associative and commutative up to rounding, so processes may be added up in any order.

        Raises:
            ValueError: if the two were not restarted equally often or have other alternatives.
        """
        if self.numbers != other.numbers or len(self.log_fortunes) != len(other.log_fortunes):
            raise ValueError(f"bets {other.numbers} cannot be added to bets {self.numbers}: restart both together")
        pairs = zip(self.bets, other.bets, strict=True)
        bets = tuple(Bet(one.number, tuple(map(add, one.log_sums, two.log_sums))) for one, two in pairs)
        return _laid(tuple(map(add, self.log_sums, other.log_sums)), bets, self.keep)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the bets that are kept."""
        return tuple(bet.number for bet in self.bets)

    @property
    def log_sums(self) -> Logs:
        """``sum ln LR_r(i)`` over all events, per alternative."""
        return tuple(map(sub, self.log_fortunes, self.log_openings))

    @property
    def log_e(self) -> float:
        """``ln E_t``."""
        return log_sum_exp((-math.log(self.bets[-1].number + 1), *self.log_fortunes))

    def reaches(self, line: TripLine) -> bool:
        """Tell whether ``E_t`` is at *line* or above."""
        return max(self.log_fortunes) >= line.log_screen and self.log_e >= line.log_line


def _laid(sums: Logs, bets: tuple[Bet, ...], keep: int) -> EProcess:
    openings = tuple(_opening(bets, r) for r in range(len(sums)))
    return EProcess(tuple(map(add, sums, openings)), openings, bets, keep)


def _opening(bets: tuple[Bet, ...], r: int) -> float:
    weighted = (-math.log(bet.number * (bet.number + 1)) - bet.log_sums[r] for bet in bets)
    return log_sum_exp(weighted) - math.log(len(bets[-1].log_sums))
