"""What the tests of the command share: a place with flags, and the command run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oms.cli.main import main
from tests.unit.cli.place import Done, Place
from tests.unit.cli.planted import CONFTEST

Oms = Callable[..., Done]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A pair of folders in which every phase is off; what was started there is ended."""
    place = Place(tmp_path)
    yield place
    place.close()


@pytest.fixture
def oms(place: Place, capsys: pytest.CaptureFixture[str]) -> Oms:
    """Runs the command on the folders of *place*, in this process."""

    def run(*words: str) -> Done:
        code = main([*words, "--flags", str(place.flags), "--var", str(place.var)])
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a pinned test is written: a folder of contracts whose sides are the planted ones."""
    folder = tmp_path / "contract"
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST)
    return folder
