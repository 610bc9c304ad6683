"""Predicates of ``Backoff``: what the sides returned."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from oms.domain.comparison import Difference
from oms.domain.known import Predicate
from oms.domain.observation import Facts, StandIn
from oms.seams.resilience import is_wait

DAY_S = 86_400.0
"""Longest wait of the unified calculator, in seconds."""

STRATEGIES = frozenset({"exponential", "linear", "fixed", "fibonacci"})


def _longer_than_a_day(difference: Difference, facts: Facts) -> bool:
    """Unified waits its longest, a day, and legacy longer; or legacy finds no float for the wait."""
    legacy, unified = difference.legacy, difference.unified
    if isinstance(legacy, StandIn):
        return legacy.type_name == "OverflowError" and is_wait(unified)
    return unified == DAY_S and is_wait(legacy) and legacy > DAY_S


def _number_that_is_none(difference: Difference, facts: Facts) -> bool:
    """Unified refuses the retry count or the base; legacy computes with it."""
    return _is_refused(difference, "retry_count") or _is_refused(difference, "base_delay")


def _unknown_strategy(difference: Difference, facts: Facts) -> bool:
    """Unified refuses the strategy; legacy takes it for the exponential one."""
    return facts.named.casefold() not in STRATEGIES and _is_refused(difference, "strategy")


def _strategy_in_another_case(difference: Difference, facts: Facts) -> bool:
    """Unified knows the strategy in any case; legacy takes it for the exponential one."""
    name = facts.named
    return name not in STRATEGIES and name.casefold() in STRATEGIES - {"exponential"} and is_wait(difference.unified)


def _is_refused(difference: Difference, parameter: str) -> bool:
    refusal = StandIn("PolicyInvalid", (("where", f"backoff: {parameter}"),))
    return difference.unified == refusal and is_wait(difference.legacy)


PREDICATES: Mapping[str, Predicate] = MappingProxyType(
    {
        "longer than a day": _longer_than_a_day,
        "number that is none": _number_that_is_none,
        "unknown strategy": _unknown_strategy,
        "strategy in another case": _strategy_in_another_case,
    }
)
