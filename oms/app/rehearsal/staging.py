"""An injection under the controller's eye: it begins once live is reached, and the phase is to be taken back by itself."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from oms.app.injection import Faults, turn_on
from oms.app.rehearsal.driver import Driver
from oms.app.rehearsal.folder import Folder
from oms.app.rehearsal.incident import ROLLBACK_WAIT_S, Incident, Tripping
from oms.app.rehearsal.probes import Probes
from oms.app.rehearsal.watch import EVERY_S
from oms.domain.errors import CouldNot
from oms.domain.phase import Phase
from oms.domain.record import Trip
from oms.domain.stage import Stage
from oms.journal import JournalReader
from oms.rollout.acknowledgement import follows, wait_for_acknowledgement
from oms.rollout.guard.latches import Latches, Tripped
from oms.rollout.guard.orders import freeze
from oms.rollout.switchboard import Mandate, Switchboard

MOST_READS = 60_000
"""Reads after which a fault that no guard has found will not be found."""

LONGEST_S = 240.0
"""Seconds after which it will not be either."""

_FLUSH_S = 0.25
"""How old counts are that workers have not written to the journal yet, at most."""

_LOOK_S = 0.1
_FIRST_CHUNK = 60
_GROWTH = 8
_MANDATE = Mandate(who="oms rehearse", why="an injection begins")
_FROZEN_S = 3_600.0


@dataclass(slots=True)
class Staging:
    """Brings an incident about.

    Attributes:
        say: Told what happens, as it happens.
    """

    folder: Folder
    board: Switchboard
    phase: Phase
    driver: Driver
    ports: list[int]
    probes: Probes
    faults: Faults
    check: Callable[[], None]
    say: Callable[[str], None]
    _samples: list[tuple[float, Counter[str]]] = field(default_factory=list)

    async def go(self) -> Incident:
        """Turn the faults on and send traffic until the phase is taken back, or it is clear that it will not be.

        Raises:
            CouldNot: if the phase cannot be frozen, or the controller has ended.
        """
        latches = Latches(self.folder.latches)
        # So that nobody moves it on while the fault is looked for. Rollbacks always go.
        freeze(self.board, latches, self.phase, _MANDATE, until_s=time.time() + _FROZEN_S)
        await asyncio.sleep(_FLUSH_S + EVERY_S)
        if (early := latches.read().of(self.phase.name).tripped) is not None:
            raise CouldNot(f"{early.guard} {early.operation} tripped before the injection: {early.why}")
        digest, inside = self._digest(), self.probes.reads
        at_step = await asyncio.to_thread(self._calls, digest)
        incident = Incident(self.faults, str(self.board.flags.read(self.phase.name).split), time.time())
        await self._sample()
        turn_on(self.folder.switch)
        self.say(f"{self.phase.name} {incident.at}: {self.faults} begins")
        await self._until_taken_back(incident, digest)
        tripped = await self._settle(incident, latches)
        incident.trips = await asyncio.to_thread(self._trips, incident, tripped, at_step)
        incident.reads_inside = self.probes.reads - inside
        incident.calls = sum((self._samples[-1][1] - self._samples[0][1]).values())
        return incident

    async def _until_taken_back(self, incident: Incident, digest: str) -> None:
        """Send more and more in one go: a fault that is soon found costs few calls, one that is not does not take for ever."""
        sent = 0
        while sent < MOST_READS and time.time() - incident.began_at < LONGEST_S:
            chunk = max(_FIRST_CHUNK, sent // _GROWTH)
            traffic = asyncio.create_task(self._send(chunk))
            try:
                while not traffic.done():
                    await asyncio.wait({traffic}, timeout=_LOOK_S)
                    await self._sample()
                traffic.result()
            finally:
                traffic.cancel()
            sent += chunk
            if await self._is_taken_back(digest):
                return

    async def _send(self, calls: int) -> None:
        """Send *calls* calls: for a fault that is about time mostly reads inside the workers, else ordinary requests."""
        if not self.faults.are_about_time:
            await self.driver.drive(calls)
            return
        sent = 0
        for port in self.ports:
            requests = self.probes.requests(calls // len(self.ports))
            self.driver.enqueue(port, requests)
            sent += len(requests)
        await self.driver.drive(sent + len(self.ports))

    async def _is_taken_back(self, digest: str) -> bool:
        """Wait until the controller has seen what was sent, and tell whether it took the phase back."""
        until = time.monotonic() + _FLUSH_S + 2 * EVERY_S
        while time.monotonic() < until:
            self.check()
            if self._digest() != digest:
                return True
            await asyncio.sleep(_LOOK_S)
            await self._sample()
        return self._digest() != digest

    async def _settle(self, incident: Incident, latches: Latches) -> Tripped | None:
        """Wait for the acknowledgement of the rollback, if there was one, and for the counts that are still on their way."""
        state = self.board.flags.read(self.phase.name)
        is_back = state.split is not None and state.split.most_advanced.rank < Stage.LIVE.rank
        if is_back:
            incident.rolled_back = await asyncio.to_thread(
                wait_for_acknowledgement, self.board.processes, self.phase.name, state.digest, wait_s=ROLLBACK_WAIT_S
            )
        await self._until_written()
        await self._sample()
        tripped = latches.read().of(self.phase.name).tripped
        if incident.rolled_back is not None and tripped is not None and tripped.seconds is not None:
            # The controller's own figure: from the look that saw it until the last process said so.
            incident.rolled_back = replace(incident.rolled_back, seconds=tripped.seconds)
        return tripped

    async def _until_written(self) -> None:
        """Wait until every live process has written what it has counted by now, trips too; an idle one writes every five seconds."""
        now, until = time.time(), time.monotonic() + ROLLBACK_WAIT_S
        while time.monotonic() < until:
            await asyncio.sleep(_LOOK_S)
            if await asyncio.to_thread(self._have_written, now):
                return

    def _have_written(self, since: float) -> bool:
        pids = {each.pid for each in self.board.processes() if follows(each, self.phase.name)}
        with JournalReader(self.folder.journal) as journal:
            return pids <= {each.pid for each in journal.processes() if each.seen_at >= since}

    def _trips(self, incident: Incident, tripped: Tripped | None, at_step: Counter[str]) -> list[Tripping]:
        with JournalReader(self.folder.journal) as journal:
            found = [
                self._of_process(incident, pid, trip)
                for pid, trip in journal.trips()
                if trip.phase == self.phase.name and trip.at >= incident.began_at
            ]
        if tripped is not None:
            found.append(self._of_controller(incident, tripped, at_step))
        return sorted(found, key=lambda trip: trip.seconds or 0.0)

    def _of_process(self, incident: Incident, pid: int, trip: Trip) -> Tripping:
        return Tripping(
            guard=trip.guard,
            seam=trip.seam,
            operation=trip.operation,
            before=trip.from_stage,
            after=trip.to_stage,
            calls_to_trip=self._calls_by(f"{trip.seam}.{trip.operation}", trip.at),
            seconds=trip.at - incident.began_at,
            pid=pid,
            why=trip.reason,
        )

    def _of_controller(self, incident: Incident, tripped: Tripped, at_step: Counter[str]) -> Tripping:
        seam, _, operation = tripped.operation.partition(".")
        # What the guard had counted itself is exact; what a process reports, the guard has not counted.
        counted = tripped.calls - at_step[tripped.operation] if tripped.calls else None
        return Tripping(
            guard=tripped.guard,
            seam=seam,
            operation=operation,
            before=tripped.before,
            after=tripped.to,
            calls_to_trip=self._calls_by(tripped.operation, tripped.at_s) if counted is None else counted,
            seconds=tripped.at_s - incident.began_at,
            pid=None,
            why=tripped.why,
            also=tripped.also,
        )

    def _calls_by(self, operation: str, at: float) -> int | None:
        """Return the calls of *operation* since the beginning at the first look at the journal after *at*."""
        if not operation.strip("."):
            return None
        counts = next((counts for when, counts in self._samples if when >= at), self._samples[-1][1])
        return counts[operation] - self._samples[0][1][operation]

    async def _sample(self) -> None:
        self._samples.append((time.time(), await asyncio.to_thread(self._calls, None)))

    def _calls(self, plan: str | None) -> Counter[str]:
        """Return how often each operation was called under *plan*, under all of them for None."""
        sums: Counter[str] = Counter()
        with JournalReader(self.folder.journal) as journal:
            for one in journal.slices(self.phase.name, plan=plan, by_minute=False):
                sums[f"{one.place.seam}.{one.place.operation}"] += one.counts.get("calls", 0)
        return sums

    def _digest(self) -> str:
        return self.board.flags.read(self.phase.name).digest
