"""Proof of below a rate, alarm for above it, and the share check."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from bench import guard_peers as peers
from bench.guard_runs import many
from bench.guard_table import Table, false_share, percent
from oms.domain.guardrails import RateAlarm, RateGate, RateRule, ShareCheck


def gate(runs: int, seed: int) -> Table:
    """A proof that is polled."""
    limit, horizon, most = 1e-4, 1_000_000, 400
    ours = [RateGate().needed(mismatched=k) for k in range(most)]
    once = [peers.clopper_pearson_needed(limit, k) for k in range(most)]
    runs *= 5
    opened = {"ours": 0, "once": 0}
    for run in range(runs):
        chance = np.random.default_rng([seed, run])
        at = np.cumsum(chance.geometric(limit, most))
        # Between two mismatches the gate opens if the number it needs comes before the next one.
        for name, needed in (("ours", ours), ("once", once)):
            opened[name] += any(n < nxt and n <= horizon for n, nxt in zip(needed, at.tolist(), strict=True))
    medians = []
    for part in (0.1, 0.2, 0.5):
        times = []
        for run in range(max(100, runs // 10)):
            at = np.cumsum(np.random.default_rng([seed, run]).geometric(limit * part, most)).tolist()
            times.append(next((max(n, at[k - 1] if k else 0) for k, n in enumerate(ours) if n < at[k]), np.inf))
        medians.append(f"{np.median(times):,.0f}")
    return Table(
        f"Limit 1e-4 at 95 %, polled after every comparison, horizon 1,000,000, {runs:,} runs; then the median of comparisons until READY.",
        ("", "measured", "reference"),
        (
            ("true rate = limit, enumerated: false READY by Clopper-Pearson", f"{exactly(once, limit, horizon):.2%}", "-"),
            ("true rate = limit, enumerated: false READY by **RateGate**", f"{exactly(ours, limit, horizon):.2%}", "-"),
            ("true rate = limit: false READY by Clopper-Pearson", percent(opened["once"], runs), "27.7 %"),
            ("true rate = limit: false READY by **RateGate**", percent(opened["ours"], runs), "4.98 %"),
            ("true rate 0.1x the limit", medians[0], "35,575"),
            ("true rate 0.2x", medians[1], "64,939"),
            ("true rate 0.5x", medians[2], "190,876"),
            ("needed with 0 to 5 mismatches", ", ".join(f"{n:,}" for n in ours[:6]), "35,575, 64,939, 85,836, 105,426, 123,893, 141,492"),
        ),
    )  # fmt: skip


def exactly(needed: list[int], limit: float, horizon: int) -> float:
    """Return with what probability a gate ever opens within *horizon* comparisons at a true rate of *limit*; no simulation.

    Args:
        needed: With how many comparisons it is open at k mismatches. It opens if there are at most k when that number is reached.
    """
    counts, at, opened = np.array([1.0]), 0, 0.0
    for k, n in enumerate(needed):
        if n > horizon:
            break
        more = binom.pmf(np.arange(400), n - at, limit)
        counts = np.convolve(counts, more)[:400]
        opened += float(counts[: k + 1].sum())
        counts[: k + 1] = 0.0
        at = n
    return opened


def alarm(runs: int, seed: int) -> Table:
    """The alarm for too many mismatches."""
    told = {(1e-3, 1): "0.4 to 0.5 % false", (1e-3, 10): "382 / 1,146", (1e-3, 5): "1,248", (1e-3, 3): "4,259", (1e-3, 2): "13,135",
            (1e-4, 10): "3,987", (1e-4, 100): "165"}  # fmt: skip
    rows = []
    for (limit, times), reference in told.items():
        horizon = int((1_000 if times == 1 else 400) / limit)
        at_once, default = (
            many(runs, seed, _alarm_at, RateRule(limit=limit, min_bad=least), times, horizon) for least in (1, 5)
        )
        texts = [false_share(one) if times == 1 else one.text for one in (at_once, default)]
        rows.append((f"{limit:g}", f"{times}x", *texts, reference))
    return Table(
        f"RateAlarm, alpha 1 %, {runs:,} runs: comparisons until it trips, median / p95; at the limit itself the share of false trips within"
        " 1,000 expected mismatches.",
        ("limit", "true rate", "min 1", "**min 5**", "reference"),
        tuple(rows),
    )


def _alarm_at(chance: np.random.Generator, rule: RateRule, times: int, horizon: int) -> int | None:
    rate, found, seen = rule.limit * times, RateAlarm.begun(rule), 0
    for gap in chance.geometric(rate, int(horizon * rate * 1.5) + 50).tolist():
        seen += gap
        if seen > horizon:
            return None
        found = found.after(compared=gap, mismatched=1)
        if found.is_tripped:
            return seen
    return None


def share(runs: int, seed: int) -> Table:
    """The share check."""
    rows = []
    for planned, real, reference in (
        (0.01, 0.02, "3,200"),
        (0.05, 0.06, "11,200"),
        (0.10, 0.11, "19,800"),
        (0.10, 0.20, "600"),
        (0.1, 0.1, "0 of 3,000"),
    ):
        found = many(runs, seed, _share_at, planned, real)
        rows.append((f"{planned:.0%}", f"{real:.0%}", false_share(found) if planned == real else found.text, reference))
    return Table(
        f"ShareCheck, alpha 1e-4, looked at every 200 units, at most 100,000, {runs:,} runs: units until it trips, median / p95.",
        ("planned", "real", "measured", "reference (median)"),
        tuple(rows),
    )  # fmt: skip


def _share_at(chance: np.random.Generator, planned: float, real: float) -> int | None:
    check, unified = ShareCheck(share=planned), 0
    for look, more in enumerate(chance.binomial(200, real, 500).tolist(), 1):
        unified += more
        if check.read(units=200 * look, unified=unified).tripped:
            return 200 * look
    return None
