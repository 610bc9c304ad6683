"""A small port without writes, sides made of functions, and waiting for what a lane does."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.observation import Disposition, Outcome
from oms.domain.phase import Phase, Seam, reads
from oms.domain.stage import Stage
from oms.routing import LaneLimits, Runtime

DEADLINE_S = 0.15
"""How long a candidate may take at the hasty ports; at the others it is longer than any machine is busy."""

AMPLE = LaneLimits(cpu_share=50.0, block_s=60.0)
"""Limits under which nothing is sampled out or paused, however slow the machine."""


class Ask(Protocol):
    """Asks a side."""

    @reads(rescue=True, deadline_s=60, errors={"Refused": ("code",)}, values=frozenset({"shown"}))
    def ask(self, value: Any) -> Any:
        """Return what the side makes of *value*."""

    @reads(rescue=True, deadline_s=60, errors={"Refused": ("code",)}, values=frozenset({"shown"}))
    async def aask(self, value: Any) -> Any:
        """Return what the side makes of *value*, after a while."""


class HastyAsk(Protocol):
    """Asks a side, and not for long."""

    @reads(rescue=True, deadline_s=DEADLINE_S)
    def ask(self, value: Any) -> Any:
        """Return what the side makes of *value*."""

    @reads(rescue=True, deadline_s=DEADLINE_S)
    async def aask(self, value: Any) -> Any:
        """Return what the side makes of *value*, after a while."""


class AskAlone(Protocol):
    """Asks a side where nobody may stand in."""

    @reads(deadline_s=60)
    def ask(self, value: Any) -> Any:
        """Return what the side makes of *value*."""

    @reads(deadline_s=60)
    async def aask(self, value: Any) -> Any:
        """Return what the side makes of *value*, after a while."""


class HastyAlone(Protocol):
    """Asks a side where nobody may stand in, and not for long."""

    @reads(deadline_s=DEADLINE_S)
    def ask(self, value: Any) -> Any:
        """Return what the side makes of *value*."""

    @reads(deadline_s=DEADLINE_S)
    async def aask(self, value: Any) -> Any:
        """Return what the side makes of *value*, after a while."""


PROBE = Phase("probe")
NAMES = frozenset({"a", "b", "id", "at", "items", "seen", "hidden", *(f"field_{number}" for number in range(100))})
"""Keys of mappings that may stand in a path; ``shown`` may because its value may be shown."""

ASK = PROBE.seam("ask", port=Ask, names=NAMES)
HASTY = PROBE.seam("ask", port=HastyAsk)
ALONE = PROBE.seam("alone", port=AskAlone)
HASTY_ALONE = PROBE.seam("alone", port=HastyAlone)


class Refused(Exception):
    """A side says no."""

    def __init__(self, code: object = 1) -> None:
        super().__init__("refused")
        self.code = code


class Answers:
    """A side that does what it was given; *asked* holds every value it was asked for."""

    def __init__(
        self, does: Callable[[Any], Any] = lambda value: value, adoes: Callable[[Any], Awaitable[Any]] | None = None
    ) -> None:
        self.does = does
        self.adoes = adoes
        self.asked: list[Any] = []

    def ask(self, value: Any) -> Any:
        """Do it."""
        self.asked.append(value)
        return self.does(value)

    async def aask(self, value: Any) -> Any:
        """Do it, awaited if there is something to await."""
        self.asked.append(value)
        return self.does(value) if self.adoes is None else await self.adoes(value)


def raising(error: BaseException | type[BaseException]) -> Callable[[Any], Any]:
    """Return a function of one value that raises *error*."""

    def fail(value: Any) -> Any:
        raise error

    return fail


def at(stage: Stage, digest: str = "") -> DecisionTable:
    """Return a table with the probe at *stage*."""
    return DecisionTable.of(probe=FixedDecision(stage, digest=digest or stage.value))


def probe(
    legacy: object,
    unified: object,
    stage: Stage = Stage.SHADOW,
    *,
    seam: Seam[Any, Any] = ASK,
    limits: LaneLimits = AMPLE,
    **more: Any,
) -> tuple[Runtime, Any]:
    """Return a runtime with both sides bound to *seam* at *stage*, and the facade."""
    runtime = Runtime(limits=limits, hash_key=b"k" * 32, **more)
    runtime.publish(at(stage))
    runtime.bind(seam, legacy=legacy, unified=unified)
    return runtime, runtime.facade(seam)


def until(condition: Callable[[], Any], limit_s: float = 60.0) -> None:
    """Wait for *condition*; fail if it does not come true within *limit_s*."""
    end, pause = time.perf_counter() + limit_s, threading.Event()
    while not condition():
        assert time.perf_counter() < end, "the condition did not come true in time"
        pause.wait(0.001)


class Gate:
    """A candidate that waits until it is let go."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.threads: set[str] = set()
        self.most = self.now = 0

    def wait(self, value: Any) -> Any:
        """Wait, and count how many do at once."""
        self.now += 1
        self.most = max(self.most, self.now)
        self.threads.add(threading.current_thread().name)
        self.began.set()
        self.go.wait(60)
        self.now -= 1
        return value


