"""One table of docs/evidence.md, and how a share of runs is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scipy.stats import binomtest

from bench.guard_runs import Delays


@dataclass(frozen=True, slots=True)
class Table:
    """One table as Markdown has it; *says* is what it shows, in a sentence."""

    says: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def markdown(self) -> str:
        """The sentence and the table."""
        lines = [self.header, ("---",) * len(self.header), *self.rows]
        return self.says + "\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(hits: int, runs: int) -> str:
    """Return a share of runs with its 95 % interval of Clopper and Pearson."""
    interval = binomtest(hits, runs).proportion_ci()
    return f"{hits / runs:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def false_share(delays: Delays) -> str:
    return percent(sum(run is not None for run in delays.runs), len(delays.runs))


def share_of(hits: Iterable[bool]) -> str:
    found = list(hits)
    return percent(sum(found), len(found))
