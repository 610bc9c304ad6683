"""What the control does in one call, written down as it happens, in the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, NamedTuple

from oms.domain.observation import Disposition, Outcome
from oms.domain.phase import Operation
from oms.domain.stage import Side, Stage
from oms.routing.replay.standin import stand_in
from oms.routing.tally import Cell
from oms.seams.resilience import TIME, TimeSource

GONE = (asyncio.CancelledError, GeneratorExit)
"""What ends a call whose caller no longer waits for it."""


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
        error: Stand-in of what it raised: another object of the same class. Of one that was cut, None.
    """

    end: End
    took: float
    error: BaseException | None = None


class Woke(NamedTuple):
    """The control's sleep is over."""


class Ended(NamedTuple):
    """The call has ended, as *outcome* says (see :class:`~oms.domain.trace.Trace`); None if its caller was cancelled."""

    outcome: str | None
    circuit: Circuit


Happening = Begun | Attempt | Woke | Ended
Tape = Callable[[tuple["Recording", Moment, Happening]], object]

_BEGUN, _WOKE = Begun(), Woke()
_RETURNED, _RAISED, _CUT, _CANCELLED = End


class Recording(TimeSource):
    """One call: the pen that writes its events on the tape, and the time that its control lives in.

    Within one step, which is what runs between two awaits, both clocks stand. So the control and its twin read the very same times, and
    a decision on the edge of a limit falls alike. A task that the control leaves behind gets the time of its surroundings again.

    Attributes:
        subject: What the call shares with others: its breaker, its budget.
        arguments: Of the call, without the user's function.
        before: The control's breaker when the call began.
        draws: Random numbers that the control drew, in order; the twin gets the same ones.
        delays: Seconds of each of the control's sleeps.
        is_compared: False for a call that is only there for its twin to know what the control knows.
        is_played: Its end was replayed.
        control_ns: Nanoseconds that the call took.
        twin, line: The lane's own notes.
    """

    __slots__ = (
        "_base",
        "_cut",
        "_errors",
        "_is_over",
        "_limits",
        "_now",
        "_pending",
        "_tape",
        "_task",
        "arguments",
        "before",
        "cell",
        "control",
        "control_ns",
        "delays",
        "draws",
        "is_compared",
        "is_counted",
        "is_played",
        "line",
        "operation",
        "stage",
        "subject",
        "twin",
    )
    __setattr__ = object.__setattr__  # time is frozen, a recording is being written

    def __init__(
        self,
        operation: Operation,
        cell: Cell,
        stage: Stage,
        control: Side,
        *,
        subject: str,
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
        before: Circuit,
        is_compared: bool,
        base: TimeSource,
        tape: Tape,
    ) -> None:
        self.operation, self.cell, self.stage, self.control = operation, cell, stage, control
        self.subject, self.arguments, self.before, self.is_compared = subject, arguments, before, is_compared
        self.draws: list[float] = []
        self.delays: list[float] = []
        self.control_ns = 0
        self.twin: Any = None
        self.line: Any = None
        self.is_counted = self.is_played = self._is_over = False
        self._base, self._tape = base, tape
        self._task = asyncio.current_task()
        self._errors: list[BaseException | None] = []
        self._limits: list[float | None] = []
        self._pending: Attempt | None = None
        self._cut: BaseException | None = None
        self._now = Moment(base.monotonic(), base.wall())
        tape((self, self._now, _BEGUN))

    # -- the pen

    def step(self) -> None:
        """A new step begins: the clocks move on."""
        self._now = Moment(self._base.monotonic(), self._base.wall())

    def watched(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return the user's *function*, written down. It runs in the time of its surroundings, for it is not the control's."""

        async def run(*args: Any, **kwargs: Any) -> Any:
            base = self._base
            TIME.set(base)
            began = base.monotonic()
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                TIME.set(self)
                self._failed(error, began)
                raise
            TIME.set(self)
            self._now = now = Moment(base.monotonic(), base.wall())
            self._errors.append(None)
            attempt = Attempt(_RETURNED, now.monotonic - began)
            if self._limits:
                self._pending = attempt
            else:
                self._tape((self, now, attempt))
            return result

        return run

    def returned(self, control_ns: int, circuit: Circuit) -> None:
        """The control has returned."""
        errors = self._errors
        self._ended(f"result {len(errors)}" if errors and errors[-1] is None else "own result", control_ns, circuit)

    def raised(self, error: BaseException, control_ns: int, circuit: Circuit) -> None:
        """The control has raised *error*."""
        self._ended(None if isinstance(error, GONE) else self._named(error), control_ns, circuit)

    def _ended(self, outcome: str | None, control_ns: int, circuit: Circuit) -> None:
        self.control_ns = control_ns
        self._is_over = True
        self._tape((self, self._now, Ended(outcome, circuit)))
        # The caller's exceptions hold its frames, and these hold this.
        self._errors.clear()
        self._cut = None

    def _named(self, error: BaseException) -> str:
        for number, one in enumerate(self._errors, start=1):
            if one is error:
                return f"cut {number}" if error is self._cut else f"error {number}"
        return type(error).__qualname__

    def _failed(self, error: BaseException, began: float) -> None:
        self.step()
        took = self._now.monotonic - began
        self._errors.append(error)
        is_cancelled = isinstance(error, asyncio.CancelledError)
        attempt = Attempt(_CANCELLED, took) if is_cancelled else Attempt(_RAISED, took, stand_in(error))
        if self._limits:
            self._pending = attempt
        else:
            self._put(attempt)

    def _put(self, what: Happening) -> None:
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
        if not self._is_over:
            self.draws.append(number)
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
        self.delays.append(seconds)
        await self._base.asleep(seconds)
        self.step()
        self._put(_WOKE)

    async def wait_for(self, awaitable: Awaitable[Any], limit_s: float | None) -> Any:
        """Await something for a limited time, and write down if the limit ended an attempt."""
        if not self._is_own():
            return await self._base.wait_for(awaitable, limit_s)
        # An attempt that ended inside is told when this is over: only then the control learns of it, and whether its limit cut it.
        self._limits.append(limit_s)
        try:
            return await self._base.wait_for(awaitable, limit_s)
        except TimeoutError as error:
            if self._pending is not None and error is not self._errors[-1]:
                self._pending = Attempt(_CUT, limit_s or 0.0)
                self._cut = self._errors[-1] = error
            raise
        finally:
            self._limits.pop()
            self.step()
            if self._pending is not None and not self._limits:
                self._put(self._pending)
                self._pending = None

    def _is_own(self) -> bool:
        return not self._is_over and asyncio.current_task() is self._task

    # -- counting, in the lane

    def count(self, outcome: Outcome, reason: str | None = None, *also: str) -> None:
        """Count the call, once, and whatever else is to be counted of it."""
        if not self.is_compared:
            self.leave(Disposition.UNSHADOWED)
        elif not self.is_counted:
            self.is_counted = True
            self.cell.shadowed(outcome, reason, ((self.control, self.control_ns),), *also)

    def leave(self, disposition: Disposition) -> None:
        """Count the call, once, as one that ends without a comparison."""
        if not self.is_counted:
            self.is_counted = True
            self.cell.call(disposition, self.control)(self.control_ns)
