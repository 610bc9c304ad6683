"""One process's hand on the journal's file: short transactions, all of a flush or nothing of it."""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from oms.domain.record import Place, Repair
from oms.journal.identity import Identity
from oms.journal.limits import JournalLimits
from oms.journal.pending import Group, Pending, place_of
from oms.journal.retention import prune
from oms.journal.samples import dump_buckets, dump_samples, keep
from oms.journal.schema import check_is_readable, inode_of, open_journal, put_aside

_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_TALLY = """INSERT INTO tally VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count"""
_LATENCY = """INSERT INTO latency VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET buckets = add_buckets(buckets, excluded.buckets)"""
_UNIT = """INSERT INTO unit VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET buckets = add_buckets(buckets, excluded.buckets)"""
_DIVERGENCE = """INSERT INTO divergence (fingerprint, known, place, kind, path, legacy_type, unified_type, first_seen, last_seen, samples)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen),
        samples = add_samples(samples, excluded.samples, ?, ?)
    RETURNING id"""
_DIVERGENCE_COUNT = """INSERT INTO divergence_count VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count"""
_REPAIR = """INSERT INTO repair VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET closed_at = excluded.closed_at"""
_LOSS = """INSERT INTO loss VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET until = max(until, excluded.until), count = count + excluded.count"""
_PLACE = """INSERT INTO place (phase, seam, operation, stage, plan, version) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET phase = phase RETURNING id"""
_PROCESS = """INSERT INTO process (host, boot, pid, started, started_at, seen_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at, ended_at = NULL, ending = NULL
    RETURNING id"""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What every store of a process is opened with.

    Attributes:
        hash_key: With it, the key of a repair is written as a keyed hash; without it, only whether there was one.
        busy_s: How long a transaction waits for another process's, in seconds.
    """

    path: Path
    limits: JournalLimits
    hash_key: bytes | None = None
    busy_s: float = 0.2


class Store:
    """An open journal. After an error it is closed and another one opened: what is half known is not kept."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        inode = inode_of(settings.path)
        try:
            self._connection = open_journal(settings.path, busy_s=settings.busy_s)
        except sqlite3.DatabaseError as error:
            if inode is not None and is_corrupt(error):
                put_aside(settings.path, inode, busy_s=settings.busy_s)
            raise
        self._inode = inode_of(settings.path)
        self._identity = Identity.own()
        self._process: int | None = None
        self._places: dict[Place, int] = {}
        self._pruned_at: float | None = None

    @property
    def is_current(self) -> bool:
        """False once the file at the path is another one than the open one, none, or empty."""
        return inode_of(self._settings.path) == self._inode

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def abandon(self) -> None:
        """Leave the connection alone for ever: in a forked child even closing it would disturb the parent's locks."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))

    def put_aside(self) -> None:
        """Close, and rename the corrupt file."""
        self.close()
        if self._inode is not None:
            put_aside(self._settings.path, self._inode, busy_s=self._settings.busy_s)

    def wait_at_most(self, busy_s: float) -> None:
        """Bound the wait for another process's transaction."""
        self._connection.execute(f"PRAGMA busy_timeout = {max(0, int(busy_s * 1000))}")

    def write(self, pending: Pending, now: float, *, ended: bool = False) -> None:
        """Write all of *pending* in one transaction, and that the process was there at *now*, or ended then."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            process = self._write_process(now, ended=ended)
            self._forget_places_after_pruning()
            self._write_counts(pending)
            for group in pending.groups.values():
                self._write_group(group)
            connection.executemany(_REPAIR, [self._repair_row(process, repair) for repair in pending.repairs.values()])
            connection.executemany(
                "INSERT INTO trip VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        process,
                        trip.phase,
                        trip.seam,
                        trip.operation,
                        trip.guard,
                        trip.from_stage,
                        trip.to_stage,
                        trip.reason,
                        trip.at,
                    )
                    for trip in pending.trips
                ],
            )
            connection.executemany(
                _LOSS, [(process, loss.since, loss.reason, loss.until, loss.count) for loss in pending.losses.values()]
            )
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def prune_if_due(self, now: float) -> None:
        """Keep the journal within its limits, if no process has done so lately, and see that others can read it."""
        check_is_readable(self._settings.path)
        prune(self._connection, self._settings.limits, now)

    def _write_process(self, now: float, *, ended: bool) -> int:
        if self._process is None:
            me = self._identity
            self._mark_killed()
            row = self._connection.execute(_PROCESS, (me.host, me.boot, me.pid, me.started, now, now)).fetchall()[0]
            self._process = int(row[0])
        else:
            self._connection.execute("UPDATE process SET seen_at = ? WHERE id = ?", (now, self._process))
        if ended:
            self._connection.execute(
                "UPDATE process SET ended_at = ?, ending = 'clean' WHERE id = ?", (now, self._process)
            )
        return self._process

    def _mark_killed(self) -> None:
        """Say of each process of this host that is gone without a word that it was killed, when it was last seen."""
        rows = self._connection.execute(
            "SELECT id, host, boot, pid, started FROM process WHERE ended_at IS NULL AND host = ?",
            (self._identity.host,),
        ).fetchall()
        gone = [(row[0],) for row in rows if not Identity(*row[1:]).is_alive()]
        self._connection.executemany("UPDATE process SET ended_at = seen_at, ending = 'killed' WHERE id = ?", gone)

    def _write_counts(self, pending: Pending) -> None:
        self._connection.executemany(
            _TALLY,
            [(minute, self._place(place), name, count) for (minute, place, name), count in pending.counts.items()],
        )
        self._connection.executemany(
            _LATENCY,
            [
                (minute, self._place(place), side, dump_buckets(buckets))
                for (minute, place, side), buckets in pending.latencies.items()
            ],
        )
        self._connection.executemany(
            _UNIT,
            [
                (minute, self._place(place), dump_buckets(buckets))
                for (minute, place, _), buckets in pending.units.items()
            ],
        )

    def _write_group(self, group: Group) -> None:
        it, limits = group.example, self._settings.limits
        place = self._place(place_of(it))
        kept = keep(group.samples, first=limits.samples_first, newest=limits.samples_newest)
        samples = dump_samples(kept, longest=limits.sample_chars)
        row = (it.fingerprint, it.known or "", place, it.kind, it.path, *it.types, group.first_seen, group.last_seen)
        bounds = (limits.samples_first, limits.samples_newest)
        divergence = self._connection.execute(_DIVERGENCE, (*_texts(row), samples, *bounds)).fetchall()[0][0]
        self._connection.executemany(
            _DIVERGENCE_COUNT, [(minute, divergence, count) for minute, count in group.counts.items()]
        )

    def _repair_row(self, process: int, repair: Repair) -> tuple[object, ...]:
        return (
            process, repair.id, repair.phase, repair.seam, repair.side, self._key_text(repair.key),
            repair.opened_at, repair.closed_at, repair.process_local,
        )  # fmt: skip

    def _key_text(self, key: str | None) -> str | None:
        if key is None:
            return None
        if self._settings.hash_key is None:
            return "(one key)"
        return hmac.new(self._settings.hash_key, key.encode(errors="replace"), hashlib.sha256).hexdigest()[:16]

    def _forget_places_after_pruning(self) -> None:
        """Another process may have pruned a place that this one knows the number of."""
        row = self._connection.execute("SELECT at FROM pruned").fetchone()
        pruned_at = None if row is None else row[0]
        if pruned_at != self._pruned_at:
            self._places.clear()
            self._pruned_at = pruned_at

    def _place(self, place: Place) -> int:
        known = self._places.get(place)
        if known is None:
            row = (place.phase, place.seam, place.operation, place.stage, place.plan, place.version)
            known = self._places[place] = self._connection.execute(_PLACE, row).fetchall()[0][0]
        return known


def is_corrupt(error: Exception) -> bool:
    """Tell whether *error* says that the file itself is damaged, or never was a database."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _CORRUPT


def _texts(row: Iterable[object]) -> list[object]:
    """Make texts storable: a lone surrogate, legal in Python and not in UTF-8, must not hold up everything else."""
    return [value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value for value in row]
