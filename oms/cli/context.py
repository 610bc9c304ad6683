"""What the commands stand on: the folders that were named, and the rooms that a flip touches, put together."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from oms.rollout.guard.facts import Sources
    from oms.rollout.guard.latches import Latches
    from oms.rollout.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the flag files and everything written at run time are."""

    flags: Path
    var: Path


def folders_of(arguments: argparse.Namespace) -> Folders:
    """Return the folders: as named on the command line, else by ``OMS_FLAGS`` and ``OMS_VAR``, else ``flags`` and ``var``."""
    flags, var = getattr(arguments, "flags", None), getattr(arguments, "var", None)
    if flags is not None and var is not None:
        return Folders(Path(flags), Path(var))
    from oms.unified.config.settings import OmsSettings

    settings = OmsSettings.read()
    return Folders(Path(flags or settings.flags), Path(var or settings.var))


def wants_colour(stream: TextIO) -> bool:
    """Tell whether *stream* is a terminal whose reader has not asked for none (no-color.org)."""
    if not stream.isatty():
        return False
    from oms.unified.config.settings import OmsSettings

    return not OmsSettings.read().no_color


def switchboard(folders: Folders, *, warn: Callable[[str], None]) -> Switchboard:
    """Return what a flip touches, over *folders*.

    *warn* is told of a folder for flags that is not there, and of a flag that was written but is not known to be on disk.
    """
    from oms.flagging.files import FlagFiles
    from oms.journal.flips import append_flip
    from oms.journal.run_folder import read_processes
    from oms.rollout.audit import Audit
    from oms.rollout.switchboard import Switchboard
    from oms.seams import PHASES

    if not folders.flags.is_dir():
        warn(f"{folders.flags}: found no folder, wanted the one with the flag files; is --flags right?")
    return Switchboard(
        phases=PHASES,
        flags=FlagFiles(folders.flags, PHASES, report=warn),
        last_good=FlagFiles(folders.var / "last-good", PHASES),
        processes=partial(read_processes, folders.var / "run"),
        audit=Audit(folders.var / "audit.jsonl"),
        lock=folders.var / "flags.lock",
        record=partial(append_flip, folders.var / "journal.db"),
        standstill=partial(_standstill, folders.var),
        unaccepted=partial(_unaccepted, folders.var / "journal.db"),
        changed_at=partial(_changed_at, folders.flags),
    )


def latches(folders: Folders) -> Latches:
    """Return what is latched: trips, pauses and freezes."""
    from oms.rollout.guard.latches import Latches

    return Latches(folders.var / "rollout.json")


def sources(folders: Folders, board: Switchboard, *, profile: str | None = None) -> Sources:
    """Return everything that a look at a phase goes by.

    Raises:
        BadInput: if the policy has no such *profile*.
    """
    from oms.journal.guard_counts import open_counts
    from oms.rollout.guard.facts import Sources
    from oms.rollout.guard.operations import operations_of
    from oms.rollout.guard.policy_file import FILE, read_policy
    from oms.seams import PHASES

    policy = partial(read_policy, folders.flags / FILE, tuple(PHASES), profile=profile)
    if profile is not None:
        for problem in policy().problems:
            if problem.path == f"profile.{profile}":
                raise problem
    return Sources(
        board=board,
        counts=partial(open_counts, folders.var / "journal.db"),
        policy=policy,
        latches=latches(folders),
        operations=operations_of,
    )


def terms(folders: Folders) -> Path:
    """Return the folder in which controllers settle who leads."""
    return folders.var / "guard"


def _standstill(var: Path, phase: str) -> list[str]:
    """Ask the latches what speaks against moving on; only a flip towards unified waits for this import."""
    import time

    return latches(Folders(var, var)).read().standstill(phase, now_s=time.time())


def _unaccepted(journal: Path, phase: str) -> list[str]:
    """Ask the journal what speaks against live; only a flip to live waits for this import."""
    from oms.journal.unaccepted import unaccepted

    return unaccepted(journal, phase)


def _changed_at(folder: Path, phase: str) -> float | None:
    """Return when the file came to be where it is: a backup that is moved back keeps its old mtime, but not its ctime."""
    try:
        return (folder / f"{phase}.flagd.json").stat().st_ctime
    except OSError:
        return None
