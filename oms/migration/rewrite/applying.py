"""A plan, written: what git could not bring back is named first, the way back is kept, each file changes as a whole."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from oms.domain.errors import CouldNot
from oms.migration.rewrite.worktree import Changed, is_mute, keep_patch, patch_of, top_of, unsaved
from oms.migration.rewrite.writing import replace_file


class Changes(Protocol):
    """What a plan is to those who write it."""

    @property
    def tool(self) -> str:
        """What the patch that takes it back is named after."""

    @property
    def root(self) -> Path:
        """The folder."""

    @property
    def changed(self) -> Sequence[Changed]:
        """Files that change."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        files: Files that changed.
        failed: One line for each file that could not be replaced; such a file is as it was.
        undo: The command that takes everything back.
    """

    files: tuple[str, ...]
    failed: tuple[str, ...]
    undo: str


def dirt(plan: Changes) -> list[str]:
    """Return what git could not bring back: paths that are changed already, and files of *plan* that git does not track."""
    top = top_of(plan.root)
    if top is not None:
        return unsaved(top, [each.source.path for each in plan.changed])
    return ["a work tree that git does not speak about"] if is_mute(plan.root) else []


def write(plan: Changes) -> Written:
    """Write *plan*, each file as a whole, after the patch that takes it back.

    Raises:
        CouldNot: that patch cannot be written; nothing is changed.
    """
    base = (top_of(plan.root) or plan.root).resolve()
    patch = keep_patch(patch_of(plan.changed, base), base, plan.tool)
    done: list[str] = []
    failed: list[str] = []
    for each in plan.changed:
        try:
            replace_file(each.source.path, before=each.source.raw, after=each.raw)
            done.append(each.source.file)
        except CouldNot as error:
            failed.append(str(error))
    undo = f"git -C {shlex.quote(str(base))} apply --reverse --whitespace=nowarn {shlex.quote(str(patch))}"
    return Written(tuple(done), tuple(failed), undo)
