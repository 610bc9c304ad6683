"""One call that failed, and what comes next: tenacity's state machine, entered after the first failure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import tenacity

from oms.seams.resilience import TimeSource
from oms.unified.resilience.budget import UnifiedRetryBudget
from oms.unified.resilience.policies import RetryPolicy
from oms.unified.resilience.retry.history import Attempt, RetryHistory, tell, was_retried_since
from oms.unified.resilience.retry.judgement import may_pass, retry_after

if TYPE_CHECKING:
    from oms.unified.resilience.breaker.breaker import UnifiedCircuitBreaker

_LOG = logging.getLogger(__name__)


class Series:
    """The attempts of one failing call. Each has a tenacity of its own: a shared one mixes its callers' statistics.

    Args:
        began: When the first attempt began, by *source*.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        budget: UnifiedRetryBudget,
        breaker: UnifiedCircuitBreaker | None,
        *,
        source: TimeSource,
        began: float,
    ) -> None:
        self._policy, self._budget, self._breaker = policy, budget, breaker
        self._source, self._began, self._attempt_began = source, began, began
        self._is_nested = False
        self._failed_at = began
        self._attempts: list[Attempt] = []
        self._reason = ("", "")
        self._wait_s = 0.0
        self._asked_s: float | None = None
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_always,
            wait=self._wait,
            stop=self._stop,
            retry_error_callback=lambda state: None,
        )
        self._retrying.begin()
        self._state = tenacity.RetryCallState(self._retrying, fn=None, args=(), kwargs={})

    def goes_on(self, error: Exception) -> float | None:
        """Return the seconds to sleep before the next attempt; None if *error* is the end, which is then told on it."""
        self._failed_at = self._source.monotonic()
        took = self._failed_at - self._attempt_began
        if not may_pass(error, self._policy):
            self._end(error, took, "refused", "its last error is none to retry")
            return None
        self._is_nested = was_retried_since(error, self._attempt_began)
        self._asked_s = retry_after(error, self._source)
        self._state.set_exception((type(error), error, error.__traceback__))
        step = self._retrying.iter(self._state)
        # tenacity keeps the outcome; the error would keep these frames, and they it.
        self._state.prepare_for_next_attempt()
        if not isinstance(step, tenacity.DoSleep):
            self._end(error, took, *self._reason)
            return None
        self._attempts.append(Attempt(type(error), took, self._wait_s))
        _LOG.debug("attempt %d failed (%s), next in %.3g s", len(self._attempts), type(error).__name__, self._wait_s)
        return self._wait_s

    def next_attempt(self) -> float | None:
        """Note that an attempt begins. Return its time limit in seconds, None for none."""
        self._attempt_began = self._source.monotonic()
        return attempt_limit(self._policy, self._attempt_began - self._began)

    def recovered(self) -> None:
        """Note that an attempt succeeded."""
        self._budget.count("recovered")

    def _wait(self, state: tenacity.RetryCallState) -> float:
        self._wait_s = max(self._policy.delay(state.attempt_number, self._source), self._asked_s or 0.0)
        return self._wait_s

    def _stop(self, state: tenacity.RetryCallState) -> bool:
        self._reason = self._reason_to_stop(state.attempt_number)
        return bool(self._reason[0])

    def _reason_to_stop(self, number: int) -> tuple[str, str]:
        if number >= self._policy.max_attempts:
            return "exhausted", "that is all the policy allows"
        if self._is_nested:
            return "nested", "a retry inside has tried already"
        if self._breaker is not None and self._breaker.opens_in() > 0:
            return "circuit_open", f"breaker {self._breaker.name!r} opened"
        late = self._too_late()
        if late:
            return "over_deadline", late
        # Last, because it takes a token: who gives up anyway takes none.
        return (
            ("", "") if self._budget.withdraw() else ("over_budget", f"the retry budget {self._budget.name!r} is spent")
        )

    def _too_late(self) -> str:
        policy, asked = self._policy, self._asked_s or 0.0
        if asked > policy.max_retry_after:
            return f"the server asked for {asked:.3g} s, the policy waits {policy.max_retry_after:g} s at most"
        if policy.deadline is not None and self._failed_at + self._wait_s - self._began >= policy.deadline:
            return f"the next one would begin after the deadline of {policy.deadline:g} s"
        return ""

    def _end(self, error: Exception, took: float, total: str, words: str) -> None:
        self._budget.count(total)
        self._attempts.append(Attempt(type(error), took, 0.0))
        if len(self._attempts) > 1 or total != "refused":
            tell(error, RetryHistory(self._policy.name, words, tuple(self._attempts), self._failed_at))


def attempt_limit(policy: RetryPolicy, spent: float) -> float | None:
    """Return how many seconds an attempt may take that begins *spent* seconds into its call; None for no limit."""
    limits = [policy.attempt_timeout] if policy.attempt_timeout is not None else []
    if policy.deadline is not None:
        limits.append(max(policy.deadline - spent, 0.0))
    return min(limits) if limits else None
