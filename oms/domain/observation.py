"""What one side did in one call, and what a comparison of two such observations can come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from oms.domain.stage import Side, Stage


@dataclass(frozen=True, slots=True)
class StandIn:
    """An exception as a value: its class and the fields its port declares. The exception object itself is never touched."""

    type_name: str
    fields: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class Returned:
    """The side returned *value* (a snapshot of it, once it is in a lane)."""

    value: object


@dataclass(frozen=True, slots=True)
class Raised:
    """The side raised."""

    error: StandIn


Observation = Returned | Raised


class Outcome(StrEnum):
    """What a shadowed call came to. The seven sum to the shadowed calls."""

    __hash__ = str.__hash__  # an Enum hashes its name in Python, which is too slow for every call

    MATCHED = "matched"
    REASONABLE = "reasonable"
    IGNORED = "ignored"
    MISMATCHED = "mismatched"
    UNCOMPARABLE = "uncomparable"
    TIMED_OUT = "timed_out"
    DROPPED = "dropped"


class Uncomparable(StrEnum):
    """Why a comparison could not be made.

    ``censored``: cut by a time limit of the control's, so nobody knows what the candidate would have seen. ``follow_on``: the sides had
    parted before, and this is what comes of it. ``not_replayable``: the candidate waited for something else than time or an outcome.
    """

    __hash__ = str.__hash__  # an Enum hashes its name in Python, which is too slow for every call

    RACED = "raced"
    NOT_SNAPSHOTTABLE = "not_snapshottable"
    COMPARATOR_FAILED = "comparator_failed"
    NOT_ATTEMPTED = "not_attempted"
    CENSORED = "censored"
    FOLLOW_ON = "follow_on"
    NOT_REPLAYABLE = "not_replayable"


class Disposition(StrEnum):
    """What became of a routed call. The six sum to ``calls``; direct calls are not routed and not counted."""

    __hash__ = str.__hash__  # an Enum hashes its name in Python, which is too slow for every call

    UNSHADOWED = "unshadowed"
    SAMPLED_OUT = "sampled_out"
    PAUSED = "paused"
    NESTED = "nested"
    CANCELLED = "cancelled"
    SHADOWED = "shadowed"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about a call beside the two observations, for tolerance and for known-divergence rules.

    Attributes:
        operation, stage, control: The operation's name, the stage it was decided at, the side that answered.
        read_s: When the control began, in seconds of a monotonic clock.
        compared_s: When the candidate ended, same clock.
        written_s: When the key was last written on both sides through the facade, same clock; None if never, or longer ago than is kept.
        write: Arguments of that write other than key and value, by name (``ttl``), or of this call when it is a write itself.
        keys_written: How many distinct keys were written, and not removed, on both sides since they were last emptied.
        fuller: The side that holds further keys, of the time before the other one was emptied; None if neither does.
        named: What the call names by the parameters that its port calls names, ``IAM_TIMEOUT@core/iam.py``; empty if there are none.
    """

    operation: str
    stage: Stage
    control: Side
    read_s: float = 0.0
    compared_s: float = 0.0
    written_s: float | None = None
    write: tuple[tuple[str, object], ...] = ()
    keys_written: int = 0
    fuller: Side | None = None
    named: str = ""

    def written_with(self, name: str) -> object:
        """Return an argument of the key's last write, None if it is not known."""
        return dict(self.write).get(name)


Explain = Callable[[Observation, Observation, Facts], str | None]
"""``explain(legacy, unified, facts)``: why the difference is within the port's tolerance, or None if it is not."""
