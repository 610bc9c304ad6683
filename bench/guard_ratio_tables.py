"""The ratio guard in simulated rollouts: false rollbacks, and how soon a regression is found."""

from __future__ import annotations

import numpy as np

from bench import guard_peers as peers
from bench.guard_runs import Stretch, calls_to_trip, many
from bench.guard_table import Table, false_share, share_of
from oms.domain.guardrails import PAIRED, RatioGuard, RatioRule, Restart

STRICT = RatioRule(margin=1.0, min_bad=1)
RULE = RatioRule()

UNDIVIDED = RatioRule(alpha=2 / (1 / RULE.alpha + 1))
"""Trips where a guard would that lays its whole stake at once: ``(M + 1)/2 >= 1/a`` is ``M >= 2/a - 1``, so 1/alpha for M."""


def no_regression(runs: int, seed: int) -> Table:
    """Both sides equally bad, 200,000 calls."""
    reference = {(0.01, 0.01): "0.1 to 1.3 / 0 to 0.1", (0.01, 0.1): '"', (0.01, 0.5): '"', (0.001, 0.1): '"'}
    rows = []
    for (rate, share), told in reference.items():
        stretches = [Stretch(200_000, share, rate, rate)]
        strict, default = (many(runs, seed, calls_to_trip, stretches, rule) for rule in (STRICT, RULE))
        naive = share_of(
            peers.naive_z(peers.pooled(np.random.default_rng([seed, run]), stretches)) for run in range(min(runs, 400))
        )
        rows.append((f"{rate:.1%}", f"{share:.0%}", false_share(strict), false_share(default), naive, told))
    return Table(
        f"No regression, 200,000 calls, looked at after every bad event, {runs:,} runs: share of runs with a false rollback (alpha 1 %).",
        ("errors, both", "share", "margin 1, min 1", "**margin 1.25, min 5**", "naive z 1 %", "reference (%), both"),
        tuple(rows),
    )


def ramp(runs: int, seed: int) -> Table:
    """A ramp during which the common error level rises."""
    stretches = [
        Stretch(20_000, share, rate, rate) for share, rate in ((0.01, 0.005), (0.05, 0.005), (0.25, 0.02), (0.5, 0.05))
    ]
    looks = [peers.pooled(np.random.default_rng([seed, run]), stretches) for run in range(min(runs, 400))]
    strict, default = (many(runs, seed, calls_to_trip, stretches, rule) for rule in (STRICT, RULE))
    return Table(
        "Ramp 1, 5, 25, 50 % while both sides' errors go 0.5, 0.5, 2, 5 %, 20,000 calls each, no regression: share of runs with a false"
        f" rollback ({runs:,} runs; pooled rules {len(looks)}).",
        ("rule", "false rollback", "reference"),
        (
            ("naive z 1 %, pooled", share_of(map(peers.naive_z, looks)), "100 %"),
            ("confidence sequence 1 %, pooled", share_of(map(peers.confidence_sequence, looks)), "100 %"),
            ("RatioGuard, margin 1, min 1", false_share(strict), "0.8 %"),
            ("**RatioGuard, margin 1.25, min 5**", false_share(default), "-"),
        ),
    )


def outage(runs: int, seed: int) -> Table:
    """An outage that hits both sides."""
    stretches = [Stretch(calls, 0.1, rate, rate) for calls, rate in ((20_000, 0.01), (2_000, 0.3), (20_000, 0.01))]
    looks = [peers.pooled(np.random.default_rng([seed, run]), stretches) for run in range(min(runs, 400))]
    strict, default = (many(runs, seed, calls_to_trip, stretches, rule) for rule in (STRICT, RULE))
    return Table(
        "Share 10 %, both sides fail 30 % of 2,000 calls in the middle of 42,000 at 1 %, no regression: share of runs with a false rollback"
        f" ({runs:,} runs; threshold {len(looks)}).",
        ("rule", "false rollback", "reference"),
        (
            ("unified above 5 % in a window", share_of(map(peers.absolute, looks)), "100 %"),
            ("RatioGuard, margin 1, min 1", false_share(strict), "0.5 %"),
            ("**RatioGuard, margin 1.25, min 5**", false_share(default), "-"),
        ),
    )


