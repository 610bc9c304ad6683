"""What the control does in one call, written down as it happens, in the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from oms.domain.observation import Disposition, Outcome, Uncomparable
from oms.domain.phase import Operation
from oms.domain.stage import Side, Stage
from oms.routing.job import Job
from oms.routing.replay.standin import stand_in
from oms.routing.state import Lane, SeamState
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of the user's function.

    Attributes:
        took: Seconds it ran; of one that was cut, the control's limit.
        error: Stand-in of what it raised: another object of the same class. Of one that was cut, None.
    """

    end: End
    took: float
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Circuit:
    """A breaker as a side tells of it: its state in a word, None if it has none, and the seconds that it stays open."""

    state: str | None = None
    open_for_s: float = 0.0


class Recording:
    """One call on its way through the lane.

    Attributes:
        arguments: Of the call, without the user's function.
        before: The control's breaker when the call began.
        draws: Random numbers that the control drew, in order; the twin gets the same ones.
        is_compared: False for a call that is only there for its twin to know what the control knows.
        delays: Seconds of each of the control's sleeps.
        control_ns: Nanoseconds that the call took.
        twin, line: The lane's own notes.
    """

    __slots__ = (
        "arguments",
        "before",
        "cell",
        "control",
        "control_ns",
        "delays",
        "draws",
        "is_compared",
        "is_counted",
        "line",
        "operation",
        "stage",
        "state",
        "subject",
        "twin",
    )

    def __init__(
        self,
        state: SeamState,
        operation: Operation,
        cell: Cell,
        stage: Stage,
        control: Side,
        *,
        subject: str,
        arguments: tuple[tuple[Any, ...], dict[str, Any]],
        before: Circuit,
        is_compared: bool,
    ) -> None:
        self.state, self.operation, self.cell, self.stage, self.control = state, operation, cell, stage, control
        self.subject = subject
        self.arguments = arguments
        self.before = before
        self.draws: list[float] = []
        self.delays: list[float] = []
        self.control_ns = 0
        self.twin: Any = None
        self.line: Any = None
        self.is_compared = is_compared
        self.is_counted = False

    def count(self, outcome: Outcome, reason: str | None = None) -> None:
        """Count the call, once."""
        if not self.is_compared:
            self.leave(Disposition.UNSHADOWED)
        elif not self.is_counted:
            self.is_counted = True
            self.cell.shadowed(outcome, reason, ((self.control, self.control_ns),))

    def leave(self, disposition: Disposition) -> None:
        """Count the call, once, as one that ends without a comparison."""
        if not self.is_counted:
            self.is_counted = True
            self.cell.call(disposition, self.control)(self.control_ns)


class Begun(NamedTuple):
    """The call begins."""


class Ended(NamedTuple):
    """The call has ended, as *outcome* says (see :class:`~oms.domain.trace.Trace`); None if its caller was cancelled."""

    outcome: str | None
    circuit: Circuit


class Woke(NamedTuple):
    """The control's sleep is over."""


Happening = Begun | Attempt | Woke | Ended


class Event(Job):
    """One thing that happened in a call: a place in the lane's line."""

    def __init__(
        self,
        recording: Recording,
        at: Moment,
        what: Happening,
        replay: Callable[[Event], None],
        lost: Callable[[str], None],
    ) -> None:
        super().__init__(recording.state, recording.operation, recording.cell, recording.stage, recording.control)
        self.recording, self.at, self.what = recording, at, what
        self._replay, self._lost = replay, lost

    @property
    def needs_candidate(self) -> bool:
        """Never: the twin is driven by the events."""
        return False

    def conclude(self) -> None:
        """Let the twin see this event."""
        self._replay(self)
        self.is_concluded = True

    def count(self, outcome: Outcome, reason: str | None = None) -> None:
        """Give the whole call up: a line with a gap proves nothing."""
        if not self.is_concluded:
            self.is_concluded = True
            self._lost(self.recording.subject)
            self.recording.count(outcome, Uncomparable.NOT_REPLAYABLE if outcome is Outcome.UNCOMPARABLE else reason)


