"""A world in virtual time: real flags, audit and latches; counts, processes and the clock are what a test says they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from oms.domain.errors import CouldNot
from oms.domain.histogram import bucket_of
from oms.domain.readiness import Demand
from oms.domain.record import Place, Slice, Trip
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.domain.standing import PhaseStanding, ProcessStanding
from oms.flagging.files import FlagFiles
from oms.rollout.audit import Audit
from oms.rollout.guard.controller import Controller, PhaseLook
from oms.rollout.guard.counts import Loss
from oms.rollout.guard.facts import Sources
from oms.rollout.guard.latches import Latches
from oms.rollout.guard.orders import freeze
from oms.rollout.guard.policy import PhasePolicy, StepRule
from oms.rollout.guard.policy_file import Policy, Standing
from oms.rollout.switchboard import Switchboard
from oms.seams import PHASES
from tests.unit.rollout.room import ANA

CACHE = PHASES["cache"]
BEGAN_S = 1_800_000_000.0
MS = 1_000_000
POLICY = PhasePolicy(
    owner="ana",
    expires=dt.date(2100, 1, 1),
    steps=(StepRule(500, 60.0, 200), StepRule(5_000, 120.0, 500)),
    ready=Demand(limit=1e-2, min_age_s=0.0),
    unseen_holds=False,
)


@dataclass
class World:
    """One phase, ``cache``, served by two processes that follow at once.

    Attributes:
        now_s: The clock; a test moves it.
        slices, trips, losses, diverging: What the journal says.
        policy: Of every phase.
        standing: Fields of each process's standing that are not as they should be.
        journal_problem: Why the journal cannot be read.
        silent_for_s: Age of each process's last beat.
        unheard: Pids that never wrote to the journal.
        gone: When processes that have ended wrote to it last, by pid.
    """

    folder: Path
    now_s: float = BEGAN_S
    slices: list[Slice] = field(default_factory=list)
    trips: list[Trip] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    diverging: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    policy: PhasePolicy = POLICY
    pids: tuple[int, ...] = (11, 12)
    standing: Mapping[str, object] = field(default_factory=dict)
    journal_problem: str = ""
    silent_for_s: float = 0.0
    unheard: tuple[int, ...] = ()
    gone: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "flags").mkdir()
        self.flags = FlagFiles(self.folder / "flags", PHASES, report=[].append)
        self.latches = Latches(self.folder / "var" / "rollout.json")
        self.audit = Audit(self.folder / "var" / "audit.jsonl")
        self.board = Switchboard(
            phases=PHASES,
            flags=self.flags,
            last_good=FlagFiles(self.folder / "var" / "last-good", PHASES),
            processes=self.processes,
            audit=self.audit,
            lock=self.folder / "var" / "flags.lock",
            standstill=lambda phase: self.latches.read().standstill(phase, now_s=self.now_s),
            changed_at=lambda phase: self.now_s,
            clock=lambda: self.now_s,
        )
        self.sources = Sources(board=self.board, counts=self.counts, policy=self.policies, latches=self.latches)
        self.stand(Stage.SHADOW)

    def policies(self) -> Policy:
        """Return the policy of every phase."""
        return Policy(None, {name: Standing(self.policy) for name in PHASES})

    def controller(self, **options: object) -> Controller:
        """Return a controller that sees this world's clock as the steady one."""
        return Controller(self.sources, **{"wait_s": 0.0, "steady": lambda: self.now_s, **options})

    def processes(self) -> Sequence[ProcessStanding]:
        """Return the processes, each serving the flag as it is."""
        digest = self.flags.read("cache").digest
        standing = replace(PhaseStanding(digest, self.now_s), **self.standing)
        beat_s = self.now_s - self.silent_for_s
        return [ProcessStanding(pid, 1, "host", beat_s, alive=True, phases={"cache": standing}) for pid in self.pids]

    @contextmanager
    def counts(self) -> Iterator[FakeCounts]:
        """Open the journal."""
        if self.journal_problem:
            raise CouldNot(self.journal_problem)
        yield FakeCounts(self)

    def stand(self, split: Stage | Split) -> None:
        """Put the phase somewhere, without the audit."""
        self.flags.write("cache", Split.whole(split) if isinstance(split, Stage) else split, based_on=None)

    @property
    def stands(self) -> str:
        """Where the phase stands."""
        return str(self.flags.read("cache").split)

    def count(
        self, stage: str, *, operation: str = "get", version: str = "v1", at_s: float | None = None, plan: str | None = None,
        slow: int = 0, durations: Mapping[str, Mapping[int, int]] | None = None, **counts: int,
    ) -> None:  # fmt: skip
        """Count in the present minute; ``errors_unified`` reads ``errors.unified``. *slow*: units of a second each."""
        digest = self.flags.read("cache").digest if plan is None else plan
        place = Place("cache", "types", operation, stage, digest, version)
        names = {name.replace("errors_", "errors."): count for name, count in counts.items()}
        minute_s = (self.now_s if at_s is None else at_s) // 60 * 60
        units = {bucket_of(1_000 * MS): slow} if slow else {}
        self.slices.append(Slice(place, minute_s, names, durations or {}, units))

    def clean(self, stage: str, calls: int, **more: int) -> None:
        """Count *calls* that went well; legacy takes a millisecond."""
        legacy = {"legacy": {bucket_of(MS): calls}}
        said = {"calls": calls, "shadowed": calls, "matched": calls, "errors_none": calls, **more}
        self.count(stage, durations=legacy, **said)

    def look(self, controller: Controller | None = None) -> PhaseLook:
        """Look at the phase once."""
        return (controller or self.controller()).look([CACHE]).phases[0]


@dataclass(frozen=True)
class FakeCounts:
    """What the journal of a world says."""

    world: World

    def slices(
        self, phase: str, *, since_s: float = 0.0, plan: str | None = None, by_minute: bool = True, slow: bool = True
    ) -> list[Slice]:
        """Return those of *phase*, each as it was counted."""
        found = [one for one in self.world.slices if one.place.phase == phase and one.at_s >= since_s]
        return [one for one in found if plan in (None, one.place.plan)]

    def trips(self, since_s: float) -> list[Trip]:
        """Return those since."""
        return [one for one in self.world.trips if one.at >= since_s]

    def losses(self, since_s: float) -> list[Loss]:
        """Return those since."""
        return [one for one in self.world.losses if one.until >= since_s]

    def diverging(self, phase: str) -> dict[tuple[str, str], dict[str, int]]:
        """Return what differs."""
        return self.world.diverging

    def heard(self) -> dict[int, float]:
        """Return that every process has just written, but for those unheard of."""
        live = {pid: self.world.now_s for pid in self.world.pids if pid not in self.world.unheard}
        return {**self.world.gone, **live}


def clean_step(world: World) -> None:
    """Let the first step of live have its time and its calls."""
    world.now_s += 60
    world.clean("live", 300)


def edited(world: World) -> None:
    """Edit the policy in the middle of the step."""
    world.policy = replace(POLICY, alpha=0.02)


def frozen(world: World) -> None:
    """Freeze everything."""
    freeze(world.board, world.latches, None, ANA, until_s=world.now_s + 60)
