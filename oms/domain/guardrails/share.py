"""Did unified get the share of units that the flag planned (sample ratio mismatch)?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from oms.domain.errors import BadInput
from oms.domain.guardrails.reading import Reading, read_e, wanted


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareCheck:
    """An e-value against "each unit goes to unified with probability *share*", valid under continuous looking.

    ``ln E = ln B(c s + k, c (1-s) + n - k) - ln B(c s, c (1-s)) - k ln s - (n-k) ln (1-s)`` with n units, k of them unified's: a Beta
    mixture around the plan. A wrong share makes :class:`~oms.domain.guardrails.ratio.RatioGuard` meaningless, and one stale process is
    enough for it; its action is to hold. Count *units*: keys, where routing is sticky on them. One check holds for one planned share: a
    new step is a new check.

    Source: the Dirichlet-multinomial e-value of Lindon and Malek, "Anytime-valid inference for
    multinomial count data" (2022).

    Attributes:
        share: Planned, 0 < share < 1.
        alpha: Probability of ever tripping while the plan is kept.
        concentration: c; the larger, the closer to the plan are the alternatives.
    """

    share: float
    alpha: float = 1e-4
    concentration: float = 1_000.0

    def __post_init__(self) -> None:
        wanted("share", self.share, above=0.0, below=1.0)
        wanted("alpha", self.alpha, above=0.0, below=1.0)
        wanted("concentration", self.concentration, above=0.0, below=math.inf)

    def log_e(self, *, units: int, unified: int) -> float:
        """``ln E`` after *units* units, *unified* of them unified's."""
        if not 0 <= unified <= units:
            raise BadInput("units", found=f"{unified} of {units}", wanted="0 to as many as there are")
        a, b = self.concentration * self.share, self.concentration * (1 - self.share)
        mixture = _log_beta(a + unified, b + units - unified) - _log_beta(a, b)
        return mixture - unified * math.log(self.share) - (units - unified) * math.log1p(-self.share)

    def read(self, *, units: int, unified: int) -> Reading:
        """Return the reading."""
        real = f"{unified / units:.2%}" if units else "none"
        why = f"{unified:,} of {units:,} units went to unified ({real}), planned {self.share:.2%}"
        return read_e(self.log_e(units=units, unified=unified), self.alpha, enough=units > 0, why=why)
