"""Flips, written by the command line's processes, which have no journal thread."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from oms.domain.errors import CouldNot
from oms.domain.record import Flip
from oms.journal.schema import open_journal
from oms.journal.signals import without_file_size_signal


def append_flip(path: Path, flip: Flip, *, limit_s: float = 4.0) -> None:
    """Write *flip* to the journal at *path*, made if it is missing; waits at most about *limit_s* for the lock.

    Raises:
        CouldNot: if it cannot be written. The flip itself stands; the audit's own line is elsewhere.
    """
    row = (flip.phase, flip.from_split, flip.to_split, flip.digest, flip.who, flip.why, flip.at, flip.forced)
    try:
        with without_file_size_signal():
            connection = open_journal(path, busy_s=limit_s / 2)
            try:
                connection.execute("INSERT INTO flip VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            finally:
                connection.close()
    except (sqlite3.Error, OSError) as error:
        raise CouldNot(
            f"{path}: the flip of {flip.phase} is not in the journal ({error}), wanted a journal that can be written"
        ) from error
