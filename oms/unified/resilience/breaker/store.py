"""Redis as breakers see it: one thread that asks, one that listens, and a flag that says whether anybody answers."""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any, Protocol, cast
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from oms.unified.resilience.breaker.config import CircuitBreakerConfig, CircuitState
from oms.unified.resilience.breaker.script import SCRIPT
from oms.unified.resilience.errors import PolicyInvalid, check_number
from oms.unified.resilience.fork import renew_in_child

_LOG = logging.getLogger(__name__)
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
_LISTEN_S = 0.25
"""How often the listening thread looks whether it is still wanted; a message wakes it at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store says of a breaker.

    Attributes:
        state, generation: Where it stands, and since which move.
        open_for_s: Seconds it stays open from now on.
        is_admitted: True if the call that asked may go on.
        wait_s: Seconds until it may ask again, where it may not.
    """

    state: CircuitState
    generation: int
    open_for_s: float
    is_admitted: bool = False
    wait_s: float = 0.0


class Member(Protocol):
    """A breaker, as the store calls it back from its own threads."""

    @property
    def name(self) -> str:
        """What it is called in the store."""
        ...

    @property
    def config(self) -> CircuitBreakerConfig:
        """What the script is told at each call."""
        ...

    def take(self, answer: Answer, *, instead_of: int | None = None) -> None:
        """Take over what the store says, if it is newer than what is known or *instead_of* is still known."""
        ...

    def questions(self) -> list[tuple[str, int, str, str]]:
        """Return what to ask when the store is back, or once a while: operation, generation and two arguments each."""
        ...


