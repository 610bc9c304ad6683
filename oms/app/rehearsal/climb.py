"""From shadow up the steps of the policy: the controller moves the phase on, the rehearsal only sends traffic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oms.app.rehearsal.driver import Driver
from oms.app.rehearsal.folder import Folder
from oms.app.rehearsal.probes import Probes
from oms.app.rehearsal.watch import PROFILE
from oms.domain.errors import CouldNot
from oms.domain.phase import Phase
from oms.domain.split import Wish
from oms.domain.stage import Stage
from oms.rollout.guard.latches import Latches
from oms.rollout.guard.policy_file import FILE, read_policy
from oms.rollout.switchboard import Switchboard
from oms.rollout.wording import wish_text
from oms.seams import PHASES

MOST_CALLS = 40_000
"""Requests after which a phase that is still not moved on will not be."""

_CHUNK = 100
_PROBE_READS = 100
_IN_SHADOW = 20
"""Fewer in shadow: what counts there is comparisons of every operation, and probes of one use up the lanes' share of the CPU."""


@dataclass(frozen=True, slots=True)
class Climb:
    """Sends traffic until the controller has moved the phase to the last step of its policy.

    Attributes:
        check: Raises ``CouldNot`` if the controller has ended.
        say: Told of each step as it is reached.
        reads_first: Reads in shadow before the controller looks, so that it knows well what slow is.
    """

    folder: Folder
    board: Switchboard
    phase: Phase
    driver: Driver
    ports: list[int]
    probes: Probes
    check: Callable[[], None]
    say: Callable[[str], None]
    reads_first: int = 0

    async def prepare(self) -> None:
        """Send the first reads."""
        for _ in range(0, self.reads_first, _PROBE_READS * len(self.ports)):
            await self._send(0, probes=_PROBE_READS)

    async def go(self, calls: int, reached: Callable[[str], None]) -> None:
        """Climb; *reached* is told each step. Send *calls* requests, and more where the controller wants to see more.

        Raises:
            CouldNot: if it does not come to the top.
        """
        top, stands, left, sent = self.top(), self._stands(), calls, 0
        while stands != top:
            if sent >= MOST_CALLS:
                raise CouldNot(f"{stands}: not moved on to {top} after {sent:,} requests; oms guard told why")
            await self._send(_CHUNK, probes=_IN_SHADOW if stands == Stage.SHADOW else _PROBE_READS)
            left -= _CHUNK
            sent += _CHUNK
            self.check()
            self._check_trip()
            if (now := self._stands()) != stands:
                stands = now
                reached(stands)
                self.say(f"{self.phase.name} {stands}")
        await self.driver.drive(max(0, left))

    def _check_trip(self) -> None:
        tripped = Latches(self.folder.latches).read().of(self.phase.name).tripped
        if tripped is not None:
            raise CouldNot(
                f"taken back {tripped.before} > {tripped.to}: {tripped.guard} {tripped.operation} tripped: {tripped.why}"
            )

    def top(self) -> str:
        """Return the last step of the policy, as a split reads."""
        policy = read_policy(self.folder.flags / FILE, PHASES, profile=PROFILE)
        return wish_text(Wish(Stage.LIVE, policy.phases[self.phase.name].policy.steps[-1].weight))

    async def _send(self, calls: int, *, probes: int) -> None:
        """Send *calls* ordinary requests and *probes* further reads to each process."""
        extra = 0
        for port in self.ports:
            requests = self.probes.requests(probes)
            self.driver.enqueue(port, requests)
            extra += len(requests)
        await self.driver.drive(calls + extra)

    def _stands(self) -> str:
        return str(self.board.flags.read(self.phase.name).split)
