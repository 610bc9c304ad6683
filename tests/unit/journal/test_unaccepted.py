"""Which divergences speak against live."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from oms.domain.divergence import Divergence
from oms.domain.record import Batch, Flip, Place, Tally
from oms.journal.flips import append_flip
from oms.journal.journal import Journal
from oms.journal.unaccepted import unaccepted


def divergence(known: str | None, *, fingerprint: str = "a" * 12, seen_at: float | None = None) -> Divergence:
    """Return a divergence of the configuration phase."""
    return Divergence(
        fingerprint=fingerprint,
        phase="config",
        seam="settings",
        operation="read",
        stage="shadow",
        kind="value",
        path="IAM_TIMEOUT@site",
        types=("str", "int"),
        known=known,
        seen_at=time.time() if seen_at is None else seen_at,
        sample={},
    )


def written(path: Path, *divergences: Divergence) -> Path:
    """Write *divergences* to the journal at *path*."""
    batches = [Batch(divergences=list(divergences))]
    journal = Journal(path, lambda: batches.pop() if batches else Batch())
    assert journal.flush()
    journal.stop(5)
    return path


def test_no_journal(tmp_path: Path) -> None:
    """Where nothing was ever compared nothing speaks against live here."""
    assert [] == unaccepted(tmp_path / "journal.db", "config")


@pytest.mark.parametrize(("known", "count"), [("CF-14", 0), (None, 1), ("XX-99", 1)])
def test_accepted_or_not(tmp_path: Path, known: str | None, count: int) -> None:
    """A divergence under an accepted rule is fine; one without a rule, or under one that is gone, is named."""
    found = unaccepted(written(tmp_path / "journal.db", divergence(known)), "config")

    assert count == len(found)
    assert all("aaaaaaaaaaaa settings.read IAM_TIMEOUT@site" in sentence for sentence in found)


def test_only_since_the_last_shadow(tmp_path: Path) -> None:
    """What was seen before the phase was last flipped to shadow has been mended, or will show again."""
    path = written(tmp_path / "journal.db", divergence(None, seen_at=time.time() - 60))
    append_flip(path, Flip("config", "off", "shadow", "d" * 16, "ana", "again", time.time() - 30))

    assert [] == unaccepted(path, "config")


def test_only_of_the_present_version(tmp_path: Path) -> None:
    """What an older version did is mended, or will show again; what the present one does speaks against live."""
    path = tmp_path / "journal.db"
    batches = []
    for version in ("old", "new"):
        place = Place("config", "settings", "read", "shadow", version=version)
        batches.append(
            Batch(
                [Tally(place, "calls", 1)],
                divergences=[replace(divergence(None, fingerprint=version * 4), version=version)],
            )
        )
    clock = [time.time() - 300]
    journal = Journal(path, lambda: batches.pop(0) if batches else Batch(), clock=lambda: clock[0])
    assert journal.flush()
    clock[0] += 120
    assert journal.flush()
    journal.stop(5)

    (found,) = unaccepted(path, "config")
    assert "1 kinds of divergence have no accepted rule (newnewnewnew settings.read" in found


def test_other_phases(tmp_path: Path) -> None:
    """Another phase's divergences are that phase's affair."""
    assert [] == unaccepted(written(tmp_path / "journal.db", divergence(None)), "security")


def test_unreadable_journal(tmp_path: Path) -> None:
    """A journal that can't be read is no good news."""
    path = tmp_path / "journal.db"
    path.write_bytes(b"nonsense" * 1000)

    assert "is not known" in unaccepted(path, "config")[0]
