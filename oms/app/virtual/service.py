"""A service in the virtual world: the real hall, flags and journal, with seeded callers."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from oms.app.injection import Faults, Injection, Pace
from oms.app.rehearsal.zipf import Zipf
from oms.app.virtual.clock import VirtualClock
from oms.app.virtual.side import VirtualCache, key_of
from oms.app.virtual.world import Unavailable, World
from oms.domain.phase import Operation, Phase
from oms.domain.stage import Side
from oms.domain.standing import ProcessStanding
from oms.flagging.files import FlagFiles
from oms.flagging.source import FlagSource
from oms.journal import Journal
from oms.routing import LaneLimits, Runtime
from oms.routing.state import SeamState
from oms.routing.tally import Cell
from oms.routing.watchdog import InFlight
from oms.seams import PHASES
from oms.seams.cache import CACHE, TYPES
from oms.testing.inline_lane import InlineLane

PHASE: Phase = CACHE
OPERATION = "get"
"""The one operation that is called: ``cache.types.get``."""

_TENANTS = 2_000
_LIMITS = LaneLimits(cpu_share=1e6)
"""Everything is compared: how busy the machine is must not show in virtual time."""


class _Unwatched(Runtime):
    """A hall whose watchdog sees no call: how long one really takes must not show in virtual time."""

    def enter(self, state: SeamState, operation: Operation, cell: Cell, side: Side) -> InFlight:
        return InFlight(state, operation, cell, side)


class VirtualService:
    """One process of a service whose every call is a read of ``cache.types``, ``calls_per_s`` of them a second, by tenants of Zipf's law.

    Args:
        folder: Has ``flags/``; gets ``var/``.
        clock: The wall that the callers move.
        faults: What goes wrong in unified once ``injection.is_on`` is set.

    Attributes:
        calls: Calls so far.
        failed: Calls that the caller saw fail.
        injection: The switch of the faults.
    """

    def __init__(
        self, folder: Path, world: World, clock: VirtualClock, *, faults: Faults, calls_per_s: float = 2.0
    ) -> None:
        self.clock = clock
        self.calls = 0
        self.failed: Counter[str] = Counter()
        pace = Pace(now=clock.elapsed_s, wait=clock.spend)
        self.injection = Injection(faults, seed=world.seed, pace=pace)
        self._calls_per_s = calls_per_s
        self._at: list[float] = []
        self._tenants = Zipf(
            [f"tenant-{n:04}" for n in range(_TENANTS)], exponent=1.05, chance=random.Random(world.seed)
        )
        self.runtime = _Unwatched(
            hash_key=b"virtual", limits=_LIMITS, clock_ns=clock.elapsed_ns, clock=clock, lane=InlineLane
        )
        sides = {side: VirtualCache(side, world, clock, self._at.__getitem__) for side in Side}
        self.runtime.bind(
            TYPES,
            legacy=sides[Side.LEGACY],
            unified=self.injection.around(TYPES, Side.UNIFIED, sides[Side.UNIFIED]),
        )
        self._get = self.runtime.facade(TYPES).get
        self.source = FlagSource(
            FlagFiles(folder / "flags", PHASES), snapshots=folder / "var" / "last-good", publish=self.runtime.publish
        )
        self.source.load()
        self._journal = Journal(folder / "var" / "journal.db", self.runtime.drain, clock=clock)

    def drive(self, seconds: float) -> None:
        """Let *seconds* go by with their calls, then write the journal and follow the flags."""
        step, calls = 1.0 / self._calls_per_s, round(seconds * self._calls_per_s)
        for _ in range(calls):
            self.clock.now_s += step
            self._at.append(self.clock.now_s)
            self._call(len(self._at) - 1)
        self._journal.flush()
        self.source.refresh()

    def processes(self) -> Sequence[ProcessStanding]:
        """Return this process as it stands, heard of just now; it follows the flags at once."""
        self.source.refresh()
        return [
            ProcessStanding(os.getpid(), 1, "virtual", self.clock.now_s, alive=True, phases=self.runtime.standing())
        ]

    @property
    def injected_errors(self) -> int:
        """Calls that the caller saw fail by an injected fault: the world's own errors come through whoever answers."""
        return sum(count for name, count in self.failed.items() if name != Unavailable.__name__)

    def stop(self) -> None:
        """End every thread."""
        self.runtime.stop()
        self._journal.stop(1.0)

    def _call(self, number: int) -> None:
        self.calls += 1
        with self.runtime.scope(targeting_key=self._tenants.choose()):
            try:
                self._get(key_of(number))
            except Exception as error:  # whatever a caller would have seen
                self.failed[type(error).__name__] += 1
