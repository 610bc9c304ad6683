"""Where events become comparisons: one line of events and one twin for each breaker or budget."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any

from oms.domain.observation import Disposition, Facts, Outcome, Uncomparable
from oms.domain.stage import Side
from oms.domain.trace import ADMITTED, Trace, part
from oms.routing.contain import CONTAINED, INSIDE
from oms.routing.replay.circuits import adopt_open, circuit_of
from oms.routing.replay.recorder import Attempt, Begun, Circuit, Ended, Event, Recording, Woke
from oms.routing.replay.virtual import TwinCall, VirtualClock
from oms.routing.state import SeamState
from oms.seams.resilience import TIME

MAX_LINES = 1_000
"""Twins kept for each side; the one that was used longest ago goes first."""

_ANY = "any"
_LOG = logging.getLogger("oms.routing")


class Line:
    """What the calls on one breaker or budget share.

    Attributes:
        parted: How the sides last differed in whom they let in, None while they are in step. After a gap they may differ in any way.
    """

    __slots__ = ("parted", "twin")

    def __init__(self, twin: Any, parted: str | None = None) -> None:
        self.twin = twin
        self.parted = parted


class Desk:
    """Replays what one side of a seam did, as control, with twins of the other. Everything but ``lost`` runs in the lane's one thread."""

    def __init__(self, state: SeamState, control: Side) -> None:
        self._state, self._control = state, control
        self._clock = VirtualClock()
        self._lines: OrderedDict[str, Line] = OrderedDict()
        self._gaps: set[str] = set()

    def lost(self, subject: str) -> None:
        """A call on *subject* is not recorded, or not whole: from now on its twin knows too little. From any thread."""
        self._gaps.add(subject)

    def begin_anew(self) -> None:
        """Forget every twin: for some time nothing was recorded."""
        self._gaps.update(list(self._lines))

    def replay(self, event: Event) -> None:
        """Let the twin see *event*, and compare when the call has ended."""
        token, inside = TIME.set(self._clock.source), INSIDE.set(True)
        try:
            self._replay(event)
        finally:
            TIME.reset(token)
            INSIDE.reset(inside)

    def _replay(self, event: Event) -> None:
        recording, what = event.recording, event.what
        if isinstance(what, Begun):
            self._begun(event, recording)
            return
        twin: TwinCall | None = recording.twin
        if twin is None:
            return  # its beginning was lost, and it was counted then
        if isinstance(what, Attempt):
            twin.attempt_ended(event.at, what)
        elif isinstance(what, Woke):
            twin.woke(event.at)
        elif what.outcome is None:
            twin.stop(event.at)
            recording.leave(Disposition.CANCELLED)
        else:
            twin.ended(event.at)
            self._compare(event, recording, twin, what)

    def _begun(self, event: Event, recording: Recording) -> None:
        line = self._line(event, recording)
        recording.line = line
        recording.twin = call = TwinCall(self._clock, recording)
        call.begin(event.at, getattr(line.twin, recording.operation.name))

    def _line(self, event: Event, recording: Recording) -> Line:
        subject = recording.subject
        line = self._lines.get(subject)
        if line is None or subject in self._gaps:
            parted = _ANY if subject in self._gaps else None
            self._gaps.discard(subject)
            line = self._lines[subject] = self._anew(event, line, subject, recording.before, parted)
            if len(self._lines) > MAX_LINES:
                self._dispose(self._lines.popitem(last=False)[1])
        self._lines.move_to_end(subject)
        return line

    def _anew(self, event: Event, line: Line | None, subject: str, circuit: Circuit, parted: str | None) -> Line:
        """Return a line with a new twin, its breaker as open as the control's; calls in flight keep the old one."""
        if line is not None:
            self._dispose(line)
        twin = self._state.binding.sides[self._control.other].twin()
        self._clock.stand(event.at, None)
        if circuit.open_for_s > 0:
            adopt_open(twin, subject, circuit.open_for_s)
        return Line(twin, parted)

    def _dispose(self, line: Line) -> None:
        forget = getattr(line.twin, "forget_twin", None)
        if callable(forget):
            forget()

    def _compare(self, event: Event, recording: Recording, call: TwinCall, end: Ended) -> None:
        line: Line = recording.line
        if call.fault is not None:
            self.lost(recording.subject)
            recording.count(Outcome.UNCOMPARABLE, Uncomparable(call.fault))
            return
        if not recording.is_compared:
            recording.leave(Disposition.UNSHADOWED)
            return
        self._clock.stand(event.at, None)
        has_state = end.circuit.state is not None
        control = call.control_trace(end.outcome or "", end.circuit.state)
        candidate = call.trace(circuit_of(line.twin, recording.subject).state if has_state else None)
        legacy, unified = (control, candidate) if self._control is Side.LEGACY else (candidate, control)
        differences, is_exact = part(
            legacy=legacy, unified=unified, control=self._control, band=lambda attempt: self._band(recording, attempt)
        )
        first = differences[0].path if differences else None
        parted = f"{first} {control.refused_by} {candidate.refused_by}" if _is_admission(first) else None
        if parted is not None:
            is_new = line.parted not in (parted, _ANY)
            self._adopt(event, recording, line, end.circuit, parted)
            if not is_new:
                recording.count(Outcome.UNCOMPARABLE, Uncomparable.FOLLOW_ON)
                return
        else:
            line.parted = None
        outcome, reason = self._state.judge.note(
            recording.operation, self._facts(recording), differences, is_reasonable=not is_exact
        )
        recording.count(outcome, reason)
        self._guard(recording, outcome, legacy=legacy, unified=unified)

    def _adopt(self, event: Event, recording: Recording, line: Line, circuit: Circuit, parted: str) -> None:
        """The sides let in different calls: the control's state stands, unless another call of this line has seen to it already."""
        line.parted = parted
        if self._lines.get(recording.subject) is line:
            self._lines[recording.subject] = self._anew(event, line, recording.subject, circuit, parted)

    def _guard(self, recording: Recording, outcome: Outcome, *, legacy: Trace, unified: Trace) -> None:
        """Unified refuses by itself where legacy calls, and nobody has accepted that: that is what the hard-fail guard counts."""
        if self._control is not Side.UNIFIED:
            return
        if outcome is Outcome.MISMATCHED and unified.refused_by and not legacy.refused_by:
            self._state.failed_alone(recording.operation)
        else:
            self._state.guard.good()

    def _band(self, recording: Recording, attempt: int) -> tuple[float, float] | None:
        side = self._state.binding.sides[self._control]
        tell = getattr(side, "delay_band", None)
        if not callable(tell):
            return None
        args, kwargs = recording.arguments
        try:
            band: tuple[float, float] | None = tell(attempt, *args, **kwargs)
        except CONTAINED:
            _LOG.exception("%s: delay_band() failed", self._state.binding.seam.full_name)
            return None
        return band

    def _facts(self, recording: Recording) -> Facts:
        operation = recording.operation
        args, kwargs = recording.arguments
        given = operation.signature.bind(None, *args, **kwargs)
        given.apply_defaults()
        return Facts(
            operation=operation.name,
            stage=recording.stage,
            control=recording.control,
            named="@".join(str(given.arguments[name]) for name in operation.named_by),
        )


def _is_admission(path: str | None) -> bool:
    return path is not None and path.split(".")[0] == ADMITTED
