"""The diary of flips: JSON lines, only ever appended, each sealed with the hash of the one before."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from oms.domain.errors import CouldNot
from oms.domain.record import Flip

_TAIL_BYTES = 65_536
_LINE_LOCK_WAIT_S = 0.2
_FIELDS = ("at", "who", "why", "phase", "from", "to", "digest", "forced", "outcome")


class AuditOutcome(StrEnum):
    """What came of a flip that somebody asked for."""

    DONE = "done"
    REFUSED = "refused"
    NOTHING = "nothing to do"
    ORDER = "order"
    """A pause, a resume, a freeze, an unfreeze, or a trip with nothing to take back; the note says which."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One flip as it stands in the diary. *number* counts from 1; *note* says why it was refused, else empty."""

    number: int
    flip: Flip
    outcome: AuditOutcome
    note: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """What could be read.

    Attributes:
        lines: Oldest first.
        problems: One sentence a line that is damaged, or that does not follow from the one before.
    """

    lines: tuple[AuditLine, ...]
    problems: tuple[str, ...]

    def last_done(self, phase: str) -> AuditLine | None:
        """Return the newest flip of *phase* that took place, None if there is none."""
        moves = (line for line in reversed(self.lines) if line.outcome is AuditOutcome.DONE)
        return next((line for line in moves if line.flip.phase == phase), None)

    def standing_since(self, phase: str, stage: str) -> float | None:
        """Return when the present unbroken stand at *stage*, wholly or in part, began: Unix time in seconds, None if it is not known."""
        since = None
        for line in reversed(self.lines):
            if line.outcome is AuditOutcome.DONE and line.flip.phase == phase:
                if line.flip.to_split.partition("=")[0] != stage:
                    break
                since = line.flip.at
        return since


class Audit:
    """The file ``audit.jsonl``. Many processes may append at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Make sure that a line can be added, while nothing has been done yet that would need one.

        Raises:
            CouldNot: if the file cannot be opened for appending.
        """
        os.close(self._open())

    def append(self, flip: Flip, outcome: AuditOutcome, *, note: str = "") -> None:
        """Add one line and force it to the disk.

        Raises:
            CouldNot: if it did not get there.
        """
        descriptor = self._open()
        try:
            _lock_briefly(descriptor)
            _append(descriptor, _row(flip, outcome, note))
        except OSError as error:
            raise CouldNot(f"{self.path}: {error.strerror}, wanted one more audit line") from error
        finally:
            os.close(descriptor)

    def read(self) -> AuditTrail:
        """Return every line that can be read. A damaged line costs itself only; no file reads as an empty trail.

        Raises:
            CouldNot: if there is a file and it cannot be opened.
        """
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return AuditTrail((), ())
        except OSError as error:
            raise CouldNot(f"{self.path}: {error.strerror}, wanted a readable audit") from error
        return _trail(raw)

    def _open(self) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise CouldNot(f"{self.path}: {error.strerror}, wanted a file that can be appended to") from error


def _lock_briefly(descriptor: int) -> None:
    """Keep two writers from sealing with the same line. One that holds on for longer must not stop a rollback."""
    deadline = time.monotonic() + _LINE_LOCK_WAIT_S
    while time.monotonic() < deadline:
        with suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.001)
    return None


def _append(descriptor: int, row: dict[str, object]) -> None:
    end = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL_BYTES, max(0, end - _TAIL_BYTES))
    row["prev"] = _last_hash(tail)
    row["hash"] = _seal(row)
    # A line that a crash cut short is left as it is; ours begins on a line of its own.
    start = b"" if not tail or tail.endswith(b"\n") else b"\n"
    line = start + json.dumps(row, separators=(",", ":")).encode() + b"\n"
    if os.write(descriptor, line) != len(line):
        raise OSError(0, "the line was cut short")
    os.fsync(descriptor)


def _row(flip: Flip, outcome: AuditOutcome, note: str) -> dict[str, object]:
    at = dt.datetime.fromtimestamp(flip.at, dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    row: dict[str, object] = {
        "schema": 1,
        "at": at,
        "who": flip.who,
        "why": flip.why,
        "phase": flip.phase,
        "from": flip.from_split,
        "to": flip.to_split,
        "digest": flip.digest,
        "forced": flip.forced,
        "outcome": outcome.value,
    }
    return {**row, "note": note} if note else row


def _seal(row: Mapping[str, object]) -> str:
    """Return the SHA-256 of a row without its own hash, as hex."""
    content = {name: value for name, value in row.items() if name != "hash"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _last_hash(tail: bytes) -> str:
    for line in reversed(tail.splitlines()):
        row = _parse(line)
        if row is not None:
            return str(row["hash"])
    return ""


def _parse(line: bytes) -> dict[str, object] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and {*_FIELDS, "hash"} <= set(row) else None


def _trail(raw: bytes) -> AuditTrail:
    lines: list[AuditLine] = []
    problems: list[str] = []
    for number, text in enumerate(raw.splitlines(), start=1):
        line = _line(number, _parse(text))
        if line is None:
            problems.append(f"line {number} is damaged and was left out")
            continue
        if problem := _break_in(_parse(text) or {}, lines[-1].hash if lines else ""):
            problems.append(f"line {number} {problem}")
        lines.append(line)
    return AuditTrail(tuple(lines), tuple(problems))


def _break_in(row: Mapping[str, object], previous: str) -> str:
    if row["hash"] != _seal(row):
        return "was changed after it was written"
    return (
        ""
        if row.get("prev") == previous
        else "does not follow the line before: lines were removed or written side by side"
    )


def _line(number: int, row: Mapping[str, object] | None) -> AuditLine | None:
    if row is None:
        return None
    try:
        flip = Flip(
            phase=str(row["phase"]),
            from_split=str(row["from"]),
            to_split=str(row["to"]),
            digest=str(row["digest"]),
            who=str(row["who"]),
            why=str(row["why"]),
            forced=bool(row["forced"]),
            at=dt.datetime.fromisoformat(str(row["at"])).timestamp(),
        )
        return AuditLine(number, flip, AuditOutcome(str(row["outcome"])), str(row.get("note", "")), str(row["hash"]))
    except ValueError:
        return None
