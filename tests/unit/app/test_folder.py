"""The folder in which a rehearsal works."""

from __future__ import annotations

from pathlib import Path

import pytest

from oms.app.rehearsal.folder import MARKER, prepare
from oms.domain.errors import BadInput, CouldNot
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.files import FlagFiles
from oms.seams import PHASES
from oms.seams.cache import CACHE


@pytest.fixture
def flags(tmp_path: Path) -> Path:
    """Flags of a service whose cache phase is in shadow and whose config phase is complete."""
    folder = tmp_path / "flags"
    folder.mkdir()
    files = FlagFiles(folder, PHASES)
    files.write("cache", Split.whole(Stage.SHADOW), based_on=None)
    files.write("config", Split.whole(Stage.COMPLETE), based_on=None)
    (folder / "notes.txt").write_text("not a flag")
    return folder


def stage_of(folder: Path, phase: str) -> Stage:
    """Return the one stage that the flag says."""
    split = FlagFiles(folder, PHASES).read(phase).split
    assert split is not None
    return split.most_advanced


def test_a_copy_of_the_flags(flags: Path, tmp_path: Path) -> None:
    """The phase that is walked begins at off in the copy; other phases stand there as they stand; the original is untouched."""
    before = {each.name: each.read_bytes() for each in flags.iterdir()}
    folder = prepare(tmp_path / "out", flags=flags, phases=[CACHE])

    assert Stage.OFF is stage_of(folder.flags, "cache")
    assert Stage.COMPLETE is stage_of(folder.flags, "config")
    assert {"cache.flagd.json", "config.flagd.json"} == {each.name for each in folder.flags.iterdir()}
    assert before == {each.name: each.read_bytes() for each in flags.iterdir()}


def test_an_earlier_rehearsal_is_emptied(flags: Path, tmp_path: Path) -> None:
    """What an earlier one left behind goes, whatever it is; what a link leads to stays."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    folder = prepare(tmp_path / "out", flags=flags, phases=[CACHE])
    folder.report.write_text("old")
    (folder.root / "more").mkdir()
    (folder.root / "link").symlink_to(kept)
    prepare(tmp_path / "out", flags=flags, phases=[CACHE])

    assert {MARKER, "flags"} == {each.name for each in folder.root.iterdir()}
    assert (kept / "file").exists()


def test_a_foreign_folder_is_refused(flags: Path, tmp_path: Path) -> None:
    """A folder with something in it that no rehearsal has made stays as it is."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("all of it")
    with pytest.raises(BadInput, match="name another folder"):
        prepare(foreign, flags=flags, phases=[CACHE])

    assert ["thesis.txt"] == [each.name for each in foreign.iterdir()]


def test_a_marker_that_is_a_folder_is_none(flags: Path, tmp_path: Path) -> None:
    """Only the file itself says that a folder is ours."""
    foreign = tmp_path / "foreign"
    (foreign / MARKER).mkdir(parents=True)
    with pytest.raises(BadInput):
        prepare(foreign, flags=flags, phases=[CACHE])


def test_an_empty_folder_will_do(flags: Path, tmp_path: Path) -> None:
    """A folder that somebody has made for it is taken."""
    (tmp_path / "out").mkdir()

    assert prepare(tmp_path / "out", flags=flags, phases=[]).flags.is_dir()


def test_a_file_is_refused(flags: Path, tmp_path: Path) -> None:
    """A file is no folder."""
    (tmp_path / "out").touch()
    with pytest.raises(BadInput, match="--out"):
        prepare(tmp_path / "out", flags=flags, phases=[])


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_no_flags(tmp_path: Path, name: str) -> None:
    """Without flags there is nothing to rehearse."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="--flags"):
        prepare(tmp_path / "out", flags=tmp_path / name, phases=[])


def test_no_room(flags: Path, tmp_path: Path) -> None:
    """A folder that cannot be made is a failure of the machine, in one line."""
    (tmp_path / "file").touch()
    with pytest.raises(CouldNot):
        prepare(tmp_path / "file" / "out", flags=flags, phases=[])
