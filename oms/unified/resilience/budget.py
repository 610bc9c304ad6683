"""How many retries a dependency may get, so that an outage is not multiplied by everybody's patience."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from oms.seams.resilience import TIME
from oms.unified.resilience.errors import check_number
from oms.unified.resilience.fork import renew_in_child
from oms.unified.resilience.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudgetConfig:
    """A bucket of tokens, one a retry.

    Attributes:
        budget_percent: Each call adds so many hundredths of a token.
        tokens_per_second: And each second so many tokens, so that a quiet service can retry at all.
        max_tokens: The bucket holds no more, and begins full: the longest burst of retries. 0 forbids every retry.

    Source: numbers of the monolith's ``RetryBudgetConfig``; the floor a second is Finagle's.
    """

    budget_percent: float = 10.0
    tokens_per_second: float = 10.0
    max_tokens: float = 100.0

    def __post_init__(self) -> None:
        for name in ("budget_percent", "tokens_per_second", "max_tokens"):
            check_number(f"retry budget: {name}", getattr(self, name), least=0)


@dataclass(slots=True)
class RetryCounts:
    """Running totals of one dependency. Each is written under the lock of its budget and read by anybody.

    Attributes:
        calls: Calls begun, which is also first attempts.
        retries: Further attempts.
        recovered: Calls that a retry saved.
        exhausted: Calls given up after their last attempt.
        refused: Calls given up because their error is none to retry, after a retry or before.
        over_budget: Calls given up because the bucket was empty.
        over_deadline: Calls given up because the next attempt would have begun too late, Retry-After included.
        nested: Calls given up because a retry inside them had tried already.
        circuit_open: Calls given up because the breaker opened meanwhile.
    """

    calls: int = 0
    retries: int = 0
    recovered: int = 0
    exhausted: int = 0
    refused: int = 0
    over_budget: int = 0
    over_deadline: int = 0
    nested: int = 0
    circuit_open: int = 0


class UnifiedRetryBudget:
    """The retries of one dependency, shared by all who call it, plain and async. Thread-safe.

    Args:
        name: The dependency's name, in metrics.

    Attributes:
        deposit: Notes that a call begins. Call it without arguments; every successful call comes through here, so it is one step of a tally.
    """

    def __init__(self, name: str = "default", config: RetryBudgetConfig | None = None) -> None:
        self.name = name
        self.config = RetryBudgetConfig() if config is None else config
        self._counts = RetryCounts()
        self._share = self.config.budget_percent / 100.0
        self._most = float(self.config.max_tokens)
        self._tokens = self._most
        self._credited = 0
        self._calls = Tally()
        self.deposit: Callable[[], object] = self._calls.step
        self._refilled_at: float | None = None
        self._renew()
        renew_in_child(self._renew)

    @property
    def counts(self) -> RetryCounts:
        """A copy of the running totals."""
        with self._lock:
            self._refill_locked()
            return replace(self._counts)

    @property
    def remaining(self) -> float:
        """Tokens in the bucket now."""
        with self._lock:
            self._refill_locked()
            return self._tokens

    def withdraw(self) -> bool:
        """Take a token for one retry. Return False, and take none, if there is less than one."""
        with self._lock:
            self._refill_locked()
            # Ten tenths of a token are a little less than one in binary.
            if self._tokens < 1.0 - 1e-9:
                return False
            self._tokens = max(0.0, self._tokens - 1.0)
            self._counts.retries += 1
            return True

    def count(self, total: str) -> None:
        """Add one to the running total called *total*."""
        with self._lock:
            setattr(self._counts, total, getattr(self._counts, total) + 1)

    def reset(self) -> None:
        """Fill the bucket; totals stay."""
        with self._lock:
            self._refill_locked()
            self._tokens = self._most

    def _refill_locked(self) -> None:
        now = TIME.get().monotonic()
        calls = self._calls.read()
        tokens = self._tokens + (calls - self._credited) * self._share
        if self._refilled_at is not None and now > self._refilled_at:
            tokens += (now - self._refilled_at) * self.config.tokens_per_second
        self._tokens, self._refilled_at = min(self._most, tokens), now
        self._credited = self._counts.calls = calls

    def _renew(self) -> None:
        self._lock = Lock()
