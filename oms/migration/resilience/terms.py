"""The terms of a retry, before and after: attempts, waits, errors, guards; what legacy's are is written down here."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Any, Protocol

from oms.migration.resilience.course import MANY_CALLS, course

_SHOWN = 5


class Policy(Protocol):
    """What is read of a unified policy."""

    @property
    def max_retries(self) -> int:
        """Attempts after the first one."""

    @property
    def max_delay(self) -> float:
        """Longest wait in seconds."""

    @property
    def jitter(self) -> bool:
        """Whether waits are spread."""

    def nominal_delay(self, attempt: int) -> float:
        """Return the seconds to wait after failed attempt number *attempt*, from 1, before jitter."""

    def but(self, **changes: Any) -> Policy:
        """Return this policy with *changes*; ValueError if one is out of range."""


@dataclass(frozen=True, slots=True)
class Unified:
    """What unified retries are, told by who knows them.

    Attributes:
        policies: By name.
        statuses: HTTP answers that are retried.
    """

    policies: Mapping[str, Policy]
    statuses: Set[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Legacy:
    """What a legacy retry is told. Defaults are those of ``utils.retry_strategy.RetryConfig``; the names of the fields are, too.

    Attributes:
        retryable_exceptions, non_retryable_exceptions: Source text of the classes, None for the default.
    """

    max_attempts: int = 3
    initial_delay: float = 1.0
    max_delay: float = 60.0
    exponential_base: float = 2.0
    jitter: bool = True
    jitter_factor: float = 0.1
    retryable_exceptions: tuple[str, ...] | None = None
    non_retryable_exceptions: tuple[str, ...] | None = None
    timeout: float | None = None
    circuit_breaker_threshold: int = 5
    circuit_breaker_timeout: float = 60.0
    bulkhead_size: int | None = None
    retry_budget_percent: float = 10.0
    retry_budget_window: float = 60.0


_RETRYABLE = ("ConnectionError", "TimeoutError", "httpx.TimeoutException", "httpx.ConnectError", "httpx.ReadTimeout")
_NEVER = ("ValueError", "TypeError", "PermissionError", "httpx.HTTPStatusError")
"""What legacy retries and what it does not, where it is told nothing."""

STANDARD = Legacy(max_attempts=5, circuit_breaker_threshold=10)
AGGRESSIVE = Legacy(
    max_attempts=10,
    initial_delay=0.5,
    max_delay=300.0,
    exponential_base=1.5,
    circuit_breaker_threshold=20,
    retry_budget_percent=20.0,
)
CONSERVATIVE = Legacy(initial_delay=2.0, max_delay=30.0, retry_budget_percent=5.0)
CRITICAL = Legacy(
    max_attempts=15,
    initial_delay=0.1,
    max_delay=120.0,
    exponential_base=1.3,
    circuit_breaker_threshold=30,
    retry_budget_percent=25.0,
)
PRESETS: Mapping[str, tuple[Legacy, str]] = {
    "AGGRESSIVE": (AGGRESSIVE, "database"),
    "STANDARD": (STANDARD, "standard"),
    "CONSERVATIVE": (CONSERVATIVE, "conservative"),
    "CUSTOM": (Legacy(), "standard"),
    "DB_READ_CONFIG": (STANDARD, "standard"),
    "DB_WRITE_CONFIG": (AGGRESSIVE, "database"),
    "DB_CRITICAL_CONFIG": (CRITICAL, "critical"),
}
"""By strategy or name: what legacy does, and the unified policy for the same purpose. Source: the pairs of ``legacy_adapters.resilience``."""


@dataclass(frozen=True, slots=True)
class Terms:
    """One side's terms.

    Attributes:
        attempts: At most, the first one included; None if nobody knows.
        waits_s: Between them, in seconds, before jitter.
        attempts_text, waits, errors, guards: The same and the rest in words.
        result: What becomes of a plain function's result; empty for an async one, where it is what the function returns.
    """

    attempts: int | None
    waits_s: tuple[float, ...]
    attempts_text: str
    waits: str
    errors: str
    guards: str
    result: str = ""


def of_strategy(legacy: Legacy, *, is_plain: bool = False) -> Terms:
    """Return the terms of ``utils.retry_strategy`` told *legacy*, on a plain function or an async one."""
    waits = [
        min(legacy.initial_delay * legacy.exponential_base**number, legacy.max_delay)
        for number in range(legacy.max_attempts - 1)
    ]
    attempts, told = _attempts(legacy, waits)
    waits = waits[: attempts - 1]
    spread = f", {legacy.jitter_factor * 100:g} % more or less" if legacy.jitter and legacy.jitter_factor else ""
    guards = (
        f"retry budget of {legacy.retry_budget_percent:g} % in {legacy.retry_budget_window:g} s; breaker that opens at "
        f"{legacy.circuit_breaker_threshold} failures in all, for {legacy.circuit_breaker_timeout:g} s; both by operation"
    )
    if legacy.timeout:
        guards += f"; each attempt cut after {legacy.timeout:g} s"
    result = "awaited; what cannot be is a TypeError, at once (RT-15)" if is_plain else ""
    return Terms(attempts, tuple(waits), told, _waits(waits, spread), _errors(legacy), guards, result)


def _attempts(legacy: Legacy, waits: list[float]) -> tuple[int, str]:
    """Return how many attempts an operation makes that many calls went before, with that and a cold one's in words."""
    warm = course(legacy, waits, calls_before=MANY_CALLS)
    cold = course(legacy, waits, calls_before=0)
    told = str(warm.attempts)
    if warm.quirk:
        whose = "breaker opens" if warm.quirk == "RT-20" else "budget refuses more"
        told += f" of {legacy.max_attempts}, for its {whose} ({warm.quirk})"
    if cold.attempts < warm.attempts:
        told += f", {cold.attempts} while few calls went before ({cold.quirk})"
    return warm.attempts, told


