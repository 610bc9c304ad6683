"""Bad events that the guards are fed with, and when a guard lays a new bet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oms.domain.guardrails import PAIRED, Restart, SlowLine, freeze
from oms.domain.stage import Stage
from oms.rollout.guard.policy import SlowPolicy
from oms.rollout.guard.steps import Canary
from oms.rollout.guard.tracks import Part, Track


@dataclass(frozen=True, slots=True)
class Event:
    """Bad events of one part, and the share that unified had of what they were drawn from."""

    part: Part
    share: float
    unified: int
    legacy: int


class Restarts:
    """Tells when a guard lays a new bet: at each step, and when the policy says so."""

    def __init__(self, restart: Restart) -> None:
        self._restart, self._step, self._calls, self._at_s = restart, -1, 0, 0.0

    def due(self, part: Part) -> bool:
        """Tell whether a bet is due before *part*; never before the first one, which is laid already."""
        first = self._step == -1
        due = part.step != self._step or self._restart.is_due(calls=self._calls, seconds=part.slice.at_s - self._at_s)
        if due:
            self._step, self._calls, self._at_s = part.step, 0, part.slice.at_s
        self._calls += part.count("calls")
        return due and not first


def pairs(track: Track) -> Iterator[Event]:
    """Calls that both sides ran, by who failed alone."""
    for part in track.parts:
        unified, legacy = part.count("errors.unified"), part.count("errors.legacy")
        if unified or legacy or part.count("errors.none") or part.count("errors.both"):
            yield Event(part, PAIRED, unified, legacy)


def failed_units(track: Track) -> Iterator[Event]:
    """Keys that failed in rampdown, where only one side runs."""
    if not any(track.canaries):
        return
    for part in track.parts:
        canary = _canary(track, part)
        if canary is not None and canary.advanced is Stage.RAMPDOWN:
            yield _by_share(part, canary, part.count("unit_errors"))


def slow_units(track: Track, lines: Mapping[int, SlowLine | None]) -> Iterator[Event]:
    """Keys whose slowest answer took longer than the line of its step."""
    if not any(lines.values()):
        return
    for part in track.parts:
        canary, line = _canary(track, part), lines.get(part.step)
        if canary is not None and line is not None:
            yield _by_share(part, canary, max(0, line.count(part.slice.units)))


def slow_lines(track: Track, quantile: float, policy: SlowPolicy) -> dict[int, SlowLine | None]:
    """Return by step the line above which an answer is slow, as legacy's answers before that step have it; None if they are too few."""
    least, floor_ns = policy.line_calls, round(policy.floor_s * 1e9)
    return {
        step: freeze(buckets, quantile, min_calls=least, floor_ns=floor_ns)
        for step, buckets in track.legacy.items()
        if track.canaries[step]
    }


def _canary(track: Track, part: Part) -> Canary | None:
    """Return the canary that *part* was counted in, None if its plan had none or it belongs to neither cohort."""
    canary = track.canaries[part.step]
    return canary if canary is not None and part.stage in (canary.advanced.value, canary.rest.value) else None


def _by_share(part: Part, canary: Canary, bad: int) -> Event:
    is_advanced = part.stage == canary.advanced.value
    return Event(part, canary.share, bad if is_advanced else 0, 0 if is_advanced else bad)