class Recorder:
    """The pen of one call, and the time that its control lives in.

    Within one step, which is what runs between two awaits, both clocks stand. So the control and its twin read the very same times, and
    a decision on the edge of a limit falls alike. A task that the control leaves behind gets the time of its surroundings again.

    Args:
        circuit: Tells of the control's breaker.
        replay: Takes an event in the lane.
        lost: Told of the subject of an event that the lane had no room for.
    """

    __slots__ = (
        "_base",
        "_circuit",
        "_cut",
        "_errors",
        "_is_over",
        "_lane",
        "_limits",
        "_lost",
        "_now",
        "_pending",
        "_recording",
        "_replay",
        "_task",
        "time",
    )

    def __init__(
        self,
        recording: Recording,
        *,
        base: TimeSource,
        lane: Lane,
        circuit: Callable[[], Circuit],
        replay: Callable[[Event], None],
        lost: Callable[[str], None],
    ) -> None:
        self._recording, self._base, self._lane = recording, base, lane
        self._circuit, self._replay, self._lost = circuit, replay, lost
        self._task = asyncio.current_task()
        self._is_over = False
        self._errors: list[BaseException | None] = []
        self._limits: list[float | None] = []
        self._pending: float | None = None
        self._cut: BaseException | None = None
        self.time = TimeSource(
            monotonic=self._monotonic,
            wall=self._wall,
            sleep=self._sleep,
            asleep=self._asleep,
            wait_for=self._wait_for,
            random=self._random,
        )
        self.step()
        self._put(Begun())

    def step(self) -> None:
        """A new step begins: the clocks move on."""
        self._now = Moment(self._base.monotonic(), self._base.wall())

    def watched(self, function: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        """Return the user's *function*, written down. It runs in the time of its surroundings, for it is not the control's."""

        async def attempt(*args: Any, **kwargs: Any) -> Any:
            TIME.set(self._base)
            began = self._base.monotonic()
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                TIME.set(self.time)
                self._failed(error, began)
                raise
            TIME.set(self.time)
            self.step()
            self._errors.append(None)
            self._put(Attempt(End.RETURNED, self._now.monotonic - began))
            return result

        return attempt

    def returned(self, control_ns: int) -> None:
        """The control has returned."""
        number = len(self._errors)
        has_result = number > 0 and self._errors[-1] is None
        self._ended(f"result {number}" if has_result else "own result", control_ns)

    def raised(self, error: BaseException, control_ns: int) -> None:
        """The control has raised *error*."""
        if isinstance(error, GONE):
            self._ended(None, control_ns)
            return
        self._ended(self._named(error), control_ns)

    def _ended(self, outcome: str | None, control_ns: int) -> None:
        self._recording.control_ns = control_ns
        circuit = self._circuit()
        self._is_over = True
        self._put(Ended(outcome, circuit))
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
        if isinstance(error, asyncio.CancelledError):
            self._errors.append(None)
            if self._limits:
                self._pending = took  # who cancelled it shows only when the limit's error comes out, or does not
            else:
                self._put(Attempt(End.CANCELLED, took))
            return
        self._errors.append(error)
        self._put(Attempt(End.RAISED, took, stand_in(error)))

    def _put(self, what: Happening) -> None:
        self._lane.put(Event(self._recording, self._now, what, self._replay, self._lost))

    # -- the time that the control lives in

    def _monotonic(self) -> float:
        return self._base.monotonic() if self._is_over else self._now.monotonic

    def _wall(self) -> float:
        return self._base.wall() if self._is_over else self._now.wall

    def _random(self) -> float:
        number = self._base.random()
        if not self._is_over:
            self._recording.draws.append(number)
        return number

    def _sleep(self, seconds: float) -> None:
        self._base.sleep(seconds)
        self.step()

    async def _asleep(self, seconds: float) -> None:
        if not self._is_own():
            await self._base.asleep(seconds)
            return
        self._recording.delays.append(seconds)
        await self._base.asleep(seconds)
        self.step()
        self._put(Woke())

    async def _wait_for(self, awaitable: Awaitable[Any], limit_s: float | None) -> Any:
        if not self._is_own():
            return await self._base.wait_for(awaitable, limit_s)
        self._limits.append(limit_s)
        try:
            return await self._base.wait_for(awaitable, limit_s)
        except TimeoutError as error:
            self.step()
            if self._pending is not None:
                self._pending = None
                self._cut = self._errors[-1] = error
                self._put(Attempt(End.CUT, limit_s or 0.0))
            raise
        finally:
            self._limits.pop()
            if self._pending is not None and not self._limits:
                self._put(Attempt(End.CANCELLED, self._pending))
                self._pending = None

    def _is_own(self) -> bool:
        return not self._is_over and asyncio.current_task() is self._task
