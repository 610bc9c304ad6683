"""Legacy retries, breakers and waits behind the resilience ports: names and units are translated, quirks pass through."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import TypeVar

from oms.legacy.core.scheduler.schedule_calculator import DefaultScheduleCalculator
from oms.legacy.shared.security import protection_facade
from oms.legacy.shared.security.protection_facade import CircuitBreaker, CircuitBreakerConfig, CircuitState
from oms.legacy.utils import retry_strategy
from oms.legacy.utils.retry_strategy import DB_CRITICAL_CONFIG, DB_WRITE_CONFIG, RetryConfig, RetryStrategy, with_retry
from oms.routing.contain import INSIDE
from oms.seams.resilience import TIME

T = TypeVar("T")

_CONFIGS: Mapping[str, RetryConfig] = {
    "standard": RetryConfig.for_strategy(RetryStrategy.STANDARD),
    "conservative": RetryConfig.for_strategy(RetryStrategy.CONSERVATIVE),
    "database": DB_WRITE_CONFIG,
    "critical": DB_CRITICAL_CONFIG,
}
"""What legacy callers had where the unified ones name a policy; every other policy stands for the legacy default."""


class _NotInReplay(logging.Filter):
    """Keeps what a twin lives through out of the log: on call would take it for what happened."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let *record* through unless it comes from a replay."""
        return not INSIDE.get()


_QUIET = _NotInReplay()


def _keep_twins_quiet(*modules: ModuleType) -> None:
    # A filter is added once, however often it is added.
    for module in modules:
        logging.getLogger(module.__name__).addFilter(_QUIET)


class _Numbers:
    """Prefixes for twins, used again when a twin is forgotten: legacy's metrics have a series for each, for ever."""

    def __init__(self) -> None:
        self._next = itertools.count(1)
        self._free: deque[str] = deque()

    def take(self) -> str:
        """Return a prefix that no living twin has."""
        with contextlib.suppress(IndexError):
            return self._free.popleft()
        return f"twin {next(self._next)} of "

    def give_back(self, prefix: str) -> None:
        """Let another twin have *prefix*."""
        self._free.append(prefix)


class RetryStrategyAdapter:
    """``utils.retry_strategy`` as ``Retry``.

    Its breakers and budgets lie in the module, by operation (RT-21). A twin has a prefix of its own before each operation. No breaker is
    handed over, in neither direction: unified retries have none that could adopt it, or be adopted.

    Args:
        configs: By policy name.
        prefix: Put before each operation, to keep two of these apart.
        number, twins: Of a twin.
    """

    process_local = True

    def __init__(
        self,
        configs: Mapping[str, RetryConfig] = _CONFIGS,
        *,
        prefix: str = "",
        number: str = "",
        twins: _Numbers | None = None,
    ) -> None:
        _keep_twins_quiet(retry_strategy)
        self._configs, self._prefix = configs, prefix
        self._twins = _Numbers() if twins is None else twins
        self._number = number
        self._operations: set[str] = set()
        self._default = RetryConfig()

    async def acall(self, function: Callable[[], Awaitable[T]], *, operation: str, policy: str = "standard") -> T:
        """Return what *function* returns, after legacy's attempts.

        Raises:
            RetryBudgetExhaustedError, CircuitBreakerOpenError: in place of what *function* raised (RT-02, RT-20).
        """
        config = self._configs.get(policy, self._default)
        name = f"{self._number}{self._prefix}{operation}"
        self._operations.add(name)
        result: T = await with_retry(name, config)(function)()
        return result

    def delay_band(self, attempt: int, *, operation: str, policy: str = "standard") -> tuple[float, float]:
        """Return the least and the most seconds that legacy may wait after failed attempt number *attempt*, counted from 1."""
        config = self._configs.get(policy, self._default)
        nominal = min(config.initial_delay * config.exponential_base ** (attempt - 1), config.max_delay)
        spread = nominal * config.jitter_factor if config.jitter else 0.0
        return max(0.0, nominal - spread), nominal + spread

    def twin(self) -> RetryStrategyAdapter:
        """Return retries that share no breaker and no budget with these."""
        return RetryStrategyAdapter(self._configs, prefix=self._prefix, number=self._twins.take(), twins=self._twins)

    def forget_twin(self) -> None:
        """Take what this twin left in the module out of it."""
        if not self._number:
            return
        for operation in self._operations:
            retry_strategy._circuit_breakers.pop(operation, None)
            retry_strategy._retry_budgets.pop(operation, None)
        self._twins.give_back(self._number)
        self._number = ""


