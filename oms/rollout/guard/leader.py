"""One leader among several controllers, and a fence against one that sleeps through its replacement.

A folder holds one file for each term, named by its number. To lead is to have made the highest one, which ``O_EXCL`` lets one process do. The
leader locks its file for as long as it lives and writes the time into it at each look. A candidate takes the next term when the lock is
free (the leader has ended) or the time is old (it is stopped). No lock is ever waited for, so a stopped process holds up nobody. The
number only grows, and every flip of the leader checks it under the flip's own lock: one that wakes up after its term is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from oms.domain.errors import CouldNot, FlipRefused

STALE_AFTER_S = 10.0
"""A leader that has not looked for this long is replaced, even if it lives. Longer than it waits for an acknowledgement."""

_LINE = 256


class Leader(Protocol):
    """Who may move phases by itself."""

    def lead(self) -> bool:
        """Take or keep the lead; False while somebody else has it."""
        ...

    def fence(self) -> None:
        """Refuse to go on if the lead is lost.

        Raises:
            FlipRefused: then.
        """
        ...


class Alone:
    """The leader where there is only one controller, as in a simulation."""

    def lead(self) -> bool:
        """Lead."""
        return True

    def fence(self) -> None:
        """Nobody else leads."""


@dataclass(frozen=True, slots=True)
class Term:
    """The newest term: its number, the leader's pid, whether that process holds it still, how long ago it looked, and its profile."""

    number: int
    pid: int
    held: bool
    age_s: float
    profile: str | None = None

    @property
    def stands(self) -> bool:
        """True if nobody may take the next term."""
        return self.held and 0.0 <= self.age_s <= STALE_AFTER_S


class Candidate:
    """A controller that leads if nobody else does, over the folder *terms*. A context manager: its end frees the lead.

    Args:
        profile: Of the policy that it goes by, told to whoever asks where things stand.
    """

    def __init__(self, terms: Path, *, profile: str | None = None, stale_after_s: float = STALE_AFTER_S) -> None:
        self.terms, self._profile, self._stale_after_s = terms, profile, stale_after_s
        self._number, self._descriptor = 0, -1

    def __enter__(self) -> Candidate:
        return self

    def __exit__(self, *exc: object) -> None:
        self.resign()

    @property
    def number(self) -> int:
        """The term that this controller has made, 0 for none."""
        return self._number

    def lead(self) -> bool:
        """Take or keep the lead.

        Raises:
            CouldNot: if the folder cannot be written.
        """
        try:
            if self._holds():
                self._beat()
                return True
            self.resign()
            newest = newest_term(self.terms)
            if newest is not None and newest.held and 0.0 <= newest.age_s <= self._stale_after_s:
                return False
            return self._begin(1 if newest is None else newest.number + 1)
        except OSError as error:
            raise CouldNot(f"{self.terms}: {error.strerror}, wanted a folder that can be written") from error

    def fence(self) -> None:
        """Refuse to go on if this is not the newest term; else say that this leader lives, for a look may take long.

        Raises:
            FlipRefused: then.
        """
        if not self._holds():
            raise FlipRefused(f"term {self._number} of oms guard is over: another controller leads")
        self._beat()

    def resign(self) -> None:
        """Let go of the lead."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._number, self._descriptor = 0, -1

    def _holds(self) -> bool:
        """Tell whether the newest term is the very file that this controller made."""
        if self._descriptor < 0:
            return False
        numbers = _numbers(self.terms)
        try:
            found = (self.terms / str(self._number)).stat()
        except OSError:
            return False
        return bool(numbers) and numbers[-1] == self._number and found.st_ino == os.fstat(self._descriptor).st_ino

    def _begin(self, number: int) -> bool:
        self.terms.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(self.terms / str(number), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return False
        self._number, self._descriptor = number, descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Somebody is just looking whether it is held; the next look begins another term.
            self.resign()
            return False
        self._beat()
        for older in _numbers(self.terms):
            if older < number:
                (self.terms / str(older)).unlink(missing_ok=True)
        return self._holds()

    def _beat(self) -> None:
        # The clock of the machine since its start: every process reads the same one, and nobody can set it.
        line = json.dumps({"pid": os.getpid(), "at": time.monotonic(), "profile": self._profile}).encode()
        with contextlib.suppress(OSError):
            # A full disk must not end the lead: the lock says that we live.
            os.pwrite(self._descriptor, line.ljust(_LINE), 0)


def newest_term(terms: Path) -> Term | None:
    """Return the newest term in the folder *terms*, None if there never was one, or it cannot be read."""
    numbers = _numbers(terms)
    if not numbers:
        return None
    path = terms / str(numbers[-1])
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return Term(numbers[-1], 0, held=False, age_s=0.0)
    try:
        return _term(numbers[-1], descriptor)
    finally:
        os.close(descriptor)


def _term(number: int, descriptor: int) -> Term:
    try:
        raw = json.loads(os.pread(descriptor, _LINE, 0))
        pid, at, profile = int(raw["pid"]), float(raw["at"]), raw["profile"]
    except (ValueError, KeyError, TypeError):
        # Made this moment and not signed yet, or by a leader whose disk was full: the lock tells.
        pid, at, profile = 0, time.monotonic(), None
    held = True
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = False
    return Term(number, pid, held, time.monotonic() - at, profile)


def _numbers(terms: Path) -> list[int]:
    try:
        return sorted(int(entry.name) for entry in terms.iterdir() if entry.name.isascii() and entry.name.isdigit())
    except OSError:
        return []
