"""A twin in one call, driven through what the control lived through, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

from oms.domain.trace import NO_OUTCOME, Trace
from oms.routing.replay.recorder import Attempt, End, Moment
from oms.routing.replay.reel import Reel
from oms.routing.replay.script import word_of
from oms.routing.replay.standin import Unnamed, labelled, stand_in
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


_RETURNED, _CUT_SHORT = End.RETURNED, End.CUT
_FAILED = (End.RAISED, End.CUT)
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
            random=self._roll,
        )

    def stand(self, now: Moment, call: TwinCall | None) -> None:
        """Stand at *now*, while *call* is being driven."""
        self._now, self._call = now, call

    def _roll(self) -> float:
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

    is_cut = has_no_outcome = False
    fault: str | None = None
    _coroutine: Coroutine[Any, Any, Any] | None = None
    _waits: _Pause | None = None
    _wanted = _drawn = 0
    _outcome = ""
    began_s = 0.0

    def __init__(self, clock: VirtualClock, reel: Reel) -> None:
        self._clock, self._reel = clock, reel
        self.attempts: list[Attempt] = []
        self._labels: list[str] = []
        self._errors: list[str] = []
        self._raised: list[tuple[int, BaseException]] = []
        self.delays: list[float] = []
        self.limits: list[float | None] = []
        self.cut_errors: list[BaseException] = []

    @property
    def is_done(self) -> bool:
        """True once its coroutine has ended."""
        return self._coroutine is None

    def draw(self) -> float | None:
        """Return the control's next random number, None if it drew no further one."""
        self._drawn += 1
        draws = self._reel.draws
        return draws[self._drawn - 1] if self._drawn <= len(draws) else None

    def begin(self, at: Moment, method: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        """Call *method* of the twin with the call's arguments and a function that stands in for the user's."""
        self.began_s = at.monotonic
        args, kwargs = self._reel.given
        self._coroutine = method(_attempt, *args, **kwargs)
        self._drive(at)

    def attempt_ended(self, at: Moment, attempt: Attempt) -> None:
        """The control's next attempt has ended."""
        self.attempts.append(attempt)
        if self._waits is _SLEEP:
            self._drive(at)  # the control did not sleep so long, or not at all
        elif self._waits is _OUTCOME:
            self._deliver(at)

    def woke(self, at: Moment) -> None:
        """The control's sleep is over, and so is the twin's, however long it would have been."""
        if self._waits is _SLEEP:
            self._drive(at)

    def ended(self, at: Moment) -> None:
        """The control has ended: what the twin would still do, it does now."""
        while self._waits is _SLEEP:
            at = _later(at, max(0.0, self.delays[-1]))
            self._drive(at)
        if self._waits is _OUTCOME:
            self.has_no_outcome = True
            self.stop(at)

    def stop(self, at: Moment) -> None:
        """Cancel it: its permits go back."""
        if not self.is_done:
            self._drive(at, error=asyncio.CancelledError())
        if self._coroutine is not None:  # it does not let itself be cancelled
            self._abandon()

    def did_as(self, outcome: str) -> bool:
        """Tell whether it did what the control did, which ended with *outcome*: to the last digit, but for where its breaker stands."""
        return (
            outcome == self._outcome
            and not self.has_no_outcome
            and self._wanted == len(self.attempts)
            and self.delays == list(self._reel.delays)
            and self._errors == self._control_errors()
        )

    def trace(self, state: str | None) -> Trace:
        """Return what it did; *state* is where its breaker stands now."""
        outcome = NO_OUTCOME if self.has_no_outcome else self._outcome
        return Trace(self._wanted, tuple(self._errors), tuple(self.delays), outcome, state)

    def control_trace(self, outcome: str, state: str | None) -> Trace:
        """Return what the control did, which ended with *outcome* and left its breaker in *state*."""
        return Trace(len(self.attempts), tuple(self._control_errors()), tuple(self._reel.delays), outcome, state)

    def words(self) -> tuple[str, ...]:
        """Return what each of the control's attempts came to."""
        return tuple(
            word_of(one, self._label(number) if one.error is not None else "")
            for number, one in enumerate(self.attempts)
        )

    def _control_errors(self) -> list[str]:
        return [self._label(number) for number, one in enumerate(self.attempts) if one.end in _FAILED]

    def _label(self, number: int) -> str:
        """Return the label of the error that ended the control's attempt *number*, counted from 0. Each is asked for once."""
        labels = self._labels
        while len(labels) <= number:
            attempt = self.attempts[len(labels)]
            if attempt.error is None:
                labels.append(_CUT)
            else:
                labels.append(labelled(stand_in(attempt.error), self._reel.operation.label))
        return labels[number]

    def _deliver(self, at: Moment) -> None:
        """Give the twin the outcome of the attempt that it waits for."""
        number = self._wanted
        attempt = self.attempts[number - 1]
        end, took, like = attempt
        limit = min((one for one in self.limits if one is not None), default=None) if self.limits else None
        if limit is not None and (took > limit or (end is _CUT_SHORT and took >= limit)):
            self.is_cut = True
            self._errors.append(_CUT)
            self._drive(_later(at, limit - took), error=asyncio.CancelledError())
            return
        if end is _RETURNED:
            self._drive(at, Result(number))
            return
        if like is not None and not isinstance(error := stand_in(like), Unnamed):
            # Labelled before the twin sees it: that may write on it.
            if len(self._labels) == number - 1:
                self._labels.append(labelled(error, self._reel.operation.label))
            self._errors.append(self._label(number - 1))
            self._raised.append((number, error))
            self._drive(at, error=error)
            return
        if end is not End.CANCELLED:
            self.fault = "censored" if end is _CUT_SHORT else "not_replayable"
        self.stop(at)

    def _drive(self, at: Moment, sent: object = None, error: BaseException | None = None) -> None:
        """Let it go on, with *sent* or with *error*, until it waits again."""
        coroutine = self._coroutine
        if coroutine is None:
            return
        self._waits = None
        self._clock.stand(at, self)
        try:
            pause = coroutine.send(sent) if error is None else coroutine.throw(error)
            if pause is None:
                pause = _after_bare_yields(coroutine)
        except StopIteration as end:
            self._coroutine = None
            value = end.value
            self._outcome = f"result {value.number}" if isinstance(value, Result) else "own result"
            return
        except BaseException as raised:  # whatever it raises is its answer, and the lane's thread must live on
            self._coroutine = None
            self._outcome = self._named(raised)
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
        for number, one in self._raised:
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


async def _attempt(*args: Any, **kwargs: Any) -> Any:
    """Stand in for the user's function."""
    return await _OUTCOME


def _after_bare_yields(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return what *coroutine* waits for after it has given way some more times; None if it goes on giving way."""
    for _ in range(_BARE_YIELDS):
        pause = coroutine.send(None)
        if pause is not None:
            return pause
    return None


def _later(moment: Moment, seconds: float) -> Moment:
    return Moment(moment.monotonic + seconds, moment.wall + seconds)
