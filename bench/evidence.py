"""What guards and verdicts cost to read: a million comparisons of five phases over three days, and the version of a seam at its binding."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.guard_look import look
from bench.results import Line, within
from bench.sides import DictSide
from oms.domain.evidence import Evidence, total
from oms.domain.histogram import bucket_of
from oms.domain.readiness import Demand, PhaseVerdict, judge, phase_verdict
from oms.domain.record import Batch, Latency, Place, Slice, Tally, Units
from oms.journal import Journal, JournalReader
from oms.legacy_adapters.cache import legacy_types
from oms.rollout.guard.controller import Look
from oms.routing.version import version_of
from oms.seams.cache import TYPES
from oms.seams.known import load_known
from oms.unified.cache import CacheRegistry

_COMPARISONS = 1_000_000
_PHASES = ("config", "resilience", "cache", "security", "observability")
_OPERATIONS = 50
_DAYS = 3.0
_PLANS = 6
"""Steps of a rollout in these days, each with places of its own."""

_FLUSHES = 1_000


def measure() -> list[Line]:
    """Return the lines of this section."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        now = time.time()
        _write(path, now)
        return [*_verdicts(path, now), *_looks(path, now), *_versions()]


def _verdicts(path: Path, now: float) -> list[Line]:
    found: list[PhaseVerdict] = []
    every = _fastest(lambda: found.extend(_judged(path, now)))
    one = _fastest(lambda: _slices(path, "cache", since_s=now - 86_400.0, by_minute=True))
    whole = _fastest(lambda: _slices(path, None, since_s=0.0, by_minute=False))
    poll = _fastest(lambda: _slices(path, "cache", since_s=now - 120.0, by_minute=True))
    operations = sum(len(verdict.operations) for verdict in found[: len(_PHASES)])
    seen = f"{operations} operations, {path.stat().st_size / 1e6:.0f} MB"
    return [
        within("verdicts for 5 phases x 50 operations over 1,000,000 comparisons in three days", every, "s", 1.0, seen),
        Line("the counts and the durations of all of them", whole, "s"),
        Line("minutes of one phase for its guards, a day back", one * 1e3, "ms"),
        Line("the same, two minutes back: what each look of a running controller reads", poll * 1e3, "ms"),
    ]


def _looks(path: Path, now: float) -> list[Line]:
    found: list[Look] = []
    taken = _fastest(lambda: found.append(look(path, _plan(_FLUSHES - 1), now_s=now)))
    guards = sum(len(one.assessment.guards) for one in found[0].phases)
    what = "a look of the controller: guards and verdicts of 5 phases x 50 operations"
    return [within(what, taken, "s", 1.0, f"{guards} guards")]


def _judged(path: Path, now: float) -> Iterator[PhaseVerdict]:
    """Read everything once, and judge each operation over all its stages and plans."""
    with JournalReader(path) as reader:
        slices = reader.slices(by_minute=False, durations=False)
    by_operation: dict[tuple[str, str, str], list[Slice]] = {}
    for one in slices:
        place = one.place
        by_operation.setdefault((place.phase, place.seam, place.operation), []).append(one)
    for phase in _PHASES:
        yield phase_verdict(
            judge(
                f"{phase}.{seam}.{operation}",
                total(Evidence.of(one.counts, first_at_s=one.at_s) for one in parts),
                Demand(),
                now_s=now,
            )
            for (at, seam, operation), parts in by_operation.items()
            if at == phase
        )


def _slices(path: Path, phase: str | None, *, since_s: float, by_minute: bool) -> list[Slice]:
    with JournalReader(path) as reader:
        return reader.slices(phase, since_s=since_s, by_minute=by_minute)


def _versions() -> list[Line]:
    legacy, unified = legacy_types(max_size=10), CacheRegistry().get_cache("types")
    rules = load_known("cache")
    house = _fastest(lambda: version_of(TYPES, legacy=legacy, unified=unified, rules=rules))
    other = _fastest(lambda: version_of(TYPES, legacy=DictSide(), unified=DictSide(), rules=rules))
    return [
        within("version of a seam at its binding (cache.types)", house * 1e3, "ms", 20.0),
        Line("the same for sides that are one module each", other * 1e3, "ms"),
    ]


def _write(path: Path, now: float) -> None:
    """Fill the journal through the shipped writer, the clock set to the time of each flush."""
    began = now - _DAYS * 86_400.0
    clock, batches = [began], _batches()
    journal = Journal(path, lambda: next(batches, Batch()), clock=lambda: clock[0])
    for number in range(_FLUSHES):
        clock[0] = began + (number + 1) * _DAYS * 86_400.0 / _FLUSHES
        journal.flush()
    journal.stop(5.0)


def _batches() -> Iterator[Batch]:
    chance = random.Random(11)
    calls = _COMPARISONS // _FLUSHES
    for number in range(_FLUSHES):
        plan = _plan(number)
        batch = Batch()
        counted: dict[int, int] = {}
        for _ in range(calls):
            where = chance.randrange(len(_PHASES) * _OPERATIONS)
            counted[where] = counted.get(where, 0) + 1
        for where, count in counted.items():
            phase, operation = divmod(where, _OPERATIONS)
            place = Place(_PHASES[phase], f"seam{operation % 5}", f"op{operation}", "shadow", plan, "0123456789abcdef")
            names = ("calls", "shadowed", "matched", "errors.none", "repeated", "noise", "unit_errors")
            batch.tallies += [Tally(place, name, count) for name in names]
            for side in ("legacy", "unified"):
                batch.latencies.append(Latency(place, side, _durations(chance, count)))
            if phase == 0:  # one phase is in a split at a time
                batch.units.append(Units(place, _durations(chance, count)))
        yield batch


def _plan(flush: int) -> str:
    return f"{flush * _PLANS // _FLUSHES:016x}"


def _durations(chance: random.Random, count: int) -> dict[int, int]:
    buckets: dict[int, int] = {}
    for _ in range(count):
        bucket = bucket_of(int(chance.lognormvariate(0, 0.9) * 20_000_000))
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return buckets


def _fastest(work: Callable[[], object], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)
