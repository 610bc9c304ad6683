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
from oms.app.rehearsal.board import switchboard
from oms.app.rehearsal.climb import Climb
from oms.app.rehearsal.driver import Driver
from oms.app.rehearsal.environment import rehearsal_environment
from oms.app.rehearsal.findings import Findings, caller_errors, read_phase
from oms.app.rehearsal.fleet import Fleet
from oms.app.rehearsal.folder import Folder, prepare
from oms.app.rehearsal.probes import Probes
from oms.app.rehearsal.progress import Say, progress
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
from oms.unified.config import unified_env
from oms.wiring import BOUND_PHASES

WORKERS = 3

_READS_FIRST = 5_000
"""Reads in shadow before a fault that is about time, from which the controller knows legacy's p99. Source: reference simulation."""

HtmlReport = Callable[[JournalReader], str]
"""Writes the report for people; the console's, handed in by the command because no entrance imports another."""


def run(
    *,
    phases: Sequence[str],
    calls: int = 30_000,
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
        phases: Names of phases whose both wings stand.
        calls: Requests, at least: evidence takes what it takes.
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
    chosen = [_bound(name) for name in dict.fromkeys(phases)]
    faults = faults or Faults()
    _check_rescuable(chosen, faults)
    _check_policy(flags, chosen)
    folder = prepare(out, flags=flags, phases=chosen)
    plan = Plan(chosen, calls=calls, seed=seed, workers=workers, faults=faults)
    findings = asyncio.run(Rehearsal(folder, plan, stderr or sys.stderr).go(html))
    result = json.dumps(findings.as_json()) + "\n" if as_json else text_of(findings)
    (stdout or sys.stdout).write(result)
    return findings.exit_code


@dataclass(frozen=True, slots=True)
class Plan:
    """What to rehearse; see :func:`run`."""

    phases: Sequence[Phase]
    _: KW_ONLY
    calls: int
    seed: int
    workers: int
    faults: Faults


class Rehearsal:
    """One rehearsal in a folder of its own."""

    def __init__(self, folder: Folder, plan: Plan, stderr: TextIO) -> None:
        self._folder = folder
        self._plan = plan
        self._stderr = stderr
        self._probed = 0

    async def go(self, html: HtmlReport | None) -> Findings:
        """Do all of it.

        Raises:
            CouldNot: if the workers cannot be started, or have left no journal.
        """
        began, plan = time.monotonic(), self._plan
        order = Order(plan.faults, plan.seed, self._folder.switch.absolute())
        fleet = Fleet(self._folder, plan.workers, rehearsal_environment(unified_env), order)
        traffic = Traffic(Ontology.load(), plan.seed)
        async with fleet:
            driver = Driver(fleet.ports, traffic)
            async with driver, progress(self._stderr, plan.calls, lambda: driver.counts.sent) as say:
                scene = _Scene(driver, fleet, traffic, say)
                walked = await self._walk_all(scene)
            identity = await fleet.identity()
        with JournalReader(self._folder.journal) as journal:
            found = {name: read_phase(journal, name, each) for name, each in walked.items()}
            findings = Findings(
                seed=plan.seed,
                caller_errors=caller_errors(driver.counts, identity, list(found.values())),
                report=self._folder.report if html else self._folder.report.with_suffix(".txt"),
                phases=found,
                requests=driver.counts,
                seconds=time.monotonic() - began,
                problems=tuple(_problems(walked, fleet)),
                reads_inside=self._probed,
            )
            findings.report.write_text(html(journal) if html else text_of(findings), encoding="utf-8")
        return findings

    async def _walk_all(self, scene: _Scene) -> dict[str, Walked]:
        walked: dict[str, Walked] = {}
        left = self._plan.calls
        for place, phase in enumerate(self._plan.phases):
            calls = left // (len(self._plan.phases) - place)
            left -= calls
            walked[phase.name] = await self._walk(phase, calls, scene)
        return walked

    async def _walk(self, phase: Phase, calls: int, scene: _Scene) -> Walked:
        board, faults, folder = switchboard(self._folder), self._plan.faults, self._folder
        probes, driver, ports, say = Probes(phase.name), scene.driver, scene.fleet.ports, scene.say
        watch = Watch(folder, phase.name, say.verdict)
        reads_first = _READS_FIRST if faults.are_about_time else 0
        climb = Climb(folder, board, phase, driver, ports, probes, watch.check, say.stage, reads_first)
        staging = Staging(folder, board, phase, driver, ports, probes, faults, watch.check, say.stage)
        inject = None if faults.is_none else staging.go
        deployment = scene.traffic.deployment
        walk = Walk(
            board, phase, driver, ports, calls, deployment, climb, say.stage, inject=inject, watch=lambda: watch
        )
        walked = await walk.go()
        self._probed += probes.reads
        return walked


@dataclass(frozen=True, slots=True)
class _Scene:
    """What every phase is walked with."""

    driver: Driver
    fleet: Fleet
    traffic: Traffic
    say: Say


def _problems(walked: dict[str, Walked], fleet: Fleet) -> list[str]:
    found = [each.problem for each in walked.values() if each.problem]
    if fleet.broken_ends:
        found.append(f"{fleet.broken_ends} of {len(fleet.workers)} workers did not end in good order")
    return found


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
