"""One call of an effect lived through again, as the journal has it: what a pinned divergence of retries and breakers is stated with."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oms.domain.divergence import Divergence
from oms.domain.observation import Outcome
from oms.domain.phase import Seam
from oms.domain.stage import Side, Stage
from oms.routing import LaneLimits, Runtime
from oms.routing.replay.script import CUT, OK, error_named
from oms.seams.resilience import TIME, TimeSource, living_in
from oms.testing.journal import MemoryJournal
from oms.testing.stages import fixed_stage
from oms.testing.vantage import Sides
from oms.testing.virtual_time import VirtualTime

_COMPARED = (Outcome.MATCHED, Outcome.REASONABLE, Outcome.MISMATCHED)
_AMPLE = LaneLimits(cpu_share=50.0, block_s=60.0)
_STAGES = {Side.LEGACY: Stage.SHADOW, Side.UNIFIED: Stage.LIVE}
_LIMIT_S = 60.0
_BEYOND_ANY_LIMIT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Earlier:
    """Earlier calls on the same breaker or budget that came to the same.

    Attributes:
        first_s, last_s: How many seconds before the call that is asked about the first and the last of them began.
        calls: How many there were.
        came_to: What their attempts came to, in the words of a script.
    """

    first_s: float
    last_s: float
    calls: int
    came_to: Sequence[str]

    def begin(self) -> Iterator[float]:
        """Yield how many seconds before it each of them begins, the first one first; they are spread evenly."""
        step_s = (self.first_s - self.last_s) / max(1, self.calls - 1)
        yield from (self.first_s - number * step_s for number in range(self.calls))


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What one call of an effect lived through.

    Attributes:
        control: The side that answered; the other one is replayed in virtual time, as a shadow does it.
        attempts: Seconds that each attempt took, and what it came to: ``ok``, ``cut`` by the side's own limit, or module and label of what
            was raised, ``httpx:HTTPStatusError.503``. A side that tries more often meets the last one again.
        draws: Random numbers that the control drew, in order.
        past: Earlier calls, the oldest first.
    """

    control: Side
    attempts: Sequence[tuple[float, str]]
    draws: Sequence[float] = ()
    past: Sequence[Earlier] = ()


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it.

    Attributes:
        divergences: Where the sides differed.
        outcome: What the comparison came to, ``matched`` ...; None if there was none.
    """

    divergences: tuple[Divergence, ...]
    outcome: str | None

    def differences(self, *, mend: Side, at: str = "") -> list[str]:
        """Return where the sides differ at the path *at*, in what it is part of and in its parts, a line each.

        A call that was not compared says so: it must not pass for one in which the sides agree.
        """
        if self.outcome not in _COMPARED:
            return [f"the call was not compared: {self.outcome or 'nothing was counted'}"]
        return [f"{mend} has to change: {one.kind} at {one.path}" for one in self.divergences if overlap(one.path, at)]


class Stand:
    """Both sides of one seam in a hall of their own, in virtual time.

    Args:
        script: What one call will live through.
    """

    def __init__(self, seam: Seam[Any, Any], sides: Sides, script: Script) -> None:
        self._script = script
        self._time = VirtualTime()
        self._dice, self._draws = self._time.source.random, iter(script.draws)
        self._source = replace(self._time.source, random=self._random)
        self._is_asked = False
        self._runtime = Runtime(limits=_AMPLE)
        self._runtime.publish(fixed_stage(_STAGES[script.control], seam.phase))
        self._runtime.bind(seam, legacy=sides.legacy, unified=sides.unified)
        self._port = self._runtime.facade(seam)
        self._journal = MemoryJournal(self._runtime.drain)
        self._calls = 0

    async def live_through(self, operation: str, arguments: dict[str, object]) -> Replayed:
        """Make the earlier calls, then the one that is asked about, and end the hall."""
        try:
            return await self._live_through(operation, self._script, arguments)
        finally:
            self._runtime.stop(limit_s=_LIMIT_S)

    async def _live_through(self, operation: str, script: Script, arguments: dict[str, object]) -> Replayed:
        with living_in(self._source):
            begins_s = self._time.now_s + max((one.first_s for one in script.past), default=0.0)
            for earlier in script.past:
                for ago_s in earlier.begin():
                    self._time.now_s = max(self._time.now_s, begins_s - ago_s)
                    await self._call(operation, [(0.0, word) for word in earlier.came_to], arguments)
            self._time.now_s = max(self._time.now_s, begins_s)
            before = {outcome: self._journal.count(outcome) for outcome in Outcome}
            self._journal.divergences.clear()
            self._is_asked = True
            await self._call(operation, script.attempts, arguments)
        came_to = [one.value for one in Outcome if self._journal.count(one) > before[one]]
        return Replayed(tuple(self._journal.divergences), came_to[0] if came_to else None)

    def _random(self) -> float:
        number = next(self._draws, None) if self._is_asked else None
        return self._dice() if number is None else number

    async def _call(self, operation: str, attempts: Sequence[tuple[float, str]], arguments: dict[str, object]) -> None:
        with contextlib.suppress(Exception):  # what a side raises is what the hall compares
            await getattr(self._port, operation)(_function(attempts), **arguments)
        self._calls += 1
        self._journal.wait_for(lambda journal: journal.count("calls") >= self._calls, limit_s=_LIMIT_S)


def _function(attempts: Sequence[tuple[float, str]]) -> Callable[[], Awaitable[str]]:
    """Return a user's function that does as *attempts* say, and as the last of them says from then on."""
    left = iter([*attempts] or [(0.0, OK)])
    last = attempts[-1] if attempts else (0.0, OK)

    async def function() -> str:
        took_s, word = next(left, last)
        time: TimeSource = TIME.get()
        await time.asleep(took_s if word != CUT else _BEYOND_ANY_LIMIT_S)
        if word not in (OK, CUT):
            raise error_named(word)
        return word

    return function


def overlap(one: str, other: str) -> bool:
    """Tell whether the field path *one* is *other*, or part of it, or has it as a part."""
    return not one or not other or f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
