"""Where events become comparisons: one line of events and one twin for each breaker or budget."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from oms.domain.comparison import Difference
from oms.domain.observation import Disposition, Facts, Outcome, Uncomparable
from oms.domain.stage import Side, Stage
from oms.domain.trace import ADMITTED, NO_OUTCOME, Trace, part
from oms.routing.contain import CONTAINED, INSIDE
from oms.routing.job import Job, who_raised
from oms.routing.replay.circuits import adopt_open, circuit_of
from oms.routing.replay.recorder import Attempt, Begun, Circuit, End, Ended, Happening, Moment, Recording, Woke
from oms.routing.replay.script import Past, script_of, word_of
from oms.routing.replay.virtual import TwinCall, VirtualClock
from oms.routing.state import SeamState
from oms.seams.resilience import TIME

MAX_LINES = 1_000
"""Twins kept for each side; the one that was used longest ago goes first."""

MAX_EVENTS = 50_000
"""Events on a tape above which no further call is recorded."""

_LATELY_S = 54.0
"""Nine tenths of a minute: what a breaker that reads a minute's window in tenths surely has in it."""

_ATTEMPTS_KEPT = 256
_CALLS_KEPT = 256

_ANY = "any"
_LOG = logging.getLogger("oms.routing")


class Line:
    """What the calls on one breaker or budget share.

    Attributes:
        parted: How the sides last differed in whom they let in, None while they are in step. After a gap they may differ in any way.
        lately: When attempts ended, seconds of the monotonic clock, and whether they failed; in the control's order.
        past: When calls that have ended began, and what their attempts came to; in the order in which they ended.
        is_blind: The twin has not seen all failures that its control counts by now: it will open at another moment, once.
    """

    __slots__ = ("is_blind", "lately", "parted", "past", "twin")

    def __init__(self, twin: Any, parted: str | None, *, is_blind: bool, after: Line | None) -> None:
        self.twin = twin
        self.lately: deque[tuple[float, bool]] = after.lately if after else deque(maxlen=_ATTEMPTS_KEPT)
        self.past: deque[Past] = after.past if after else deque(maxlen=_CALLS_KEPT)
        self.parted = parted
        self.is_blind = is_blind

    def count(self, at: Moment, attempt: Attempt) -> None:
        """Keep *attempt*, which ended at *at*, unless its caller went away."""
        if attempt.end is not End.CANCELLED:
            self.lately.append((at.monotonic, attempt.end is not End.RETURNED))

    def ended_lately(self, at: Moment) -> tuple[int, int]:
        """Return how many attempts have failed in about the last minute, and how many have ended."""
        failed = [has_failed for ended, has_failed in self.lately if at.monotonic - ended <= _LATELY_S]
        return sum(failed), len(failed)


class Reel(Job):
    """A call that has ended: the tape is played until its end is reached."""

    def __init__(self, desk: Desk, state: SeamState, recording: Recording) -> None:
        super().__init__(state, recording.operation, recording.cell, recording.stage, recording.control)
        self._desk, self._recording = desk, recording

    @property
    def needs_candidate(self) -> bool:
        """Never: the twin is driven by what is on the tape."""
        return False

    def conclude(self) -> None:
        """Play."""
        self._desk.play(self._recording)
        self.is_concluded = True

    def count(self, outcome: Outcome, reason: str | None = None, *also: str) -> None:
        """Count the call without a comparison; what happened in it stays on the tape."""
        self.is_concluded = True
        self._recording.count(outcome, Uncomparable.NOT_REPLAYABLE if outcome is Outcome.UNCOMPARABLE else reason)


