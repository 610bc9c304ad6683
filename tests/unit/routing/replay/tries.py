"""A small port of effects, and sides of it whose every rule a test can set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.divergence import Divergence
from oms.domain.known import KnownDivergence
from oms.domain.phase import Phase, effects
from oms.domain.stage import Stage
from oms.routing import LaneLimits, Runtime
from oms.seams.resilience import TIME

T = TypeVar("T")

AMPLE = LaneLimits(jobs=100_000, size=1 << 40, cpu_share=1_000.0)
"""Limits under which nothing is sampled out."""


class Again(Protocol):
    """Calls a function, perhaps again."""

    @effects(subject="name")
    async def acall(self, function: Callable[[], Awaitable[T]], *, name: str = "a") -> T:
        """Return what *function* returns in the end."""
        ...


CALLING = Phase("calling")
AGAIN = CALLING.seam("again", port=Again)


class Refused(Exception):
    """The side's own error."""


class Tries:
    """Tries again after every ConnectionError or time limit of its own.

    Args:
        waits: Seconds before each further attempt; there are no more attempts than waits, and one.
        limit: Seconds that an attempt may take.
        opens_after: So many failures open its breaker for *open_s* seconds.
        spread: A wait is longer by a random part of this share of it.
    """

    def __init__(
        self,
        waits: Sequence[float] = (),
        *,
        limit: float | None = None,
        opens_after: int = 10**9,
        open_s: float = 60.0,
        spread: float = 0.0,
    ) -> None:
        self.settings: dict[str, Any] = {
            "waits": waits,
            "limit": limit,
            "opens_after": opens_after,
            "open_s": open_s,
            "spread": spread,
        }
        self.__dict__.update(self.settings)
        self.failures: Counter[str] = Counter()
        self.open_until: dict[str, float] = {}
        self.permits: Counter[str] = Counter()
        self.twins: list[Tries] = []
        self.is_twin = False

    waits: Sequence[float]
    limit: float | None
    opens_after: int
    open_s: float
    spread: float

    async def acall(self, function: Callable[[], Awaitable[T]], *, name: str = "a") -> T:
        """Call *function* by the rules."""
        time = TIME.get()
        for wait in (*self.waits, None):
            if self.open_for_s(name) > 0:
                raise Refused(name)
            self.permits[name] += 1
            try:
                if self.limit is None:
                    return await function()
                return await time.wait_for(function(), self.limit)
            except (ConnectionError, TimeoutError):
                self.failures[name] += 1
                if self.failures[name] >= self.opens_after:
                    self.adopt_open(name, self.open_s)
                if wait is None:
                    raise
            finally:
                self.permits[name] -= 1
            await time.asleep(wait * (1 + self.spread * time.random()))
        raise AssertionError("the last attempt returns or raises")

    def delay_band(self, attempt: int, *, name: str = "a") -> tuple[float, float]:
        """Return the least and most seconds before the attempt after *attempt*."""
        wait = self.waits[attempt - 1]
        return wait, wait * (1 + self.spread)

    def state_of(self, name: str) -> str:
        """Return closed or open."""
        return "open" if self.open_for_s(name) > 0 else "closed"

    def open_for_s(self, name: str) -> float:
        """Return the seconds that it refuses calls on *name*."""
        return max(0.0, self.open_until.get(name, 0.0) - TIME.get().monotonic())

    def open_circuits(self) -> dict[str, float]:
        """Return what is open."""
        return {name: self.open_for_s(name) for name in self.open_until if self.open_for_s(name) > 0}

    def adopt_open(self, name: str, for_s: float) -> None:
        """Refuse calls on *name* for so long."""
        self.open_until[name] = TIME.get().monotonic() + for_s

    def twin(self) -> Tries:
        """Return another one with the same rules."""
        twin = type(self)(**self.settings)
        twin.is_twin = True
        self.twins.append(twin)
        return twin


class Hall:
    """A runtime with both sides bound, at one stage."""

    def __init__(
        self,
        legacy: Any,
        unified: Any,
        stage: Stage = Stage.SHADOW,
        *,
        limits: LaneLimits = AMPLE,
        rules: Sequence[KnownDivergence] = (),
    ) -> None:
        self.runtime = Runtime(rules=rules, limits=limits)
        self.runtime.bind(AGAIN, legacy=legacy, unified=unified)
        self.stand(stage)
        self.again = self.runtime.facade(AGAIN)
        self.divergences: list[Divergence] = []
        self.errors: Counter[str] = Counter()

    def stand(self, stage: Stage) -> None:
        """Move everybody to *stage*."""
        self.runtime.publish(DecisionTable.of(calling=FixedDecision(stage, digest=stage)))

    def counts(self) -> Counter[str]:
        """Work everything off, and return the tallies by name; what differed stands in ``divergences``, who raised in ``errors``."""
        assert 0 == self.runtime.stop(30)
        batch = self.runtime.drain()
        self.divergences += batch.divergences
        found: Counter[str] = Counter()
        for tally in batch.tallies:
            into = self.errors if tally.name.startswith("errors.") else found
            into[tally.name.removeprefix("errors.")] += tally.count
        return found

    def differences(self) -> list[tuple[str, str]]:
        """Return kind and path of what differed; call ``counts`` first."""
        return [(one.kind, one.path) for one in self.divergences]
