"""A call on its way from its caller to the twin: what was written down of it, and the lane's notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from oms.domain.observation import Disposition, Outcome, Uncomparable
from oms.domain.phase import Operation
from oms.domain.stage import Side, Stage
from oms.routing.job import Job
from oms.routing.replay.recorder import Circuit, Happening, Moment, Recorder
from oms.routing.state import SeamState
from oms.routing.tally import Cell
from oms.seams.resilience import TimeSource


class Player(Protocol):
    """Where the tape is, and who plays it."""

    @property
    def tape(self) -> Callable[[tuple[Any, Moment, Happening]], object]:
        """Appends what happened."""
        ...

    def play(self, until: Reel) -> None:
        """Play the tape until *until* has ended there."""
        ...


@dataclass(frozen=True, slots=True)
class Heading:
    """What all recordings of one effect at one stage have in common.

    Attributes:
        control: The side that answers.
        is_compared: False for calls that are only there for their twin to know what its control knows.
    """

    desk: Player
    state: SeamState
    operation: Operation
    cell: Cell
    stage: Stage
    control: Side
    is_compared: bool


class Reel(Recorder, Job):
    """One recorded call. Once it has ended, the lane plays the tape until its end is reached.

    Attributes:
        subject: What the call shares with others: its breaker, its budget.
        given: Arguments of the call, without the user's function.
        before: The control's breaker when the call began.
        is_played: Its end was replayed.
        twin, line, twin_before: The lane's own notes.
    """

    is_counted = is_played = False
    twin: Any = None
    line: Any = None
    twin_before: str | None = None

    def __init__(
        self,
        heading: Heading,
        subject: str,
        given: tuple[tuple[Any, ...], dict[str, Any]],
        before: Circuit,
        base: TimeSource,
    ) -> None:
        self.heading = heading
        self.state, self.operation, self.cell = heading.state, heading.operation, heading.cell
        self.stage, self.control = heading.stage, heading.control
        self.subject, self.given, self.before = subject, given, before
        Recorder.__init__(self, base, heading.desk.tape)

    @property
    def needs_candidate(self) -> bool:
        """Never: the twin is driven by what is on the tape."""
        return False

    def conclude(self) -> None:
        """Play."""
        self.heading.desk.play(self)
        self.is_concluded = True

    def count(self, outcome: Outcome, reason: str | None = None, *also: str) -> None:
        """Count the call, once, and whatever else is to be counted of it. What happened in it stays on the tape."""
        self.is_concluded = True
        if not self.heading.is_compared:
            self.leave(Disposition.UNSHADOWED)
        elif not self.is_counted:
            self.is_counted = True
            reason = Uncomparable.NOT_REPLAYABLE if reason is Uncomparable.NOT_SNAPSHOTTABLE else reason
            self.cell.shadowed(outcome, reason, ((self.control, self.control_ns),), *also)

    def leave(self, disposition: Disposition) -> None:
        """Count the call, once, as one that ends without a comparison."""
        if not self.is_counted:
            self.is_counted = True
            self.cell.call(disposition, self.control)(self.control_ns)