class Desk:
    """Replays what one side of a seam did, as control, with twins of the other.

    ``tape`` and ``lost`` may be called from any thread; everything else runs in the lane's one thread.

    Attributes:
        tape: Appends what happened. All calls share it, so it is in the control's order.
    """

    def __init__(self, state: SeamState, control: Side) -> None:
        self._state, self._control = state, control
        self._tape: deque[tuple[Recording, Moment, Happening]] = deque()
        self.tape = self._tape.append
        self._clock = VirtualClock()
        self._lines: OrderedDict[str, Line] = OrderedDict()
        self._gaps: set[str] = set()
        self._has_missed = False

    def lost(self, subject: str) -> None:
        """A call on *subject* is not recorded, or not whole: from now on its twin knows too little. From any thread."""
        self._gaps.add(subject)

    @property
    def is_full(self) -> bool:
        """True while no further call may begin to be recorded."""
        return len(self._tape) >= MAX_EVENTS

    def begin_anew(self) -> None:
        """Forget every twin: for some time nothing was recorded."""
        self._has_missed = True
        self._gaps.update(list(self._lines))

    def reset_after_fork(self) -> None:
        """In a forked child: what the parent was doing is not ours."""
        self._tape.clear()
        self.begin_anew()

    def play(self, until: Recording) -> None:
        """Let the twins see what is on the tape, until *until* has ended there."""
        token, inside = TIME.set(self._clock.source), INSIDE.set(True)
        try:
            while self._tape and not until.is_played:
                recording, at, what = self._tape.popleft()
                try:
                    self._replay(recording, at, what)
                except CONTAINED:  # a side that cannot make a twin, or tell of its breaker: this call's matter alone
                    _LOG.exception("%s: cannot replay", self._state.binding.seam.full_name)
                    self._give_up(recording, is_over=isinstance(what, Ended))
        finally:
            TIME.reset(token)
            INSIDE.reset(inside)

    def _replay(self, recording: Recording, at: Moment, what: Happening) -> None:
        if isinstance(what, Begun):
            line = recording.line = self._line(at, recording)
            if recording.before.state is not None:
                self._clock.stand(at, None)
                recording.twin_before = circuit_of(line.twin, recording.subject).state
            recording.twin = TwinCall(self._clock, recording)
            recording.twin.begin(at, getattr(line.twin, recording.operation.name))
            return
        twin: TwinCall | None = recording.twin
        if twin is None:  # it began before a fork, or was given up
            self._give_up(recording, is_over=isinstance(what, Ended))
        elif isinstance(what, Attempt):
            self._lines.get(recording.subject, recording.line).count(at, what)
            twin.attempt_ended(at, what)
        elif isinstance(what, Woke):
            twin.woke(at)
        else:
            recording.is_played = True
            self._ended(at, recording, twin, what)

    def _give_up(self, recording: Recording, *, is_over: bool) -> None:
        self.lost(recording.subject)
        recording.twin = None
        if is_over:
            recording.is_played = True
            recording.count(Outcome.UNCOMPARABLE, Uncomparable.NOT_REPLAYABLE)

    def _ended(self, at: Moment, recording: Recording, call: TwinCall, end: Ended) -> None:
        if end.outcome is None:
            call.stop(at)
            recording.leave(Disposition.CANCELLED)
            return
        call.ended(at)
        if call.fault is not None:
            self.lost(recording.subject)
            recording.count(Outcome.UNCOMPARABLE, Uncomparable(call.fault))
        elif recording.is_compared:
            self._compare(at, recording, call, end.outcome, end.circuit)
        else:
            recording.leave(Disposition.UNSHADOWED)
        label = (
            recording.operation.label
        )  # a call whose caller went away has ended above: nobody can live through that again
        words = tuple(word_of(attempt, label) for attempt in call.attempts)
        self._lines.get(recording.subject, recording.line).past.append((call.began_s, words))

    def _line(self, at: Moment, recording: Recording) -> Line:
        subject = recording.subject
        line = self._lines.get(subject)
        if line is None or subject in self._gaps:
            parted = _ANY if subject in self._gaps else None
            self._gaps.discard(subject)
            line = self._lines[subject] = self._anew(at, line, subject, recording.before, parted)
            # Half-open at the first call that is written down: what it was opened by, and who has tried since, is not on the tape.
            has_past = recording.before.state == "half_open"
            line.is_blind = line.is_blind and (parted is not None or self._has_missed or has_past)
            if len(self._lines) > MAX_LINES:
                self._dispose(self._lines.popitem(last=False)[1])
        self._lines.move_to_end(subject)
        return line

    def _anew(self, at: Moment, line: Line | None, subject: str, circuit: Circuit, parted: str | None) -> Line:
        """Return a line with a new twin, its breaker as open as the control's; calls in flight keep the old one.

        An open breaker has forgotten what opened it, so there a new twin knows all there is to know.
        """
        if line is not None:
            self._dispose(line)
        twin = self._state.binding.sides[self._control.other].twin()
        self._clock.stand(at, None)
        if circuit.state == "open":  # also if its time is over, and only nobody has called since
            adopt_open(twin, subject, circuit.open_for_s)
        has_breaker = circuit.state is not None and hasattr(twin, "adopt_open")
        return Line(twin, parted, is_blind=has_breaker and circuit.state != "open", after=line)

    def _dispose(self, line: Line) -> None:
        forget = getattr(line.twin, "forget_twin", None)
        if callable(forget):
            forget()

    def _compare(self, at: Moment, recording: Recording, call: TwinCall, outcome: str, circuit: Circuit) -> None:
        line: Line = recording.line
        self._clock.stand(at, None)
        control = call.control_trace(outcome, circuit.state)
        candidate = call.trace(None if circuit.state is None else circuit_of(line.twin, recording.subject).state)
        if control == candidate:
            line.parted = None
            recording.count(Outcome.MATCHED, None, *_who_raised(control, control, Outcome.MATCHED))
            self._guard(recording, is_bad=False)
            return
        legacy, unified = (control, candidate) if self._control is Side.LEGACY else (candidate, control)
        differences, is_exact = part(
            legacy=legacy, unified=unified, control=self._control, band=lambda attempt: self._band(recording, attempt)
        )
        parted = _parted(differences, control, candidate)
        if parted is None:
            line.parted = None
        elif not self._is_new(at, recording, circuit, parted):
            recording.count(Outcome.UNCOMPARABLE, Uncomparable.FOLLOW_ON)
            return
        verdict, reason = self._state.judge.note(
            recording.operation,
            self._facts(at, recording, given := _given(recording)),
            recording.cell.place,
            differences,
            is_reasonable=not is_exact,
            given=given,
            script=lambda: self._script(recording, call),
        )
        also = () if NO_OUTCOME in (legacy.outcome, unified.outcome) else _who_raised(legacy, unified, verdict)
        recording.count(verdict, reason, *also)
        has_failed = verdict is Outcome.MISMATCHED and unified.refused_by is not None and legacy.refused_by is None
        self._guard(recording, is_bad=has_failed)

    def _script(self, recording: Recording, call: TwinCall) -> dict[str, object]:
        return script_of(
            call.attempts,
            recording.operation.label,
            draws=recording.draws,
            past=recording.line.past,
            began_s=call.began_s,
        )

    def _is_new(self, at: Moment, recording: Recording, circuit: Circuit, parted: str) -> bool:
        """Tell whether the sides have parted here, and not before; a new twin then adopts the control's breaker."""
        line: Line = recording.line
        is_newest = self._lines.get(recording.subject) is line
        is_new = is_newest and line.parted not in (parted, _ANY) and not line.is_blind
        line.parted = parted
        if is_newest:  # else another call has seen to it, while this one was in flight
            self._lines[recording.subject] = self._anew(at, line, recording.subject, circuit, parted)
        return is_new

    def _facts(self, at: Moment, recording: Recording, given: Mapping[str, Any]) -> Facts:
        failed, ended = recording.line.ended_lately(at)
        before = {self._control: recording.before.state, self._control.other: recording.twin_before}
        return Facts(
            operation=recording.operation.name,
            stage=recording.stage,
            control=recording.control,
            named="@".join(str(given[name]) for name in recording.operation.named_by),
            write=(("failed_lately", failed), ("ended_lately", ended), ("unified_before", before[Side.UNIFIED])),
        )

    def _guard(self, recording: Recording, *, is_bad: bool) -> None:
        """Unified refuses by itself where legacy calls, and nobody has accepted that: that is what the hard-fail guard counts."""
        if recording.stage is not Stage.LIVE:
            return
        if is_bad:
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


def _given(recording: Recording) -> dict[str, Any]:
    """Return the call's arguments by name, without the user's function."""
    args, kwargs = recording.arguments
    bound = recording.operation.signature.bind(None, *args, **kwargs)
    bound.apply_defaults()
    return dict(list(bound.arguments.items())[1:])


def _who_raised(legacy: Trace, unified: Trace, outcome: Outcome) -> tuple[str, ...]:
    return who_raised(legacy=not legacy.has_result, unified=not unified.has_result, outcome=outcome)


def _parted(differences: Sequence[Difference], control: Trace, candidate: Trace) -> str | None:
    """Return how the sides differ in whom they let in, now or for the next call; None if they do not."""
    path = differences[0].path if differences else ""
    if path.split(".")[0] == ADMITTED:
        return f"{path} {control.refused_by} {candidate.refused_by}"
    return f"state {control.state} {candidate.state}" if path == "state" else None
