"""What a process shares by name: one budget and one breaker a dependency. Built once, in wiring, and handed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from threading import Lock
from typing import ParamSpec, TypeVar

from oms.unified.resilience.backoff import jitter_band
from oms.unified.resilience.breaker.breaker import UnifiedCircuitBreaker
from oms.unified.resilience.breaker.config import CircuitBreakerConfig
from oms.unified.resilience.breaker.distributed import DistributedCircuitBreaker
from oms.unified.resilience.breaker.store import BreakerStore
from oms.unified.resilience.budget import RetryBudgetConfig, UnifiedRetryBudget
from oms.unified.resilience.errors import PolicyInvalid
from oms.unified.resilience.fork import renew_in_child
from oms.unified.resilience.policies import JITTER, RetryPolicy, policy_named
from oms.unified.resilience.retry.retry import UnifiedRetry

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class ResilienceRegistry:
    """Budgets and breakers by the name of what they guard. Thread-safe.

    Args:
        store: Of breakers that all processes share; None makes breakers of this process alone.
        breaker_config: Of breakers that are asked for without one.
    """

    def __init__(
        self, *, store: BreakerStore | None = None, breaker_config: CircuitBreakerConfig | None = None
    ) -> None:
        self._store = store
        self.breaker_config = CircuitBreakerConfig() if breaker_config is None else breaker_config
        self._budgets: dict[str, UnifiedRetryBudget] = {}
        self._breakers: dict[str, UnifiedCircuitBreaker] = {}
        self._renew()
        renew_in_child(self._renew)

    @property
    def is_shared(self) -> bool:
        """True if other processes have a part in these breakers."""
        return self._store is not None

    def get_retry_budget(self, name: str = "default", config: RetryBudgetConfig | None = None) -> UnifiedRetryBudget:
        """Return the budget of dependency *name*, which is built when it is first asked for.

        Raises:
            PolicyInvalid: if there is one of that name with another configuration.
        """
        with self._lock:
            budget = self._budgets.get(name) or self._budgets.setdefault(name, UnifiedRetryBudget(name, config))
        if config is not None and config != budget.config:
            raise PolicyInvalid(
                f"retry budget {name!r}", found="another configuration", wanted="the one it was built with"
            )
        return budget

    def get_circuit_breaker(self, name: str, config: CircuitBreakerConfig | None = None) -> UnifiedCircuitBreaker:
        """Return the breaker of dependency *name*, which is built when it is first asked for.

        Raises:
            PolicyInvalid: if there is one of that name with another configuration.
        """
        with self._lock:
            breaker = self._breakers.get(name)
            if breaker is None:
                breaker = self._breakers[name] = self._new_breaker(name, config or self.breaker_config)
        if config is not None and config != breaker.config:
            raise PolicyInvalid(f"breaker {name!r}", found="another configuration", wanted="the one it was built with")
        return breaker

    def budgets(self) -> list[UnifiedRetryBudget]:
        """Return every budget built so far."""
        with self._lock:
            return list(self._budgets.values())

    def breakers(self) -> list[UnifiedCircuitBreaker]:
        """Return every breaker built so far."""
        with self._lock:
            return list(self._breakers.values())

    def reset_all_circuit_breakers(self) -> None:
        """Close every breaker."""
        for breaker in self.breakers():
            breaker.close()

    def with_resilience(
        self,
        dependency: str,
        *,
        policy: str | RetryPolicy = "standard",
        breaker_config: CircuitBreakerConfig | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Return a decorator that calls *dependency* with retries from its budget, each attempt through its breaker.

        Raises:
            PolicyInvalid: if there is no such policy, or the breaker has another configuration.
        """
        retry = UnifiedRetry(
            policy,
            budget=self.get_retry_budget(dependency),
            breaker=self.get_circuit_breaker(dependency, breaker_config),
            name=dependency,
        )
        return retry.wrap

    def _new_breaker(self, name: str, config: CircuitBreakerConfig) -> UnifiedCircuitBreaker:
        if self._store is None:
            return UnifiedCircuitBreaker(name, config)
        return DistributedCircuitBreaker(name, store=self._store, config=config)

    def _renew(self) -> None:
        self._lock = Lock()


