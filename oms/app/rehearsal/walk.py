"""One phase through its stages under traffic, by the same flips that on-call engineers make, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from oms.app.rehearsal.driver import Driver
from oms.app.rehearsal.request import Errand
from oms.domain.errors import CouldNot, FlipRefused
from oms.domain.phase import Phase
from oms.domain.split import parse_wish
from oms.rollout.flip import flip
from oms.rollout.flip_report import FlipReport
from oms.rollout.rollback import rollback
from oms.rollout.switchboard import Mandate, Switchboard

FLIP_WAIT_S = 10.0
ROLLBACK_WAIT_S = 1.0
"""A rollback that takes longer is bad news."""

_MANDATE = Mandate(who="oms rehearse", why="rehearsal")

_SHARES = {"off": 6, "dualwrite": 12, "shadow": 36, "live=5": 14, "live": 24, "back": 8}
"""Share of the traffic in percent; most of it where both sides read, and differences show."""

_DURING_FLIP = 0.2
"""Share of a stage's traffic that is sent while the flip to it goes on; the rest follows once all have acknowledged."""

_DEPLOYMENT_STAGES = ("dualwrite", "shadow", "live")
"""Stages that begin with a deployment: one before there is something to compare, one under each authority."""


@dataclass(slots=True)
class Walked:
    """How far one phase came.

    Attributes:
        stages: What was asked for and acknowledged, in order.
        rollback: None if there was none.
        problem: Why the walk ended early, empty if it did not.
    """

    stages: list[str] = field(default_factory=list)
    rollback: FlipReport | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Walk:
    """Walks one phase.

    Attributes:
        calls: Requests in all, spread over the stages.
        deployment: Makes what each process is sent before the rest of some stages: once before there is something to compare, and once
            under each authority.
        say: Told of each stage that begins.
    """

    board: Switchboard
    phase: Phase
    driver: Driver
    ports: list[int]
    calls: int
    deployment: Callable[[], list[Errand]]
    say: Callable[[str], None]

    async def go(self) -> Walked:
        """Walk to live, stage by stage, then roll back; a stage that cannot be reached ends the way forward only."""
        walked = Walked()
        budget = self._budget()
        try:
            for stage in self._stages():
                await self._enter(stage, budget[stage])
                walked.stages.append(stage)
        except (FlipRefused, CouldNot) as error:
            walked.problem = f"{self.phase.name}: {error}"
        await self._return(walked, budget["back"])
        return walked

    def _stages(self) -> list[str]:
        return [each for each in _SHARES if each != "back" and (self.phase.writes or each != "dualwrite")]

    def _budget(self) -> dict[str, int]:
        """Return the number of requests per stage; they sum to ``calls``."""
        shares = {name: _SHARES[name] for name in (*self._stages(), "back")}
        whole = sum(shares.values())
        budget = {name: self.calls * share // whole for name, share in shares.items()}
        budget["shadow"] += self.calls - sum(budget.values())
        return budget

    async def _enter(self, stage: str, calls: int) -> None:
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
