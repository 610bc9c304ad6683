"""What came of a flip or a rollback, as it is told to people and to scripts."""

from __future__ import annotations

from dataclasses import dataclass

from oms.rollout.acknowledgement import Acknowledgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A flag that has been moved, or that stood there already.

    Attributes:
        before, after: The split, as the command line writes it.
        digest: Of the flag as it is now.
        changed: False if it stood there already and nothing was written.
        began: When the flag was replaced, in seconds of the monotonic clock.
        warnings: What went wrong without stopping it.
        recorded: False if the audit has no line of it.
        interrupted: True if somebody pressed Ctrl-C while it was written.
    """

    phase: str
    before: str
    after: str
    digest: str
    changed: bool
    began: float
    warnings: tuple[str, ...] = ()
    recorded: bool = True
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class FlipReport:
    """A move, and how far it has come."""

    move: Move
    acknowledgement: Acknowledgement

    @property
    def confirmed(self) -> bool:
        """True if every live process acknowledged within the wait."""
        return self.acknowledgement.complete

    @property
    def silent(self) -> tuple[int, ...]:
        """Pids of the live processes that have not acknowledged."""
        return self.acknowledgement.silent

    @property
    def warnings(self) -> tuple[str, ...]:
        """Everything that somebody should know beside the figures."""
        end = self.acknowledgement
        asked = (end.unknown,) if end.unknown else ()
        stopped = ("the wait was interrupted: the flip stands",) if end.interrupted else ()
        return (*self.move.warnings, *asked, *end.reasons, *stopped)

    def as_json(self) -> dict[str, object]:
        """Return the object that ``--json`` prints."""
        return {
            "schema": 1,
            "phase": self.move.phase,
            "from": self.move.before,
            "to": self.move.after,
            "digest": self.move.digest,
            "processes": self.acknowledgement.processes,
            "acknowledged": self.acknowledgement.acknowledged,
            "seconds": round(self.acknowledgement.seconds, 3),
            "silent": list(self.silent),
        }


@dataclass(frozen=True, slots=True)
class NotDone:
    """A phase that ``rollback --all`` could not take back. *refused* tells a refusal from a failure of the machine."""

    phase: str
    error: str
    refused: bool

    def as_json(self) -> dict[str, object]:
        """Return what ``--json`` says of it."""
        return {"schema": 1, "phase": self.phase, "error": self.error}
