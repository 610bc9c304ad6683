"""Where events become comparisons: one line of events and one twin for each breaker or budget."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from oms.domain.comparison import Difference
from oms.domain.observation import Disposition, Facts, Outcome, Uncomparable
from oms.domain.stage import Side, Stage
from oms.domain.trace import ADMITTED, NO_OUTCOME, Trace, has_result, part
from oms.routing.contain import CONTAINED, INSIDE
from oms.routing.job import who_raised
from oms.routing.replay.circuits import adopt_open, circuit_getter
from oms.routing.replay.recorder import Attempt, Begun, Circuit, End, Ended, Happening, Moment, Woke
from oms.routing.replay.reel import Reel
from oms.routing.replay.script import Past, script_of
from oms.routing.replay.virtual import TwinCall, VirtualClock
from oms.routing.state import SeamState
from oms.seams.resilience import TIME

MAX_LINES = 1_000
"""Twins kept for each side; the one that was used longest ago goes first."""

MAX_EVENTS = 50_000
"""Events on a tape above which no further call is recorded."""

MAX_GAPS = 10_000
"""Subjects of calls that were not recorded that are remembered by name. Above it each new one is taken for one of them."""

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
        circuit: Tells of a breaker of the twin by its name.
    """

    __slots__ = ("circuit", "is_blind", "lately", "parted", "past", "twin")

    def __init__(self, twin: Any, parted: str | None, *, is_blind: bool, after: Line | None) -> None:
        self.twin = twin
        self.circuit = circuit_getter(twin)
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


