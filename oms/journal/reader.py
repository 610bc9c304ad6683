"""What the journal says: sums over a window, ready for a report."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from oms.domain.errors import CouldNot
from oms.domain.record import Flip, Latency, Place, Repair, Slice, Tally, Trip
from oms.journal.entries import ALWAYS, DivergenceGroup, Gap, ProcessEntry, Window
from oms.journal.identity import Identity
from oms.journal.limits import JournalLimits
from oms.journal.samples import add_buckets, keep, load_buckets, load_samples
from oms.journal.schema import check_is_ours
from oms.journal.slices import read_slices

_BUSY_S = 5.0
"""Nobody keeps a reader waiting but a process that makes, moves up or leaves the file; on a busy machine that may take its time."""

_LIMITS = JournalLimits()


class JournalReader:
    """Reads the journal at *path* while others write it. A context manager; ``close`` ends it.

    Raises:
        CouldNot: from any method, if the file is missing, not a journal, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise CouldNot(f"{path}: found no journal, wanted one that a running service has written; is --var right?")
        with self._reading():
            self._connection = _open(path)
            try:
                check_is_ours(self._connection, path)
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def tallies(self, window: Window = ALWAYS) -> list[Tally]:
        """Return the sum per place and name, over all plans and versions: what was seen, not what is evidence."""
        rows = self._rows(
            "SELECT phase, seam, operation, stage, name, sum(total) FROM"
            " (SELECT place, name, sum(count) AS total FROM tally WHERE minute BETWEEN ? AND ? GROUP BY place, name)"
            " JOIN place ON place.id = place GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
            window.minutes,
        )
        return [Tally(Place(*row[:4]), row[4], row[5]) for row in rows]

    def latencies(self, window: Window = ALWAYS) -> list[Latency]:
        """Return one histogram per place and side, over all plans and versions."""
        rows = self._rows("SELECT place, side, buckets FROM latency WHERE minute BETWEEN ? AND ?", window.minutes)
        places = {row[0]: Place(*row[1:]) for row in self._rows("SELECT id, phase, seam, operation, stage FROM place")}
        sums: dict[tuple[Place, str], dict[int, int]] = {}
        for place, side, buckets in rows:
            add_buckets(sums.setdefault((places[place], side), {}), load_buckets(buckets))
        return [Latency(place, side, buckets) for (place, side), buckets in sorted(sums.items(), key=_by_place)]

    def slices(
        self,
        phase: str | None = None,
        *,
        since_s: float = 0.0,
        plan: str | None = None,
        by_minute: bool = True,
        durations: bool = True,
        units: bool = True,
    ) -> list[Slice]:
        """Return what was counted since *since_s* (Unix time in seconds, rounded down to its minute), by place, the oldest minute first.

        Args:
            phase: Of this phase only.
            plan: Under this plan only.
            by_minute: One slice for each minute (hour, of what is old) with what guards are fed with: calls, what comparisons came to,
                who raised, units, noise; no durations. Else one slice a place with all counts and durations.
            durations, units: False leaves them out, which takes half of the time.
        """
        with self._reading():
            return read_slices(
                self._connection,
                phase,
                since_s=since_s,
                plan=plan,
                by_minute=by_minute,
                durations=durations,
                units=units,
            )

    def spans(self, name: str, window: Window = ALWAYS) -> dict[Place, tuple[float, float]]:
        """Return by place when the first and the last minute (hour, of what is old) with the tally *name* began, Unix times in seconds."""
        rows = self._rows(
            "SELECT phase, seam, operation, stage, plan, version, first, last FROM"
            " (SELECT place, min(minute) AS first, max(minute) AS last FROM tally WHERE name = ? AND minute BETWEEN ? AND ? GROUP BY place)"
            " JOIN place ON place.id = place",
            (name, *window.minutes),
        )
        return {Place(*row[:6]): (row[6] * 60.0, row[7] * 60.0) for row in rows}

    def newest_versions(self, window: Window = ALWAYS) -> dict[tuple[str, str, str], str]:
        """Return by phase, seam and operation the version that was counted last, and of two that were, the one that began later."""
        newest: dict[tuple[str, str, str], tuple[float, float, str]] = {}
        for place, (first, last) in sorted(self.spans("calls", window).items(), key=lambda entry: entry[1][::-1]):
            newest[place.phase, place.seam, place.operation] = (last, first, place.version)
        return {name: version for name, (_, _, version) in newest.items()}

    def by_minute(self, names: Sequence[str], window: Window = ALWAYS) -> list[tuple[str, float, str, int]]:
        """Return phase, beginning of the minute (hour, of what is old), name and sum of each tally in *names*, the oldest first."""
        rows = self._rows(
            f"SELECT phase, minute * 60.0, name, sum(count) FROM tally JOIN place ON place.id = place"
            f" WHERE name IN ({', '.join('?' * len(names))}) AND minute BETWEEN ? AND ? GROUP BY phase, minute, name ORDER BY minute",
            (*names, *window.minutes),
        )
        return list(rows)

    def span(self) -> tuple[float, float] | None:
        """Return the first and the last minute with counts as Unix times in seconds, None without any."""
        first, last = next(self._rows("SELECT min(minute), max(minute) FROM tally"))
        return None if first is None else (first * 60.0, last * 60.0 + 60.0)

    def divergences(self, window: Window = ALWAYS) -> list[DivergenceGroup]:
        """Return every group that was seen in *window*, the most frequent first; each version of the sources has groups of its own.

        Divergences that were kept before they had a version are those of the only version that their operation was counted with; where it was
        counted with several, nobody knows, and their version is empty.
        """
        counts: dict[int, dict[int, int]] = {}
        for minute, divergence, count in self._rows(
            "SELECT minute, divergence, count FROM divergence_count WHERE minute BETWEEN ? AND ? ORDER BY minute",
            window.minutes,
        ):
            counts.setdefault(divergence, {})[minute] = count
        rows = self._rows(
            "SELECT divergence.id, fingerprint, known, version, phase, seam, operation, stage, kind, path, legacy_type, unified_type,"
            " first_seen, last_seen, samples FROM divergence JOIN place ON place.id = place ORDER BY fingerprint, known, version, divergence.id"
        )
        only = self._only_versions()
        groups: dict[tuple[str, str, str], DivergenceGroup] = {}
        for row in rows:
            if row[0] in counts:
                one = _group(row, counts[row[0]], only)
                key = one.fingerprint, one.known or "", one.version
                other = groups.get(key)
                groups[key] = one if other is None else _joined(other, one)
        return sorted(
            groups.values(), key=lambda group: (-group.count, group.fingerprint, group.known or "", group.version)
        )

    def _only_versions(self) -> dict[tuple[str, str, str], str]:
        """Return by phase, seam and operation the version of its counts, where there is only one."""
        found: dict[tuple[str, str, str], set[str]] = {}
        for phase, seam, operation, version in self._rows(
            "SELECT DISTINCT phase, seam, operation, version FROM place WHERE id IN (SELECT place FROM tally)"
        ):
            found.setdefault((phase, seam, operation), set()).add(version)
        return {name: next(iter(versions)) for name, versions in found.items() if len(versions) == 1}

    def flips(self, window: Window = ALWAYS) -> list[Flip]:
        """Return the flips, oldest first."""
        rows = self._rows(
            "SELECT phase, from_split, to_split, digest, who, why, at, forced FROM flip WHERE at BETWEEN ? AND ? ORDER BY at",
            window.seconds,
        )
        return [Flip(*(*row[:-1], bool(row[-1]))) for row in rows]

    def trips(self, window: Window = ALWAYS) -> list[tuple[int, Trip]]:
        """Return the trips with the pid of the process that tripped, oldest first."""
        rows = self._rows(
            "SELECT pid, phase, seam, operation, guard, from_stage, to_stage, reason, at"
            " FROM trip JOIN process ON process.id = process WHERE at BETWEEN ? AND ? ORDER BY at",
            window.seconds,
        )
        return [(row[0], Trip(*row[1:])) for row in rows]

    def open_repairs(self) -> list[tuple[int, Repair]]:
        """Return the repairs that are still to be made with the pid that opened them, oldest first.

        What a process-local side of an ended process held is gone, and its repair with it. Keys are hashes, or left out.
        """
        rows = self._rows(
            "SELECT host, boot, pid, started, ended_at, repair.id, phase, seam, side, key, opened_at, closed_at, process_local"
            " FROM repair JOIN process ON process.id = process WHERE closed_at IS NULL ORDER BY opened_at"
        )
        return [
            (row[2], Repair(*(*row[5:-1], bool(row[-1]))))
            for row in rows
            if not row[12] or (row[4] is None and not _is_gone(row[:4]))
        ]

    def processes(self) -> list[ProcessEntry]:
        """Return every process that wrote, in the order of their start; those that are gone without a word are ``killed``."""
        rows = self._rows(
            "SELECT host, boot, pid, started, started_at, seen_at, ended_at, ending FROM process ORDER BY started_at, id"
        )
        return [_process(row) for row in rows]

    def gaps(self, window: Window = ALWAYS) -> list[Gap]:
        """Return when processes could not write and what was lost, oldest first."""
        since, until = window.seconds
        rows = self._rows(
            "SELECT pid, since, until, count, reason FROM loss JOIN process ON process.id = process"
            " WHERE until >= ? AND since <= ? ORDER BY since, pid",
            (since, until),
        )
        return [Gap(*row) for row in rows]

    def _rows(self, statement: str, parameters: tuple[object, ...] = ()) -> Iterator[Any]:
        with self._reading():
            return iter(self._connection.execute(statement, parameters).fetchall())

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CouldNot(f"{self.path}: found {error}, wanted a journal that can be read") from error


