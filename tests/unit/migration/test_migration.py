"""The migration of a folder: what is planned, what is written, and the way back."""

from __future__ import annotations

import gc
import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from oms.domain.errors import BadInput, CouldNot
from oms.migration.rewrite.applying import dirt, write
from oms.migration.rewrite.grid import UnifiedReference
from oms.migration.rewrite.migration import Plan, plan_migration
from oms.migration.rewrite.rewriting import Options
from oms.migration.rewrite.worktree import diff_of
from oms.migration.rewrite.writing import replace_file
from oms.migration.scan.pause import collection_paused

FILES = {
    "a.py": b"import os\na = os.getenv('A')\n",
    "pkg/crlf.py": b"import os\r\nb = os.environ['B']\r\nos.environ['W'] = '1'\r\n",
    "pkg/no end.py": b"import os\nc = os.getenv('C')",
    "pkg/latin.py": b"# coding: latin-1\nimport os\nd = '\xe9', os.getenv('D')\n",
    "pkg/gr\u00fc\u00dfe.py": b"import os\ne = os.getenv('E')\n",
    "broken.py": b"import os\nos.getenv(\n",
    "plain.py": b"x = 1\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with files of every kind."""
    for name, raw in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(raw)
    return tmp_path


@pytest.fixture
def repository(tree: Path) -> Path:
    """The folder as a clean git work tree."""
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "--no-verify", "-m", "all")
    return tree


def git(folder: Path, *words: str) -> str:
    """Run git in *folder*."""
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout


def content(tree: Path) -> dict[str, bytes]:
    """Return every file of the fixture as it is now."""
    return {name: (tree / name).read_bytes() for name in FILES}


def plan(tree: Path, **options: object) -> Plan:
    """Return the verified plan for *tree*."""
    return plan_migration(tree, Options(), verified=True, **options)


def test_plan(tree: Path) -> None:
    """What is found is what moves and what is left; nothing is written."""
    found = plan(tree)

    assert (7, 5, 1, ["broken.py"]) == (
        found.files,
        found.moved,
        len(found.left),
        [each.file for each in found.unparsed],
    )
    assert ["a.py", "pkg/crlf.py", "pkg/gr\u00fc\u00dfe.py", "pkg/latin.py", "pkg/no end.py"] == [
        each.scanned.source.file for each in found.changed
    ]
    assert [("write-item", 1)] == found.reasons
    assert found.verified is not None
    assert (5, ()) == (found.verified.reads, found.verified.differences)
    assert FILES == content(tree)


class EmptyIsUnset(UnifiedReference):
    """A target that does not keep its promise."""

    def getenv(self, name: str, default: object = None) -> object:
        """Return *default* for an empty value as well."""
        return super().getenv(name) or default


def test_difference_is_left(tree: Path) -> None:
    """A file in which an expression differs is left whole; the others move."""
    found = plan_migration(tree, Options(), verified=True, unified=EmptyIsUnset)

    assert ["pkg/crlf.py"] == [each.scanned.source.file for each in found.changed]
    assert [("verification-differs", 4), ("write-item", 1)] == found.reasons
    assert found.verified is not None
    assert 4 == len(found.verified.differences)
    assert found.moved + len(found.left) == plan(tree).moved + len(plan(tree).left)


@pytest.mark.parametrize("enabled", [True, False])
def test_collector(tree: Path, *, enabled: bool) -> None:
    """The garbage collector is afterwards what it was before, also after an error."""
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        plan(tree)
        assert enabled is gc.isenabled()
        with pytest.raises(RuntimeError), collection_paused():
            raise RuntimeError
        assert enabled is gc.isenabled()
    finally:
        (gc.enable if before else gc.disable)()


def test_undo_in_git(repository: Path) -> None:
    """The printed command brings every byte back, and git has nothing left to say."""
    written = write(plan(repository))

    assert 5 == len(written.files)
    assert FILES != content(repository)
    subprocess.run(shlex.split(written.undo), check=True)
    assert FILES == content(repository)
    assert "" == git(repository, "status", "--porcelain")


def test_undo_below_the_top(repository: Path) -> None:
    """The command holds for a folder inside the work tree as well."""
    written = write(plan(repository / "pkg"))
    subprocess.run(shlex.split(written.undo), check=True)

    assert FILES == content(repository)


def test_undo_without_git(tree: Path) -> None:
    """Outside of git the patch lies in the folder, and the command brings every byte back."""
    written = write(plan(tree))

    assert [] == dirt(plan(tree))
    assert FILES != content(tree)
    subprocess.run(shlex.split(written.undo), check=True)
    assert FILES == content(tree)


