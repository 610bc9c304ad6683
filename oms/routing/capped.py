"""What a guard of this process holds down: phases whose flag stands higher than the process serves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oms.domain.decision import DecisionTable, PhaseDecision
from oms.domain.phase import Phase
from oms.domain.scope import EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.routing.epoch import Epoch, lower


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


class Caps:
    """The phases that tripped in this process, each with the stage that it must not be served above. A cap is a latch."""

    def __init__(self) -> None:
        self._caps: dict[str, Stage] = {}
        self._why: dict[str, str] = {}

    def get(self, phase: Phase) -> Stage | None:
        """Return the cap of *phase*, None if it has not tripped."""
        return self._caps.get(phase.name)

    def why(self, phase: Phase) -> str | None:
        """Return which guard holds *phase* down, where and for what; None if it has not tripped."""
        return self._why.get(phase.name)

    def hold(self, phase: Phase, cap: Stage, why: str) -> None:
        """Serve *phase* at *cap* at most from now on."""
        self._caps[phase.name], self._why[phase.name] = cap, why

    def let_go(self, table: DecisionTable, phases: Iterable[Phase]) -> list[Phase]:
        """Forget the caps that *table* stands at or below by itself, and return their phases: the flag has caught up with the guard."""
        epoch = Epoch(table)
        caught_up = [
            phase
            for phase in phases
            if (cap := self.get(phase)) is not None and highest(epoch.decision(phase)).rank <= cap.rank
        ]
        for phase in caught_up:
            del self._caps[phase.name], self._why[phase.name]
        return caught_up

    def over(self, table: DecisionTable, phases: Iterable[Phase]) -> DecisionTable:
        """Return *table* as this process serves it."""
        epoch, capped = Epoch(table), dict(table.phases)
        for phase in phases:
            if (cap := self.get(phase)) is not None:
                capped[phase.name] = CappedDecision(epoch.decision(phase), cap)
        return DecisionTable(capped)
