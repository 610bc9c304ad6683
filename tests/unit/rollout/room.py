"""A switchboard over real files; processes are what a test says they are."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.domain.standing import PhaseStanding, ProcessStanding
from oms.flagging.files import FlagFiles
from oms.rollout.audit import Audit
from oms.rollout.switchboard import Mandate, Switchboard
from oms.seams import PHASES

ANA = Mandate(who="ana", why="a test")


BEATS_FOR_S = 600.0
"""How far ahead the last beat of a live process lies: it is not silent, however long this machine stands still."""


@dataclass
class Room:
    """One set of folders, its switchboard, and the processes that a test lets stand there.

    Attributes:
        standings: What the process files say; a test replaces it.
        follow: True lets every process serve the flag as it is at each look.
    """

    folder: Path
    standings: list[ProcessStanding] = field(default_factory=list)
    follow: bool = False
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flags = FlagFiles(self.folder / "flags", PHASES, report=self.warnings.append)
        self.flags.folder.mkdir()
        self.last_good = FlagFiles(self.folder / "var" / "last-good", PHASES)
        self.last_good.folder.mkdir(parents=True)
        self.audit = Audit(self.folder / "var" / "audit.jsonl")
        self.board = Switchboard(
            phases=PHASES,
            flags=self.flags,
            last_good=self.last_good,
            processes=self.processes,
            audit=self.audit,
            lock=self.folder / "var" / "flags.lock",
        )

    def processes(self) -> list[ProcessStanding]:
        """Return what the process files say now."""
        if self.follow:
            self.standings = [self.serving(process) for process in self.standings]
        return self.standings

    def serving(self, process: ProcessStanding) -> ProcessStanding:
        """Return *process* as it stands once it has followed the cache's flag."""
        now = time.time()
        digest = self.flags.read("cache").digest
        return replace(
            process, beat_at=now + BEATS_FOR_S, phases={**process.phases, "cache": PhaseStanding(digest, now)}
        )

    def stand(self, split: Stage | Split, phase: str = "cache") -> str:
        """Put *phase* where a test begins and return the digest."""
        whole = Split.whole(split) if isinstance(split, Stage) else split
        return self.flags.write(phase, whole, based_on=None)

    def stands(self, phase: str = "cache") -> str:
        """Return where *phase* stands, as the command line writes it."""
        return str(self.flags.read(phase).split)

    def break_file(self, phase: str = "cache", content: str = "{") -> None:
        """Write nonsense over the flag file."""
        self.flags.path(phase).write_text(content)


def process(pid: int = 11, **standing: object) -> ProcessStanding:
    """Return a live process that beats; *standing* is its standing in the cache phase."""
    phase = PhaseStanding(**{"digest": "", "applied_at": time.time(), **standing})
    return ProcessStanding(pid, 1, "host", time.time() + BEATS_FOR_S, alive=True, phases={"cache": phase})
