"""``oms rehearse``: prepare, start, drive, walk, roll back, report."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TextIO

from oms.app.injection import Faults, Order
from oms.app.ontology import Ontology
from oms.app.rehearsal.action_traffic import ActionTraffic
from oms.app.rehearsal.board import switchboard
from oms.app.rehearsal.climb import Climb
from oms.app.rehearsal.driver import Counts, Driver
from oms.app.rehearsal.environment import rehearsal_environment
from oms.app.rehearsal.findings import Findings, caller_errors, problems, read_phase
from oms.app.rehearsal.fleet import Fleet
from oms.app.rehearsal.folder import Folder, prepare
from oms.app.rehearsal.neighbours import Neighbours
from oms.app.rehearsal.probes import Probes
from oms.app.rehearsal.progress import Say, progress
from oms.app.rehearsal.request import Errand
from oms.app.rehearsal.staging import Staging
from oms.app.rehearsal.summary import text_of
from oms.app.rehearsal.traffic import Traffic
from oms.app.rehearsal.walk import Walk, Walked
from oms.app.rehearsal.watch import PROFILE, Watch
from oms.domain.errors import BadInput
from oms.domain.phase import Phase
from oms.journal import JournalReader
from oms.rollout.guard.policy_file import FILE, read_policy
from oms.seams import PHASES
from oms.seams.resilience import RESILIENCE
from oms.unified.config import unified_env
from oms.wiring import BOUND_PHASES

WORKERS = 3

_READS_FIRST = 5_000
"""Reads in shadow before a fault that is about time, from which the controller knows legacy's p99. Source: reference simulation."""

HtmlReport = Callable[[JournalReader], str]
"""Writes the report for people; the console's, handed in by the command because no entrance imports another."""