class BreakerStore:
    """One Redis for any number of breakers of this process. Connects when the first breaker asks, in each process anew.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``. Never shown, it may hold a password.
        prefix: Begins every key and the channel.
        deadline_ms: How long a question may take; after one that took longer, breakers are on their own until Redis answers again.
        poll_s: How often every breaker is read, for publications may be lost.

    Raises:
        PolicyInvalid: if the url is unusable.
    """

    def __init__(
        self, url: str, *, prefix: str = "oms:breaker", deadline_ms: float = 100.0, poll_s: float = 1.0
    ) -> None:
        check_number("breaker store: deadline_ms", deadline_ms, least=1)
        check_number("breaker store: poll_s", poll_s, least=0.01)
        self._url, self._prefix, self._poll_s = url, prefix, poll_s
        self._timeout_s = deadline_ms / 1000.0
        self._channel = f"{prefix}:moves"
        self._members: weakref.WeakSet[Member] = weakref.WeakSet()
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                driver_info=None,
                decode_responses=True,
            )
            pool = self._redis.connection_pool
            # Builds a connection without opening it: an unknown option in the url would only be found at the first call.
            pool.connection_class(**pool.connection_kwargs)
        except (ValueError, TypeError, AttributeError) as fault:
            raise PolicyInvalid(
                "breaker store: url",
                found=f"one that redis-py refuses ({type(fault).__name__})",
                wanted="redis://, rediss:// or unix://",
            ) from None
        self._script = self._redis.register_script(SCRIPT)
        self._threads: list[Thread] = []
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._epoch = 0
        self._renew()
        renew_in_child(self._renew)

    @property
    def is_lost(self) -> bool:
        """True while Redis does not answer and breakers decide by themselves."""
        return self._is_lost

    @property
    def patience_s(self) -> float:
        """Longest wait for an answer in seconds; the asking thread gives one sooner, good or none, as long as it gets to run."""
        return self._timeout_s + 2.0

    def join(self, member: Member) -> None:
        """Tell *member* of every move from now on."""
        with self._lock:
            self._members.add(member)
            if self._threads or self._is_closed:
                return
            self._threads = [
                Thread(target=self._ask_on, args=(self._inbox, self._epoch), name="oms-breaker-ask", daemon=True),
                Thread(target=self._listen_on, args=(self._epoch,), name="oms-breaker-listen", daemon=True),
            ]
            for thread in self._threads:
                thread.start()

    def ask(
        self, member: Member, operation: str, generation: int, first: str = "", second: str = ""
    ) -> Future[Answer | None]:
        """Return what will be the answer, None if Redis gives none. Never blocks."""
        asked: Future[Answer | None] = Future()
        if self._is_lost or self._is_closed:
            asked.set_result(None)
        else:
            self._inbox.put((lambda: self._run(member, operation, generation, first, second), asked))
        return asked

    def close(self) -> None:
        """End both threads; breakers are on their own from then on."""
        with self._lock:
            self._is_closed = self._is_lost = True
            threads, self._threads = self._threads, []
        self._inbox.put(None)
        for thread in threads:
            thread.join(2 * self._timeout_s + 1.0)
        self._redis.close()

    def _run(self, member: Member, operation: str, generation: int, first: str, second: str) -> Answer:
        config, slot = member.config, f"{self._prefix}:{{{quote(member.name, safe='')}}}"
        state, present, left, admitted, wait = self._script(
            keys=[slot, f"{slot}:probes", f"{slot}:window"],
            args=[
                operation,
                self._channel,
                member.name,
                config.failure_threshold,
                config.failure_ratio,
                round(config.window * 1000),
                round(config.open_s * 1000),
                config.half_open_permits,
                config.success_threshold,
                round(config.probe_lease * 1000),
                generation,
                first,
                second,
            ],
        )
        return Answer(CircuitState(state), int(present), int(left) / 1000.0, bool(admitted), int(wait) / 1000.0)

    def _ask_on(self, inbox: queue.SimpleQueue[Any], epoch: int) -> None:
        poll_at = time.monotonic() + self._poll_s
        pause_s = _SHORTEST_PAUSE_S
        while not self._is_closed and epoch == self._epoch:
            try:
                item = inbox.get(timeout=pause_s if self._is_lost else max(0.0, poll_at - time.monotonic()))
            except queue.Empty:
                item = None
            if item is not None:
                self._answer(*item)
            elif not self._is_closed:
                is_back = self._poll()
                poll_at = time.monotonic() + self._poll_s
                pause_s = _SHORTEST_PAUSE_S if is_back else min(pause_s * 2, _LONGEST_PAUSE_S)

    def _answer(self, question: Callable[[], Answer], asked: Future[Answer | None]) -> None:
        answer = None
        if not self._is_lost:
            try:
                answer = question()
            except (redis.RedisError, OSError, ValueError) as fault:
                self._lose(fault)
        asked.set_result(answer)

    def _poll(self) -> bool:
        """Ask what every breaker wants to know. Return whether Redis answered."""
        try:
            for member in self._joined():
                for operation, generation, first, second in member.questions():
                    answer = self._run(member, operation, generation, first, second)
                    member.take(answer, instead_of=generation)
        except (redis.RedisError, OSError, ValueError) as fault:
            self._lose(fault)
            return False
        if self._is_lost and not self._is_closed:
            _LOG.info("breakers share their state again: Redis answers")
            self._is_lost = False
        return True

    def _joined(self) -> list[Member]:
        with self._lock:
            return list(self._members)

    def _lose(self, fault: Exception) -> None:
        if not self._is_lost:
            _LOG.warning("breakers are on their own: Redis does not answer (%s)", type(fault).__name__)
        self._is_lost = True

    def _listen_on(self, epoch: int) -> None:
        while not self._is_closed and epoch == self._epoch:
            try:
                with cast(Any, self._redis).pubsub() as messages:
                    messages.subscribe(self._channel)
                    while not self._is_closed and epoch == self._epoch:
                        message = messages.get_message(timeout=_LISTEN_S)
                        if message is not None and message["type"] == "message":
                            self._hear(message["data"])
                        elif message is not None:
                            # Subscribed from now on: what was published before is read.
                            self._inbox.put(None)
            except (redis.RedisError, OSError, ValueError):
                # The asking thread finds out for itself, and polls what is missed here.
                time.sleep(_SHORTEST_PAUSE_S)

    def _hear(self, text: str) -> None:
        with contextlib.suppress(ValueError, TypeError):
            name, state, generation, left = json.loads(text)
            answer = Answer(CircuitState(state), int(generation), int(left) / 1000.0)
            for member in self._joined():
                if member.name == name:
                    member.take(answer)

    def _renew(self) -> None:
        self._lock = Lock()
        self._threads = []
        self._inbox = queue.SimpleQueue()
        self._epoch = self._epoch + 1
        self._is_closed = self._is_lost = False
