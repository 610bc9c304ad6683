"""What a flip touches, as ports: rollout moves flags without knowing how they are written or how processes answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from oms.domain.decision import PhaseDecision
from oms.domain.phase import Phase
from oms.domain.record import Flip
from oms.domain.split import Split
from oms.domain.standing import ProcessStanding
from oms.rollout.audit import Audit

LOCK_WAIT_S = 5.0
"""How long a flip waits for another one to let go of the lock."""

ROLLBACK_LOCK_WAIT_S = 1.0
"""How long a rollback waits for the lock before it goes on without it."""


class FlagState(Protocol):
    """What the flag of one phase says now, and the digest that names this content."""

    @property
    def digest(self) -> str:
        """16 hex digits that name the flag's content."""
        ...

    @property
    def split(self) -> Split | None:
        """Weights per stage; None if the flag has targeting that is not a plain share."""
        ...

    @property
    def decision(self) -> PhaseDecision:
        """What the flag decides, and every stage it can decide for."""
        ...


class FlagStore(Protocol):
    """One folder of flags."""

    def read(self, phase: str) -> FlagState:
        """Return what the flag of *phase* says.

        Raises:
            FlagFileInvalid: if it must not be served, with what to mend.
            CouldNot: if it cannot be read at all.
        """

    def write(self, phase: str, split: Split, *, based_on: str | None) -> str:
        """Replace the flag of *phase* by *split* in one step and return the new digest.

        Raises:
            FlipRefused: if the flag no longer has the digest *based_on*; None asks for no check.
            CouldNot: if it cannot be written; the flag is then as it was.
        """


Processes = Callable[[], Sequence[ProcessStanding]]
"""Returns every process that left a process file, dead ones included."""


def _keep_nowhere(flip: Flip) -> None:
    """Leave a flip to the audit alone."""


def _nothing_latched(phase: str) -> Sequence[str]:
    return ()


def _unfenced() -> None:
    """Let whoever asks go on: people are not fenced."""


def _age_unknown(phase: str) -> float | None:
    return None


def _all_accepted(phase: str) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Switchboard:
    """Everything a flip touches.

    Attributes:
        phases: Every phase by name.
        flags: The flags that processes follow.
        last_good: The last flags that could be served, for when one of the others cannot.
        processes: Who serves, and with which flags.
        audit: The diary of flips.
        lock: The file that one flip at a time locks.
        record: Told of each flip once it stands, besides the audit; may raise ``CouldNot`` or ``OSError``.
        unaccepted: What speaks against live for a phase that legacy can't rescue, one sentence each.
        standstill: Why a phase must not move towards unified for now, one sentence each: tripped, paused, frozen. May raise ``CouldNot``.
        changed_at: When the flag of a phase was last replaced, Unix time in seconds, None if that is not known.
        clock: Unix time in seconds.
    """

    phases: Mapping[str, Phase]
    flags: FlagStore
    last_good: FlagStore
    processes: Processes
    audit: Audit
    lock: Path
    record: Callable[[Flip], None] = field(default=_keep_nowhere)
    unaccepted: Callable[[str], Sequence[str]] = field(default=_all_accepted)
    standstill: Callable[[str], Sequence[str]] = field(default=_nothing_latched)
    changed_at: Callable[[str], float | None] = field(default=_age_unknown)
    clock: Callable[[], float] = field(default=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """Who moves a phase, why, and whether over the objections that can be overridden.

    Attributes:
        fence: Called under the lock, right before the flag is written; raises ``FlipRefused`` if the mandate has ended meanwhile.
    """

    who: str
    why: str
    force: bool = False
    fence: Callable[[], None] = field(default=_unfenced)
