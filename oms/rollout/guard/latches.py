"""What must outlive the controller: trips, pauses, freezes, the policy that a step began with, how the clock ran.

One small file, replaced in one step.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from oms.domain.errors import CouldNot
from oms.rollout.lock import exclusive
from oms.rollout.wording import clock_text

WHO = "oms guard"
"""Who pauses, freezes and moves phases in latches and audit when the controller does."""

_LOCK_WAIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripped:
    """A guard that tripped. It stands until somebody resumes the phase.

    Attributes:
        version: What was served when it tripped.
        calls: Routed calls of the operation in that step.
        at_s: When the controller saw it, Unix time in seconds.
        before: Where the phase stood.
        to: Where it had to go; the same if there was nothing to take back.
        done: True once that was written; until then whoever leads goes on with it.
        also: The other guards that had tripped when it was seen, ``mismatch types.get``.
        seconds: From the look that saw it until every process had acknowledged, None if not all did.
    """

    guard: str
    operation: str
    version: str
    why: str
    at_s: float
    before: str
    to: str
    calls: int = 0
    done: bool = False
    seconds: float | None = None
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``errors types.get``, or ``budget``."""
        return f"{self.guard} {self.operation}".rstrip()

    @property
    def names(self) -> str:
        """The same with the others behind it: ``errors types.get, mismatch types.get``."""
        return ", ".join((self.name, *self.also))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A pause or a freeze: who, why, since when, and until when (None: until it is taken back)."""

    who: str
    why: str
    at_s: float
    until_s: float | None = None

    def holds_at(self, now_s: float) -> bool:
        """Tell whether it is still in force."""
        return self.until_s is None or now_s < self.until_s

    @property
    def text(self) -> str:
        """``by ana since 03:12 until 09:00: why``."""
        until = f" until {clock_text(self.until_s)}" if self.until_s is not None else ""
        return f"by {self.who} since {clock_text(self.at_s)}{until}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMark:
    """A step as a controller first saw it: the flag's digest and the policy's."""

    plan: str
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvenClock:
    """How the clock ran when a leader last saw that it had been set.

    Attributes:
        boot: Names the run of the machine, in which a steady clock only grows.
        offset_s: Unix time less the steady clock, in seconds: it changes when somebody sets the clock, or the machine sleeps.
        since_s: When that was seen, Unix time in seconds; 0 if it never was. No age is older than this.
    """

    boot: str
    offset_s: float
    since_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseLatch:
    """What is latched for one phase.

    Attributes:
        since_s: Counts before it are no longer looked at, Unix time in seconds.
        ahead_s: Counts up to it that are still to come were made by a clock that ran ahead, and are not looked at either.
    """

    tripped: Tripped | None = None
    paused: Order | None = None
    frozen: Order | None = None
    step: StepMark | None = None
    since_s: float = 0.0
    ahead_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Latched:
    """Everything that is latched."""

    phases: Mapping[str, PhaseLatch] = field(default_factory=dict)
    frozen: Order | None = None
    clock: EvenClock | None = None

    def of(self, phase: str) -> PhaseLatch:
        """Return what is latched for *phase*."""
        return self.phases.get(phase, PhaseLatch())

    @property
    def even_since_s(self) -> float:
        """Since when nobody has set the clock, as far as that is known: Unix time in seconds, 0 for ever."""
        return 0.0 if self.clock is None else self.clock.since_s

    def standstill(self, phase: str, *, now_s: float) -> list[str]:
        """Return why *phase* must not move towards unified, one sentence each."""
        latch, found = self.of(phase), []
        if latch.tripped is not None:
            found.append(f"it is tripped ({latch.tripped.name}, {clock_text(latch.tripped.at_s)})")
        if latch.paused is not None:
            found.append(f"it is paused {latch.paused.text}")
        for frozen, what in ((latch.frozen, "it is"), (self.frozen, "all phases are")):
            if frozen is not None and frozen.holds_at(now_s):
                found.append(f"{what} frozen {frozen.text}")
        return found


T = TypeVar("T", Tripped, Order, StepMark, EvenClock)


class Latches:
    """The file of latches. Any process may read it; whoever changes it holds the lock beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Latched:
        """Return what is latched; nothing if there is no file.

        Raises:
            CouldNot: if there is a file and it cannot be read: then nobody knows what is latched.
        """
        try:
            return _latched(json.loads(self.path.read_bytes()))
        except FileNotFoundError:
            return Latched()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            found = error.strerror if isinstance(error, OSError) else "something else"
            raise CouldNot(
                f"{self.path}: found {found}, wanted the latches of oms guard; oms resume writes a new one"
            ) from error

    def change(self, phase: str, change: Callable[[PhaseLatch], PhaseLatch]) -> PhaseLatch:
        """Replace what is latched for *phase* by what *change* makes of it, and return that.

        Raises:
            CouldNot: if the file cannot be read, locked or written; it is then as it was.
        """

        def all_phases(latched: Latched) -> Latched:
            return replace(latched, phases={**latched.phases, phase: change(latched.of(phase))})

        return self.change_all(all_phases).of(phase)

    def change_all(self, change: Callable[[Latched], Latched], *, anew: bool = False) -> Latched:
        """The same for all of it. *anew* begins with nothing where the file cannot be read."""
        with exclusive(self.path.with_suffix(".lock"), limit_s=_LOCK_WAIT_S):
            try:
                before = self.read()
            except CouldNot:
                if not anew:
                    raise
                before = Latched()
            after = change(before)
            if after != before or anew:
                self._write(after)
        return after

    def _write(self, latched: Latched) -> None:
        made = self.path.with_name(f".{self.path.name}.{secrets.token_hex(6)}")
        try:
            with made.open("wb") as file:
                file.write(json.dumps({"schema": 1, **asdict(latched)}, indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            made.replace(self.path)
        except OSError as error:
            made.unlink(missing_ok=True)
            raise CouldNot(f"{self.path}: {error.strerror or error}, wanted to keep what is latched") from error


def _latched(raw: dict[str, Any]) -> Latched:
    return Latched(
        phases={name: _phase(found) for name, found in raw["phases"].items()},
        frozen=_read(Order, raw["frozen"]),
        clock=_read(EvenClock, raw.get("clock")),
    )


def _phase(raw: dict[str, Any]) -> PhaseLatch:
    return PhaseLatch(
        tripped=_read(Tripped, raw["tripped"]),
        paused=_read(Order, raw["paused"]),
        frozen=_read(Order, raw["frozen"]),
        step=_read(StepMark, raw["step"]),
        since_s=float(raw["since_s"]),
        ahead_s=float(raw.get("ahead_s", 0.0)),
    )


def _read(kind: type[T], raw: dict[str, Any] | None) -> T | None:
    """Return the value that stands as *raw*; what another version wrote besides is left out."""
    if not raw:
        return None
    names = {each.name for each in fields(kind)}
    return kind(**{name: _value(value) for name, value in raw.items() if name in names})


def _value(raw: Any) -> Any:
    return tuple(raw) if isinstance(raw, list) else raw
