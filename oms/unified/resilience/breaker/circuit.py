"""The rules of one breaker, without any function to call: tickets are admitted, and settled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from threading import Lock

import pybreaker

from oms.seams.resilience import TIME
from oms.unified.resilience.breaker.announcements import Announcer
from oms.unified.resilience.breaker.config import CircuitBreakerConfig, CircuitState
from oms.unified.resilience.breaker.counts import BreakerCounts
from oms.unified.resilience.breaker.window import SlidingWindow
from oms.unified.resilience.errors import CircuitOpenError, PolicyInvalid, check_number
from oms.unified.resilience.fork import renew_in_child
from oms.unified.resilience.tally import Tally

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


@dataclass(frozen=True, slots=True)
class Probe:
    """A permit of one half-open period.

    Attributes:
        generation: Of the period; what comes later than its end is dropped.
        token: Tells it from every other probe, in other processes too.
    """

    generation: int
    token: str


Ticket = int | Probe
"""What a call was admitted with: the generation of a closed period, or a probe."""


class Circuit:
    """States, window and permits of a breaker. Thread-safe; no lock is held while anybody else's code runs.

    Each move begins a new generation. An outcome counts in the generation that its call was admitted in, and nowhere else: a late
    success does not close what has opened since, and a late failure does not prolong it.
    """

    def __init__(
        self,
        name: str,
        config: CircuitBreakerConfig | None = None,
        *,
        listeners: Iterable[pybreaker.CircuitBreakerListener] = (),
    ) -> None:
        if not isinstance(name, str) or not name:
            found = "an empty name" if isinstance(name, str) else f"a {type(name).__name__}"
            raise PolicyInvalid("breaker: name", found=found, wanted="a text")
        self.name = name
        self.config = CircuitBreakerConfig() if config is None else config
        self._announcer = Announcer(name, listeners)
        self._listens = self._announcer.listens
        self._judge = self.config.is_failed_result
        # Somebody looks at each call: it takes the longer way.
        self._is_watched = self._listens or self._judge is not None
        self._counts = BreakerCounts()
        self._successful, self._rejected = Tally(), Tally()
        self._state = CLOSED
        self._generation = 0
        # The ticket of a closed period, None in any other: what every call looks at first.
        self._closed_ticket: int | None = 0
        self._open_until = 0.0
        self._successes = 0
        self._serial = 0
        self._probes: dict[str, float] = {}
        self._window = SlidingWindow(self.config.window)
        self._lock = Lock()
        renew_in_child(self._renew)

    @property
    def state(self) -> CircuitState:
        """Where it stands now. An open one whose time is over is open until somebody calls."""
        return self._state

    current_state = state
    """The same under pybreaker's name."""

    @property
    def fail_counter(self) -> int:
        """Failures within the window."""
        with self._lock:
            return self._window.totals(TIME.get().monotonic())[1]

    @property
    def counts(self) -> BreakerCounts:
        """A copy of the running totals."""
        with self._lock:
            return replace(self._counts, successes=self._successful.read(), rejected=self._rejected.read())

    def opens_in(self) -> float:
        """Return the seconds until it may let a call through, 0 unless it is open."""
        return max(0.0, self._open_until - TIME.get().monotonic()) if self._state is OPEN else 0.0

    def add_listener(self, listener: pybreaker.CircuitBreakerListener) -> None:
        """Tell *listener* of calls and moves from now on. What it raises is logged and goes no further."""
        self._announcer.add(listener)
        self._listens = self._is_watched = True

    def remove_listener(self, listener: pybreaker.CircuitBreakerListener) -> None:
        """Tell *listener* no more."""
        self._announcer.remove(listener)
        self._listens = self._announcer.listens
        self._is_watched = self._listens or self._judge is not None

    def open(self, for_s: float | None = None) -> None:
        """Open it by hand for *for_s* seconds, the configured time if None; an open one is prolonged or shortened to that."""
        seconds = self.config.open_s if for_s is None else for_s
        check_number("breaker: open", seconds, least=0)
        with self._lock:
            self._open_locked(seconds)
        self._announcer.announce()

    def close(self) -> None:
        """Close it by hand, its window empty."""
        with self._lock:
            self._move_locked(CLOSED)
        self._announcer.announce()

    def half_open(self) -> None:
        """Let probes through now."""
        with self._lock:
            self._move_locked(HALF_OPEN)
        self._announcer.announce()

    reset = close
    """The same under the reference's name."""

    def _admit(self) -> Ticket:
        """Return a ticket.

        Raises:
            CircuitOpenError: if there is none.
        """
        self._refuse_while_open()
        with self._lock:
            ticket = self._ticket_locked(TIME.get().monotonic())
        self._announcer.announce()
        if isinstance(ticket, CircuitOpenError):
            raise ticket
        return ticket

    def _refuse_while_open(self) -> None:
        """Raise CircuitOpenError while it is open. Callers ask this themselves first: each frame that the error crosses costs a tenth of it."""
        if self._state is OPEN and (left := self._open_until - TIME.get().monotonic()) > 0:
            self._rejected.step()
            raise CircuitOpenError(self.name, OPEN, left)

    def _settle_probe(self, probe: Probe) -> None:
        """Count the success of *probe*."""
        with self._lock:
            self._succeeded_locked(probe)
        self._announcer.announce()

    def _settle_failure(self, ticket: Ticket) -> None:
        """Count the failure of the call that had *ticket*."""
        now = TIME.get().monotonic()
        with self._lock:
            self._failed_locked(ticket, now)
        self._announcer.announce()

    def _return(self, ticket: Ticket) -> None:
        """Take back *ticket* of a call that says nothing."""
        with self._lock:
            self._counts.neutral += 1
            if isinstance(ticket, Probe):
                self._probes.pop(ticket.token, None)

    def _ticket_locked(self, now: float) -> Ticket | CircuitOpenError:
        if self._state is CLOSED:
            return self._generation
        if self._state is OPEN:
            if now < self._open_until:
                return self._rejected_locked(self._open_until - now)
            self._move_locked(HALF_OPEN)
        for token in [token for token, lease in self._probes.items() if lease <= now]:
            del self._probes[token]
        if len(self._probes) >= self.config.half_open_permits:
            return self._rejected_locked(min(self._probes.values()) - now)
        self._serial += 1
        probe = Probe(self._generation, str(self._serial))
        self._probes[probe.token] = now + self.config.probe_lease
        return probe

    def _rejected_locked(self, retry_after: float) -> CircuitOpenError:
        self._rejected.step()
        return CircuitOpenError(self.name, self._state, retry_after)

    def _succeeded_locked(self, probe: Probe) -> None:
        self._successful.step()
        if self._is_live_locked(probe):
            self._successes += 1
            if self._successes >= self.config.success_threshold:
                self._move_locked(CLOSED)

    def _failed_locked(self, ticket: Ticket, now: float, *, decides: bool = True) -> None:
        """Count the failure of the call that had *ticket*; open, if that is one too many and it *decides*."""
        self._counts.failures += 1
        if isinstance(ticket, Probe):
            if self._is_live_locked(ticket):
                self._open_locked(self.config.open_s)
        elif ticket == self._generation and self._state is CLOSED:
            self._window.fail(now)
            if decides and self._is_too_much_locked(now):
                self._open_locked(self.config.open_s)

    def _is_too_much_locked(self, now: float) -> bool:
        successes, failures = self._window.totals(now)
        return failures >= self.config.failure_threshold and failures >= self.config.failure_ratio * (
            successes + failures
        )

    def _is_live_locked(self, probe: Probe) -> bool:
        """Take *probe* back. Tell whether it still counts: its period goes on, and its permit was not given to another one."""
        known = self._probes.pop(probe.token, None) is not None
        return known and probe.generation == self._generation and self._state is HALF_OPEN

    def _open_locked(self, for_s: float) -> None:
        self._open_until = TIME.get().monotonic() + for_s
        self._move_locked(OPEN)

    def _move_locked(self, state: CircuitState, generation: int | None = None) -> None:
        self._generation = self._generation + 1 if generation is None else generation
        self._closed_ticket = self._generation if state is CLOSED else None
        self._successes = 0
        self._probes.clear()
        self._window.clear()
        if state is not self._state:
            self._state = state
            total = {OPEN: "opened", HALF_OPEN: "half_opened", CLOSED: "closed"}[state]
            setattr(self._counts, total, getattr(self._counts, total) + 1)
            self._announcer.note(state)

    def _renew(self) -> None:
        self._lock = Lock()
        self._announcer.renew()