def delay(runs: int, seed: int) -> Table:
    """How many calls it takes to find a regression."""
    told = {
        (0.01, 0.03): ("59,725 / 150,627", "7,400 / 18,107", "3,150 / 7,552"),
        (0.01, 0.20): ("2,397 / 4,833", "249 / 547", "116 / 231"),
        (0.01, 0.05): ("17,189 / 45,562", "2,153 / 5,216", "901 / 2,144"),
        (0.01, 0.02): ("281k / 714k", "33k / 82k", "13k / 32k"),
        (0.001, 0.01): ("50k / 130k", "6.0k / 14.9k", "2.8k / 6.3k"),
    }
    rows = []
    for (legacy, unified), reference in told.items():
        for share, text in zip((0.01, 0.1, 0.5), reference, strict=True):
            planned = RULE.calls_to_detect(share, legacy=legacy, unified=unified)
            stretches = [Stretch(int(12 * planned), share, legacy, unified)]
            found = [many(runs, seed, calls_to_trip, stretches, rule).text for rule in (RULE, UNDIVIDED)]
            rows.append((f"{legacy:.1%} to {unified:.0%}", f"{share:.0%}", *found, text, f"{planned:,.0f}"))
    # A compared call is a discordant pair with probability legacy + unified, and then unified's by its part of that.
    pairs = [Stretch(60_000, PAIRED, 2 * 0.0097, 2 * 0.0297)]
    independent = [many(runs, seed, calls_to_trip, pairs, rule).text for rule in (RULE, UNDIVIDED)]
    alone = [many(runs, seed, _only_unified, 0.02, rule).text for rule in (RULE, UNDIVIDED)]
    rows += [
        ("pairs, 1 % against 3 %, independent", "paired", *independent, "1,433 / 3,460", ""),
        ("pairs, unified fails 2 % more", "paired", *alone, "493 / 779", ""),
    ]
    return Table(
        f"A regression from the first call, margin 1.25, min 5, alpha 1 %, {runs:,} runs: calls of both sides until the rollback, median / p95."
        " Planned is what `RatioRule.calls_to_detect` says beforehand.",
        ("errors", "share", "**measured**", "measured, undivided stake", "reference", "planned"),
        tuple(rows),
    )


def _only_unified(chance: np.random.Generator, rate: float, rule: RatioRule) -> int | None:
    """Return after how many compared calls pairs trip of which only unified's side is ever the bad one."""
    events = next(n for n in range(1, 200) if _trips_after(n, rule))
    return int(chance.geometric(rate, events).sum())


def _trips_after(events: int, rule: RatioRule) -> bool:
    return RatioGuard.begun(rule).after(share=PAIRED, unified=events).is_tripped


def late(runs: int, seed: int) -> Table:
    """A regression that begins after a healthy time."""
    told = {0: ("6,500 / 17,517", "7,833 / 19,754"), 50_000: ("30,875 / 45,504", "9,917 / 20,504"),
            200_000: ("86,417 / 112,175", "12,250 / 22,933"), 1_000_000: ("never", "15,417 / 28,517")}  # fmt: skip
    rows = []
    for healthy, reference in told.items():
        tail = Stretch(400_000, 0.1, 0.01, 0.03)
        stretches = [Stretch(healthy, 0.1, 0.01, 0.01), tail] if healthy else [tail]

        plain, restarted = (many(runs, seed, _after_onset, stretches, healthy, at) for at in (None, Restart()))
        rows.append((f"{healthy:,}", plain.text, reference[0], restarted.text, reference[1]))
    return Table(
        f"Share 10 %, some healthy calls, then 1 % to 3 %, {runs:,} runs: calls from the onset until the rollback, median / p95.",
        ("healthy calls", "never restarted", "reference", "**restart each 50,000 calls, 8 kept**", "reference"),
        tuple(rows),
    )


def _after_onset(
    chance: np.random.Generator, stretches: list[Stretch], healthy: int, restart: Restart | None
) -> int | None:
    at = calls_to_trip(chance, stretches, RULE, restart=restart)
    return None if at is None or at <= healthy else at - healthy
