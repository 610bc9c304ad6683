"""Counts in the order in which guards are fed: per operation and version, step after step, minute after minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from oms.domain.histogram import merged
from oms.domain.record import Slice
from oms.domain.stage import Side
from oms.rollout.guard.steps import MINUTE_S, Step, StepIndex

LEGACY_ANSWERS = frozenset({"off", "dualwrite", "shadow"})
_STILL_SERVED_S = 2 * MINUTE_S


@dataclass(frozen=True, slots=True)
class Part:
    """What was counted in one minute within one step, named by its index; 0 is before the audit began."""

    step: int
    slice: Slice

    @property
    def stage(self) -> str:
        """Where it was counted."""
        return self.slice.place.stage

    def count(self, name: str) -> int:
        """Return one tally."""
        return self.slice.counts.get(name, 0)


@dataclass(frozen=True)
class Track:
    """One operation under one version.

    Attributes:
        operation: ``types.get``.
        parts: In the order of steps and minutes.
        legacy: Legacy's answers of all versions before each step that has parts, as a histogram.
        steps: Every step of the phase.
    """

    operation: str
    version: str
    parts: tuple[Part, ...]
    legacy: Mapping[int, Mapping[int, int]]
    steps: Sequence[Step]

    @cached_property
    def calls(self) -> int:
        """Routed calls in the present step."""
        return sum(part.count("calls") for part in self.parts if part.step == len(self.steps) - 1)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Every tally by name, of all its parts."""
        sums: dict[str, int] = {}
        for part in self.parts:
            for name, count in part.slice.counts.items():
                sums[name] = sums.get(name, 0) + count
        return sums

    @property
    def first_at_s(self) -> float | None:
        """When the first of it was counted."""
        return min((part.slice.at_s for part in self.parts), default=None)


@dataclass(frozen=True, slots=True)
class Tracks:
    """Everything that was counted for a phase.

    Attributes:
        tracks: Of the versions that are served now.
        mixed: Seams of which more than one version is served now.
    """

    tracks: tuple[Track, ...]
    mixed: tuple[str, ...] = ()


def tracks_of(slices: Iterable[Slice], steps: Sequence[Step], *, since_s: float = 0.0) -> Tracks:
    """Return the tracks of *slices*; those of a minute that began before *since_s* are left out, whoever counted in it."""
    index = StepIndex(steps)
    parts: list[Part] = []
    older: list[Part] = []
    for one in slices:
        part = Part(index.at(one.place.plan, one.at_s), one)
        (parts if one.at_s >= since_s else older).append(part)
    served = _served(parts)
    by_operation: dict[str, list[Part]] = {}
    for part in sorted([*older, *parts], key=_order):
        by_operation.setdefault(_operation(part), []).append(part)
    tracks = [
        track
        for name, all_parts in by_operation.items()
        for track in _of_operation(name, all_parts, served, steps, since_s)
    ]
    return Tracks(tuple(tracks), tuple(sorted(seam for seam, versions in served.items() if len(versions) > 1)))


def _of_operation(
    name: str, parts: Sequence[Part], served: Mapping[str, set[str]], steps: Sequence[Step], since_s: float
) -> Iterable[Track]:
    legacy = _legacy_before(parts)
    by_version: dict[str, list[Part]] = {}
    for part in parts:
        place = part.slice.place
        if part.slice.at_s >= since_s and place.version in served[place.seam]:
            by_version.setdefault(place.version, []).append(part)
    return [Track(name, version, tuple(own), legacy, steps) for version, own in by_version.items()]


def _legacy_before(parts: Sequence[Part]) -> Mapping[int, Mapping[int, int]]:
    """Return legacy's answers before each step; *parts* come in the order of steps."""
    before: dict[int, Mapping[int, int]] = {}
    so_far: dict[int, int] = {}
    pending: list[Mapping[int, int]] = []
    for part in parts:
        if part.step not in before:
            so_far = merged([so_far, *pending])
            pending = []
            before[part.step] = so_far
        if part.stage in LEGACY_ANSWERS and (durations := part.slice.durations.get(Side.LEGACY.value)):
            pending.append(durations)
    return before


def _served(parts: Iterable[Part]) -> dict[str, set[str]]:
    """Return the versions of each seam that were counted lately, by the clock of the counts."""
    newest: dict[tuple[str, str], float] = {}
    for part in parts:
        key = part.slice.place.seam, part.slice.place.version
        newest[key] = max(newest.get(key, 0.0), part.slice.at_s)
    last: dict[str, float] = {}
    for (seam, _), at_s in newest.items():
        last[seam] = max(last.get(seam, 0.0), at_s)
    served: dict[str, set[str]] = {}
    for (seam, version), at_s in newest.items():
        if at_s > last[seam] - _STILL_SERVED_S:
            served.setdefault(seam, set()).add(version)
    return served


def _operation(part: Part) -> str:
    place = part.slice.place
    return f"{place.seam}.{place.operation}"


def _order(part: Part) -> tuple[int, float]:
    return part.step, part.slice.at_s
