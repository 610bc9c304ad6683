"""Guardrails: what an update costs, and by simulation how often they are wrong and how late they are right.

``python -m bench.guardrails`` prints short versions of the tables of docs/evidence.md, ``--full`` those that stand there, ``--write`` puts them
there; names of tables choose some of them.
"""

from __future__ import annotations

import argparse
import gc
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import guard_rate_tables, guard_ratio_tables, guard_unit_tables
from bench.guard_ratio_tables import RULE, STRICT
from bench.guard_runs import Stretch, calls_to_trip, many
from bench.guard_sticky_table import sticky_rules
from bench.guard_table import Table
from bench.results import Line, within
from oms.domain.evidence import Evidence
from oms.domain.guardrails import RateAlarm, RatioGuard
from oms.domain.readiness import Demand, judge

_PAGE = Path(__file__).parent.parent / "docs" / "evidence.md"
_SHORT, _FULL, _SEED = 100, 1_000, 7


TABLES: dict[str, Callable[[int, int], Table]] = {
    "no-regression": guard_ratio_tables.no_regression,
    "ramp": guard_ratio_tables.ramp,
    "outage": guard_ratio_tables.outage,
    "delay": guard_ratio_tables.delay,
    "late": guard_ratio_tables.late,
    "sticky": guard_unit_tables.sticky,
    "sticky-rules": sticky_rules,
    "latency": guard_unit_tables.latency,
    "gate": guard_rate_tables.gate,
    "alarm": guard_rate_tables.alarm,
    "share": guard_rate_tables.share,
}
"""Each takes how many runs, and a seed."""


def measure() -> list[Line]:
    """Return the lines of this section: costs, and the promises of a guard in a short simulation."""
    guard = RatioGuard.begun(share=0.1).after(share=0.1, unified=8, legacy=50)
    alarm = RateAlarm.begun().after(compared=5_000, mismatched=6)
    evidence = Evidence(seen=41_203, sampled=41_203, matched=41_202, mismatched=1, first_at_s=0.0)

    def event() -> None:
        after = guard.after(share=0.1, unified=1)
        after.is_tripped  # noqa: B018  the look is what is measured

    ramp = [
        Stretch(20_000, share, rate, rate) for share, rate in ((0.01, 0.005), (0.05, 0.005), (0.25, 0.02), (0.5, 0.05))
    ]
    false = many(_SHORT, _SEED, lambda chance: calls_to_trip(chance, ramp, STRICT)).tripped
    real = many(_SHORT, _SEED, lambda chance: calls_to_trip(chance, [Stretch(90_000, 0.1, 0.01, 0.03)], RULE))
    return [
        within("RatioGuard, one bad event at the same share", _us(lambda: guard.after(share=0.1, unified=1)), "us", 3.0),
        Line("the same with a look", _us(event), "us", peer="only a bad event of unified needs one"),
        within("RateAlarm, one batch of comparisons", _us(lambda: alarm.after(compared=100, mismatched=1)), "us", 10.0),
        Line("verdict on one operation", _us(lambda: judge("a", evidence, Demand(), now_s=1.0, per_s=1.0), 200), "us"),
        within(f"false rollback in a ramp with drift, {_SHORT} runs", 100 * false, "%", 4.0, "reference: 0.8 %"),
        Line("1 % to 3 % errors at 10 %: calls until rollback", real.quantile(0.5), "", peer="reference: 7,400"),
    ]  # fmt: skip


def _us(do: Callable[[], object], number: int = 5_000) -> float:
    """Return the microseconds of one *do*: the median of 15 rounds, of CPU time, for others share the machine."""
    rounds = []
    gc.disable()
    for _ in range(15):
        began = time.process_time()
        for _ in range(number):
            do()
        rounds.append((time.process_time() - began) / number * 1e6)
    gc.enable()
    return statistics.median(rounds)


def main() -> int:
    """Print the tables, and write them into the page if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.guardrails", description=__doc__)
    parser.add_argument("table", nargs="*", metavar="TABLE", help=f"of {' '.join(TABLES)}; default all")
    parser.add_argument("--full", action="store_true", help=f"{_FULL:,} runs instead of {_SHORT}")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/evidence.md")
    parser.add_argument("--seed", type=int, default=_SEED)
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.table if name not in TABLES]:
        parser.error(f"TABLE: found {unknown[0]!r}, wanted one of {' '.join(TABLES)}")
    for name in chosen.table or TABLES:
        began = time.process_time()
        text = TABLES[name](_FULL if chosen.full else _SHORT, chosen.seed).markdown
        print(f"\n## {name}\n\n{text}", flush=True)
        print(f"{name}: {time.process_time() - began:.0f} s", file=sys.stderr, flush=True)
        if chosen.write:
            _PAGE.write_text(_replaced(_PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")
    return 0


def _replaced(page: str, name: str, text: str) -> str:
    block = re.compile(rf"(<!-- table {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    return block.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)


if __name__ == "__main__":
    sys.exit(main())
