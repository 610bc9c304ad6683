"""Decision tables for tests."""

from __future__ import annotations

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.phase import Phase
from oms.domain.stage import Stage


def fixed_stage(stage: Stage, *phases: Phase) -> DecisionTable:
    """Return the table in which everybody stands at *stage* in each of *phases*; its digests are ``fixed-<stage>``."""
    return DecisionTable.of(**{phase.name: FixedDecision(stage, digest=f"fixed-{stage}") for phase in phases})
