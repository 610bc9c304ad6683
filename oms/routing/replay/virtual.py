"""A twin in one call, driven through what the control lived through, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from oms.domain.trace import NO_OUTCOME, Trace
from oms.routing.replay.recorder import Attempt, End, Moment, Recording
from oms.routing.replay.standin import Unnamed, labelled
from oms.seams.resilience import TimeSource

_CUT = "cut"
_BARE_YIELDS = 1_000
"""So often may a twin give way without waiting for anything; one that goes on waits for something that never comes here."""


class _Pause:
    """What a twin's coroutine yields when it waits."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __await__(self) -> Generator[_Pause, Any, Any]:
        return (yield self)


_OUTCOME = _Pause("outcome")
_SLEEP = _Pause("sleep")


class Result:
    """Stands for what an attempt returned."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class VirtualClock:
    """The time that the twins of one seam live in: it stands where the event stands that is being replayed.

    Attributes:
        source: For :data:`~oms.seams.resilience.TIME`.
    """

    def __init__(self) -> None:
        self._now = Moment(0.0, 0.0)
        self._call: TwinCall | None = None
        self._dice = random.Random(0)
        self.source = TimeSource(
            monotonic=lambda: self._now.monotonic,
            wall=lambda: self._now.wall,
            sleep=self._sleep,
            asleep=self._asleep,
            wait_for=self._wait_for,
            random=self._random,
        )

    def stand(self, now: Moment, call: TwinCall | None) -> None:
        """Stand at *now*, while *call* is being driven."""
        self._now, self._call = now, call

    def _random(self) -> float:
        number = self._call.draw() if self._call is not None else None
        return self._dice.random() if number is None else number

    def _sleep(self, seconds: float) -> None:
        self._now = _later(self._now, max(0.0, seconds))

    async def _asleep(self, seconds: float) -> None:
        if self._call is not None:
            self._call.delays.append(seconds)
        await _SLEEP

    async def _wait_for(self, awaitable: Awaitable[Any], limit_s: float | None) -> Any:
        call = self._call
        if call is None:
            return await awaitable
        call.limits.append(limit_s)
        try:
            return await awaitable
        except asyncio.CancelledError:
            if not call.is_cut:
                raise
            call.is_cut = False
            call.cut_errors.append(TimeoutError())
            raise call.cut_errors[-1] from None
        finally:
            call.limits.pop()


class TwinCall:
    """One call of a twin. It goes on at the control's events, and waits for the next one in between.

    Attributes:
        attempts: Of the control, as far as they have ended.
        began_s: When the control began, seconds of the monotonic clock.
        delays: Seconds of each of its sleeps.
        limits: Time limits it stands in, innermost last.
        is_cut: Its limit ended the attempt; whoever set the limit is about to learn of it.
        cut_errors: What was raised in place of attempts that were cut.
        fault: ``censored`` or ``not_replayable`` if nothing can be said of it.
        has_no_outcome: It would have called where nothing was recorded.
    """

    def __init__(self, clock: VirtualClock, recording: Recording) -> None:
        self._clock, self._recording = clock, recording
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._waits: _Pause | None = None
        self.attempts: list[Attempt] = []
        self.began_s = 0.0
        self._stand_ins: dict[int, BaseException] = {}
        self._errors: list[str] = []
        self._wanted = self._drawn = 0
        self._outcome = ""
        self.delays: list[float] = []
        self.limits: list[float | None] = []
        self.is_cut = False
        self.cut_errors: list[BaseException] = []
        self.fault: str | None = None
        self.has_no_outcome = False

    @property
    def is_done(self) -> bool:
        """True once its coroutine has ended."""
        return self._coroutine is None

    def draw(self) -> float | None:
        """Return the control's next random number, None if it drew no further one."""
        self._drawn += 1
        draws = self._recording.draws
        return draws[self._drawn - 1] if self._drawn <= len(draws) else None

    def begin(self, at: Moment, method: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        """Call *method* of the twin with the call's arguments and a function that stands in for the user's."""

        async def attempt() -> Any:
            return await _OUTCOME

        self.began_s = at.monotonic
        args, kwargs = self._recording.arguments
        self._coroutine = method(attempt, *args, **kwargs)
        self._drive(at, lambda coroutine: coroutine.send(None))

    def attempt_ended(self, at: Moment, attempt: Attempt) -> None:
        """The control's next attempt has ended."""
        self.attempts.append(attempt)
        if self._waits is _SLEEP:
            self._wake(at)  # the control did not sleep so long, or not at all
        elif self._waits is _OUTCOME:
            self._deliver(at)

    def woke(self, at: Moment) -> None:
        """The control's sleep is over, and so is the twin's, however long it would have been."""
        if self._waits is _SLEEP:
            self._wake(at)

    def ended(self, at: Moment) -> None:
        """The control has ended: what the twin would still do, it does now."""
        while self._waits is _SLEEP:
            at = _later(at, max(0.0, self.delays[-1]))
            self._wake(at)
        if self._waits is _OUTCOME:
            self.has_no_outcome = True
            self.stop(at)

    def stop(self, at: Moment) -> None:
        """Cancel it: its permits go back."""
        if not self.is_done:
            self._drive(at, lambda coroutine: coroutine.throw(asyncio.CancelledError()))
        if self._coroutine is not None:  # it does not let itself be cancelled
            self._abandon()

    def trace(self, state: str | None) -> Trace:
        """Return what it did; *state* is where its breaker stands now."""
        outcome = NO_OUTCOME if self.has_no_outcome else self._outcome
        return Trace(self._wanted, tuple(self._errors), tuple(self.delays), outcome, state)

    def control_trace(self, outcome: str, state: str | None) -> Trace:
        """Return what the control did, which ended with *outcome* and left its breaker in *state*."""
        labels = {End.RAISED: lambda one: self._label(one.error), End.CUT: lambda one: _CUT}
        errors = tuple(labels[one.end](one) for one in self.attempts if one.end in labels)
        return Trace(len(self.attempts), errors, tuple(self._recording.delays), outcome, state)

    def _wake(self, at: Moment) -> None:
        self._drive(at, lambda coroutine: coroutine.send(None))

    def _deliver(self, at: Moment) -> None:
        """Give the twin the outcome of the attempt that it waits for."""
        number = self._wanted
        attempt = self.attempts[number - 1]
        limit = min((one for one in self.limits if one is not None), default=None)
        if limit is not None and (attempt.took > limit or (attempt.end is End.CUT and attempt.took >= limit)):
            self.is_cut = True
            self._errors.append(_CUT)
            self._drive(_later(at, limit - attempt.took), lambda coroutine: coroutine.throw(asyncio.CancelledError()))
        elif attempt.end is End.RETURNED:
            self._drive(at, lambda coroutine: coroutine.send(Result(number)))
        elif attempt.end is End.RAISED and attempt.error is not None and not isinstance(attempt.error, Unnamed):
            error = attempt.error
            self._stand_ins[number] = error
            self._errors.append(self._label(error))
            self._drive(at, lambda coroutine: coroutine.throw(error))
        else:
            if attempt.end is not End.CANCELLED:
                self.fault = "censored" if attempt.end is End.CUT else "not_replayable"
            self.stop(at)

    def _label(self, error: BaseException) -> str:
        return labelled(error, self._recording.operation.label)

    def _drive(self, at: Moment, go: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        coroutine = self._coroutine
        if coroutine is None:
            return
        self._waits = None
        self._clock.stand(at, self)
        try:
            pause = go(coroutine)
            for _ in range(_BARE_YIELDS):
                if pause is not None:
                    break
                pause = coroutine.send(None)
        except StopIteration as end:
            self._coroutine = None
            value = end.value
            self._outcome = f"result {value.number}" if isinstance(value, Result) else "own result"
            return
        except BaseException as error:  # whatever it raises is its answer, and the lane's thread must live on
            self._coroutine = None
            self._outcome = self._named(error)
            return
        finally:
            self._clock.stand(at, None)
        if pause is _SLEEP:
            self._waits = _SLEEP
        elif pause is _OUTCOME:
            self._wanted += 1
            self._waits = _OUTCOME
            if self._wanted <= len(self.attempts):
                self._deliver(at)
        else:
            self.fault = "not_replayable"
            self._abandon()

    def _named(self, error: BaseException) -> str:
        for number, one in self._stand_ins.items():
            if one is error:
                return f"error {number}"
        if any(one is error for one in self.cut_errors):
            return f"cut {self._wanted}"
        return type(error).__qualname__

    def _abandon(self) -> None:
        coroutine, self._coroutine, self._waits = self._coroutine, None, None
        if coroutine is not None:
            try:
                coroutine.close()
            except BaseException:  # a generator that will not end is the twin's own fault, and nobody waits for it
                self.fault = "not_replayable"


def _later(moment: Moment, seconds: float) -> Moment:
    return Moment(moment.monotonic + seconds, moment.wall + seconds)
