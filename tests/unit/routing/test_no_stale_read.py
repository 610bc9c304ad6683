"""After any sequence of flips and writes, concurrent ones included, no read on either side is older than the last acknowledged write."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oms.domain.decision import DecisionTable
from oms.domain.scope import EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Side, Stage, is_legal_mix
from oms.routing.scopes import Scope
from oms.seams.cache import TYPES
from tests.unit.routing.sides import MapSide, runtime_with

KEYS = st.sampled_from(["a", "b"])
COHORTS = ("even", "odd")
MIXES = [(one, other) for one in Stage for other in Stage if is_legal_mix({one, other}, writes=True)]


class TwoCohorts:
    """One cohort at each of two stages; outside every scope the second one's."""

    def __init__(self, stages: tuple[Stage, Stage]) -> None:
        self._by_key = dict(zip(COHORTS, stages, strict=True))
        self.stages = frozenset(stages)
        self.default = stages[1]
        self.digest = "-".join(stages)
        self.split: Split | None = None
        self.by_operation = False

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the cohort's stage."""
        return self._by_key.get(context.targeting_key or "", self.default)


class Broken(Exception):
    """A side fails."""


class HeldWrite:
    """A write in a thread of its own that stops before or after a side's own part, until it is released."""

    def __init__(self, machine: NoStaleRead, key: str, value: int, cohort: str, stop: tuple[Side, str]) -> None:
        self._go, self._reached = threading.Event(), threading.Event()
        self._machine, self.key, self.value, self._stop = machine, key, value, stop
        self._cohort = cohort
        self.is_acknowledged = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def at(self, side: Side, moment: str) -> None:
        """Stop here, if this is the place."""
        if (side, moment) == self._stop and not self._go.is_set():
            self._reached.set()
            assert self._go.wait(60)

    def start(self) -> None:
        """Run to the place or to the end."""
        self.thread.start()
        while self.thread.is_alive() and not self._reached.wait(0.0005):
            pass

    def finish(self) -> None:
        """Run to the end."""
        self._go.set()
        self.thread.join(60)
        assert not self.thread.is_alive()

    def _run(self) -> None:
        with self._machine.runtime.scope(targeting_key=self._cohort):
            try:
                self._machine.cache.set(self.key, self.value)
                self.is_acknowledged = True
            except Broken:
                pass