def hung(waiting: int, **more: Any) -> tuple[Runtime, Any, Gate, Answers]:
    """Return a runtime whose hasty lane hangs in its first candidate, with *waiting* calls behind it; its facade, the gate and unified.

    Built anew where this machine stood still for so long that the candidate was not begun, or that a call found its lane paused.
    """
    while True:
        gate = Gate()
        unified = Answers(gate.wait)
        runtime, facade = probe(Answers(), unified, seam=HASTY, **more)
        for value in range(1 + waiting):
            facade.ask(value)
        until(lambda unified=unified, runtime=runtime: unified.asked or counts(runtime)["timed_out"])
        if [0] == unified.asked and not counts(runtime)["paused"]:
            return runtime, facade, gate, unified
        gate.go.set()
        runtime.stop(60)


def until_too_late() -> None:
    """Wait until every call made so far is past its deadline."""
    end = time.perf_counter() + DEADLINE_S
    until(lambda: time.perf_counter() > end)


def counts(runtime: Runtime, operation: str | None = None) -> Counter[str]:
    """Return every count so far by name, of one *operation* or of all."""
    found: Counter[str] = Counter()
    for tally in runtime.totals():
        if operation in (None, tally.place.operation):
            found[tally.name] += tally.count
    return found


def outcomes(runtime: Runtime) -> dict[str, int]:
    """Return how often each of the seven outcomes, and each reason of uncomparable, came about."""
    names = tuple(str(outcome) for outcome in Outcome)
    return {name: count for name, count in counts(runtime).items() if name.startswith(names)}


def outcome_of_one(runtime: Runtime) -> dict[str, int]:
    """Wait until one call has its outcome; return all of them."""
    until(lambda: outcomes(runtime))
    return outcomes(runtime)


def assert_sums(runtime: Runtime, calls: int) -> None:
    """Every call is counted once, and every shadowed call has one outcome."""
    found = counts(runtime)

    assert calls == found["calls"]
    assert calls == sum(found[str(disposition)] for disposition in Disposition)
    assert found["shadowed"] == sum(found[str(outcome)] for outcome in Outcome)
    assert found["uncomparable"] == sum(count for name, count in found.items() if name.startswith("uncomparable."))
    assert found["empty"] + found["repeated"] <= found["matched"] + found["reasonable"]


def assert_pairs(runtime: Runtime) -> None:
    """Each comparison of a read says once who raised; what could not be compared says it only where both sides ran."""
    found = counts(runtime)
    compared = sum(found[name] for name in ("matched", "reasonable", "ignored", "mismatched"))
    pairs = sum(count for name, count in found.items() if name.startswith("errors."))

    assert compared <= pairs <= compared + found["uncomparable"]
