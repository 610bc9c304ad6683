"""What stands between a phase that legacy can't rescue and live: divergences that nobody has accepted."""

from __future__ import annotations

from pathlib import Path

from oms.domain.errors import CouldNot
from oms.domain.known import KnownClass
from oms.domain.stage import Stage
from oms.journal.entries import DivergenceGroup
from oms.journal.reader import JournalReader
from oms.seams.known import load_known

_SHOWN = 3


def unaccepted(path: Path, phase: str) -> list[str]:
    """Return what speaks against live for *phase*, one sentence or none, from the journal at *path*.

    Counted are the divergences of the present versions, since the phase was last flipped to shadow, that no rule covers, or only one of
    class ``noise``. What an older version did is mended or will be seen again.
    Without a journal nothing was compared, and nothing speaks against it here.
    """
    if not path.exists():
        return []
    accepted = {rule.id for rule in load_known(phase) if rule.klass is KnownClass.ACCEPTED}
    try:
        found = [group for group in _since_shadow(path, phase) if group.known not in accepted]
    except CouldNot as error:
        return [f"whether every divergence is accepted is not known ({error})"]
    if not found:
        return []
    named = ", ".join(
        f"{group.fingerprint} {group.seam}.{group.operation} {group.path}".rstrip() for group in found[:_SHOWN]
    )
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [f"{len(found)} kinds of divergence have no accepted rule ({named}{more}; oms report {phase} shows them)"]


def _since_shadow(path: Path, phase: str) -> list[DivergenceGroup]:
    with JournalReader(path) as reader:
        flips = [flip.at for flip in reader.flips() if flip.phase == phase and flip.to_split == Stage.SHADOW.value]
        since = max(flips, default=0.0)
        newest = reader.newest_versions()
        return [
            group
            for group in reader.divergences()
            if group.phase == phase
            and group.last_seen >= since
            and group.version == newest.get((phase, group.seam, group.operation), group.version)
        ]