def test_second_run(tree: Path) -> None:
    """A second run has nothing to do, and what was left is still left."""
    write(plan(tree))
    again = plan(tree)

    assert ((), 1) == (again.changed, len(again.left))


def test_dirty(repository: Path) -> None:
    """A changed tracked file anywhere, and a file that git does not know, are named."""
    assert [] == dirt(plan(repository))

    (repository / "plain.py").write_text("x = 2\n")
    (repository / "new.py").write_text("import os\nos.getenv('N')\n")
    (repository / "notes.txt").write_text("no matter\n")

    assert ["new.py", "plain.py"] == dirt(plan(repository))


def test_git_that_does_not_answer(tree: Path) -> None:
    """A work tree that git refuses to speak about is not taken for clean."""
    (tree / ".git").write_text("gitdir: nowhere\n")

    assert ["a work tree that git does not speak about"] == dirt(plan(tree))


def test_only(tree: Path) -> None:
    """One file can be named, from here or below the folder; another one, or one outside, is bad input."""
    found = plan_migration(tree, Options(), only=[Path("pkg/crlf.py")])

    assert ["pkg/crlf.py"] == [each.scanned.source.file for each in found.changed]
    assert 1 == found.files
    with pytest.raises(BadInput, match="no such file"):
        plan_migration(tree, Options(), only=[Path("pkg/none.py")])
    with pytest.raises(BadInput, match="a file outside of"):
        plan_migration(tree / "pkg", Options(), only=[tree / "a.py"])


def test_mode_is_kept(tree: Path) -> None:
    """A script stays executable."""
    (tree / "a.py").chmod(0o751)
    write(plan(tree))

    assert 0o751 == stat.S_IMODE((tree / "a.py").stat().st_mode)


def test_changed_meanwhile(tree: Path) -> None:
    """A file that somebody edits between reading and writing is not overwritten, and the others are written."""
    found = plan(tree)
    (tree / "a.py").write_bytes(b"mine = 1\n")
    written = write(found)

    assert b"mine = 1\n" == (tree / "a.py").read_bytes()
    assert 4 == len(written.files)
    assert ["another content than was read" in line for line in written.failed] == [True]


def test_disk_full(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up leaves the file whole and no draft beside it."""

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(tree.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CouldNot, match="No space left on device; the file is as it was"):
        replace_file(tree / "a.py", before=FILES["a.py"], after=b"half")

    assert FILES["a.py"] == (tree / "a.py").read_bytes()
    assert before == sorted(tree.iterdir())


def test_no_patch_no_change(tree: Path) -> None:
    """If the way back cannot be written, nothing is."""
    found = plan(tree)
    probe = write(found)
    patch = Path(shlex.split(probe.undo)[-1])
    subprocess.run(shlex.split(probe.undo), check=True)
    patch.unlink()
    patch.mkdir()

    with pytest.raises(CouldNot, match="nothing was changed"):
        write(found)
    assert FILES == content(tree)


def test_diff(tree: Path) -> None:
    """The diff shows the lines that change, and says when a file has no line end."""
    shown = {each.scanned.source.file: diff_of(each) for each in plan(tree).changed}

    assert (
        "-a = os.getenv('A')\n+from oms.unified.config import unified_env\n+a = unified_env.getenv('A')\n"
        in shown["a.py"]
    )
    assert "\\ No newline at end of file" in shown["pkg/no end.py"]


def test_cycle(tmp_path: Path) -> None:
    """Files that the target imports are left, for the import would be a cycle; imports inside functions are none."""
    package = tmp_path / "src" / "oms" / "unified" / "config"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").write_text("")
    read = "import os\nos.getenv('A')\n"
    (package / "__init__.py").write_text(
        f"from oms import early\nfrom .inside import x\n{read}\ndef f():\n import oms.late\n"
    )
    (package / "inside.py").write_text(f"{read}x = 1\n")
    for name in ("early", "late"):
        (package.parent.parent / f"{name}.py").write_text(read)
    for root in (tmp_path, tmp_path / "src", tmp_path / "src" / "oms"):
        found = plan_migration(root, Options())
        reasons = {Path(each.access.file).name: each.reason for each in found.left}

        assert {"__init__.py": "import-cycle", "early.py": "import-cycle", "inside.py": "import-cycle"} == reasons
        assert ["late.py"] == [Path(each.scanned.source.file).name for each in found.changed]
