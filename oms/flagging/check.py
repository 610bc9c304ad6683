"""Checking a folder of flag files before it is served, and what a change would do to callers."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oms.domain.decision import PhaseDecision
from oms.domain.errors import CouldNot, FlagFileInvalid
from oms.domain.phase import Phase
from oms.domain.scope import EvaluationContext
from oms.flagging.files import SUFFIX, FlagFiles


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a folder of flag files.

    Attributes:
        file: The file's path.
        phase: The phase it is about, None for a file that is nobody's.
        kind: ``missing``, ``extra``, ``invalid`` or ``unreadable``.
        path: The place in the file, empty for the file as a whole.
        message: Where, what was found, what was wanted, and the mend, on one line.
    """

    file: str
    phase: str | None
    kind: str
    path: str
    message: str


def check_folder(folder: Path, phases: Mapping[str, Phase]) -> list[Problem]:
    """Return everything wrong in *folder*: one problem a file, phases first; empty if all is well.

    Raises:
        CouldNot: if *folder* cannot be listed.
    """
    files = FlagFiles(folder, phases)
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise CouldNot(f"{folder}: found {error.strerror or error}, wanted a folder of flag files") from error
    found = [problem for phase in phases if (problem := _of_phase(files, phase)) is not None]
    return found + [_extra(folder / name, phases) for name in names if _is_extra(name, phases)]


@dataclass(frozen=True, slots=True)
class Movement:
    """What a change of flags does to a sample of callers: how many go up, down or stay."""

    raised: int
    taken_back: int
    unmoved: int


def movement(before: PhaseDecision, after: PhaseDecision, *, keys: int = 10_000) -> Movement:
    """Return how *keys* made-up targeting keys would move. Rules over other attributes see none."""
    raised = taken_back = 0
    for number in range(keys):
        context = EvaluationContext(f"preview-{number}")
        change = after.decide(context, "", "").rank - before.decide(context, "", "").rank
        raised += change > 0
        taken_back += change < 0
    return Movement(raised, taken_back, keys - raised - taken_back)


def _of_phase(files: FlagFiles, phase: str) -> Problem | None:
    path = files.path(phase)
    try:
        files.read(phase)
    except FlagFileInvalid as error:
        return Problem(str(path), phase, "invalid", error.path, str(error))
    except CouldNot as error:
        return Problem(
            str(path), phase, "unreadable" if path.is_symlink() or path.exists() else "missing", "", str(error)
        )
    return None


def _is_extra(name: str, phases: Mapping[str, Phase]) -> bool:
    return name.endswith(".json") and not name.startswith(".") and name.removesuffix(SUFFIX) not in phases


def _extra(path: Path, phases: Mapping[str, Phase]) -> Problem:
    near = difflib.get_close_matches(path.name.removesuffix(SUFFIX), phases, n=1)
    mend = f"did you mean {near[0]}{SUFFIX}?" if near else "move it out of the folder; nobody reads it"
    return Problem(
        str(path), None, "extra", "", f"{path}: found a file of no phase, wanted one of {' '.join(phases)}; {mend}"
    )
