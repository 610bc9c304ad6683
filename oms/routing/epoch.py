"""Decision tables in the order they were published, and which scopes still hold an older one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from oms.domain.decision import DecisionTable, FixedDecision, PhaseDecision
from oms.domain.phase import Phase
from oms.domain.scope import EvaluationContext
from oms.domain.stage import Stage


class Epoch:
    """One published table. Epochs form a chain from the oldest that a scope still holds to the current one.

    Attributes:
        table: What the flags said.
        at: When it was published, Unix time in seconds.
        next: The epoch published after it, None for the current one. Holding an epoch keeps all later ones, and no
        earlier one.
        scopes: Open scopes that began with this table, with the Unix time when they did. Adding and
        removing are single dict operations.
    """

    __slots__ = ("at", "next", "scopes", "table")

    def __init__(self, table: DecisionTable) -> None:
        self.table = table
        self.at = time.time()
        self.next: Epoch | None = None
        self.scopes: dict[int, float] = {}

    def decision(self, phase: Phase) -> PhaseDecision:
        """Return what this table says of *phase*; a phase it does not name stands at its declared default."""
        return self.table.phases.get(phase.name) or FixedDecision(phase.default, digest="default")

    def since(self) -> Iterator[Epoch]:
        """Yield this epoch and all that were published after it."""
        epoch: Epoch | None = self
        while epoch is not None:
            yield epoch
            epoch = epoch.next


def lower(one: Stage, other: Stage) -> Stage:
    """Return the less advanced of two stages."""
    return one if one is other or one.rank <= other.rank else other


def effective_stages(phase: Phase, oldest: Epoch) -> frozenset[Stage]:
    """Return every stage at which some call may be answered now, with *oldest* the oldest epoch that an open scope holds.

    A scope stands at the lowest of all tables since it began, so for the chain of tables the possible stages are the
    current one's, and every older one's that is lower than the highest stage of each later table.
    """
    possible: frozenset[Stage] = frozenset()
    for epoch in oldest.since():
        stages = epoch.decision(phase).stages
        highest = max(stages, key=lambda stage: stage.rank)
        possible = frozenset(lower(stage, highest) for stage in possible) | stages
    return possible


Course = tuple[Stage, Stage, str]
"""Who answers (a stage), what the present table says by itself (writes go to its sides too), and the digest to count under."""


class Pin(NamedTuple):
    """What a scope has decided.

    Attributes:
        course: Stage, present stage, and digest of the decision that the call counts under: the first one that said *stage*.
        epoch: The epoch up to which this holds.
    """

    course: Course
    epoch: Epoch

    @property
    def stage(self) -> Stage:
        """The lowest stage of every table from the scope's own to *epoch*: who answers."""
        return self.course[0]


def pin_since(phase: Phase, known: Pin | Epoch, context: EvaluationContext, *, seam: str, operation: str) -> Pin:
    """Return the pin that holds for the current epoch, from an older pin or from the epoch that the scope began with."""
    if isinstance(known, Pin):
        (lowest, present, plan), epoch = known
    else:
        epoch = known
        lowest, plan = decided(phase, epoch, context, seam=seam, operation=operation)
        present = lowest
    while epoch.next is not None:
        epoch = epoch.next
        present, digest = decided(phase, epoch, context, seam=seam, operation=operation)
        if present.rank < lowest.rank:
            lowest, plan = present, digest
    return Pin((lowest, present, plan), epoch)


def decided(phase: Phase, epoch: Epoch, context: EvaluationContext, *, seam: str, operation: str) -> tuple[Stage, str]:
    """Return the stage that the table of *epoch* says for *context*, and the digest of the decision that said it."""
    decision = epoch.decision(phase)
    return decision.decide(context, seam, operation), decision.digest
