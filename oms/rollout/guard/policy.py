"""What a phase must show before it moves on, and what takes it back: values, without the file they come from."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from oms.domain.guardrails import RateRule, RatioRule, Restart, split_alpha
from oms.domain.readiness import Demand
from oms.domain.split import percent_text


class OnTrip(StrEnum):
    """What a guard does when it trips. Worst first."""

    ROLLBACK = "rollback"
    PAUSE = "pause"
    FREEZE = "freeze"
    HOLD = "hold"


ACTING = (OnTrip.ROLLBACK, OnTrip.PAUSE)
"""What shares the alpha: an action that could be false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioPolicy:
    """A guard over bad events of unified against those of legacy, see :class:`~oms.domain.guardrails.ratio.RatioRule`."""

    on_trip: OnTrip = OnTrip.ROLLBACK
    margin: float = 1.25
    min_bad: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowPolicy(RatioPolicy):
    """The same over slow answers.

    Attributes:
        line_calls: With fewer answers of legacy before the step nobody knows what slow is.
        floor_s: An answer within this is never slow, whatever legacy's percentile is, in seconds. Of a call into memory the p99 is a matter of
            microseconds, of who copies what; no caller feels it, and no phase need go back for it.
    """

    line_calls: int = 1_000
    floor_s: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class MismatchPolicy:
    """How often the sides may differ wherever both run, see :class:`~oms.domain.guardrails.rate.RateRule`."""

    on_trip: OnTrip = OnTrip.ROLLBACK
    limit: float = 1e-3
    min_bad: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePolicy:
    """Whether unified gets the share that was planned, see :class:`~oms.domain.guardrails.share.ShareCheck`."""

    on_trip: OnTrip = OnTrip.HOLD
    alpha: float = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class HardFailPolicy:
    """What a guard inside a process reports: most of the last calls failed, or one does not return."""

    on_trip: OnTrip = OnTrip.ROLLBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPolicy:
    """Both sides fail *burn* times as often as the objective allows, over *window_s* seconds and *min_calls* pairs.

    Source of the burn rate: the fast window of multi-window alerts (Google, "The Site Reliability Workbook", 2018, chapter 5).
    """

    on_trip: OnTrip = OnTrip.FREEZE
    slo: float = 0.99
    burn: float = 14.4
    window_s: float = 300.0
    min_calls: int = 100


_UNITS_MARGIN = 2.0
"""Of what takes a phase back and is fed by keys: routing is sticky, so chance in one slot is a bias in all. Source: docs/evidence.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Every guard of a phase."""

    errors: RatioPolicy = field(default_factory=RatioPolicy)
    unit_errors: RatioPolicy = field(default_factory=lambda: RatioPolicy(margin=_UNITS_MARGIN))
    slow_p99: SlowPolicy = field(default_factory=lambda: SlowPolicy(margin=_UNITS_MARGIN))
    slow_p90: SlowPolicy = field(default_factory=lambda: SlowPolicy(on_trip=OnTrip.PAUSE))
    mismatch: MismatchPolicy = field(default_factory=MismatchPolicy)
    share: SharePolicy = field(default_factory=SharePolicy)
    hard_fail: HardFailPolicy = field(default_factory=HardFailPolicy)
    budget: BudgetPolicy = field(default_factory=BudgetPolicy)


@dataclass(frozen=True, slots=True)
class StepRule:
    """One step of live.

    Attributes:
        weight: Of 10,000: the share that unified answers.
        min_time_s, min_calls: How long, and for how many of unified's calls, it stands there before the next step.
    """

    weight: int
    min_time_s: float
    min_calls: int

    def __str__(self) -> str:
        """Read ``5%``."""
        return f"{percent_text(self.weight)}%"


_STEPS = (
    StepRule(100, 300.0, 200),
    StepRule(500, 600.0, 500),
    StepRule(2_500, 900.0, 2_000),
    StepRule(5_000, 1_800.0, 5_000),
    StepRule(9_500, 86_400.0, 20_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePolicy:
    """The policy of one phase under one profile.

    Attributes:
        owner: Who answers for it.
        expires: The last day on which it promotes; None only for the defaults that stand in for a policy that is missing or broken.
        steps: Of live, the share growing. After the last one somebody moves the phase by hand.
        ready: What each operation must prove in shadow.
        waived: Operations, ``types.clear``, that need not be proved.
        unseen_holds: An operation that nobody called holds the phase; False lists it only.
        cap_per_request: A request counts as evidence once in a while; False counts each.
        alpha: Probability of a false action for one operation, shared equally by the guards that act.
        restart: When guards lay a new bet.

    Source of the defaults: docs/evidence.md and docs/adr/0018-one-controller.md.
    """

    owner: str = "nobody"
    expires: dt.date | None = None
    steps: tuple[StepRule, ...] = _STEPS
    ready: Demand = field(default_factory=Demand)
    waived: tuple[str, ...] = ()
    unseen_holds: bool = True
    cap_per_request: bool = True
    alpha: float = 0.01
    restart: Restart = field(default_factory=Restart)
    guards: Guards = field(default_factory=Guards)

    @property
    def digest(self) -> str:
        """16 hex digits that name what it says, however it is written down; a change of this in the middle of a step holds the phase."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def alpha_each(self) -> float:
        """The part of *alpha* of each guard that acts."""
        of = self.guards
        statistics = (of.errors, of.unit_errors, of.slow_p99, of.slow_p90, of.mismatch)
        return split_alpha(self.alpha, acting=sum(guard.on_trip in ACTING for guard in statistics))

    def ratio_rule(self, guard: RatioPolicy) -> RatioRule:
        """Return the rule of one ratio guard."""
        return RatioRule(margin=guard.margin, alpha=self.alpha_each, min_bad=guard.min_bad, keep=self.restart.keep)

    @property
    def mismatch_rule(self) -> RateRule:
        """The rule of the mismatch alarm."""
        guard = self.guards.mismatch
        return RateRule(limit=guard.limit, alpha=self.alpha_each, min_bad=guard.min_bad, keep=self.restart.keep)

    def step_at(self, weight: int) -> StepRule:
        """Return the rule for a phase that stands at *weight*: of the largest step at or below it, else of the first."""
        return max((step for step in self.steps if step.weight <= weight), default=self.steps[0], key=_weight)

    def step_after(self, weight: int) -> StepRule | None:
        """Return the first step above *weight*, None if there is none."""
        return min((step for step in self.steps if step.weight > weight), default=None, key=_weight)


def _weight(step: StepRule) -> int:
    return step.weight
