"""What one phase is served now, and how that came about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oms.domain.decision import PhaseDecision
from oms.domain.phase import Phase
from oms.flagging.files import Signature

Origin = Literal["file", "last-good", "default"]

SETTLING_LOOKS = 8
"""A changed file is read at this many looks: a second write within one tick of the file system's clock leaves no other trace."""


@dataclass(frozen=True, slots=True)
class Served:
    """A decision in force.

    Attributes:
        content: Digest of the file that it comes from, which for a rollback by hand is not the decision's own; empty if there is none.
        keep: What to keep as the last good file; empty for a declared default.
        warning: Why it is not served as it is written; empty otherwise.
    """

    decision: PhaseDecision
    content: str = ""
    keep: bytes = b""
    warning: str = ""


@dataclass(slots=True)
class Watched:
    """The file of one phase, as the source last saw it.

    Attributes:
        seen: Signature at the last look; None for no file.
        settling: At how many more looks it is read although its signature stays.
        examined: Digest of the content that was last judged, good or bad; empty if it could not be read.
        problem: Why the file is not served; empty when it is.
    """

    phase: Phase
    served: Served
    origin: Origin = "default"
    seen: Signature | None = None
    settling: int = SETTLING_LOOKS
    examined: str = ""
    problem: str = ""

    def wants_reading(self, signature: Signature | None) -> bool:
        """Note *signature* and tell whether the file has to be read."""
        if signature != self.seen:
            self.seen, self.settling = signature, SETTLING_LOOKS
        self.settling -= 1
        return self.settling >= 0

    def unread(self) -> None:
        """Note that the file could not be read: while there is one, it is tried again at every look."""
        self.examined = ""
        if self.seen is not None:
            self.settling = SETTLING_LOOKS

    def forget(self) -> None:
        """Have the file read anew, as a process must that was forked in the middle of it."""
        self.seen, self.settling, self.examined = None, SETTLING_LOOKS, ""
