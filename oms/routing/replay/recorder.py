"""What the control does in one call, written down as it happens, in the caller."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from oms.routing.replay.standin import Likeness, likeness
from oms.seams.resilience import TIME, TimeSource

GONE = (asyncio.CancelledError, GeneratorExit)
"""What ends a call whose caller no longer waits for it."""

MOST_ATTEMPTS = 1_000
"""Attempts of one call that are written down. One that goes on is not replayed, or a call that never ends would fill the tape."""

_ERRORS_KEPT = 50
"""Errors of one call that it may still end with: each holds the frames it was raised in."""


class Moment(NamedTuple):
    """What both clocks show during one step."""

    monotonic: float
    wall: float


class End(Enum):
    """How an attempt ended."""

    RETURNED = "returned"
    RAISED = "raised"
    CUT = "cut"
    CANCELLED = "cancelled"


class Circuit(NamedTuple):
    """A breaker as a side tells of it: its state in a word, None if it has none, and the seconds that it stays open."""

    state: str | None = None
    open_for_s: float = 0.0


class Begun(NamedTuple):
    """The call begins."""


class Attempt(NamedTuple):
    """The user's function has run.

    Attributes:
        took: Seconds it ran; of one that was cut, the control's limit.
        error: What another object like the one it raised is made from. Of one that was cut, None.
    """

    end: End
    took: float
    error: Likeness | None


class Woke(NamedTuple):
    """The control's sleep is over."""


class Ended(NamedTuple):
    """The call has ended, as *outcome* says (see :class:`~oms.domain.trace.Trace`); None if its caller was cancelled."""

    outcome: str | None
    circuit: Circuit


Happening = Begun | Attempt | Woke | Ended

_BEGUN, _WOKE = Begun(), Woke()
_RETURNED, _RAISED, _CUT, _CANCELLED = End
set_time = TIME.set
# A named tuple's own constructor takes three times as long.
_moment: Callable[[type[Moment], tuple[float, float]], Moment] = tuple.__new__
_attempt: Callable[[type[Attempt], tuple[End, float, Likeness | None]], Attempt] = tuple.__new__
_ended: Callable[[type[Ended], tuple[str | None, Circuit]], Ended] = tuple.__new__


