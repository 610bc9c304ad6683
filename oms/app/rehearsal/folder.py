"""Where a rehearsal works: a folder of its own, with a copy of the flags."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from oms.domain.errors import BadInput, CouldNot
from oms.domain.phase import Phase
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.files import SUFFIX, FlagFiles
from oms.rollout.guard.policy_file import FILE as POLICY
from oms.seams import PHASES

MARKER = ".oms-rehearsal"
"""The file by which a folder of an earlier rehearsal is known, which may be emptied."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The output folder of one rehearsal."""

    root: Path

    @property
    def flags(self) -> Path:
        """The copy of the flags that is walked."""
        return self.root / "flags"

    @property
    def var(self) -> Path:
        """Journal, process files, audit."""
        return self.root / "var"

    @property
    def journal(self) -> Path:
        """The journal of all worker processes."""
        return self.var / "journal.db"

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.root / "report.html"

    @property
    def latches(self) -> Path:
        """What the controller and people have latched."""
        return self.var / "rollout.json"

    @property
    def switch(self) -> Path:
        """The file that turns injected faults on."""
        return self.root / "injection"

    @property
    def guard_log(self) -> Path:
        """Where the controller writes what it complains about."""
        return self.root / "guard.log"

    def log(self, number: int) -> Path:
        """Return where the worker of *number* writes what it complains about."""
        return self.root / f"worker-{number}.log"


def prepare(root: Path, *, flags: Path, phases: Iterable[Phase]) -> Folder:
    """Empty *root* of an earlier rehearsal, copy flags and policy into it, and put the flag of each of *phases* at off there.

    Raises:
        BadInput: if *root* is a file, or a folder with something in it that no rehearsal has made; or there are no flags.
        CouldNot: if something cannot be read or written.
    """
    folder = Folder(root)
    try:
        _make_room(root)
        _copy_flags(flags, folder.flags)
    except OSError as error:
        raise CouldNot(
            f"{error.filename or root}: {error.strerror}, wanted to prepare the folder of the rehearsal"
        ) from error
    files = FlagFiles(folder.flags, PHASES)
    for phase in phases:
        # A rehearsal tells the whole way, wherever the real flag stands.
        files.write(phase.name, Split.whole(Stage.OFF), based_on=None)
    return folder


def _make_room(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise BadInput("--out", found=f"the file {root}", wanted="a folder, new or of an earlier rehearsal")
    if root.is_dir() and any(root.iterdir()) and not (root / MARKER).is_file():
        raise BadInput(
            "--out",
            found=f"{root} with files that no rehearsal has made",
            wanted="a new or empty folder, or one of an earlier rehearsal",
            mend="name another folder",
        )
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).write_text(
        "Made by oms rehearse, which empties this folder when it comes again.\n", encoding="utf-8"
    )
    for each in root.iterdir():
        if each.name != MARKER:
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


def _copy_flags(source: Path, target: Path) -> None:
    found = sorted(source.glob(f"*{SUFFIX}")) if source.is_dir() else []
    if not found:
        raise BadInput("--flags", found=f"no *{SUFFIX} in {source}", wanted="the folder of the flag files")
    target.mkdir()
    for each in (*found, *source.glob(POLICY)):
        shutil.copyfile(each, target / each.name)
