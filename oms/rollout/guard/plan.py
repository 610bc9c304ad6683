"""The steps of a policy, and how soon each of them would find a regression."""

from __future__ import annotations

import math
from collections.abc import Iterator

from oms.domain.guardrails import PAIRED
from oms.domain.split import WHOLE
from oms.rollout.guard.duration import duration_text
from oms.rollout.guard.policy import PhasePolicy, StepRule
from oms.rollout.guard.policy_file import Standing

_ERRORS = (0.01, 0.03)
_SLOW = (0.01, 0.03)
"""Legacy's rate and unified's: of failed calls, and of units above legacy's p99, which are 1 % by definition."""


def calls_to_detect(policy: PhasePolicy) -> float:
    """Return about how many compared calls it takes to find three times the errors, from 1 %. Source: docs/evidence.md, pairs."""
    legacy, unified = _ERRORS
    rule = policy.ratio_rule(policy.guards.errors)
    only_unified, only_legacy = unified * (1 - legacy), legacy * (1 - unified)
    return rule.events_to_detect(PAIRED, only_unified / only_legacy) / (only_unified + only_legacy)


def units_to_detect(policy: PhasePolicy, step: StepRule) -> float:
    """Return about how many units of both sides it takes at *step* to find three times as many slow ones; infinite at 100 %."""
    share = step.weight / WHOLE
    if share == 1.0:
        return math.inf
    return policy.ratio_rule(policy.guards.slow_p99).calls_to_detect(share, legacy=_SLOW[0], unified=_SLOW[1])


def plan_lines(phase: str, standing: Standing) -> Iterator[str]:
    """Yield a line for the phase, one for shadow, and one for each step."""
    policy, ready = standing.policy, standing.policy.ready
    until = f", until {policy.expires}" if policy.expires else ""
    yield f"{phase}: {policy.owner}{until}" + (f" | HOLDS: {standing.problem}" if standing.problem else "")
    yield (
        f"  shadow   below {ready.limit:g} ({ready.confidence:.0%}) over {duration_text(ready.min_age_s)}, each operation"
        f" | finds errors 1% -> 3% in {calls_to_detect(policy):,.0f} compared calls, here and in live"
    )
    for step in policy.steps:
        units = units_to_detect(policy, step)
        soon = "finds nothing slow" if math.isinf(units) else f"finds slow 1% -> 3% in {units:,.0f} units of both sides"
        yield f"  live {step!s:<5} {duration_text(step.min_time_s)}, {step.min_calls:,} calls | {soon}"


def plan_json(standing: Standing) -> dict[str, object]:
    """Return what ``oms guard --plan --json`` says of one phase; units that never come are null."""
    policy = standing.policy
    return {
        "owner": policy.owner,
        "expires": policy.expires.isoformat() if policy.expires else None,
        "problem": standing.problem,
        "calls_to_detect": round(calls_to_detect(policy)),
        "steps": [_step_json(policy, step) for step in policy.steps],
    }


def _step_json(policy: PhasePolicy, step: StepRule) -> dict[str, object]:
    units = units_to_detect(policy, step)
    return {
        "share": step.weight / WHOLE,
        "min_time_s": step.min_time_s,
        "min_calls": step.min_calls,
        "units_to_detect": None if math.isinf(units) else round(units),
    }
