"""Retries and breakers as OpenTelemetry sees them: callbacks that read plain totals when somebody collects, and cost nothing in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from oms.unified.resilience.breaker.breaker import UnifiedCircuitBreaker
from oms.unified.resilience.breaker.config import CircuitState
from oms.unified.resilience.budget import UnifiedRetryBudget

Budgets = Callable[[], Iterable[UnifiedRetryBudget]]
Breakers = Callable[[], Iterable[UnifiedCircuitBreaker]]

_ATTEMPTS = {"first": "calls", "retry": "retries"}
_ENDS = ("recovered", "exhausted", "refused", "over_budget", "over_deadline", "nested", "circuit_open")
_CALLS = {"success": "successes", "failure": "failures", "neutral": "neutral", "rejected": "rejected"}
_MOVES = {CircuitState.OPEN: "opened", CircuitState.HALF_OPEN: "half_opened", CircuitState.CLOSED: "closed"}
_LEVELS = {CircuitState.CLOSED: 0, CircuitState.OPEN: 1, CircuitState.HALF_OPEN: 2}


def observe(meter_provider: MeterProvider, *, budgets: Budgets, breakers: Breakers) -> None:
    """Export the totals of *budgets*, each under the attribute ``dependency``, and of *breakers*, each under ``breaker``.

    Args:
        meter_provider: Whose readers decide when to collect.
        budgets, breakers: Asked at every collection, so that later ones are seen: ``registry.budgets`` and ``registry.breakers`` fit.
    """
    meter = meter_provider.get_meter("oms.resilience")
    meter.create_observable_counter(
        "oms.retry.attempts",
        [partial(_attempts, budgets)],
        unit="{attempt}",
        description="Attempts, first ones and retries.",
    )
    meter.create_observable_counter(
        "oms.retry.calls",
        [partial(_ends, budgets)],
        unit="{call}",
        description="Calls that failed at first, by how they ended.",
    )
    meter.create_observable_gauge(
        "oms.retry.budget",
        [partial(_tokens, budgets)],
        unit="{retry}",
        description="Retries that the budget would allow now.",
    )
    meter.create_observable_counter(
        "oms.breaker.calls", [partial(_calls, breakers)], unit="{call}", description="Calls, by outcome."
    )
    meter.create_observable_counter(
        "oms.breaker.moves", [partial(_moves, breakers)], unit="{move}", description="Moves, by the state moved to."
    )
    meter.create_observable_gauge(
        "oms.breaker.state", [partial(_states, breakers)], description="0 closed, 1 open, 2 half-open."
    )


def _attempts(budgets: Budgets, _: CallbackOptions) -> Iterable[Observation]:
    for budget in budgets():
        counts = budget.counts
        for kind, total in _ATTEMPTS.items():
            yield Observation(getattr(counts, total), {"dependency": budget.name, "kind": kind})


def _ends(budgets: Budgets, _: CallbackOptions) -> Iterable[Observation]:
    for budget in budgets():
        counts = budget.counts
        for total in _ENDS:
            yield Observation(getattr(counts, total), {"dependency": budget.name, "end": total})


def _tokens(budgets: Budgets, _: CallbackOptions) -> Iterable[Observation]:
    for budget in budgets():
        yield Observation(budget.remaining, {"dependency": budget.name})


def _calls(breakers: Breakers, _: CallbackOptions) -> Iterable[Observation]:
    for breaker in breakers():
        counts = breaker.counts
        for outcome, total in _CALLS.items():
            yield Observation(getattr(counts, total), {"breaker": breaker.name, "outcome": outcome})


def _moves(breakers: Breakers, _: CallbackOptions) -> Iterable[Observation]:
    for breaker in breakers():
        counts = breaker.counts
        for state, total in _MOVES.items():
            yield Observation(getattr(counts, total), {"breaker": breaker.name, "to": str(state)})


def _states(breakers: Breakers, _: CallbackOptions) -> Iterable[Observation]:
    for breaker in breakers():
        yield Observation(_LEVELS[breaker.state], {"breaker": breaker.name})
