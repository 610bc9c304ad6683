"""Reading and writing a folder of flag files."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from openfeature.contrib.tools.flagd.core import FlagdCore

from oms.domain.errors import CouldNot, FlagFileInvalid, FlipRefused
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.definition import digest_of
from oms.flagging.files import FlagFiles
from oms.seams import PHASES

CANARY = Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500)))
REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize("phase", PHASES)
def test_flags_of_the_repository(phase: str) -> None:
    """Every phase has a flag file in the repository, in oms's own form, and is off."""
    flags = FlagFiles(REPOSITORY / "flags", PHASES)

    assert Split.whole(Stage.OFF) == flags.read(phase).split
    assert flags.render(phase, Split.whole(Stage.OFF)) == flags.read_raw(phase)


def test_canary_as_written(files: FlagFiles) -> None:
    """A canary is a fractional with the most advanced stage first, and whoever it does not sort is at the least advanced one."""
    files.write("cache", CANARY, based_on=None)
    flag = json.loads(files.read_raw("cache"))["flags"]["phase.cache"]

    assert {"fractional": [["live", 500], ["shadow", 9500]]} == flag["targeting"]
    assert "shadow" == flag["defaultVariant"]
    assert "ENABLED" == flag["state"]


def test_flagd_reads_what_is_written(files: FlagFiles) -> None:
    """flagd-core accepts the written form as it is."""
    core = FlagdCore()
    core.set_flags(files.render("cache", CANARY).decode())

    assert "shadow" == core.resolve_string_value("phase.cache", "?", None).value


def test_phase_without_writes_has_fewer_variants(files: FlagFiles) -> None:
    """A phase without writes offers no dualwrite and no rampdown."""
    variants = json.loads(files.render("config", Split.whole(Stage.OFF)))["flags"]["phase.config"]["variants"]

    assert ["off", "shadow", "live", "complete"] == list(variants)


@pytest.mark.parametrize("split", [CANARY, Split.whole(Stage.LIVE), Split(((Stage.DUALWRITE, 1), (Stage.OFF, 9999)))])
def test_split_comes_back(files: FlagFiles, split: Split) -> None:
    """What was written is read back, under the digest that writing returned."""
    digest = files.write("cache", split, based_on=None)
    state = files.read("cache")

    assert split == state.split
    assert split.stages == state.decision.stages
    assert split.least_advanced == state.decision.default
    assert digest == state.digest == state.decision.digest == digest_of(state.raw)


def test_write_is_based_on_a_digest(files: FlagFiles) -> None:
    """A flip that was decided on another content is refused and changes nothing."""
    before = files.read_raw("cache")

    with pytest.raises(FlipRefused, match=r"found \w{16}, wanted 0123456789abcdef"):
        files.write("cache", CANARY, based_on="0123456789abcdef")
    assert before == files.read_raw("cache")

    files.write("cache", CANARY, based_on=digest_of(before))
    assert CANARY == files.read("cache").split


def test_nothing_else_is_left_in_the_folder(files: FlagFiles) -> None:
    """Writing leaves no temporary file, good end or bad."""
    files.write("cache", CANARY, based_on=None)

    assert {f"{name}.flagd.json" for name in PHASES} == {entry.name for entry in files.folder.iterdir()}


def test_mode_is_kept(files: FlagFiles) -> None:
    """Whoever could read or write the file still can."""
    files.path("cache").chmod(0o664)
    files.write("cache", CANARY, based_on=None)

    assert 0o664 == files.path("cache").stat().st_mode & 0o777


def test_link_is_followed(files: FlagFiles, tmp_path: Path) -> None:
    """A linked flag file is replaced where it lies; the link stays."""
    target = tmp_path / "elsewhere.json"
    files.path("cache").rename(target)
    files.path("cache").symlink_to(target)
    files.write("cache", CANARY, based_on=None)

    assert files.path("cache").is_symlink()
    assert files.render("cache", CANARY) == target.read_bytes()


def test_failed_fsync_is_reported(files: FlagFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not confirm stops no rollback: the new flag is there, and the failure is told."""
    told: list[str] = []
    flags = FlagFiles(files.folder, PHASES, report=told.append)

    def fail(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    flags.write("cache", CANARY, based_on=None)

    assert CANARY == flags.read("cache").split
    assert 2 == len(told)
    assert all("not known to be on disk" in text for text in told)


def test_full_disk_writes_over_in_place(files: FlagFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that takes no new file does not stop a rollback: the old file is written over, and that is told."""
    told: list[str] = []
    flags = FlagFiles(files.folder, PHASES, report=told.append)
    flags.write("cache", CANARY, based_on=None)

    def full(path: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    digest = flags.write("cache", Split.whole(Stage.SHADOW), based_on=None)

    assert flags.render("cache", Split.whole(Stage.SHADOW)) == flags.read_raw("cache")
    assert digest == flags.read("cache").digest
    assert "written over in place" in told[0]
    assert len(PHASES) == len(list(files.folder.iterdir()))


def test_what_cannot_be_written(files: FlagFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other failure leaves the flag as it was and says so."""

    def fail(path: Path, target: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    before = files.read_raw("cache")
    monkeypatch.setattr(Path, "replace", fail)

    with pytest.raises(CouldNot, match="not written: Read-only file system"):
        files.write("cache", CANARY, based_on=None)
    assert before == files.read_raw("cache")


def test_absent_folder(tmp_path: Path) -> None:
    """A folder that is not there is an error that names the file."""
    flags = FlagFiles(tmp_path / "nowhere", PHASES)

    with pytest.raises(CouldNot, match=r"nowhere/cache\.flagd\.json"):
        flags.write("cache", CANARY, based_on=None)
    with pytest.raises(CouldNot, match="put it back, or write one with oms rollback cache"):
        flags.read("cache")


def test_pipe_in_place_of_a_file(files: FlagFiles) -> None:
    """Something that would block its reader for ever is refused at once."""
    files.path("cache").unlink()
    os.mkfifo(files.path("cache"))

    with pytest.raises(CouldNot, match="no regular file"):
        files.read("cache")


def test_huge_file(files: FlagFiles) -> None:
    """A file that is far too large for a flag is not read to its end."""
    files.path("cache").write_bytes(b" " * (2 << 20))

    with pytest.raises(FlagFileInvalid, match="more than 1048576 bytes"):
        files.read("cache")
