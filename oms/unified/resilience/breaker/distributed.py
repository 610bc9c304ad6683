"""``DistributedCircuitBreaker``: one breaker for every process that shares a Redis."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from collections.abc import Iterable
from concurrent.futures import Future
from typing import cast

import pybreaker

from oms.seams.resilience import TIME
from oms.unified.resilience.breaker.breaker import UnifiedCircuitBreaker
from oms.unified.resilience.breaker.circuit import CLOSED, OPEN, Probe, Ticket
from oms.unified.resilience.breaker.config import CircuitBreakerConfig, CircuitState
from oms.unified.resilience.breaker.store import Answer, BreakerStore
from oms.unified.resilience.errors import CircuitOpenError


class DistributedCircuitBreaker(UnifiedCircuitBreaker):
    """Adds state in Redis. A closed call asks nobody, an open one is rejected here; Redis decides on failures and gives out the permits.

    While Redis does not answer, this process goes on as a :class:`UnifiedCircuitBreaker` with what it knows: open stays open until its
    time is over, closed counts its own window. When Redis is back, a breaker that is open here and not there is opened there.

    Args:
        name: Breakers of one name share their state.
        store: Of all breakers in this process, or the url of its Redis.
        config: The same in every process.
    """

    process_local = False

    def __init__(
        self,
        name: str,
        *,
        store: BreakerStore | str,
        config: CircuitBreakerConfig | None = None,
        listeners: Iterable[pybreaker.CircuitBreakerListener] = (),
    ) -> None:
        super().__init__(name, config, listeners=listeners)
        self.store = BreakerStore(store) if isinstance(store, str) else store
        self._told_successes = 0
        # Not known yet: the first call asks, because no call of a closed breaker would.
        self._state, self._closed_ticket = cast("CircuitState", _UNKNOWN), None

    @property
    def state(self) -> CircuitState:
        """Where it stands as far as this process knows; closed before its first call."""
        return CLOSED if self._state is _UNKNOWN else self._state

    current_state = state

    def open(self, for_s: float | None = None) -> None:
        """Open it by hand, in every process."""
        super().open(for_s)
        seconds = self.config.open_s if for_s is None else for_s
        self._tell_store("open", 0, str(round(seconds * 1000)))

    def close(self) -> None:
        """Close it by hand, in every process."""
        super().close()
        self._tell_store("closed", 0)

    def half_open(self) -> None:
        """Let probes through now, in every process."""
        super().half_open()
        self._tell_store("half-open", 0)

    reset = close

    def take(self, answer: Answer, *, instead_of: int | None = None) -> None:
        """Take over what Redis says, if it is newer than what is known here, or if generation *instead_of* is still what is known here."""
        with self._lock:
            is_newer = self._state is _UNKNOWN or answer.generation > self._generation
            if is_newer or (instead_of == self._generation and answer.generation != self._generation):
                self._take_locked(answer)
        self._announcer.announce()

    def questions(self) -> list[tuple[str, int, str, str]]:
        """Return what to ask Redis now and then: what it knows, and whether it knows that we are open."""
        with self._lock:
            left, generation = self._open_until - TIME.get().monotonic(), self._generation
            told = self._untold_locked()
        questions = [("adopt", generation, str(round(left * 1000)), "")] if self._state is OPEN and left > 0 else []
        if told and not questions:
            questions = [("record", generation, "0", str(told))]
        return questions or [("read", generation, "", "")]

    def _admit(self) -> Ticket:
        self._reject_if_open()
        answer = self._wait(self._acquire(token := self._new_token()))
        return super()._admit() if answer is None else self._ticket(answer, token)

    async def _aadmit(self) -> Ticket:
        self._reject_if_open()
        asked = self._acquire(token := self._new_token())
        try:
            answer = await self._await(asked)
        except asyncio.CancelledError:
            # Nobody is left to use the permit.
            asked.add_done_callback(lambda done: self._give_back(done, token))
            raise
        return super()._admit() if answer is None else self._ticket(answer, token)

    def _settle_probe(self, probe: Probe) -> None:
        self._settled_probe(self._wait(self._result(probe, "success")), probe)

    def _settle_failure(self, ticket: Ticket) -> None:
        self._settled_failure(self._wait(self._failure(ticket)), ticket)

    async def _asucceeded(self, ticket: Ticket) -> None:
        if isinstance(ticket, Probe):
            self._settled_probe(await self._await(self._result(ticket, "success")), ticket)
            if self._listens:
                self._tell("success")
        else:
            self._succeeded(ticket)

    async def _afailed(self, ticket: Ticket, error: Exception | None) -> None:
        if error is not None and self._is_neutral(error):
            self._return(ticket)
            return
        self._settled_failure(await self._await(self._failure(ticket)), ticket)
        if self._listens:
            self._tell("failure", error)

    def _return(self, ticket: Ticket) -> None:
        super()._return(ticket)
        if isinstance(ticket, Probe):
            self._result(ticket, "nothing")

    def _reject_if_open(self) -> None:
        if self._state is OPEN and (left := self._open_until - TIME.get().monotonic()) > 0:
            self._rejected.step()
            raise CircuitOpenError(self.name, OPEN, left)

    def _acquire(self, token: str) -> Future[Answer | None]:
        self.store.join(self)
        return self.store.ask(self, "acquire", self._generation, token)

    def _result(self, probe: Probe, outcome: str) -> Future[Answer | None]:
        return self.store.ask(self, "result", probe.generation, probe.token, outcome)

    def _failure(self, ticket: Ticket) -> Future[Answer | None]:
        if isinstance(ticket, Probe):
            return self._result(ticket, "failure")
        with self._lock:
            untold = self._untold_locked()
        return self.store.ask(self, "record", ticket, "1", str(untold))

    def _ticket(self, answer: Answer, token: str) -> Ticket:
        self.take(answer)
        if not answer.is_admitted:
            self._rejected.step()
            raise CircuitOpenError(self.name, answer.state, answer.wait_s)
        if answer.state is CLOSED:
            return answer.generation
        with self._lock:
            # Known here too, in case Redis does not answer when it ends.
            self._probes[token] = TIME.get().monotonic() + self.config.probe_lease
        return Probe(answer.generation, token)

    def _settled_probe(self, answer: Answer | None, probe: Probe) -> None:
        if answer is None:
            super()._settle_probe(probe)
            return
        self._successful.step()
        self._forget(probe)
        self.take(answer)

    def _settled_failure(self, answer: Answer | None, ticket: Ticket) -> None:
        if answer is None:
            # Redis did not hear of this one. It may answer again by now, so whether it is lost says nothing here.
            super()._settle_failure(ticket)
            return
        with self._lock:
            if isinstance(ticket, Probe):
                self._counts.failures += 1
                self._probes.pop(ticket.token, None)
            else:
                # Counted here too: this window is what decides while Redis does not answer.
                self._failed_locked(ticket, TIME.get().monotonic(), decides=False)
        self.take(answer)

    def _ticket_locked(self, now: float) -> Ticket | CircuitOpenError:
        if self._state is _UNKNOWN:
            self._state, self._closed_ticket = CLOSED, self._generation
        return super()._ticket_locked(now)

    def _take_locked(self, answer: Answer) -> None:
        if self._state is _UNKNOWN:
            self._state = CLOSED
        self._open_until = TIME.get().monotonic() + answer.open_for_s
        self._move_locked(answer.state, answer.generation)
        self._told_successes = self._successful.read()

    def _untold_locked(self) -> int:
        successes = self._successful.read()
        untold, self._told_successes = successes - self._told_successes, successes
        return max(0, untold)

    def _new_token(self) -> str:
        return os.urandom(8).hex()

    def _forget(self, probe: Probe) -> None:
        with self._lock:
            self._probes.pop(probe.token, None)

    def _give_back(self, done: Future[Answer | None], token: str) -> None:
        answer = None if done.cancelled() else done.result()
        if answer is not None and answer.is_admitted and answer.state is not CLOSED:
            self._result(Probe(answer.generation, token), "nothing")

    def _tell_store(self, operation: str, generation: int, first: str = "") -> None:
        self.store.join(self)
        answer = self._wait(self.store.ask(self, operation, generation, first))
        if answer is not None:
            self.take(answer)

    def _wait(self, asked: Future[Answer | None]) -> Answer | None:
        try:
            return asked.result(self.store.patience_s)
        except concurrent.futures.TimeoutError:
            return None

    async def _await(self, asked: Future[Answer | None]) -> Answer | None:
        if asked.done():
            return asked.result()
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(asked)), self.store.patience_s)
        except TimeoutError:
            return None

    def _renew(self) -> None:
        super()._renew()
        # The child's store has no threads and no subscription yet: its first call asks.
        self._state, self._closed_ticket = cast("CircuitState", _UNKNOWN), None


_UNKNOWN = "unknown"
