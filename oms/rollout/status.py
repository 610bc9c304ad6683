"""Where everything stands: phases, processes, and what is wrong, gathered in one look that changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from oms.domain.errors import BadInput, CouldNot
from oms.domain.phase import Phase
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.domain.standing import ProcessStanding
from oms.rollout.acknowledgement import follows, is_silent, lag
from oms.rollout.audit import AuditLine, AuditTrail
from oms.rollout.guard.facts import Sources
from oms.rollout.guard.facts import gather as facts_of
from oms.rollout.guard.latches import PhaseLatch
from oms.rollout.guard.leader import Term
from oms.rollout.guard.policy_file import Policy
from oms.rollout.guard.ramp import Assessment, assess
from oms.rollout.guard.wording import assessment_json, controller_json
from oms.rollout.present import Present, present
from oms.rollout.switchboard import Switchboard
from oms.seams.known import expiring_today


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStatus:
    """One phase.

    Attributes:
        phase: The phase itself.
        now: Where it stands, on whose word, and what is wrong with its file.
        age_s: Seconds since it was moved there, None if nobody knows.
        tripped: The lowest stage that a guard of a process put in force over the flag, None if none did.
        tripped_in: By pid of each process that tripped, which guard it was, where and for what; None where the process does not say.
        repairs: Open repairs, over all live processes.
        followed_by: How many live processes follow its flag.
        lags: One sentence for each of those that does not serve it as it is.
        last: The last move in the audit, None if there is none.
        rollout: What the guards say and what comes next, None if nobody asked.
    """

    phase: Phase
    now: Present
    age_s: float | None
    tripped: str | None
    tripped_in: Mapping[int, str | None]
    repairs: int
    followed_by: int
    lags: tuple[str, ...]
    last: AuditLine | None
    rollout: Assessment | None = None

    @property
    def latch(self) -> PhaseLatch:
        """What is latched for it."""
        return PhaseLatch() if self.rollout is None else self.rollout.facts.latch

    @property
    def split(self) -> Split | None:
        """Weights per stage; None for targeting that is not a plain share."""
        if self.now.state is not None:
            return self.now.state.split
        return Split.whole(self.now.most_advanced)

    def as_json(self) -> dict[str, object]:
        """Return what ``status --json`` says of it; a weight that targeting decides is null."""
        split = self.split
        weights = split.weights if split else [(stage, None) for stage in sorted(self.now.stages, key=_downwards)]
        return {
            "split": {stage.value: weight for stage, weight in weights},
            "digest": self.now.digest,
            "age_s": None if self.age_s is None else round(self.age_s, 1),
            "tripped": self.tripped,
            "repairs": self.repairs,
            "rollout": None if self.rollout is None else assessment_json(self.rollout),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """One live process. *silent* is true if its last beat is too old to believe the rest."""

    pid: int
    host: str
    digests: dict[str, str]
    beat_age_s: float
    silent: bool

    def as_json(self) -> dict[str, object]:
        """Return what ``status --json`` says of it."""
        return {
            "pid": self.pid,
            "host": self.host,
            "digests": self.digests,
            "beat_age_s": round(self.beat_age_s, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """Everything at one moment.

    Attributes:
        at: That moment, Unix time in seconds.
        processes: Live ones, lowest pid first.
        ended: Pids of processes that ended without taking their process file away.
        notes: What else went wrong while looking: process files or audit that cannot be read, damaged audit lines.
        term: The controller that leads, None if there never was one.
    """

    at: float
    phases: tuple[PhaseStatus, ...]
    processes: tuple[ProcessStatus, ...]
    ended: tuple[int, ...]
    notes: tuple[str, ...]
    term: Term | None = None

    @property
    def source(self) -> str:
        """Who answers for the flags: ``file``, and after it each phase for which it is not, ``file, cache: last-good``."""
        others = [f"{status.phase.name}: {status.now.origin}" for status in self.phases if status.now.origin != "file"]
        return ", ".join([*(["file"] if len(others) < len(self.phases) else []), *others])

    @property
    def has_bad_news(self) -> bool:
        """True if a file is broken, or a guard has tripped."""
        return any(status.now.problem or status.tripped or status.latch.tripped for status in self.phases)

    @property
    def agreed(self) -> bool:
        """True if every live process has been heard of and serves the flags as they are."""
        return not any(status.lags for status in self.phases)

    def as_json(self) -> dict[str, object]:
        """Return the object that ``status --json`` prints."""
        return {
            "schema": 1,
            "source": self.source,
            "controller": controller_json(self.term),
            "phases": {status.phase.name: status.as_json() for status in self.phases},
            "processes": [process.as_json() for process in self.processes],
        }


def gather(
    board: Switchboard, phases: Iterable[Phase], *, sources: Sources | None = None, term: Term | None = None
) -> StatusReport:
    """Look at everything once. What cannot be read is a note, never an error.

    Args:
        sources: What the controller goes by; without them nothing is said of guards.
        term: The controller that leads.
    """
    now = board.clock()
    notes: list[str] = []
    policy = sources.policy() if sources else None
    standings, trail = _standings(board, notes), _trail(board, notes)
    phases = list(phases)
    notes.extend(_expired(phases))
    live = sorted((standing for standing in standings if standing.alive), key=lambda standing: standing.pid)
    return StatusReport(
        at=now,
        phases=tuple(
            replace(_phase_status(board, phase, live, trail, now), rollout=_rollout(sources, policy, phase, notes))
            for phase in phases
        ),
        processes=tuple(_process_status(standing, now) for standing in live),
        ended=tuple(sorted(standing.pid for standing in standings if not standing.alive)),
        notes=tuple(notes),
        term=term,
    )


def _rollout(sources: Sources | None, policy: Policy | None, phase: Phase, notes: list[str]) -> Assessment | None:
    if sources is None or policy is None:
        return None
    try:
        return assess(facts_of(sources, phase, policy))
    except Exception as error:  # the screen is looked at when things are wrong
        notes.append(f"{phase.name}: its guards could not be looked at: {type(error).__name__}: {error}")
        return None


def _expired(phases: Iterable[Phase]) -> list[str]:
    """Return a sentence for each known divergence that has expired or will soon; rules that cannot be read say so."""
    found: list[str] = []
    for phase in phases:
        try:
            found += [f"known divergence {one.words}" for one in expiring_today(phase.name)]
        except BadInput as error:
            found.append(str(error))
    return found


def _standings(board: Switchboard, notes: list[str]) -> Sequence[ProcessStanding]:
    try:
        return board.processes()
    except (CouldNot, OSError) as error:
        notes.append(f"process files: {error}")
        return ()


def _trail(board: Switchboard, notes: list[str]) -> AuditTrail:
    try:
        trail = board.audit.read()
    except CouldNot as error:
        notes.append(str(error))
        return AuditTrail((), ())
    notes.extend(f"{board.audit.path}: {problem}" for problem in trail.problems)
    return trail


def _phase_status(
    board: Switchboard, phase: Phase, live: Sequence[ProcessStanding], trail: AuditTrail, now: float
) -> PhaseStatus:
    stands = present(board, phase)
    last = trail.last_done(phase.name)
    own = {process.pid: process.phases[phase.name] for process in live if phase.name in process.phases}
    following = [process for process in live if follows(process, phase.name)]
    tripped = {pid: standing.tripped for pid, standing in own.items() if standing.tripped}
    return PhaseStatus(
        phase=phase,
        now=stands,
        age_s=_age(board, phase, stands, last, now),
        tripped=min(tripped.values(), key=lambda stage: Stage(stage).rank) if tripped else None,
        tripped_in={pid: own[pid].tripped_by for pid in tripped},
        repairs=sum(standing.repairs for standing in own.values()),
        followed_by=len(following),
        lags=tuple(found for process in following if (found := lag(process, phase.name, stands.digest, now))),
        last=last,
    )


def _age(board: Switchboard, phase: Phase, stands: Present, last: AuditLine | None, now: float) -> float | None:
    """The audit knows best; a file that was put there by hand knows when it came."""
    if last is not None and last.flip.digest == stands.digest:
        return max(0.0, now - last.flip.at)
    changed_at = board.changed_at(phase.name) if stands.origin == "file" else None
    return None if changed_at is None else max(0.0, now - changed_at)


def _process_status(standing: ProcessStanding, now: float) -> ProcessStatus:
    return ProcessStatus(
        pid=standing.pid,
        host=standing.host,
        digests={name: phase.digest for name, phase in standing.phases.items()},
        beat_age_s=max(0.0, now - standing.beat_at),
        silent=is_silent(standing, now),
    )


def _downwards(stage: Stage) -> int:
    return -stage.rank
