"""Whether a code base reaches the environment more than its baseline knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch

from oms.migration.analysis.analysis import Analysis
from oms.migration.gate.baseline import DYNAMIC, Baseline, Key, counted
from oms.migration.scan.scanning import Access
from oms.migration.scan.source import Unparsed


@dataclass(frozen=True, slots=True)
class Moved:
    """Accesses of one variable that left one file and came up in another."""

    variable: str
    source: str
    target: str
    count: int


@dataclass(frozen=True, slots=True)
class Worse:
    """One key with more accesses than the baseline allows, moved ones taken off.

    Attributes:
        count: How many there are.
        allowed: How many there may be.
        accesses: Those that are over, the last in the file: which of several equal ones is new, nobody can tell.
    """

    file: str
    variable: str
    count: int
    allowed: int
    accesses: tuple[Access, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate found.

    Attributes:
        counts: The present counts, files that are allowed left out.
        worse: Keys that grew.
        moved: Accesses that only changed their file.
        gone: Counts that the baseline still has and the code has not.
        unparsed: Files that do not parse and are not known not to.
        unparsed_now: Every file that does not parse.
    """

    counts: Mapping[Key, int]
    worse: tuple[Worse, ...]
    moved: tuple[Moved, ...]
    gone: Mapping[Key, int]
    unparsed: tuple[Unparsed, ...]
    unparsed_now: tuple[str, ...]

    @property
    def can_shrink(self) -> bool:
        """Whether the baseline holds anything that the code does not."""
        return bool(self.gone or self.moved)


def judge(analysis: Analysis, baseline: Baseline) -> Judgement:
    """Compare *analysis* with *baseline*."""
    judged = [access for access in analysis.accesses if not is_allowed(access.file, baseline)]
    now = counted(_key(access) for access in judged)
    over = _positive({key: now.get(key, 0) - baseline.counts.get(key, 0) for key in now})
    gone = _positive({key: count - now.get(key, 0) for key, count in baseline.counts.items()})
    moved = _moves(over, gone)
    worse = [_worse(key, extra, now[key], judged) for key, extra in over.items() if extra]
    unparsed = [
        each for each in analysis.unparsed if each.file not in baseline.unparsed and not is_allowed(each.file, baseline)
    ]
    return Judgement(
        now,
        tuple(worse),
        tuple(moved),
        _positive(gone),
        tuple(unparsed),
        tuple(each.file for each in analysis.unparsed),
    )


def is_allowed(file: str, baseline: Baseline) -> bool:
    """Return whether *file* matches a pattern of the baseline: ``config/*`` takes everything below ``config``."""
    return any(fnmatch(file, each.path) for each in baseline.allowed)


def updated(baseline: Baseline, judgement: Judgement, reason: str | None = None) -> Baseline:
    """Return the baseline of the present code; *reason* says why it grows, if it does."""
    increases = (*baseline.increases, reason) if reason else baseline.increases
    return replace(baseline, counts=judgement.counts, unparsed=judgement.unparsed_now, increases=increases)


def _key(access: Access) -> Key:
    return access.file, access.variable if access.variable is not None else DYNAMIC


def _moves(over: dict[Key, int], gone: dict[Key, int]) -> list[Moved]:
    """Take off *over* and *gone* what left one file for another, and return it."""
    moves: list[Moved] = []
    for target, variable in list(over):
        for source in sorted(file for file, name in gone if name == variable):
            count = min(over[target, variable], gone[source, variable])
            if count:
                over[target, variable] -= count
                gone[source, variable] -= count
                moves.append(Moved(variable, source, target, count))
    return moves


def _worse(key: Key, extra: int, count: int, accesses: list[Access]) -> Worse:
    there = [access for access in accesses if _key(access) == key]
    return Worse(*key, count, count - extra, tuple(there[-extra:]))


def _positive(counts: Mapping[Key, int]) -> dict[Key, int]:
    return {key: count for key, count in counts.items() if count > 0}
