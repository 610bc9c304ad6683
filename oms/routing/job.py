"""One shadowed call on its way from the caller to its comparison."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import Context
from typing import Any

from oms.domain.evidence import EMPTY, REPEATED
from oms.domain.observation import Facts, Observation, Outcome, Raised, Returned, Uncomparable
from oms.domain.phase import Operation
from oms.domain.stage import Effect, Side, Stage
from oms.routing.requests import request_of
from oms.routing.snapshot import opened
from oms.routing.state import SeamState
from oms.routing.tally import Cell

_CLEAN = (Outcome.MATCHED, Outcome.REASONABLE)

_WHO_RAISED = {
    (False, False): "errors.none",
    (True, False): "errors.legacy",
    (False, True): "errors.unified",
    (True, True): "errors.both",
}


def who_raised(*, legacy: bool, unified: bool, outcome: Outcome) -> tuple[str, ...]:
    """Return what is to be counted of a pair by whether either side raised, none where one did alone as a known divergence says.

    Where the wings differ by design, as in what is retried, the one that gives up is not worse: guards would take back what somebody accepted.
    """
    is_by_design = legacy != unified and outcome is Outcome.IGNORED
    return () if is_by_design else (_WHO_RAISED[legacy, unified],)


class Job:
    """A call that was answered, and what is needed to run and compare the side beside.

    Attributes:
        control: The side that answered; its observation holds snapshots, not values.
        arguments: Snapshot of ``(args, kwargs)``; of a write these themselves, which its caller may have changed since.
        candidate: What the other side did, where that is known already (a rescue, a second write).
        fault: Why the call cannot be compared, where that is known already.
        stamp: Moment of the key book at which the control began.
        began_s: When the control began, seconds of the performance counter.
        size: About how many bytes its snapshots hold.
        is_judged_by_guard: True if the hard-fail guard has counted the call already.
        written: Of a write: its own arguments other than key and value.
    """

    # Defaults on the class: a job is made for every shadowed call, and most of these stay as they are.
    key: str | None = None
    stamp = 0
    began_s = 0.0
    enqueued_s = 0.0
    arguments: object = None
    context: Context | None = None
    observation: Observation = Returned(None)
    control_ns = 0
    candidate: Observation | None = None
    candidate_ns: int | None = None
    fault: Uncomparable | None = None
    size = 0
    is_concluded = False
    is_judged_by_guard = False
    written: tuple[tuple[str, object], ...] = ()

    def __init__(self, state: SeamState, operation: Operation, cell: Cell, stage: Stage, control: Side) -> None:
        self.state = state
        self.operation = operation
        self.cell = cell
        self.stage = stage
        self.control = control

    @property
    def needs_candidate(self) -> bool:
        """True if the other side has still to run."""
        return self.candidate is None and self.fault is None

    @property
    def beside(self) -> Side:
        """The side that runs in the lane."""
        return self.control.other

    def method(self) -> Callable[..., Any]:
        """Return the candidate's bound method."""
        return self.state.binding.method(self.beside, self.operation.name)

    def conclude(self) -> None:
        """Compare, and count the call. Once only; the first conclusion stands."""
        if self.is_concluded:
            return
        if (
            self.fault is None
            and self.operation.effect is Effect.READS
            and self.state.keys.is_raced(self.key, self.stamp)
        ):
            self.fault = Uncomparable.RACED
        if self.fault is not None:
            self.count(Outcome.UNCOMPARABLE, self.fault, *self._errors(Outcome.UNCOMPARABLE))
            return
        control, candidate = self.opened_observation(), self.candidate or Returned(None)
        legacy, unified = (control, candidate) if self.control is Side.LEGACY else (candidate, control)
        verdict = self.state.judge.judge(
            self.operation, self.facts(), self.cell.place, legacy=legacy, unified=unified, given=self._given
        )
        also = self._errors(verdict.outcome)
        if verdict.is_empty:
            also = (*also, EMPTY)
        elif verdict.outcome in _CLEAN and self._is_repeated():
            also = (*also, REPEATED)
        self.count(verdict.outcome, verdict.reason, *also)
        has_failed_alone = isinstance(unified, Raised) and isinstance(legacy, Returned)
        if self.control is Side.UNIFIED and has_failed_alone and not self.is_judged_by_guard:
            self.state.failed_alone(self.operation)

    def count(self, outcome: Outcome, reason: str | None = None, *also: str) -> None:
        """Count the call with *outcome* and whatever else is to be counted of it, unless it has been."""
        if self.is_concluded:
            return
        self.is_concluded = True
        durations: tuple[tuple[Side, int], ...] = ((self.control, self.control_ns),)
        if self.candidate_ns is not None:
            durations = (*durations, (self.control.other, self.candidate_ns))
        self.cell.shadowed(outcome, reason, durations, *also)

    def opened_observation(self) -> Observation:
        """Return what the control did, with a value of its own."""
        done = self.observation
        return Returned(opened(done.value)) if isinstance(done, Returned) else done

    def _errors(self, outcome: Outcome) -> tuple[str, ...]:
        """Return the name of who raised, where both sides ran.

        Of reads only. The second side of a write is not asked when the first one fails, so pairs of writes would accuse the second one.
        """
        if self.candidate_ns is None or self.operation.effect is not Effect.READS:
            return ()
        has_failed = {
            self.control: isinstance(self.observation, Raised),
            self.control.other: isinstance(self.candidate, Raised),
        }
        return who_raised(legacy=has_failed[Side.LEGACY], unified=has_failed[Side.UNIFIED], outcome=outcome)

    def _is_repeated(self) -> bool:
        if self.operation.effect is Effect.READS:
            request = request_of(self.operation.name, self.arguments)
        else:
            request = hash((self.operation.name, self.key))
        return self.state.requests.is_repeated(request, at_s=time.monotonic())

    def facts(self) -> Facts:
        """Return what is known of the call beside what the sides did."""
        keys = self.state.keys
        last = keys.last_write(self.key)
        is_write = self.operation.effect is Effect.WRITES
        if is_write or last is None:
            written_s, arguments = self.began_s if is_write else None, self.written
        else:
            written_s, arguments = last.at_s, last.arguments
        return Facts(
            operation=self.operation.name,
            stage=self.stage,
            control=self.control,
            read_s=self.began_s,
            compared_s=time.perf_counter(),
            written_s=written_s,
            write=arguments,
            keys_written=keys.keys_written,
            fuller=keys.fuller,
            named=self._named(),
        )

    def _named(self) -> str:
        """Return the names that the call gave, in the order in which the port declares them."""
        if not self.operation.named_by:
            return ""
        given = self._given()
        return "@".join(str(given[name]) for name in self.operation.named_by)

    def _given(self) -> dict[str, object]:
        """Return the arguments of the call by name."""
        args, kwargs = opened(self.arguments) or ((), {})
        return {**dict(zip(self.operation.signature.parameters, args, strict=False)), **kwargs}
