"""A plain breaker without statistics: most of the last calls failed."""

from __future__ import annotations

from dataclasses import dataclass

from oms.domain.errors import BadInput
from oms.domain.guardrails.reading import Reading, whole

NO_CALLS = 0
"""The window before the first call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardFail:
    """Trips when *bad* of the last *of_last* calls that unified answered failed.

    It runs inside each serving process, for it must act before anybody counts. Its state is one whole number, a bit a call, newest lowest,
    which a thread reads and stores at once. Two threads that store at once may lose a call, never invent one.

    The defaults are our judgement: three of four calls is no noise, and twenty calls are soon there.
    """

    of_last: int = 20
    bad: int = 15

    def __post_init__(self) -> None:
        whole("hard_fail.of_last", self.of_last, least=1)
        whole("hard_fail.bad", self.bad, least=1)
        if self.bad > self.of_last:
            raise BadInput("hard_fail.bad", found=repr(self.bad), wanted=f"at most of_last, {self.of_last}")

    def after(self, window: int, *, failed: bool) -> int:
        """Return the window after one more call."""
        return (window << 1 | failed) & ((1 << self.of_last) - 1)

    def is_tripped(self, window: int) -> bool:
        """Tell whether *window* holds too many failures."""
        return window.bit_count() >= self.bad

    def read(self, window: int) -> Reading:
        """Return the reading."""
        failed = window.bit_count()
        return Reading(
            failed >= self.bad,
            failed / self.bad,
            f"{failed} of the last {self.of_last} calls failed in unified, limit {self.bad}",
        )
