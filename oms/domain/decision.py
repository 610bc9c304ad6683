"""What all flags say at one moment: immutable, published by one assignment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from oms.domain.scope import EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Stage


class PhaseDecision(Protocol):
    """What the flag of one phase says.

    Attributes:
        digest: Name of this decision: 16 hex digits of the SHA-256 of the phase's file, or of what stands in for it.
        stages: Every stage that ``decide`` can return; one entry means that everybody stands there.
        default: The stage of the flag's default variant, which callers outside every scope get.
        split: The weights, if the flag is static or a plain fractional over stages; else None.
        by_operation: True if targeting asks for ``seam`` or ``operation``, so that one scope may hold several decisions.
    """

    @property
    def digest(self) -> str:
        """Name of this decision."""
        ...

    @property
    def stages(self) -> frozenset[Stage]:
        """Every stage that ``decide`` can return."""
        ...

    @property
    def default(self) -> Stage:
        """The stage outside every scope."""
        ...

    @property
    def split(self) -> Split | None:
        """The weights, None if targeting says more than weights can."""
        ...

    @property
    def by_operation(self) -> bool:
        """True if one scope may hold several decisions."""
        ...

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the stage for *context*. Never raises: what cannot be evaluated is the default's stage."""


@dataclass(frozen=True, slots=True)
class FixedDecision:
    """Everybody at one stage: a static flag, a declared default, or a test."""

    stage: Stage
    digest: str = ""
    by_operation: bool = False

    @property
    def stages(self) -> frozenset[Stage]:
        """The one stage."""
        return frozenset({self.stage})

    @property
    def default(self) -> Stage:
        """The one stage."""
        return self.stage

    @property
    def split(self) -> Split | None:
        """The whole weight on the one stage."""
        return Split.whole(self.stage)

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the one stage, whoever asks."""
        return self.stage


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """One decision per phase name. A phase that is absent stands at its declared default."""

    phases: Mapping[str, PhaseDecision]

    @classmethod
    def of(cls, **phases: PhaseDecision) -> DecisionTable:
        """Return a table of a copy of *phases*."""
        return cls(MappingProxyType(phases))

    def digests(self) -> dict[str, str]:
        """Return the digest of each phase."""
        return {name: decision.digest for name, decision in self.phases.items()}
