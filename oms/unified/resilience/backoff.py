"""How long to wait before a retry: every strategy in one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

from oms.seams.resilience import TIME
from oms.unified.resilience.errors import PolicyInvalid, check_number, nearest

DAY_S = 86_400.0


class RetryStrategy(StrEnum):
    """How the waits grow from one attempt to the next."""

    FIXED = "fixed"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    FIBONACCI = "fibonacci"


def _exponential(initial: float, factor: float, attempt: int) -> float:
    try:
        return initial * factor ** (attempt - 1)
    except OverflowError:
        # Nothing, however often it is doubled, is nothing.
        return math.inf if initial else 0.0


def _fibonacci(initial: float, factor: float, attempt: int) -> float:
    earlier, number = 0, 1
    # Beyond 1,500 a Fibonacci number is no float any more, and any cap is long passed.
    for _ in range(min(attempt, 1400) - 1):
        earlier, number = number, earlier + number
    return initial * number


STRATEGIES: Mapping[RetryStrategy, Callable[[float, float, int], float]] = MappingProxyType(
    {
        RetryStrategy.FIXED: lambda initial, factor, attempt: initial,
        RetryStrategy.LINEAR: lambda initial, factor, attempt: initial * attempt,
        RetryStrategy.EXPONENTIAL: _exponential,
        RetryStrategy.FIBONACCI: _fibonacci,
    }
)
"""From the first wait in seconds, the factor of growth and the number of the failed attempt (1 or more) to seconds, without a cap."""


def strategy_named(name: str) -> RetryStrategy:
    """Return the strategy called *name*, in any case.

    Raises:
        PolicyInvalid: if there is none; the message names the nearest one.
    """
    words = [strategy.value for strategy in RetryStrategy]
    folded = name.casefold() if isinstance(name, str) else ""
    if folded not in words:
        found = repr(name) if isinstance(name, str) else f"a {type(name).__name__}"
        raise PolicyInvalid(
            "backoff: strategy", found=found, wanted=f"one of {', '.join(words)}", mend=nearest(folded, words)
        )
    return RetryStrategy(folded)


def jitter_band(nominal: float, factor: float, cap: float) -> tuple[float, float]:
    """Return the shortest and the longest wait that jitter makes of *nominal*: *factor* to either side, never above *cap*.

    At the cap only the lower half is left, so that callers still spread.
    """
    return nominal * (1 - factor), min(nominal * (1 + factor), cap)


class UnifiedBackoffCalculator:
    """Waits of the scheduler and of everybody else who counts retries by himself. Fits the port ``Backoff``.

    Args:
        max_delay: Longest wait in seconds; a day unless told otherwise.
    """

    process_local = True

    def __init__(self, *, max_delay: float = DAY_S) -> None:
        check_number("backoff: max_delay", max_delay, least=0)
        self._max_delay = max_delay

    def delay(self, base_delay: float, retry_count: int, strategy: str = "exponential") -> float:
        """Return the seconds to wait before retry number *retry_count*, counted from 0; no jitter.

        Raises:
            PolicyInvalid: if a number is negative or the strategy unknown.
        """
        check_number("backoff: base_delay", base_delay, least=0)
        check_number("backoff: retry_count", retry_count, least=0, whole=True)
        seconds = STRATEGIES[strategy_named(strategy)](base_delay, 2.0, retry_count + 1)
        return float(min(seconds, self._max_delay))

    def calculate_delay(self, attempt: int, *, initial: float, factor: float = 2.0, jitter: float = 0.0) -> float:
        """Return the wait after failed attempt number *attempt*, counted from 1, exponential, jittered and capped.

        Raises:
            PolicyInvalid: if a number is out of range; *jitter* is a share from 0 to 1.
        """
        check_number("backoff: attempt", attempt, least=1, whole=True)
        check_number("backoff: initial", initial, least=0)
        check_number("backoff: factor", factor, least=1)
        check_number("backoff: jitter", jitter, least=0, most=1)
        nominal = min(_exponential(initial, factor, attempt), self._max_delay)
        return TIME.get().uniform(*jitter_band(nominal, jitter, self._max_delay))
