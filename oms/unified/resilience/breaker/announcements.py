"""Telling listeners: pybreaker's state machine, moved after the fact and outside every lock of the breaker."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

import pybreaker

from oms.unified.resilience.breaker.config import CircuitState

_LOG = logging.getLogger(__name__)


class _Contained(pybreaker.CircuitBreakerListener):
    """A listener whose own faults end here."""

    def __init__(self, listener: pybreaker.CircuitBreakerListener) -> None:
        self.listener = listener

    def before_call(self, cb: Any, func: Any, *args: Any, **kwargs: Any) -> None:
        _contain(lambda: self.listener.before_call(cb, func, *args, **kwargs))

    def success(self, cb: Any) -> None:
        _contain(lambda: self.listener.success(cb))

    def failure(self, cb: Any, exc: BaseException) -> None:
        _contain(lambda: self.listener.failure(cb, exc))

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        _contain(lambda: self.listener.state_change(cb, old_state, new_state))


def _contain(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:
        _LOG.exception("a breaker's listener failed")


class Announcer:
    """A pybreaker breaker that is never called: it holds the listeners and passes through the states that it is told.

    Attributes:
        machine: What listeners get as ``cb``.
    """

    def __init__(self, name: str, listeners: Iterable[pybreaker.CircuitBreakerListener]) -> None:
        self.machine = pybreaker.CircuitBreaker(name=name, listeners=[_Contained(listener) for listener in listeners])
        self._moves = {
            CircuitState.OPEN: self.machine.open,
            CircuitState.HALF_OPEN: self.machine.half_open,
            CircuitState.CLOSED: self.machine.close,
        }
        self._pending: deque[CircuitState] = deque()
        self.renew()

    @property
    def listens(self) -> bool:
        """True if anybody listens."""
        return bool(self.machine.listeners)

    def add(self, listener: pybreaker.CircuitBreakerListener) -> None:
        """Tell *listener* from now on."""
        self.machine.add_listener(_Contained(listener))

    def remove(self, listener: pybreaker.CircuitBreakerListener) -> None:
        """Tell *listener* no more."""
        for contained in self.machine.listeners:
            if isinstance(contained, _Contained) and contained.listener is listener:
                self.machine.remove_listener(contained)

    def note(self, state: CircuitState) -> None:
        """Note a move; the breaker's lock may be held."""
        self._pending.append(state)

    def announce(self) -> None:
        """Tell what was noted, in its order; no lock of the breaker may be held. Whoever is at it already tells the rest."""
        while self._pending and self._lock.acquire(blocking=False):
            try:
                while self._pending:
                    self._moves[self._pending.popleft()]()
            finally:
                self._lock.release()

    def renew(self) -> None:
        """Take a new lock, in a forked child."""
        self._lock = Lock()
