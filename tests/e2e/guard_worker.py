"""A controller's lead as a process of its own: it leads when told to, and flips when told to.

Run as a module, by the tests only: ``guard_worker FOLDER STALE_AFTER_S``. Each line on stdin is a command, each answer one line on stdout.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from oms.domain.errors import FlipRefused
from oms.domain.split import parse_wish
from oms.flagging.files import FlagFiles
from oms.rollout.audit import Audit
from oms.rollout.flip import flip
from oms.rollout.guard.leader import Candidate
from oms.rollout.rollback import rollback
from oms.rollout.switchboard import Mandate, Switchboard
from oms.seams import PHASES


def main(folder: Path, stale_after_s: float) -> None:
    """Obey until stdin ends."""
    flags = FlagFiles(folder / "flags", PHASES)
    board = Switchboard(
        phases=PHASES,
        flags=flags,
        last_good=flags,
        processes=list,
        audit=Audit(folder / "var" / "audit.jsonl"),
        lock=folder / "var" / "flags.lock",
    )
    with Candidate(folder / "var" / "guard", stale_after_s=stale_after_s) as leader:
        mandate = Mandate(who=f"pid {os.getpid()}", why="a test", fence=leader.fence)
        for line in sys.stdin:
            try:
                say(obey(line.strip(), board, leader, mandate))
            except FlipRefused as error:
                say(f"refused: {error}")


def obey(command: str, board: Switchboard, leader: Candidate, mandate: Mandate) -> str:
    """Do what one line says."""
    if command == "lead":
        return f"leads term {leader.number}" if leader.lead() else "follows"
    if command == "rollback":
        return f"moved to {rollback(board, PHASES['cache'], mandate, wait_s=0).move.after}"
    report = flip(board, PHASES["cache"], parse_wish(command, writes=True), mandate, wait_s=0)
    return f"moved to {report.move.after}"


def say(text: str) -> None:
    """Answer."""
    print(text, flush=True)  # noqa: T201 - that is how it answers


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