class Desk:
    """Replays what one side of a seam did, as control, with twins of the other.

    ``tape`` and ``lost`` may be called from any thread; everything else runs in the lane's one thread.

    Attributes:
        tape: Appends what happened. All calls share it, so it is in the control's order.
    """

    def __init__(self, state: SeamState, control: Side) -> None:
        self._state, self._control = state, control
        self._tape: deque[tuple[Reel, Moment, Happening]] = deque()
        self.tape = self._tape.append
        self._clock = VirtualClock()
        self._lines: OrderedDict[str, Line] = OrderedDict()
        self._gaps: set[str] = set()
        self._has_missed = self._has_forgotten = False

    def lost(self, subject: str) -> None:
        """A call on *subject* is not recorded, or not whole: from now on its twin knows too little. From any thread."""
        if len(self._gaps) < MAX_GAPS:
            self._gaps.add(subject)
        else:
            self._has_forgotten = True

    @property
    def is_full(self) -> bool:
        """True while no further call may begin to be recorded."""
        return len(self._tape) >= MAX_EVENTS

    def begin_anew(self) -> None:
        """Forget every twin: for some time nothing was recorded."""
        self._has_missed = True
        for subject in list(self._lines):
            self.lost(subject)

    def reset_after_fork(self) -> None:
        """In a forked child: what the parent was doing is not ours."""
        self._tape.clear()
        self.begin_anew()

    def play(self, until: Reel) -> None:
        """Let the twins see what is on the tape, until *until* has ended there."""
        token, inside = TIME.set(self._clock.source), INSIDE.set(True)
        try:
            while self._tape and not until.is_played:
                reel, at, what = self._tape.popleft()
                try:
                    self._replay(reel, at, what)
                except CONTAINED:  # a side that cannot make a twin, or tell of its breaker: this call's matter alone
                    _LOG.exception("%s: cannot replay", self._state.binding.seam.full_name)
                    self._give_up(reel, is_over=isinstance(what, Ended))
        finally:
            TIME.reset(token)
            INSIDE.reset(inside)

    def _replay(self, reel: Reel, at: Moment, what: Happening) -> None:
        if isinstance(what, Begun):
            line = reel.line = self._line(at, reel)
            if reel.before.state is not None:
                self._clock.stand(at, None)
                reel.twin_before = line.circuit(reel.subject).state
            reel.twin = call = TwinCall(self._clock, reel)
            call.begin(at, getattr(line.twin, reel.operation.name))
            return
        twin, own = reel.twin, reel.line
        if twin is None or own is None:  # it began before a fork, or was given up
            self._give_up(reel, is_over=isinstance(what, Ended))
        elif isinstance(what, Attempt):
            self._lines.get(reel.subject, own).count(at, what)
            twin.attempt_ended(at, what)
        elif isinstance(what, Woke):
            twin.woke(at)
        else:
            reel.is_played = True
            self._ended(at, reel, own, twin, what)
            reel.twin = reel.line = None  # the caller's exception may hold the reel for long

    def _give_up(self, reel: Reel, *, is_over: bool) -> None:
        self.lost(reel.subject)
        reel.twin = None
        if is_over:
            reel.is_played = True
            reel.count(Outcome.UNCOMPARABLE, Uncomparable.NOT_REPLAYABLE)

    def _ended(self, at: Moment, reel: Reel, line: Line, call: TwinCall, end: Ended) -> None:
        if end.outcome is None:
            call.stop(at)
            reel.leave(Disposition.CANCELLED)
            return
        if not reel.is_replayable:
            call.fault = Uncomparable.NOT_REPLAYABLE
            call.stop(at)
        else:
            call.ended(at)
        if call.fault is not None:
            self.lost(reel.subject)
            reel.count(Outcome.UNCOMPARABLE, Uncomparable(call.fault))
        elif reel.heading.is_compared:
            self._compare(at, reel, line, call, end)
        else:
            reel.leave(Disposition.UNSHADOWED)
        # A call whose caller went away has ended above: nobody can live through that again.
        self._lines.get(reel.subject, line).past.append((call.began_s, call.words()))

    def _line(self, at: Moment, reel: Reel) -> Line:
        subject = reel.subject
        line = self._lines.get(subject)
        if line is None or subject in self._gaps:
            has_gap = subject in self._gaps or (line is None and self._has_forgotten)
            parted = _ANY if has_gap else None
            self._gaps.discard(subject)
            line = self._lines[subject] = self._anew(at, line, subject, reel.before, parted)
            # Half-open at the first call that is written down: what it was opened by, and who has tried since, is not on the tape.
            has_past = reel.before.state == "half_open"
            line.is_blind = line.is_blind and (parted is not None or self._has_missed or has_past)
            if len(self._lines) > MAX_LINES:
                oldest, forgotten = self._lines.popitem(last=False)
                self._dispose(forgotten)
                self.lost(oldest)  # its control goes on with what it knows
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

    def _compare(self, at: Moment, reel: Reel, line: Line, call: TwinCall, end: Ended) -> None:
        outcome, circuit = end.outcome or "", end.circuit
        self._clock.stand(at, None)
        state = None if circuit.state is None else line.circuit(reel.subject).state
        if state == circuit.state and call.did_as(outcome):
            line.parted = None
            has_raised = not has_result(outcome)
            both = who_raised(legacy=has_raised, unified=has_raised, outcome=Outcome.MATCHED)
            reel.count(Outcome.MATCHED, None, *both)
            self._guard(reel, is_bad=False)
            return
        control, candidate = call.control_trace(outcome, circuit.state), call.trace(state)
        legacy, unified = (control, candidate) if self._control is Side.LEGACY else (candidate, control)
        differences, is_exact = part(
            legacy=legacy, unified=unified, control=self._control, band=lambda attempt: self._band(reel, attempt)
        )
        parted = _parted(differences, control, candidate)
        if parted is None:
            line.parted = None
        elif not self._is_new(at, reel, line, circuit, parted):
            reel.count(Outcome.UNCOMPARABLE, Uncomparable.FOLLOW_ON)
            return
        verdict, reason = self._state.judge.note(
            reel.operation,
            self._facts(at, reel, line, given := _given(reel)),
            reel.cell.place,
            differences,
            is_reasonable=not is_exact,
            given=given,
            script=lambda: self._script(reel, line, call),
        )
        also = () if NO_OUTCOME in (legacy.outcome, unified.outcome) else _who_raised(legacy, unified, verdict)
        reel.count(verdict, reason, *also)
        has_failed = verdict is Outcome.MISMATCHED and unified.refused_by is not None and legacy.refused_by is None
        self._guard(reel, is_bad=has_failed)

    def _script(self, reel: Reel, line: Line, call: TwinCall) -> dict[str, object]:
        seconds = [attempt.took for attempt in call.attempts]
        return script_of(
            zip(seconds, call.words(), strict=True), draws=reel.draws, past=line.past, began_s=call.began_s
        )

    def _is_new(self, at: Moment, reel: Reel, line: Line, circuit: Circuit, parted: str) -> bool:
        """Tell whether the sides have parted here, and not before; a new twin then adopts the control's breaker."""
        is_newest = self._lines.get(reel.subject) is line
        is_new = is_newest and line.parted not in (parted, _ANY) and not line.is_blind
        line.parted = parted
        if is_newest:  # else another call has seen to it, while this one was in flight
            self._lines[reel.subject] = self._anew(at, line, reel.subject, circuit, parted)
        return is_new

    def _facts(self, at: Moment, reel: Reel, line: Line, given: Mapping[str, Any]) -> Facts:
        failed, ended = line.ended_lately(at)
        before = {self._control: reel.before.state, self._control.other: reel.twin_before}
        return Facts(
            operation=reel.operation.name,
            stage=reel.stage,
            control=reel.control,
            named="@".join(str(given[name]) for name in reel.operation.named_by),
            write=(("failed_lately", failed), ("ended_lately", ended), ("unified_before", before[Side.UNIFIED])),
        )

    def _guard(self, reel: Reel, *, is_bad: bool) -> None:
        """Unified refuses by itself where legacy calls, and nobody has accepted that: that is what the hard-fail guard counts."""
        if reel.stage is not Stage.LIVE:
            return
        if is_bad:
            self._state.failed_alone(reel.operation)
        else:
            self._state.guard.good()

    def _band(self, reel: Reel, attempt: int) -> tuple[float, float] | None:
        side = self._state.binding.sides[self._control]
        tell = getattr(side, "delay_band", None)
        if not callable(tell):
            return None
        args, kwargs = reel.given
        try:
            band: tuple[float, float] | None = tell(attempt, *args, **kwargs)
        except CONTAINED:
            _LOG.exception("%s: delay_band() failed", self._state.binding.seam.full_name)
            return None
        return band


def _given(reel: Reel) -> dict[str, Any]:
    """Return the call's arguments by name, without the user's function."""
    args, kwargs = reel.given
    bound = reel.operation.signature.bind(None, *args, **kwargs)
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