class DependencyRetries:
    """Retries of every dependency. Fits the port ``Retry``, and has plain calls too."""

    process_local = True

    def __init__(self, registry: ResilienceRegistry | None = None) -> None:
        self._registry = ResilienceRegistry() if registry is None else registry
        # Filled once for each pair of names, which a program has few of; a race builds one twice, over the same budget.
        self._retries: dict[tuple[str, str], UnifiedRetry] = {}

    async def acall(self, function: Callable[[], Awaitable[T]], *, operation: str, policy: str = "standard") -> T:
        """Return what *function* returns, after as many attempts as *policy* allows; raise what the last one raised.

        Raises:
            PolicyInvalid: if there is no such policy.
            MisuseError: if *function* returns nothing to await.
        """
        return await self._of(operation, policy).acall(function)

    def call(self, function: Callable[[], T], *, operation: str, policy: str = "standard") -> T:
        """Do the same with a plain function."""
        return self._of(operation, policy).call(function)

    def delay_band(self, attempt: int, *, operation: str, policy: str = "standard") -> tuple[float, float]:
        """Return the least and the most seconds that *policy* may wait after failed attempt number *attempt*, counted from 1."""
        chosen = policy_named(policy)
        nominal = chosen.nominal_delay(attempt)
        return jitter_band(nominal, JITTER, chosen.max_delay) if chosen.jitter else (nominal, nominal)

    def twin(self) -> DependencyRetries:
        """Return retries with full budgets of their own, for a replay."""
        return DependencyRetries()

    def _of(self, operation: str, policy: str) -> UnifiedRetry:
        retry = self._retries.get((operation, policy))
        if retry is None:
            chosen = policy_named(policy)
            retry = UnifiedRetry(chosen, budget=self._registry.get_retry_budget(operation), name=operation)
            self._retries[operation, policy] = retry
        return retry


class DependencyBreakers:
    """Breakers of every dependency. Fits the port ``Breaker``, and has plain calls too."""

    def __init__(self, registry: ResilienceRegistry | None = None) -> None:
        self._registry = ResilienceRegistry() if registry is None else registry
        self._breakers: dict[str, UnifiedCircuitBreaker] = {}

    async def acall(self, function: Callable[[], Awaitable[T]], *, name: str) -> T:
        """Return what *function* returns; raise CircuitOpenError, without calling it, while the breaker called *name* is open.

        Raises:
            MisuseError: if *function* returns nothing to await.
        """
        return await self._of(name).acall(function)

    def call(self, function: Callable[[], T], *, name: str) -> T:
        """Do the same with a plain function."""
        return self._of(name).call(function)

    def state_of(self, name: str) -> str | None:
        """Return where the breaker called *name* stands: ``closed``, ``open`` (until somebody calls) or ``half_open``.

        None before its first call, unless other processes share it: then nobody could have missed anything of it.
        """
        if name not in self._breakers and not self._registry.is_shared:
            return None
        return str(self._of(name).state).replace("-", "_")

    def open_circuits(self) -> dict[str, float]:
        """Return the seconds that each open breaker stays so, by name."""
        left = {name: self.open_for_s(name) for name in list(self._breakers)}
        return {name: seconds for name, seconds in left.items() if seconds > 0}

    def open_for_s(self, name: str) -> float:
        """Return the seconds that the breaker called *name* stays open, 0 if it is not."""
        breaker = self._breakers.get(name)
        return 0.0 if breaker is None else breaker.opens_in()

    def adopt_open(self, name: str, for_s: float) -> None:
        """Open the breaker called *name* for *for_s* seconds: the other side had it open when it handed over."""
        self._of(name).open(for_s)

    def twin(self) -> DependencyBreakers:
        """Return breakers of this process alone, all closed, with the same configuration, for a replay."""
        return DependencyBreakers(ResilienceRegistry(breaker_config=self._registry.breaker_config))

    def _of(self, name: str) -> UnifiedCircuitBreaker:
        breaker = self._breakers.get(name)
        if breaker is None:
            breaker = self._breakers[name] = self._registry.get_circuit_breaker(name)
        return breaker