def of_backoff(legacy: Legacy, *, is_plain: bool = False) -> Terms:
    """Return the terms of ``middleware.common.retry_with_backoff``, which knows attempts and first wait only."""
    waits = [min(legacy.initial_delay * 2.0**number, 60.0) for number in range(legacy.max_attempts - 1)]
    return Terms(
        legacy.max_attempts,
        tuple(waits),
        str(legacy.max_attempts),
        _waits(waits, ", up to 10 % more"),
        "every Exception (RB-01)",
        "none",
        "awaited; what cannot be is a TypeError, and retried (RB-05)" if is_plain else "",
    )


UNKNOWN = Terms(
    None, (), "unknown: no version of the module has it, importing it fails", "unknown", "unknown", "unknown"
)


def of_policy(policy: Policy, unified: Unified, legacy: Legacy, *, is_plain: bool = False) -> Terms:
    """Return the terms of *policy* with the errors and the time limit that *legacy* was told, on a plain function or an async one."""
    waits = [policy.nominal_delay(number) for number in range(1, policy.max_retries + 1)]
    spread = f", 10 % more or less, never above {policy.max_delay:g} s" if policy.jitter else ""
    errors = (
        "ConnectionError, TimeoutError, httpx transport errors, with subclasses; HTTP "
        + ", ".join(map(str, sorted(unified.statuses)))
        if legacy.retryable_exceptions is None
        else f"{', '.join(legacy.retryable_exceptions)}, with subclasses"
    )
    if legacy.non_retryable_exceptions:
        errors += f"; never {', '.join(legacy.non_retryable_exceptions)}, with subclasses"
    guards = "retry budget of the function's own; no breaker, unless breaker= gives it one"
    if legacy.timeout:
        guards += f"; each attempt cut after {legacy.timeout:g} s"
    attempts = policy.max_retries + 1
    result = "returned as it is" if is_plain else ""
    return Terms(attempts, tuple(waits), str(attempts), _waits(waits, spread), errors, guards, result)


def kept(legacy: Legacy) -> Legacy:
    """Return what of *legacy* counts in any case: errors and the time limit of an attempt."""
    return replace(
        Legacy(),
        retryable_exceptions=legacy.retryable_exceptions,
        non_retryable_exceptions=legacy.non_retryable_exceptions,
        timeout=legacy.timeout,
    )


def _errors(legacy: Legacy) -> str:
    """Tell what legacy retries: a class that stands in both of its sets is not, and HTTP statuses go by the second one."""
    names = legacy.retryable_exceptions or _RETRYABLE
    never = _NEVER if legacy.non_retryable_exceptions is None else legacy.non_retryable_exceptions
    last = {_last(name) for name in never}
    retried = [name for name in names if _last(name) not in last]
    told = [f"{', '.join(retried)}, no subclass (RT-05)"] if retried else []
    if "HTTPStatusError" in last:
        told.append("HTTP statuses but 4xx (RT-07, RT-08)")
    shown = [name for name in never if name in names or legacy.non_retryable_exceptions is not None]
    refused = [name for name in shown if _last(name) != "HTTPStatusError"]
    if refused:
        by_default = ", as by default" if legacy.non_retryable_exceptions is None else ""
        told.append(f"never {', '.join(refused)}{by_default}")
    return "; ".join(told) or "none"


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _waits(waits: list[float], spread: str) -> str:
    if not waits:
        return "none"
    texts = [f"{wait:.4g}" for wait in waits]
    if len(texts) > _SHOWN + 1:
        texts = [*texts[:_SHOWN], "...", texts[-1]]
    total = f", {sum(waits):.4g} s in all" if len(waits) > 1 else ""
    return f"{' '.join(texts)} s{spread}{total}"
