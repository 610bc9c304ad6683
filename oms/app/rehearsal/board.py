"""What the rehearsal's flips touch: the copy of the flags and the workers' own run folder."""

from __future__ import annotations

import time
from functools import partial

from oms.app.rehearsal.folder import Folder
from oms.flagging.files import FlagFiles
from oms.journal import append_flip, read_processes
from oms.journal.unaccepted import unaccepted
from oms.rollout.audit import Audit
from oms.rollout.guard.latches import Latches
from oms.rollout.switchboard import Switchboard
from oms.seams import PHASES


def switchboard(folder: Folder) -> Switchboard:
    """Return the switchboard over *folder*: the same rooms that ``oms flip`` goes through."""
    return Switchboard(
        phases=PHASES,
        flags=FlagFiles(folder.flags, PHASES),
        last_good=FlagFiles(folder.var / "last-good", PHASES),
        processes=partial(read_processes, folder.var / "run"),
        audit=Audit(folder.var / "audit.jsonl"),
        lock=folder.var / "flags.lock",
        record=partial(append_flip, folder.journal),
        standstill=lambda phase: Latches(folder.latches).read().standstill(phase, now_s=time.time()),
        unaccepted=partial(unaccepted, folder.journal),
    )
