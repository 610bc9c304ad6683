"""``oms rehearse``: prepare, start, drive, walk, roll back, report."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from oms.app.ontology import Ontology
from oms.app.rehearsal.action_traffic import ActionTraffic
from oms.app.rehearsal.board import switchboard
from oms.app.rehearsal.driver import Counts, Driver
from oms.app.rehearsal.environment import rehearsal_environment
from oms.app.rehearsal.findings import Findings, caller_errors, read_phase
from oms.app.rehearsal.fleet import Fleet
from oms.app.rehearsal.folder import Folder, prepare
from oms.app.rehearsal.neighbours import Neighbours, Reached
from oms.app.rehearsal.progress import progress
from oms.app.rehearsal.summary import text_of
from oms.app.rehearsal.traffic import Traffic
from oms.app.rehearsal.walk import Walk, Walked
from oms.domain.errors import BadInput
from oms.domain.phase import Phase
from oms.journal import JournalReader
from oms.seams.resilience import RESILIENCE
from oms.unified.config import unified_env
from oms.wiring import BOUND_PHASES

WORKERS = 3

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
    html: HtmlReport | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Rehearse *phases* one after another and return the exit code: 0 good, 3 if callers saw errors or a phase did not come back in time.

    Args:
        phases: Names of phases whose both wings stand; none for every one of them.
        calls: Requests in all; None for :func:`usual_calls`.
        seed: Of the traffic.
        out: Emptied if an earlier rehearsal made it; gets flags, journal, logs and report.
        as_json: Print one JSON object in place of the summary.
        flags: Folder that is copied.
        workers: Processes that serve.
        html: Writes ``report.html``; None writes the summary as ``report.txt`` in its place.
        stdout, stderr: Where result and progress go; None for the process's own.

    Raises:
        BadInput: if a phase cannot be rehearsed, or a folder is not usable.
        CouldNot: if the workers cannot be started.
    """
    chosen = [_bound(name) for name in dict.fromkeys(phases)] or list(BOUND_PHASES)
    folder = prepare(out, flags=flags, phases=chosen)
    rehearsal = Rehearsal(
        folder, chosen, calls=calls or usual_calls(chosen), seed=seed, workers=workers, stderr=stderr or sys.stderr
    )
    findings = asyncio.run(rehearsal.go(html))
    result = json.dumps(findings.as_json()) + "\n" if as_json else text_of(findings)
    (stdout or sys.stdout).write(result)
    return findings.exit_code


def usual_calls(phases: Sequence[Phase]) -> int:
    """Return how many requests a rehearsal of *phases* sends unless it is told: 30,000, or 8,000 where each of them calls a neighbour."""
    return 8_000 if all(phase is RESILIENCE for phase in phases) else 30_000


def spread(calls: int, phases: Sequence[Phase]) -> list[int]:
    """Return how many of *calls* each of *phases* gets; they sum to it. One that calls a neighbour gets half of what others get."""
    weights = [1 if phase is RESILIENCE else 2 for phase in phases]
    shares = [calls * weight // sum(weights) for weight in weights]
    shares[0] += calls - sum(shares)
    return shares


class Rehearsal:
    """One rehearsal in a folder of its own."""

    def __init__(
        self, folder: Folder, phases: Sequence[Phase], *, calls: int, seed: int, workers: int, stderr: TextIO
    ) -> None:
        self._folder = folder
        self._phases = phases
        self._calls = calls
        self._seed = seed
        self._workers = workers
        self._stderr = stderr
        self._counts = Counts()
        self._driving = Counts()

    async def go(self, html: HtmlReport | None) -> Findings:
        """Do all of it.

        Raises:
            CouldNot: if a process cannot be started, or has left no journal.
        """
        began = time.monotonic()
        async with Neighbours(self._folder, self._seed) as neighbours:
            environment = rehearsal_environment(unified_env, actions_url=neighbours.url)
            fleet = Fleet(self._folder, self._workers, environment)
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
                seed=self._seed,
                caller_errors=caller_errors(self._counts, identity, list(found.values())),
                report=self._folder.report if html else self._folder.report.with_suffix(".txt"),
                phases=found,
                requests=self._counts,
                seconds=time.monotonic() - began,
                problems=tuple(_problems(walked, fleet, reached)),
            )
            findings.report.write_text(html(journal) if html else text_of(findings), encoding="utf-8")
        return findings

    async def _walk_all(self, fleet: Fleet) -> dict[str, Walked]:
        board, ontology = switchboard(self._folder), Ontology.load()
        walked: dict[str, Walked] = {}
        async with progress(self._stderr, self._calls, self._sent) as say:
            for phase, calls in zip(self._phases, spread(self._calls, self._phases), strict=True):
                traffic, clients = _traffic_of(phase, ontology, self._seed)
                async with Driver(fleet.ports, traffic, clients_per_process=clients) as driver:
                    self._driving = driver.counts
                    walked[phase.name] = await Walk(
                        board, phase, driver, fleet.ports, calls, traffic.deployment, say
                    ).go()
                self._counts.add(self._driving)
                self._driving = Counts()
        return walked

    def _sent(self) -> int:
        return self._counts.sent + self._driving.sent


def _traffic_of(phase: Phase, ontology: Ontology, seed: int) -> tuple[Traffic | ActionTraffic, int]:
    """Return what clients ask while *phase* is walked, and how many of them there are for each process."""
    # Who waits for a retry does nothing else: it takes more clients to keep the service busy.
    return (ActionTraffic(ontology, seed), 16) if phase is RESILIENCE else (Traffic(ontology, seed), 4)


def _problems(walked: dict[str, Walked], fleet: Fleet, reached: Reached) -> list[str]:
    found = [each.problem for each in walked.values() if each.problem]
    if fleet.broken_ends:
        found.append(f"{fleet.broken_ends} of {len(fleet.workers)} workers did not end in good order")
    if reached.received != reached.made:
        found.append(
            f"upstream: received {reached.received:,} requests, wanted the {reached.made:,} that the callers made"
        )
    return found


def _bound(name: str) -> Phase:
    for phase in BOUND_PHASES:
        if phase.name == name:
            return phase
    raise BadInput(
        "--phase",
        found=repr(name),
        wanted=f"one whose both wings stand: {' '.join(each.name for each in BOUND_PHASES)}",
    )
