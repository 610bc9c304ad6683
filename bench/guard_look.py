"""What one look of the controller costs over a journal: every phase's counts read, every guard and every operation judged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from oms.domain.decision import FixedDecision
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.journal.guard_counts import open_counts
from oms.rollout.audit import Audit
from oms.rollout.guard.controller import Controller, Look
from oms.rollout.guard.facts import Sources
from oms.rollout.guard.latches import Latches
from oms.rollout.guard.policy_file import read_policy
from oms.rollout.switchboard import Switchboard
from oms.seams import PHASES


@dataclass(frozen=True)
class _Shadow:
    """A flag that puts everybody in shadow, under the digest that the newest counts carry."""

    digest: str

    @property
    def split(self) -> Split:
        return Split.whole(Stage.SHADOW)

    @property
    def decision(self) -> FixedDecision:
        return FixedDecision(Stage.SHADOW, self.digest)

    def read(self, phase: str) -> _Shadow:
        return self

    def write(self, phase: str, split: Split, *, based_on: str | None) -> str:
        raise AssertionError("nothing is moved here: no process follows the flags")


def look(journal: Path, plan: str, *, now_s: float) -> Look:
    """Look at all phases once, over *journal*, whose newest counts are under *plan*."""
    with TemporaryDirectory() as folder:
        flags, var = _Shadow(plan), Path(folder)
        board = Switchboard(
            phases=PHASES,
            flags=flags,
            last_good=flags,
            processes=list,
            audit=Audit(var / "audit.jsonl"),
            lock=var / "flags.lock",
            clock=lambda: now_s,
        )
        sources = Sources(
            board=board,
            counts=partial(open_counts, journal),
            policy=partial(read_policy, Path(__file__).parents[1] / "flags" / "rollout.toml", tuple(PHASES)),
            latches=Latches(var / "rollout.json"),
        )
        return Controller(sources).look(PHASES.values())
