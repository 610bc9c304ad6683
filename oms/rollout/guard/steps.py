"""The steps that a phase has taken: each flag it had, by digest, with its split and when it began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from oms.domain.errors import BadInput
from oms.domain.phase import Phase
from oms.domain.split import WHOLE, Split, parse_wish
from oms.domain.stage import Stage, before
from oms.rollout.audit import AuditOutcome, AuditTrail

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """One flag of a phase and the time in which it stood.

    Attributes:
        plan: Digest of the flag, by which counts name it.
        split: Its weights, None for targeting that is not a plain share.
        began_s: Unix time in seconds.
        forced: True if somebody forced it towards unified.
    """

    plan: str
    split: Split | None
    began_s: float
    forced: bool = False

    @property
    def canary(self) -> Canary | None:
        """The two stages that stand side by side, None unless there are two."""
        if self.split is None or len(self.split.weights) != 2:
            return None
        (advanced, weight), (rest, _) = self.split.weights
        return Canary(advanced, rest, weight / WHOLE)


@dataclass(frozen=True, slots=True)
class Canary:
    """A share of the callers one stage ahead of the *rest*. 0 < share < 1."""

    advanced: Stage
    rest: Stage
    share: float


def steps_of(trail: AuditTrail, phase: Phase, *, present: Step) -> tuple[Step, ...]:
    """Return the steps of *phase*, oldest first; *present*, as the flag says now, is the last one even if the audit does not know it.

    The first one is what was before the audit began; counts of a plan that nobody knows are put there.
    """
    done = [line.flip for line in trail.lines if line.outcome is AuditOutcome.DONE and line.flip.phase == phase.name]
    known = (Step(flip.digest, parse_split(flip.to_split, phase), flip.at, flip.forced) for flip in done)
    steps = [Step("", None, 0.0), *known]
    if steps[-1].plan != present.plan:
        steps.append(present)
    return tuple(steps)


def put_in_order(steps: Sequence[Step], *, no_later_than_s: float) -> tuple[Step, ...]:
    """Return *steps* with none that begins after the one behind it, and the last no later than that: a clock that was set back leaves such."""
    found = []
    for step in reversed(steps):
        no_later_than_s = min(no_later_than_s, step.began_s)
        found.append(step if step.began_s == no_later_than_s else replace(step, began_s=no_later_than_s))
    return tuple(reversed(found))


def parse_split(text: str, phase: Phase) -> Split | None:
    """Return the split that an audit line tells, None if it tells none (``targeting(...)``)."""
    try:
        wish = parse_wish(text, writes=phase.writes)
    except BadInput:
        return None
    rest = before(wish.stage, writes=phase.writes)
    if wish.weight == WHOLE or rest is None:
        return Split.whole(wish.stage)
    return Split(((wish.stage, wish.weight), (rest, WHOLE - wish.weight)))


class StepIndex:
    """Finds the step in which something was counted. Counts are kept by the minute, older ones by the hour."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._began = [step.began_s // MINUTE_S * MINUTE_S for step in steps]
        self._by_plan: dict[str, list[int]] = {}
        for index, step in enumerate(steps):
            self._by_plan.setdefault(step.plan, []).append(index)

    def at(self, plan: str, at_s: float) -> int:
        """Return the index of the step: of several with *plan* the last that had begun, 0 for a plan that is not known."""
        known = self._by_plan.get(plan, [0])
        return next((index for index in reversed(known) if self._began[index] <= at_s), known[0])
