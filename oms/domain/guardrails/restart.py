"""When a guard lays a new bet, so that it does not sleep through a late onset."""

from __future__ import annotations

from dataclasses import dataclass

from oms.domain.guardrails.reading import wanted, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """After how much a guard restarts within one stage; it restarts at each stage, too.

    Attributes:
        calls: Calls since the last restart.
        every_s: Seconds since the last restart.
        keep: Bets that are kept; the oldest go first.

    Source of the defaults: the simulations of docs/evidence.md. After 1,000,000 healthy calls a guard without restarts takes 380,000 more to
    find a threefold error rate at a share of 10 %, with these 16,000.
    """

    calls: int = 50_000
    every_s: float = 3_600.0
    keep: int = 8

    def __post_init__(self) -> None:
        whole("restart.calls", self.calls, least=1)
        wanted("restart.every", self.every_s, above=0.0, below=float("inf"))
        whole("restart.keep", self.keep, least=1)

    def is_due(self, *, calls: int, seconds: float) -> bool:
        """Tell whether a restart is due *calls* and *seconds* after the last one. A clock that went back is no reason."""
        return calls >= self.calls or seconds >= self.every_s