def _by_place(entry: tuple[tuple[Place, str], object]) -> tuple[str, ...]:
    (place, side), _ = entry
    return place.phase, place.seam, place.operation, place.stage, side


def _open(path: Path) -> sqlite3.Connection:
    """Open read-only; in a folder where the log's index cannot be made, the file alone, as it was last tidied up."""
    name = path.absolute().as_uri()
    connection = sqlite3.connect(f"{name}?mode=ro", uri=True, timeout=_BUSY_S)
    try:
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        return sqlite3.connect(f"{name}?immutable=1", uri=True)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _is_gone(identity: tuple[str, str, int, int]) -> bool:
    """Tell whether that process is certainly gone; of another host nothing is certain."""
    process = Identity(*identity)
    return process.host == Identity.own().host and not process.is_alive()


def _process(row: tuple[Any, ...]) -> ProcessEntry:
    host, _, pid, _, started_at, seen_at, ended_at, ending = row
    if ending is None and _is_gone(row[:4]):
        ended_at, ending = seen_at, "killed"
    return ProcessEntry(host, pid, started_at, seen_at, ended_at, ending or "running")


def _group(row: tuple[Any, ...], counts: dict[int, int], only: Mapping[tuple[str, str, str], str]) -> DivergenceGroup:
    (
        _,
        fingerprint,
        known,
        version,
        phase,
        seam,
        operation,
        stage,
        kind,
        path,
        legacy,
        unified,
        first_seen,
        last_seen,
        samples,
    ) = row
    return DivergenceGroup(
        fingerprint=fingerprint, known=known or None, phase=phase, seam=seam, operation=operation,
        version=version or only.get((phase, seam, operation), ""), stages=(stage,), kind=kind, path=path,
        types=(legacy, unified), count=sum(counts.values()), counts=counts, first_seen=first_seen, last_seen=last_seen,
        samples=tuple(load_samples(samples)),
    )  # fmt: skip


def _joined(one: DivergenceGroup, other: DivergenceGroup) -> DivergenceGroup:
    """Return the same divergence seen at two stages, or under two plans, as one."""
    counts = dict(one.counts)
    add_buckets(counts, other.counts)
    return DivergenceGroup(
        fingerprint=one.fingerprint, known=one.known, version=one.version, phase=one.phase, seam=one.seam, operation=one.operation,
        stages=tuple(dict.fromkeys((*one.stages, *other.stages))), kind=one.kind, path=one.path, types=one.types, count=one.count + other.count,
        counts=dict(sorted(counts.items())), first_seen=min(one.first_seen, other.first_seen), last_seen=max(one.last_seen, other.last_seen),
        samples=tuple(keep((*one.samples, *other.samples), first=_LIMITS.samples_first, newest=_LIMITS.samples_newest)),
    )  # fmt: skip
