"""A decision that a guard of this process has capped."""

from __future__ import annotations

from dataclasses import dataclass

from oms.domain.decision import PhaseDecision
from oms.domain.scope import EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.routing.epoch import lower


@dataclass(frozen=True, slots=True)
class CappedDecision:
    """What the flag says, but never above *cap*. It keeps the flag's digest: it is that file that is served."""

    inner: PhaseDecision
    cap: Stage

    @property
    def digest(self) -> str:
        """Return the digest of the flag's own decision."""
        return self.inner.digest

    @property
    def stages(self) -> frozenset[Stage]:
        """Return every stage that ``decide`` can return."""
        return frozenset(lower(stage, self.cap) for stage in self.inner.stages)

    @property
    def default(self) -> Stage:
        """Return the stage of callers outside every scope."""
        return lower(self.inner.default, self.cap)

    @property
    def split(self) -> Split | None:
        """Return the one stage of everybody, or None."""
        return Split.whole(next(iter(self.stages))) if len(self.stages) == 1 else None

    @property
    def by_operation(self) -> bool:
        """Tell whether the flag asks for seam or operation."""
        return self.inner.by_operation

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the flag's stage for *context*, or the cap if that is lower."""
        return lower(self.inner.decide(context, seam, operation), self.cap)


def highest(decision: PhaseDecision) -> Stage:
    """Return the most advanced stage that *decision* can return."""
    return max(decision.stages, key=lambda stage: stage.rank)
