"""Counts in the order in which guards are fed: per operation and version, step after step, minute after minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from oms.domain.histogram import merged
from oms.domain.record import Slice
from oms.domain.stage import Side
from oms.rollout.guard.steps import MINUTE_S, Canary, Step, StepIndex

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
    def canaries(self) -> tuple[Canary | None, ...]:
        """The canary of each step, None where there was none."""
        return tuple(step.canary for step in self.steps)

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


def tracks_of(slices: Iterable[Slice], sums: Iterable[Slice], steps: Sequence[Step], *, since_s: float = 0.0) -> Tracks:
    """Return the tracks of *slices*, a minute each or a whole step; *sums*, a place each, have the durations.

    Slices of a minute that began before *since_s* are left out, whoever counted in it; what legacy took before that still tells what slow is.
    """
    index = StepIndex(steps)
    parts = [Part(index.at(one.place.plan, one.at_s), one) for one in slices if one.at_s >= since_s]
    served = _served(parts)
    legacy = _legacy_by_step(sums, index)
    by_track: dict[tuple[str, str], list[Part]] = {}
    for part in sorted(parts, key=_order):
        place = part.slice.place
        if place.version in served[place.seam]:
            by_track.setdefault((_operation(part.slice), place.version), []).append(part)
    tracks = (
        Track(operation, version, tuple(own), _before_each(legacy.get(operation, {}), own), steps)
        for (operation, version), own in by_track.items()
    )
    return Tracks(tuple(tracks), tuple(sorted(seam for seam, versions in served.items() if len(versions) > 1)))


def _legacy_by_step(sums: Iterable[Slice], index: StepIndex) -> dict[str, dict[int, Mapping[int, int]]]:
    """Return legacy's answers by operation and step, of every version."""
    found: dict[str, dict[int, Mapping[int, int]]] = {}
    for one in sums:
        durations = one.durations.get(Side.LEGACY.value)
        if durations and one.place.stage in LEGACY_ANSWERS:
            step = index.at(one.place.plan, one.at_s)
            own = found.setdefault(_operation(one), {})
            own[step] = merged([own.get(step, {}), durations])
    return found


def _before_each(legacy: Mapping[int, Mapping[int, int]], parts: Iterable[Part]) -> Mapping[int, Mapping[int, int]]:
    wanted = {part.step for part in parts}
    return {step: merged(own for earlier, own in legacy.items() if earlier < step) for step in wanted}


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


def _operation(one: Slice) -> str:
    place = one.place
    return f"{place.seam}.{place.operation}"


def _order(part: Part) -> tuple[int, float]:
    return part.step, part.slice.at_s
