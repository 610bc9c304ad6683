"""Legacy against legacy: how often a side differs from itself, so that a divergence is not taken for more than that."""

from __future__ import annotations

import random
import time

from oms.domain.observation import Outcome
from oms.domain.stage import Effect, Side, Stage
from oms.routing.job import Job


class SecondLook(Job):
    """A shadowed read that legacy answered, done by legacy once more and compared with its own answer. It is no call: only noise is counted."""

    @property
    def beside(self) -> Side:
        """Legacy again."""
        return self.control

    def conclude(self) -> None:
        """Compare the two answers as those of two sides are compared, and count where they differ."""
        if self.is_concluded:
            return
        self.is_concluded = True
        if self.fault is not None or self.candidate is None or self.state.keys.is_raced(self.key, self.stamp):
            return
        first, again = self.opened_observation(), self.candidate
        self.cell.count(*self.state.judge.noise(self.facts(), first=first, again=again))

    def count(self, outcome: Outcome, reason: str | None = None, *also: str) -> None:
        """Note only that it is over: it timed out, or there was no time for it."""
        self.is_concluded = True


class Sampling:
    """Picks one of so many shadowed reads for a second look. For one thread, or one loop."""

    def __init__(self, one_of: int) -> None:
        """Pick one of *one_of* reads on average; 0 picks none."""
        self._one_of = one_of
        self._left = one_of

    def second_look(self, job: Job) -> SecondLook | None:
        """Return what does *job* once more, before its candidate runs; None if it is not its turn, or can't be done twice."""
        if (
            not self._one_of
            or job.stage is not Stage.SHADOW
            or job.operation.effect is not Effect.READS
            or not job.needs_candidate
        ):
            return None
        self._left -= 1
        if self._left > 0:
            return None
        # Not exactly each n-th: what comes in a round of n would always pick the same request.
        self._left = self._one_of + random.randint(-self._one_of // 2, self._one_of // 2)
        look = SecondLook(job.state, job.operation, job.cell, job.stage, job.control)
        look.key, look.stamp, look.began_s = job.key, job.stamp, job.began_s
        look.arguments, look.observation = job.arguments, job.observation
        look.context = job.context.copy() if job.context is not None else None
        return look


def begun(look: SecondLook) -> SecondLook:
    """Return *look*, whose deadline runs from now on."""
    look.enqueued_s = time.perf_counter()
    return look
