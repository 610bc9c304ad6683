"""What somebody may mistype at the command, beside a process that serves: one line, exit code 2, and nothing has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from oms.domain.stage import Stage
from tests.e2e.command import oms
from tests.e2e.fleet import Fleet

pytestmark = pytest.mark.timeout(900)

MISTAKES = {
    "flip cahce live --why x": "did you mean cache?",
    "flip cache lief --why x": "did you mean live?",
    "flip cache live": "--why: found no reason",
    "flip cache live=0 --why x": "wanted above 0, at most 100",
    "flip cache live=5.001 --why x": "at most two decimals",
    "flip config dualwrite --why x": "wanted one of off shadow live complete",
    "flip cache live --why x --wait soon": "SECONDS: found 'soon'",
    "rollback": "found no PHASE",
    "rollback cache --to live": "--to: found live, wanted",
    "rolback cache": "did you mean rollback?",
    "status cash": "did you mean cache?",
    "report --format htm": "did you mean html?",
    "rehearse --calls none": "--calls: found 'none'",
    "serve --port 99999": "--port: found '99999'",
    "serve --host no.such.host.invalid --port 0": "--host: found 'no.such.host.invalid'",
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Folders in which somebody has served, and served no more: nothing changes there by itself."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    fleet.put(Stage.DUALWRITE)
    with fleet.some(1):
        fleet.moved("flip", "cache", "shadow")
    return fleet


@pytest.fixture
def unchanged(fleet: Fleet) -> Iterator[None]:
    """Hold every file of both folders to what it was."""
    before = sums(fleet)
    yield
    assert before == sums(fleet)
    assert {"cache.flagd.json", "audit.jsonl", "journal.db"} <= {Path(name).name for name in before}


def sums(fleet: Fleet) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    files = [path for folder in (fleet.flags, fleet.var) for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("words", MISTAKES)
def test_bad_input(fleet: Fleet, words: str) -> None:
    """Found, wanted, the nearest word, on one line of stderr; stdout is empty."""
    done = fleet.oms(*words.split())

    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines())), done.stderr
    assert [True] * 3 == [part in done.stderr for part in ("found ", "wanted ", MISTAKES[words])], done.stderr


@pytest.mark.usefixtures("unchanged")
def test_flags_check_refuses(fleet: Fleet, tmp_path: Path) -> None:
    """A file that flagd takes and that would strand users is refused with file, path, found, wanted and mend."""
    file = tmp_path / "cache.flagd.json"
    file.write_bytes(
        fleet.file.read_bytes().replace(
            b'"defaultVariant"', b'"targeting": {"fractional": [["live", 0.5], ["shadow", 99.5]]}, "defaultVariant"'
        )
    )
    done = oms("flags", "check", tmp_path)

    said = " ".join(done.stderr.split() + done.stdout.split())
    assert done.returncode != 0
    assert f"{file}: flags.phase.cache.targeting.fractional" in said
    assert [True] * 2 == [part in said for part in ("found 0.5", "wanted ")], said
