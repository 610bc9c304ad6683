"""Keeping the journal within its limits: by age, by rows, by bytes, oldest first."""

from __future__ import annotations

import sqlite3

from oms.journal.limits import JournalLimits

_PER_MINUTE = ("tally", "latency", "unit", "divergence_count")
_FREED_PAGES = 2_000
_TOO_MANY_ROUNDS = 40
_MANY_PLACES = 2_000

_FOLD = (
    """INSERT INTO tally SELECT minute / 60 * 60, place, name, sum(count) FROM tally WHERE minute < :cut AND minute % 60
        GROUP BY 1, 2, 3 ON CONFLICT DO UPDATE SET count = count + excluded.count""",
    "DELETE FROM tally WHERE minute < :cut AND minute % 60",
    """INSERT INTO latency SELECT minute / 60 * 60, place, side, sum_buckets(buckets) FROM latency WHERE minute < :cut AND minute % 60
        GROUP BY 1, 2, 3 ON CONFLICT DO UPDATE SET buckets = add_buckets(buckets, excluded.buckets)""",
    "DELETE FROM latency WHERE minute < :cut AND minute % 60",
    """INSERT INTO unit SELECT minute / 60 * 60, place, sum_buckets(buckets) FROM unit WHERE minute < :cut AND minute % 60
        GROUP BY 1, 2 ON CONFLICT DO UPDATE SET buckets = add_buckets(buckets, excluded.buckets)""",
    "DELETE FROM unit WHERE minute < :cut AND minute % 60",
    """INSERT INTO divergence_count SELECT minute / 60 * 60, divergence, sum(count) FROM divergence_count WHERE minute < :cut AND minute % 60
        GROUP BY 1, 2 ON CONFLICT DO UPDATE SET count = count + excluded.count""",
    "DELETE FROM divergence_count WHERE minute < :cut AND minute % 60",
)

_AGE = (
    "DELETE FROM tally WHERE minute < :minute",
    "DELETE FROM latency WHERE minute < :minute",
    "DELETE FROM unit WHERE minute < :minute",
    "DELETE FROM divergence_count WHERE minute < :minute",
    "DELETE FROM divergence WHERE last_seen < :at",
    "DELETE FROM repair WHERE closed_at < :at OR process IN (SELECT id FROM process WHERE ended_at < :at)",
    "DELETE FROM trip WHERE at < :at",
    "DELETE FROM flip WHERE at < :at",
    "DELETE FROM loss WHERE until < :at",
    "DELETE FROM process WHERE ended_at < :at",
)


_UNUSED_PLACES = """DELETE FROM place WHERE id NOT IN (SELECT place FROM tally UNION SELECT place FROM latency UNION SELECT place FROM unit
    UNION SELECT place FROM divergence)"""
"""Each flip and each release has places of its own, so they would grow for ever."""


def prune(connection: sqlite3.Connection, limits: JournalLimits, now: float) -> None:
    """Fold old minutes into hours and delete what is beyond the limits, if nobody has within ``prune_every_s``."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_due(connection, limits, now):
            connection.execute("ROLLBACK")
            return
        _delete_by_age(connection, limits, now)
        _fold(connection, int((now - limits.fold_after_s) // 60))
        _delete_by_size(connection, limits)
        _delete_unused_places(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute(f"PRAGMA incremental_vacuum({_FREED_PAGES})").fetchall()


def _is_due(connection: sqlite3.Connection, limits: JournalLimits, now: float) -> bool:
    row = connection.execute("SELECT at FROM pruned").fetchone()
    if row is not None and 0 <= now - row[0] < limits.prune_every_s:
        return False
    connection.execute("INSERT INTO pruned VALUES (1, ?) ON CONFLICT DO UPDATE SET at = excluded.at", (now,))
    return True


def _delete_by_age(connection: sqlite3.Connection, limits: JournalLimits, now: float) -> None:
    oldest = now - limits.age_s
    for statement in _AGE:
        connection.execute(statement, {"minute": int(oldest // 60), "at": oldest})


def _fold(connection: sqlite3.Connection, cut: int) -> None:
    for statement in _FOLD:
        connection.execute(statement, {"cut": cut})


def _delete_unused_places(connection: sqlite3.Connection) -> None:
    # Finding them reads all counts, so not while they are few.
    if connection.execute("SELECT count(*) FROM place").fetchone()[0] > _MANY_PLACES:
        connection.execute(_UNUSED_PLACES)


def _delete_by_size(connection: sqlite3.Connection, limits: JournalLimits) -> None:
    """Delete the older half, and again, until what is left fits; then the divergences that were not seen for longest."""
    for _ in range(_TOO_MANY_ROUNDS):
        if _fits(connection, limits):
            return
        span = connection.execute("SELECT min(minute), max(minute) FROM tally").fetchone()
        if span[0] is not None and span[0] < span[1]:
            for table in _PER_MINUTE:
                connection.execute(f"DELETE FROM {table} WHERE minute < ?", (span[0] + (span[1] - span[0] + 1) // 2,))
        else:
            _delete_oldest_divergences(connection)


def _delete_oldest_divergences(connection: sqlite3.Connection) -> None:
    connection.execute(
        "DELETE FROM divergence WHERE id IN (SELECT id FROM divergence ORDER BY last_seen"
        " LIMIT (SELECT (count(*) + 1) / 2 FROM divergence))"
    )
    connection.execute("DELETE FROM divergence_count WHERE divergence NOT IN (SELECT id FROM divergence)")


def _fits(connection: sqlite3.Connection, limits: JournalLimits) -> bool:
    rows = sum(
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in (*_PER_MINUTE, "divergence")
    )
    return rows <= limits.rows and _bytes_in_use(connection) <= limits.bytes


def _bytes_in_use(connection: sqlite3.Connection) -> int:
    page_size, pages, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    return int((pages - free) * page_size)
