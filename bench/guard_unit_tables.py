"""The ratio guard where calls are not coins: sticky routing, and slow calls."""

from __future__ import annotations

import numpy as np

from bench.guard_runs import Tenants, many
from bench.guard_table import Table, false_share
from oms.domain.guardrails import RatioGuard, RatioRule, freeze
from oms.domain.histogram import bucket_of

RULE = RatioRule()


def sticky(runs: int, seed: int) -> Table:
    """What sticky routing does to statistics per call."""
    cases = (
        ("call", "call", "0.0 %; 9.2k"),
        ("sticky", "call", "16.2 %; -"),
        ("sticky", "key", "0.0 %; 105k (65 %)"),
        ("sticky", "slot", "-"),
        ("switchback", "slot", "0.1 %; 30k (100 %)"),
    )
    rows = []
    for routing, unit, reference in cases:
        false, day, found = (
            many(count, seed, tenants.calls_to_trip, RULE, routing=routing, unit=unit, times=times)
            for count, tenants, times in (
                (runs, Tenants(), 1.0),
                (max(20, runs // 4), Tenants(calls=720_000), 1.0),
                (max(20, runs // 4), Tenants(), 3.0),
            )
        )  # fmt: skip
        fed = {"call": "each bad call", "slot": "first of a key in 10 minutes", "key": "first of a key, once"}[unit]
        coin = {
            "call": "a coin each call",
            "sticky": "sticky on the key",
            "switchback": "a coin each key and 10 minutes",
        }[routing]
        median = f"{found.quantile(0.5):,.0f}" if found.tripped > 0.5 else "-"
        rows.append((coin, fed, false_share(false), false_share(day), f"{found.tripped:.0%}", median, reference))
    return Table(
        "2,000 tenants (Zipf 1.05), one in a hundred fails 30 % of its calls on whatever side, the others 0.5 %; share 10 %; 5,000 calls are"
        f" ten minutes. False rollback within 200,000 calls ({runs:,} runs) and within 720,000, a day; and what a true threefold rate takes"
        " within 200,000. The reference does not tell its base rate, so delays compare in order only.",
        ("routing", "fed", "false, 200,000", "false, a day", "x3 found in", "median calls", "reference: false; x3"),
        tuple(rows),
    )


def latency(runs: int, seed: int) -> Table:
    """Slow calls as bad events, in a fifth of the runs, for every slow call of long runs is fed to two guards."""
    runs = max(20, runs // 5)
    horizon = {"all calls 2x": 60_000, "2 % of calls 12x": 620_000, "no regression": 200_000}
    told = {
        ("all calls 2x", 0.01): "4,032 / 11,923", ("all calls 2x", 0.1): "486 / 1,080", ("all calls 2x", 0.5): "245 / 537",
        ("2 % of calls 12x", 0.01): "113,972 / 280k", ("2 % of calls 12x", 0.1): "13,806 / 32,512",
        ("2 % of calls 12x", 0.5): "5,556 / 12,463", ("no regression", 0.1): "0 of 400",
    }  # fmt: skip
    rows = []
    for (what, share), reference in told.items():
        calls = horizon[what] if share <= 0.01 or what == "no regression" else horizon[what] // 5
        found = many(runs, seed, _slow_trip, what, share, calls)
        rows.append((what, f"{share:.0%}", false_share(found) if what == "no regression" else found.text, reference))
    return Table(
        "Lognormal calls, p50 20 ms, p99 128 ms; lines frozen at legacy's p99 and p90 from 5,000 calls before the stage; alpha 0.5 % each;"
        f" {runs:,} runs: calls of both sides until either guard trips, median / p95.",
        ("unified", "share", "measured", "reference"),
        tuple(rows),
    )


def _slow_trip(chance: np.random.Generator, what: str, share: float, calls: int) -> int | None:
    def durations(size: int) -> np.ndarray:
        return 20e6 * np.exp(0.8 * chance.standard_normal(size))

    counts: dict[int, int] = {}
    for bucket in map(bucket_of, durations(5_000).astype(np.int64).tolist()):
        counts[bucket] = counts.get(bucket, 0) + 1
    is_unified = chance.random(calls) < share
    taken = durations(calls)
    factor = {"all calls 2x": 2.0, "2 % of calls 12x": np.where(chance.random(calls) < 0.02, 12.0, 1.0)}.get(what, 1.0)
    taken = np.where(is_unified, taken * factor, taken)
    return min(
        (at for q in (0.99, 0.9) if (at := _slow_at(counts, q, taken, is_unified, share)) is not None), default=None
    )


def _slow_at(counts: dict[int, int], q: float, taken: np.ndarray, is_unified: np.ndarray, share: float) -> int | None:
    line = freeze(counts, q)
    assert line is not None, "5,000 calls are enough"
    guard = RatioGuard.begun(RatioRule(alpha=0.005), share=share)
    for at in np.flatnonzero(taken > line.line_ns).tolist():
        of_unified = int(is_unified[at])
        guard = guard.after(share=share, unified=of_unified, legacy=1 - of_unified)
        if of_unified and guard.is_tripped:
            return int(at) + 1
    return None