class Recorder(TimeSource):
    """The pen that writes the events of one call on the tape, and the time that its control lives in.

    Within one step, which is what runs between two awaits, both clocks stand. So the control and its twin read the very same times, and
    a decision on the edge of a limit falls alike. A task that the control leaves behind gets the time of its surroundings again.

    It is made for every recorded call, on its caller: most of what it knows is a default of the class until something goes wrong.

    Attributes:
        draws: Random numbers that the control drew, in order; the twin gets the same ones.
        delays: Seconds of each of the control's sleeps.
        is_replayable: False once there is something in it that no twin could be told of, or more attempts than are written down.
    """

    # Time is frozen, a recording is being written. Both, or the interpreter takes a way that is ten times as long.
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__
    draws: Sequence[float] = ()
    delays: Sequence[float] = ()
    is_replayable = True
    _attempts = 0
    _is_over = False
    _failures: Sequence[tuple[int, BaseException]] = ()
    _last_error: BaseException | None = None
    _limits: Sequence[float | None] = ()
    _pending: Attempt | None = None
    _cut: BaseException | None = None

    def __init__(self, base: TimeSource, tape: Callable[[tuple[Any, Moment, Happening]], object]) -> None:
        """Begin to write on *tape*, for a caller that lives in the time *base*."""
        self._base, self._tape = base, tape
        self._task = asyncio.current_task()
        self._now = now = _moment(Moment, (base.monotonic(), base.wall()))
        tape((self, now, _BEGUN))

    # -- the pen

    def step(self) -> None:
        """A new step begins: the clocks move on."""
        base = self._base
        self._now = _moment(Moment, (base.monotonic(), base.wall()))

    def watched(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return the user's async *function*, written down. It runs in the time of its surroundings, for it is not the control's."""

        async def run(*args: Any, **kwargs: Any) -> Any:
            base = self._base
            set_time(base)
            began = base.monotonic()
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                back_to(self, error)
                self._failed(error, began)
                raise
            set_time(self)
            self._succeeded(began)
            return result

        return run

    def watched_plain(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the user's plain *function*, written down from its call until what it returned has been awaited."""

        def run(*args: Any, **kwargs: Any) -> Any:
            base = self._base
            set_time(base)
            began = base.monotonic()
            try:
                begun = function(*args, **kwargs)
            except BaseException as error:
                set_time(self)
                self._failed(error, began)
                raise
            set_time(self)
            if inspect.isawaitable(begun):
                return self._awaited(begun, began)
            self.is_replayable = False  # what the control makes of that nobody can tell a twin
            return begun

        return run

    async def _awaited(self, begun: Awaitable[Any], began: float) -> Any:
        set_time(self._base)
        try:
            result = await begun
        except BaseException as error:
            back_to(self, error)
            self._failed(error, began)
            raise
        set_time(self)
        self._succeeded(began)
        return result

    def returned(self, circuit: Circuit) -> None:
        """The control has returned, and left its breaker as *circuit*."""
        has_result = self._attempts and self._last_error is None
        self._end(f"result {self._attempts}" if has_result else "own result", circuit)

    def raised(self, error: BaseException, circuit: Circuit) -> None:
        """The control has raised *error*, and left its breaker as *circuit*."""
        self._end(None if isinstance(error, GONE) else self._outcome_of(error), circuit)

    def _end(self, outcome: str | None, circuit: Circuit) -> None:
        self._is_over = True
        self._tape((self, self._now, _ended(Ended, (outcome, circuit))))
        # The caller's exceptions hold its frames, and these hold this.
        self._failures, self._last_error, self._cut = (), None, None

    def _outcome_of(self, error: BaseException) -> str:
        # From the end: a function may raise the same object each time.
        for number, one in reversed(self._failures):
            if one is error:
                return f"cut {number}" if error is self._cut else f"error {number}"
        return type(error).__qualname__

    def _succeeded(self, began: float) -> None:
        base = self._base
        self._now = now = _moment(Moment, (base.monotonic(), base.wall()))
        self._attempts += 1
        self._last_error = None
        self._put(_attempt(Attempt, (_RETURNED, now.monotonic - began, None)))

    def _failed(self, error: BaseException, began: float) -> None:
        if self._is_over:
            return
        self.step()
        took = self._now.monotonic - began
        self._attempts += 1
        self._raised(error)
        if isinstance(error, asyncio.CancelledError):
            self._put(_attempt(Attempt, (_CANCELLED, took, None)))
        else:
            self._put(_attempt(Attempt, (_RAISED, took, likeness(error))))

    def _raised(self, error: BaseException) -> None:
        """The present attempt has raised *error*, in place of what else it did."""
        self._last_error = error
        self._failures = (*self._failures[-_ERRORS_KEPT:], (self._attempts, error))

    def _put(self, what: Attempt | Woke) -> None:
        if self._limits and isinstance(what, Attempt):
            self._pending = what
        elif self._attempts > MOST_ATTEMPTS:
            self.is_replayable = False
        elif not self._is_over:
            self._tape((self, self._now, what))

    # -- the time that the control lives in

    def monotonic(self) -> float:
        """Return when the present step began."""
        return self._base.monotonic() if self._is_over else self._now.monotonic

    def wall(self) -> float:
        """Return the date at which the present step began."""
        return self._base.wall() if self._is_over else self._now.wall

    def random(self) -> float:
        """Draw, and write the number down."""
        number = self._base.random()
        if not self._is_over and self.is_replayable:
            self.draws = (*self.draws, number)
        return number

    def sleep(self, seconds: float) -> None:
        """Sleep; an async control does not do this, and if it does nobody compares it."""
        self._base.sleep(seconds)
        self.step()

    async def asleep(self, seconds: float) -> None:
        """Sleep, and write down how long the control wanted to."""
        if not self._is_own():
            await self._base.asleep(seconds)
            return
        if self.is_replayable:
            self.delays = (*self.delays, seconds)
        await self._base.asleep(seconds)
        self.step()
        self._put(_WOKE)

    async def wait_for(self, awaitable: Awaitable[Any], limit_s: float | None) -> Any:
        """Await something for a limited time, and write down if the limit ended an attempt."""
        if not self._is_own():
            return await self._base.wait_for(awaitable, limit_s)
        # An attempt that ended inside is told when this is over: only then the control learns of it, and whether its limit cut it.
        self._limits = (*self._limits, limit_s)
        try:
            return await self._base.wait_for(awaitable, limit_s)
        except TimeoutError as error:
            if self._pending is not None and error is not self._last_error:
                self._pending = Attempt(_CUT, limit_s or 0.0, None)
                self._cut = error
                self._raised(error)
            raise
        finally:
            self._limits = self._limits[:-1]
            self.step()
            if self._pending is not None and not self._limits:
                pending, self._pending = self._pending, None
                self._put(pending)

    def _is_own(self) -> bool:
        return not self._is_over and asyncio.current_task() is self._task


def back_to(source: TimeSource, error: BaseException) -> None:
    """Live in *source* again after *error*, unless somebody closes the coroutine: then this is nobody's context, or a stranger's."""
    if not isinstance(error, GeneratorExit):
        set_time(source)
