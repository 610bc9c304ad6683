"""What alpha or margin makes the first bad event of a key in ten minutes honest while routing is sticky."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.guard_runs import Delays, Tenants, trips_at
from bench.guard_table import Table, false_share
from oms.domain.guardrails import RatioRule

_RULES = tuple(
    replace(RatioRule(), alpha=alpha, margin=margin)
    for alpha, margin in (
        *((alpha, 1.25) for alpha in (1e-2, 1e-2 / 3, 1e-3, 1e-4, 1e-6)),
        *((alpha, margin) for alpha in (1e-2, 1e-2 / 3) for margin in (1.5, 1.75, 2.0)),
    )
)


def sticky_rules(runs: int, seed: int) -> Table:
    """False rollback and delay among noisy tenants, by alpha and margin; every rule sees the same runs."""
    some = max(20, runs // 4)
    false = _trips(runs, seed, Tenants(), times=1.0)
    day = _trips(some, seed, Tenants(calls=720_000), times=1.0)
    found = {times: _trips(some, seed, Tenants(), times=times) for times in (3.0, 10.0)}
    rows = []
    for rule in _RULES:
        told = (
            f"{delays[rule].tripped:.0%}, {delays[rule].quantile(0.5):,.0f}"
            if delays[rule].tripped > 0.5
            else f"{delays[rule].tripped:.0%}, -"
            for delays in found.values()
        )
        rows.append((f"{rule.alpha:.2g}", f"{rule.margin:g}", false_share(false[rule]), false_share(day[rule]), *told))
    return Table(
        "The same tenants, routing sticky on the key, fed with the first bad event of a key in ten minutes, all rules on the same"
        f" {runs:,} runs (a day, x3 and x10: {some:,}): false rollback, and in how many runs a true regression is found within 200,000"
        " calls, and the median of calls it takes.",
        ("alpha", "margin", "false, 200,000", "false, a day", "x3 found, calls", "x10 found, calls"),
        tuple(rows),
    )


def _trips(runs: int, seed: int, tenants: Tenants, *, times: float) -> dict[RatioRule, Delays]:
    trips: dict[RatioRule, list[int | None]] = {rule: [] for rule in _RULES}
    for run in range(runs):
        fed = list(tenants.fed(np.random.default_rng([seed, run]), routing="sticky", unit="slot", times=times))
        for rule in _RULES:
            trips[rule].append(trips_at(rule, tenants.share, fed))
    return {rule: Delays(tuple(at)) for rule, at in trips.items()}