def run(
    *,
    phases: Sequence[str] = (),
    calls: int | None = None,
    seed: int = 1,
    out: Path = Path("out/rehearsal"),
    as_json: bool = False,
    flags: Path = Path("flags"),
    workers: int = WORKERS,
    faults: Faults | None = None,
    html: HtmlReport | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Rehearse *phases* one after another and return the exit code: 0 good, 3 if callers saw errors or a phase did not come back in time.

    Args:
        phases: Names of phases whose both wings stand; none for every one of them, with *faults* for the first that takes them.
        calls: Requests, at least: evidence takes what it takes. None for :func:`usual_calls`.
        seed: Of the traffic.
        out: Emptied if an earlier rehearsal made it; gets flags, journal, logs and report.
        as_json: Print one JSON object in place of the summary.
        flags: Folder that is copied.
        workers: Processes that serve.
        faults: What goes wrong in unified once live is reached, to be taken back by the controller; None for a walk to live and back.
        html: Writes ``report.html``; None writes the summary as ``report.txt`` in its place.
        stdout, stderr: Where result and progress go; None for the process's own.

    Raises:
        BadInput: if a phase cannot be rehearsed, or a folder is not usable.
        CouldNot: if the workers cannot be started.
    """
    faults = faults or Faults()
    chosen = [_bound(name) for name in dict.fromkeys(phases)] or _usual_phases(faults)
    _check_rescuable(chosen, faults)
    _check_policy(flags, chosen)
    folder = prepare(out, flags=flags, phases=chosen)
    plan = Plan(chosen, calls=calls or usual_calls(chosen), seed=seed, workers=workers, faults=faults)
    findings = asyncio.run(Rehearsal(folder, plan, stderr or sys.stderr).go(html))
    result = json.dumps(findings.as_json()) + "\n" if as_json else text_of(findings)
    (stdout or sys.stdout).write(result)
    return findings.exit_code


def usual_calls(phases: Sequence[Phase]) -> int:
    """Return how many requests a rehearsal of *phases* sends unless it is told: 30,000, or 6,000 where each of them calls a neighbour."""
    return 6_000 if all(phase is RESILIENCE for phase in phases) else 30_000


def spread(calls: int, phases: Sequence[Phase]) -> list[int]:
    """Return how many of *calls* each of *phases* gets; they sum to it. One that calls a neighbour gets half of what others get."""
    weights = [1 if phase is RESILIENCE else 2 for phase in phases]
    shares = [calls * weight // sum(weights) for weight in weights]
    shares[0] += calls - sum(shares)
    return shares


@dataclass(frozen=True, slots=True)
class Plan:
    """What to rehearse; see :func:`run`."""

    phases: Sequence[Phase]
    _: KW_ONLY
    calls: int
    seed: int
    workers: int
    faults: Faults


@dataclass(frozen=True, slots=True)
class _Scene:
    """What one phase is walked with."""

    driver: Driver
    ports: list[int]
    deployment: Callable[[], list[Errand]]
    say: Say


class Rehearsal:
    """One rehearsal in a folder of its own."""

    def __init__(self, folder: Folder, plan: Plan, stderr: TextIO) -> None:
        self._folder = folder
        self._plan = plan
        self._stderr = stderr
        self._counts = Counts()
        self._driving = Counts()
        self._probed = 0

    async def go(self, html: HtmlReport | None) -> Findings:
        """Do all of it.

        Raises:
            CouldNot: if a process cannot be started, or has left no journal.
        """
        began, plan = time.monotonic(), self._plan
        order = Order(plan.faults, plan.seed, self._folder.switch.absolute())
        async with Neighbours(self._folder, plan.seed) as neighbours:
            environment = rehearsal_environment(unified_env, actions_url=neighbours.url)
            fleet = Fleet(self._folder, plan.workers, environment, order)
            async with fleet:
                walked = await self._walk_all(fleet)
                identity = await fleet.identity()
                reached = await neighbours.reached(made=await fleet.made())
        with JournalReader(self._folder.journal) as journal:
            found = {
                name: read_phase(journal, name, each, reached if name == RESILIENCE.name else None)
                for name, each in walked.items()
            }
            findings = Findings(
                seed=plan.seed,
                caller_errors=caller_errors(self._counts, identity, list(found.values())),
                report=self._folder.report if html else self._folder.report.with_suffix(".txt"),
                phases=found,
                requests=self._counts,
                seconds=time.monotonic() - began,
                problems=tuple(
                    problems(
                        walked.values(), broken_ends=fleet.broken_ends, workers=len(fleet.workers), reached=reached
                    )
                ),
                reads_inside=self._probed,
            )
            findings.report.write_text(html(journal) if html else text_of(findings), encoding="utf-8")
        return findings

    async def _walk_all(self, fleet: Fleet) -> dict[str, Walked]:
        ontology, plan = Ontology.load(), self._plan
        walked: dict[str, Walked] = {}
        async with progress(self._stderr, plan.calls, self._sent) as say:
            for phase, calls in zip(plan.phases, spread(plan.calls, plan.phases), strict=True):
                traffic, clients = _traffic_of(phase, ontology, plan.seed)
                async with Driver(fleet.ports, traffic, clients_per_process=clients) as driver:
                    self._driving = driver.counts
                    scene = _Scene(driver, fleet.ports, traffic.deployment, say)
                    walked[phase.name] = await self._walk(phase, calls, scene)
                self._counts.add(self._driving)
                self._driving = Counts()
        return walked

    async def _walk(self, phase: Phase, calls: int, scene: _Scene) -> Walked:
        board, faults, folder = switchboard(self._folder), self._plan.faults, self._folder
        probes, driver, ports, say = Probes(phase.name), scene.driver, scene.ports, scene.say
        watch = Watch(folder, phase.name, say.verdict)
        reads_first = _READS_FIRST if faults.are_about_time else 0
        climb = Climb(folder, board, phase, driver, ports, probes, watch.check, say.stage, reads_first)
        staging = Staging(folder, board, phase, driver, ports, probes, faults, watch.check, say.stage)
        inject = None if faults.is_none else staging.go
        walk = Walk(
            board, phase, driver, ports, calls, scene.deployment, climb, say.stage, inject=inject, watch=lambda: watch
        )
        walked = await walk.go()
        self._probed += probes.reads
        return walked

    def _sent(self) -> int:
        return self._counts.sent + self._driving.sent


def _traffic_of(phase: Phase, ontology: Ontology, seed: int) -> tuple[Traffic | ActionTraffic, int]:
    """Return what clients ask while *phase* is walked, and how many of them there are for each process."""
    # Who waits for a retry does nothing else: it takes more clients to keep the service busy.
    return (ActionTraffic(ontology, seed), 16) if phase is RESILIENCE else (Traffic(ontology, seed), 4)


def _usual_phases(faults: Faults) -> list[Phase]:
    return list(BOUND_PHASES) if faults.is_none else [phase for phase in BOUND_PHASES if phase.rescuable][:1]


def _check_policy(flags: Path, phases: Sequence[Phase]) -> None:
    policy, today = read_policy(flags / FILE, PHASES, profile=PROFILE), dt.datetime.now(dt.UTC).date()
    for phase in phases:
        if problem := policy.of(phase.name, today=today).problem:
            raise BadInput("--flags", found=f"a policy that moves nothing on ({problem})", wanted="one that is good")


def _check_rescuable(phases: Sequence[Phase], faults: Faults) -> None:
    if not faults.is_none and len(phases) > 1:
        # What is switched on stays on, and would be there from the next phase's start.
        raise BadInput("--inject", found=f"{len(phases)} phases", wanted="one phase at a time")
    for phase in phases:
        if not faults.is_none and not phase.rescuable:
            raise BadInput(
                "--inject",
                found=f"{faults} for phase {phase.name}, whose reads legacy may not rescue",
                wanted="a phase whose callers see nothing of it, as cache",
            )


def _bound(name: str) -> Phase:
    for phase in BOUND_PHASES:
        if phase.name == name:
            return phase
    raise BadInput(
        "--phase",
        found=repr(name),
        wanted=f"one whose both wings stand: {' '.join(each.name for each in BOUND_PHASES)}",
    )
