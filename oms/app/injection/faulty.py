"""Faults around unified's reads."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oms.app.injection.faults import TAIL_SHARE, Faults
from oms.app.injection.methods import Replaced, chance_of, reads_of
from oms.app.injection.pace import Pace
from oms.domain.phase import Seam
from oms.domain.stage import Side

HANG_S = 3.0
"""How long a call that hangs takes, in seconds: three times what the ports allow, and less than a client waits."""

_MARK = "injected"
_REAL = Pace()


class Injected(Exception):
    """The error that unified raises because a rehearsal asked for it."""


@dataclass(frozen=True, slots=True)
class _Course:
    """What one call is to do, drawn before it begins."""

    raises: bool
    is_wrong: bool
    factor: float


class Injection:
    """Makes unified's reads faulty while ``is_on``, which whoever holds the switch sets; until then, and around all else, it changes nothing.

    Args:
        faults: What goes wrong.
        seed: The same seed draws the same calls of each operation.
        hang_s: How long a hanging call takes, in seconds.
        pace: How time is told and spent.
    """

    def __init__(self, faults: Faults, *, seed: int, hang_s: float = HANG_S, pace: Pace = _REAL) -> None:
        self.is_on = False
        self._faults = faults
        self._seed = seed
        self._hang_s = hang_s
        self._pace = pace

    def around(self, seam: Seam[Any, Any], side: Side, implementation: object) -> object:
        """Return *implementation* to be bound in its place; a legacy side is returned as it is."""
        if side is Side.LEGACY or self._faults.is_none:
            return implementation
        methods = {
            name: (self._async if operation.is_async else self._sync)(
                getattr(implementation, name), chance_of(self._seed, seam, side, name)
            )
            for name, operation in reads_of(seam).items()
        }
        return Replaced(implementation, methods)

    def _sync(self, method: Callable[..., Any], chance: random.Random) -> Callable[..., Any]:
        @functools.wraps(method)
        def faulty(*args: Any, **kwargs: Any) -> Any:
            if not self.is_on:
                return method(*args, **kwargs)
            course = self._draw(chance)
            began = self._pace.now()
            answer = method(*args, **kwargs)
            self._pace.wait(self._delay(course, self._pace.now() - began))
            return _answered(course, answer)

        return faulty

    def _async(self, method: Callable[..., Any], chance: random.Random) -> Callable[..., Any]:
        @functools.wraps(method)
        async def faulty(*args: Any, **kwargs: Any) -> Any:
            if not self.is_on:
                return await method(*args, **kwargs)
            course = self._draw(chance)
            began = self._pace.now()
            answer = await method(*args, **kwargs)
            await self._pace.await_(self._delay(course, self._pace.now() - began))
            return _answered(course, answer)

        return faulty

    def _draw(self, chance: random.Random) -> _Course:
        faults = self._faults
        # Three draws whatever the faults are, so that the same calls are hit when another fault is added.
        raises, is_wrong, in_tail = chance.random(), chance.random(), chance.random()
        factor = faults.slow * (faults.tail if in_tail < TAIL_SHARE else 1.0)
        return _Course(raises < faults.errors, is_wrong < faults.wrong, factor)

    def _delay(self, course: _Course, took_s: float) -> float:
        """Return for how long a call that took *took_s* is to be held back, in seconds."""
        return (self._hang_s if self._faults.hang else 0.0) + (course.factor - 1.0) * took_s


def _answered(course: _Course, answer: object) -> object:
    if course.raises:
        raise Injected("a rehearsal asked for this error")
    return wrong(answer) if course.is_wrong else answer


def wrong(answer: object) -> object:
    """Return another answer of the same kind, as a caller may go on with it. A miss stays a miss; the answer itself is not touched."""
    if isinstance(answer, dict):
        return {**answer, _MARK: True}
    if isinstance(answer, list):
        return [*answer, _MARK]
    if isinstance(answer, str):
        return answer + _MARK
    if isinstance(answer, bool):
        return not answer
    if isinstance(answer, (int, float)):
        return answer + 1
    return None if answer is None else repr(answer)
