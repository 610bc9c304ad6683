"""One phase through its stages under traffic, by the same flips that on-call engineers make, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from oms.app.rehearsal.driver import Driver
from oms.app.rehearsal.incident import ROLLBACK_WAIT_S, Incident
from oms.app.rehearsal.request import Errand
from oms.domain.errors import CouldNot, FlipRefused
from oms.domain.phase import Phase
from oms.domain.split import parse_wish
from oms.rollout.flip import flip
from oms.rollout.flip_report import FlipReport
from oms.rollout.rollback import rollback
from oms.rollout.switchboard import Mandate, Switchboard

FLIP_WAIT_S = 30.0
"""How long every process may take to follow a flip: a busy machine is not what a rehearsal is to find."""

_MANDATE = Mandate(who="oms rehearse", why="rehearsal")

_SHARES = {"off": 6, "dualwrite": 12, "shadow": 36, "steps": 14, "live": 24, "back": 8}
"""Share of the traffic in percent; most of it where both sides read, and differences show. The steps of the policy have theirs together."""

_DURING_FLIP = 0.2
"""Share of a stage's traffic that is sent while the flip to it goes on; the rest follows once all have acknowledged."""

_DEPLOYMENT_STAGES = ("dualwrite", "shadow", "live")
"""Stages that begin with a deployment: one before there is something to compare, one under each authority."""


class Climbing(Protocol):
    """The way up the steps of the policy."""

    async def prepare(self) -> None:
        """Do what has to be done in shadow before the controller looks."""

    async def go(self, calls: int, reached: Callable[[str], None]) -> None:
        """Send *calls* requests or more until the last step is reached, and tell *reached* each one.

        Raises:
            CouldNot: if it is not reached.
        """


@dataclass(slots=True)
class Walked:
    """How far one phase came.

    Attributes:
        stages: What was asked for and acknowledged, in order.
        rollback: The way back that was asked for; None if there was none.
        incident: What came of the injection, None without one.
        problem: Why the walk ended early, empty if it did not.
    """

    stages: list[str] = field(default_factory=list)
    rollback: FlipReport | None = None
    incident: Incident | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Walk:
    """Walks one phase: by hand to shadow, up the steps of the policy as the controller has it, and by hand to live and back.

    Attributes:
        calls: Requests, spread over the stages; a step of the policy may take more.
        deployment: Makes what each process is sent before the rest of some stages: once before there is something to compare, and once
            under each authority.
        inject: Brings an incident about at the last step, in the place of live; None for no incident.
        watch: Makes the context in which the controller runs.
        say: Told of each stage that begins.
    """

    board: Switchboard
    phase: Phase
    driver: Driver
    ports: list[int]
    calls: int
    deployment: Callable[[], list[Errand]]
    climb: Climbing
    say: Callable[[str], None]
    inject: Callable[[], Awaitable[Incident]] | None = None
    watch: Callable[[], AbstractAsyncContextManager[object]] = nullcontext

    async def go(self) -> Walked:
        """Walk to live and roll back; a stage that cannot be reached ends the way forward only."""
        walked = Walked()
        budget = self._budget()
        try:
            for stage in self._by_hand():
                await self._enter(stage, budget[stage], walked)
            await self.climb.prepare()
            async with self.watch():
                await self.climb.go(budget["steps"], walked.stages.append)
                if self.inject is None:
                    await self._enter("live", budget["live"], walked)
                else:
                    walked.incident = await self.inject()
        except (FlipRefused, CouldNot) as error:
            walked.problem = f"{self.phase.name}: {error}"
        if walked.incident is not None and walked.incident.rolled_back is not None:
            await self.driver.drive(budget["back"])
        else:
            await self._return(walked, budget["back"])
        return walked

    def _by_hand(self) -> list[str]:
        return [each for each in ("off", "dualwrite", "shadow") if self.phase.writes or each != "dualwrite"]

    def _budget(self) -> dict[str, int]:
        """Return the number of requests per stage; they sum to ``calls``."""
        shares = {name: share for name, share in _SHARES.items() if self.phase.writes or name != "dualwrite"}
        whole = sum(shares.values())
        budget = {name: self.calls * share // whole for name, share in shares.items()}
        budget["shadow"] += self.calls - sum(budget.values())
        return budget

    async def _enter(self, stage: str, calls: int, walked: Walked) -> None:
        """Flip to *stage* while traffic goes on, then send the rest of its traffic.

        Raises:
            FlipRefused, CouldNot: if the flip is refused, fails, or is not acknowledged by all.
        """
        self.say(f"{self.phase.name} {stage}")
        during = int(calls * _DURING_FLIP)
        traffic = asyncio.create_task(self.driver.drive(during))
        try:
            report = await asyncio.to_thread(self._flip, stage)
        finally:
            await traffic
        if not report.confirmed:
            raise CouldNot(f"{stage} is not acknowledged: {'; '.join(report.warnings)}")
        if stage in _DEPLOYMENT_STAGES:
            for port in self.ports:
                self.driver.enqueue(port, self.deployment())
        await self.driver.drive(calls - during)
        walked.stages.append(stage)

    def _flip(self, stage: str) -> FlipReport:
        return flip(self.board, self.phase, parse_wish(stage, writes=self.phase.writes), _MANDATE, wait_s=FLIP_WAIT_S)

    async def _return(self, walked: Walked, calls: int) -> None:
        self.say(f"{self.phase.name} rollback")
        traffic = asyncio.create_task(self.driver.drive(calls))
        try:
            walked.rollback = await asyncio.to_thread(self._rollback)
        except (FlipRefused, CouldNot) as error:
            walked.problem = walked.problem or f"{self.phase.name}: rollback: {error}"
        finally:
            await traffic

    def _rollback(self) -> FlipReport:
        return rollback(self.board, self.phase, _MANDATE, wait_s=ROLLBACK_WAIT_S)