class NoStaleRead(RuleBasedStateMachine):
    """Writes carry rising numbers. A read may miss; it must not return a number below the last one acknowledged before it began."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = {side: MapSide() for side in Side}
        self.runtime = runtime_with(self.sides[Side.LEGACY], self.sides[Side.UNIFIED])
        self.cache: Any = self.runtime.facade(TYPES)
        self.number = 0
        self.acknowledged: dict[str, int] = {}
        self.possibly: dict[str, set[int]] = {}
        self.failing: set[Side] = set()
        self.held: list[HeldWrite] = []
        self.scopes: list[Scope] = []
        for side, mapping in self.sides.items():
            mapping.before = self._hook(side, "before")
            mapping.after = self._hook(side, "after")

    def _hook(self, side: Side, moment: str) -> Any:
        def hook(name: str, key: str | None) -> None:
            if name == "set":
                for held in self.held:
                    if held.thread is threading.current_thread():
                        held.at(side, moment)
                if side in self.failing and moment == "before":
                    raise Broken

        return hook

    @rule(stages=st.sampled_from(MIXES))
    def flip(self, stages: tuple[Stage, Stage]) -> None:
        """Any table may follow any other: flips, rollbacks, forced ones."""
        self.runtime.publish(DecisionTable.of(cache=TwoCohorts(stages)))

    @rule(key=KEYS, cohort=st.sampled_from(COHORTS))
    def write(self, key: str, cohort: str) -> None:
        """Write in a scope of its own."""
        self.number += 1
        with self.runtime.scope(targeting_key=cohort):
            self._set(key, self.number)

    @rule(key=KEYS)
    def write_unscoped(self, key: str) -> None:
        """Write outside every scope."""
        self.number += 1
        self._set(key, self.number)

    @rule(cohort=st.sampled_from(COHORTS))
    @precondition(lambda self: len(self.scopes) < 3)
    def open_scope(self, cohort: str) -> None:
        """Begin a unit of work that outlives flips."""
        scope = self.runtime.scope(targeting_key=cohort)
        scope.__enter__()
        scope.__exit__(None, None, None)
        held = self.runtime.scope(targeting_key=cohort)
        self.scopes.append(held)
        held._began = held._join()

    @rule()
    @precondition(lambda self: self.scopes)
    def close_scope(self) -> None:
        """End the oldest unit of work."""
        scope = self.scopes.pop(0)
        began, scope._began = scope._began, None
        scope._leave(began)

    @rule(key=KEYS)
    @precondition(lambda self: self.scopes)
    def write_in_old_scope(self, key: str) -> None:
        """Write within a unit of work that may have begun under an older table."""
        from oms.routing.scopes import CURRENT

        self.number += 1
        token = CURRENT.set(self.scopes[0])
        try:
            self._set(key, self.number)
        finally:
            CURRENT.reset(token)

    @rule(
        key=KEYS,
        cohort=st.sampled_from(COHORTS),
        side=st.sampled_from(Side),
        moment=st.sampled_from(["before", "after"]),
    )
    @precondition(lambda self: len(self.held) < 2)
    def begin_write(self, key: str, cohort: str, side: Side, moment: str) -> None:
        """Begin a write that stays in flight."""
        self.number += 1
        held = HeldWrite(self, key, self.number, cohort, (side, moment))
        self.held.append(held)
        held.start()
        if not held.thread.is_alive():
            self._ended(held)

    @rule()
    @precondition(lambda self: self.held)
    def end_write(self) -> None:
        """Let a write in flight end."""
        held = self.held[0]
        held.finish()
        self._ended(held)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        """Delete: what was acknowledged before must not come back."""
        self.number += 1
        self.cache.delete(key)
        self.acknowledged[key] = self.number

    @rule(side=st.sampled_from(Side))
    def fail_or_mend(self, side: Side) -> None:
        """One side refuses writes from now on, or takes them again."""
        self.failing ^= {side}

    @rule(key=KEYS, cohort=st.sampled_from(COHORTS))
    def read(self, key: str, cohort: str) -> None:
        """A read through the facade, as the cohort stands now."""
        with self.runtime.scope(targeting_key=cohort):
            self._check(key, self.cache.get(key))

    @invariant()
    def read_unscoped(self) -> None:
        """A read outside every scope."""
        for key in ("a", "b"):
            self._check(key, self.cache.get(key))

    def teardown(self) -> None:
        """Let everything end."""
        for held in self.held:
            held.finish()
        self.runtime.stop(2)

    def _set(self, key: str, value: int) -> None:
        try:
            self.cache.set(key, value)
        except Broken:
            return
        self._acknowledge(key, value)

    def _ended(self, held: HeldWrite) -> None:
        self.held.remove(held)
        if held.is_acknowledged:
            # It ran beside every write since it began, so any of those may count as the later one.
            self.acknowledged[held.key] = min(held.value, self.acknowledged.get(held.key, held.value))

    def _acknowledge(self, key: str, value: int) -> None:
        # A write that is still in flight may count as later than this one, and then its value is right as well.
        in_flight = [held.value for held in self.held if held.key == key]
        self.acknowledged[key] = min([value, *in_flight])

    def _check(self, key: str, found: object) -> None:
        if found is not None:
            assert isinstance(found, int)
            assert self.acknowledged.get(key, 0) <= found


TestNoStaleRead = NoStaleRead.TestCase
TestNoStaleRead.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_no_stale_read_for_long() -> None:
    """The same with many more examples."""
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        NoStaleRead, settings=settings(max_examples=3_000, stateful_step_count=60, deadline=None, derandomize=False)
    )