class ProtectionBreakerAdapter:
    """The protection facade's breakers as ``Breaker``, one a name.

    Args:
        config: Of every breaker; each gets a copy (PF-06 would make them share it).
    """

    process_local = True

    def __init__(self, config: CircuitBreakerConfig | None = None) -> None:
        _keep_twins_quiet(protection_facade)
        self._config = config or CircuitBreakerConfig(use_distributed_state=False)
        self._breakers: dict[str, CircuitBreaker] = {}

    async def acall(self, function: Callable[[], Awaitable[T]], *, name: str) -> T:
        """Return what *function* returns.

        Raises:
            ProtectionViolation: if the breaker called *name* is open; *function* is not called then.
        """

        async def call() -> T:
            return await function()

        # Legacy looks at the kind of function (PF-08); what comes through the port is async.
        result: T = await self._of(name).execute(call)
        return result

    def state_of(self, name: str) -> str:
        """Return where the breaker called *name* stands: ``closed``, ``open`` (until somebody calls) or ``half_open``."""
        return self._of(name).state.value

    def open_circuits(self) -> dict[str, float]:
        """Return the seconds that each open breaker stays so, by name."""
        left = {name: self.open_for_s(name) for name in list(self._breakers)}
        return {name: seconds for name, seconds in left.items() if seconds > 0}

    def open_for_s(self, name: str) -> float:
        """Return the seconds that the breaker called *name* stays open, 0 if it is not."""
        breaker = self._of(name)
        if breaker.state is not CircuitState.OPEN:
            return 0.0
        return max(0.0, (breaker.last_failure_time or 0.0) + breaker.config.timeout - TIME.get().wall())

    def adopt_open(self, name: str, for_s: float) -> None:
        """Open the breaker called *name* for *for_s* seconds: the other side had it open when it handed over.

        From then on it is as if it had opened by itself, so many seconds ago that *for_s* are left: also for what comes after (PF-01).
        """
        breaker = self._of(name)
        breaker.state = CircuitState.OPEN
        breaker.failure_count = max(breaker.failure_count, breaker.config.failure_threshold)
        breaker.last_failure_time = breaker.state_change_time = TIME.get().wall() + for_s - breaker.config.timeout

    def twin(self) -> ProtectionBreakerAdapter:
        """Return breakers of the same configuration, all closed."""
        return ProtectionBreakerAdapter(self._config)

    def _of(self, name: str) -> CircuitBreaker:
        breaker = self._breakers.get(name)
        if breaker is None:
            config = CircuitBreakerConfig(**vars(self._config))
            breaker = self._breakers[name] = CircuitBreaker(name, config)
        return breaker


class ScheduleBackoffAdapter:
    """The schedule calculator as ``Backoff``."""

    process_local = True

    def __init__(self) -> None:
        self._calculator = DefaultScheduleCalculator()

    def delay(self, base_delay: int, retry_count: int, strategy: str = "exponential") -> float:
        """Return legacy's seconds before retry number *retry_count*, without a cap (SC-01); infinity if no float holds its whole number."""
        seconds = self._calculator.calculate_retry_delay(base_delay, retry_count, strategy)
        try:
            return float(seconds)
        except OverflowError:
            return math.inf
