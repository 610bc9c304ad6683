"""Checking a folder of flag files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oms.domain.decision import FixedDecision
from oms.domain.errors import CouldNot
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.check import Movement, check_folder, movement
from oms.flagging.files import FlagFiles
from oms.seams import PHASES

REPOSITORY = Path(__file__).parents[3]


def test_repository_is_well() -> None:
    """The flag files of the repository have no problem."""
    assert [] == check_folder(REPOSITORY / "flags", PHASES)


def test_everything_wrong_at_once(files: FlagFiles, flag: Callable[..., bytes]) -> None:
    """Each file that is missing, unreadable, invalid or nobody's is one problem with its place and a mend."""
    files.path("config").unlink()
    files.path("security").unlink()
    files.path("security").mkdir()
    files.path("cache").write_bytes(flag(state="ENABLE"))
    (files.folder / "chache.flagd.json").write_bytes(flag())
    (files.folder / "README.md").write_text("not a flag file")
    found = check_folder(files.folder, PHASES)

    assert [("config", "missing"), ("cache", "invalid"), ("security", "unreadable"), (None, "extra")] == [
        (problem.phase, problem.kind) for problem in found
    ]
    assert "flags.phase.cache.state" == found[1].path
    assert "did you mean cache.flagd.json?" in found[3].message
    assert all(problem.message.startswith(problem.file) and "wanted" in problem.message for problem in found)


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is an error of its own."""
    with pytest.raises(CouldNot, match="wanted a folder of flag files"):
        check_folder(tmp_path / "none", PHASES)


def test_movement(files: FlagFiles) -> None:
    """A growing share takes nobody back, a shrinking one raises nobody."""
    small, large = (
        files.state_of(
            "cache", files.render("cache", Split(((Stage.LIVE, share), (Stage.SHADOW, 10_000 - share))))
        ).decision
        for share in (500, 2000)
    )
    grown, shrunk = movement(small, large, keys=2000), movement(large, small, keys=2000)

    assert 0 == grown.taken_back
    assert 200 < grown.raised < 400
    assert Movement(0, grown.raised, grown.unmoved) == shrunk
    assert Movement(0, 50, 0) == movement(FixedDecision(Stage.LIVE), FixedDecision(Stage.OFF), keys=50)
