"""The diary: append-only, sealed, readable when damaged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from oms.domain.errors import CouldNot
from oms.domain.record import Flip
from oms.rollout.audit import Audit, AuditOutcome

APPEND = """
import sys
from pathlib import Path
from oms.domain.record import Flip
from oms.rollout.audit import Audit, AuditOutcome
audit = Audit(Path(sys.argv[1]))
for number in range(50):
    audit.append(Flip("cache", "off", "dualwrite", "d", sys.argv[2], f"why {number}", 1e9), AuditOutcome.DONE)
"""


def flip(why: str = "why", to: str = "dualwrite", at: float = 1e9, phase: str = "cache") -> Flip:
    """Return a flip of the cache phase."""
    return Flip(phase=phase, from_split="off", to_split=to, digest="d1", who="ana", why=why, at=at)


def test_reads_back(tmp_path: Path) -> None:
    """What was appended reads back as it was, oldest first, without a problem."""
    audit = Audit(tmp_path / "new" / "audit.jsonl")
    audit.append(flip("first, with ü and \udcff"), AuditOutcome.DONE)
    audit.append(flip("second"), AuditOutcome.REFUSED, note="no")

    trail = audit.read()

    assert () == trail.problems
    assert [flip("first, with ü and \udcff"), flip("second")] == [line.flip for line in trail.lines]
    assert [("done", ""), ("refused", "no")] == [(line.outcome.value, line.note) for line in trail.lines]


def test_line_says_everything(tmp_path: Path) -> None:
    """A line is one JSON object with who, when, why, from, to, digest, forced, outcome and the two hashes."""
    audit = Audit(tmp_path / "audit.jsonl")
    audit.append(flip(), AuditOutcome.DONE)

    row = json.loads(audit.path.read_text())

    assert [
        "at",
        "digest",
        "forced",
        "from",
        "hash",
        "outcome",
        "phase",
        "prev",
        "schema",
        "to",
        "who",
        "why",
    ] == sorted(row)
    assert "2001-09-09T01:46:40.000000Z" == row["at"]


def test_no_file_is_an_empty_trail(tmp_path: Path) -> None:
    """Nothing has happened yet."""
    assert () == Audit(tmp_path / "audit.jsonl").read().lines


def test_a_changed_line_is_found(tmp_path: Path) -> None:
    """A line that somebody edits no longer fits its own hash, and is named."""
    audit = _with_three(tmp_path)
    audit.path.write_text(audit.path.read_text().replace("two", "tow"))

    trail = audit.read()

    assert ("line 2 was changed after it was written",) == trail.problems
    assert 3 == len(trail.lines)


def test_a_removed_line_is_found(tmp_path: Path) -> None:
    """The line after a gap does not follow from the one before it."""
    audit = _with_three(tmp_path)
    one, _, three = audit.path.read_text().splitlines(keepends=True)
    audit.path.write_text(one + three)

    (problem,) = audit.read().problems
    assert "line 2 does not follow the line before" in problem


def test_a_cut_line_costs_itself_only(tmp_path: Path) -> None:
    """After a crash in the middle of a line the next one begins on its own, and follows the last whole one."""
    audit = _with_three(tmp_path)
    audit.path.write_bytes(audit.path.read_bytes()[:-20])

    audit.append(flip("four"), AuditOutcome.DONE)

    trail = audit.read()
    assert ["one", "two", "four"] == [line.flip.why for line in trail.lines]
    assert ("line 3 is damaged and was left out",) == trail.problems


@pytest.mark.parametrize("nonsense", [b"\xff\xfe\n", b"[]\n", b"{}\n", b"nonsense\n", b"\n"])
def test_nonsense_is_left_out(tmp_path: Path, nonsense: bytes) -> None:
    """Whatever else stands in the file is counted as damage, not served and not fatal."""
    audit = _with_three(tmp_path)
    audit.path.write_bytes(nonsense + audit.path.read_bytes())

    trail = audit.read()

    assert 3 == len(trail.lines)
    assert ("line 1 is damaged and was left out",) == trail.problems


def test_many_writers_make_one_chain(tmp_path: Path) -> None:
    """Processes that append at once seal one after the other."""
    path = tmp_path / "audit.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", APPEND, str(path), str(number)]) for number in range(3)]

    assert [0, 0, 0] == [writer.wait(60) for writer in writers]
    trail = Audit(path).read()
    assert 150 == len(trail.lines)
    assert () == trail.problems


def test_cannot_be_opened(tmp_path: Path) -> None:
    """A place that is no file is an error of the machine that names the place."""
    audit = Audit(tmp_path)

    for attempt in (audit.check, audit.read, lambda: audit.append(flip(), AuditOutcome.DONE)):
        with pytest.raises(CouldNot, match=str(tmp_path)):
            attempt()


def test_standing_since(tmp_path: Path) -> None:
    """The present stand begins with the first move to the stage after the last move elsewhere; refusals move nothing."""
    audit = Audit(tmp_path / "audit.jsonl")
    for at, to in [(1.0, "complete"), (2.0, "rampdown"), (3.0, "complete=5"), (4.0, "complete")]:
        audit.append(flip(to=to, at=at), AuditOutcome.DONE)
    audit.append(flip(to="off", at=5.0), AuditOutcome.REFUSED)
    audit.append(flip(to="off", at=6.0, phase="config"), AuditOutcome.DONE)

    trail = audit.read()

    assert 3.0 == trail.standing_since("cache", "complete")
    assert None is trail.standing_since("cache", "rampdown")


def _with_three(folder: Path) -> Audit:
    audit = Audit(folder / "audit.jsonl")
    for why in ("one", "two", "three"):
        audit.append(flip(why), AuditOutcome.DONE)
    return audit
