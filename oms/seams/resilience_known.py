"""Predicates of the known divergences of resilience: what tells each quirk from a fault that only looks like it.

A difference of retries or breakers holds the whole trace of both sides. Its path begins with the policy, where there is one, and ends with the
step that only one side took: ``standard.admitted.again``, ``network.retried.ConnectTimeout``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from oms.domain.comparison import Difference
from oms.domain.known import Predicate
from oms.domain.observation import Facts, StandIn
from oms.domain.trace import Trace
from oms.seams.resilience import is_wait

DAY_S = 86_400.0
"""Longest wait of the unified calculator, in seconds."""

STRATEGIES = frozenset({"exponential", "linear", "fixed", "fibonacci"})

RETRIED_STATUSES = frozenset({"408", "429", "500", "502", "503", "504"})
"""What unified retries tries again. Legacy ones: every status of httpx but 400 to 499."""

KINDS_OF_CONNECTION_ERROR = frozenset(
    {"ConnectionRefusedError", "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"}
)

TRANSPORT_ERRORS = frozenset(
    {
        "CloseError",
        "ConnectTimeout",
        "NetworkError",
        "PoolTimeout",
        "ProtocolError",
        "ProxyError",
        "ReadError",
        "RemoteProtocolError",
        "TransportError",
        "WriteError",
        "WriteTimeout",
    }
)
"""Errors of httpx that may pass and that legacy does not know."""

MAX_RETRY_AFTER_S = 60.0
"""Longest wait that unified grants a server."""

THRESHOLD = 5
"""Failures in a row that open a breaker of either wing."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one side makes of a policy.

    Attributes:
        attempts: In all.
        initial, cap: First and longest wait in seconds.
        factor: Of growth from wait to wait.
        jitter: Share of a wait by which it may be longer or shorter.
        is_capped_last: Jitter does not lift a wait above the cap.
    """

    attempts: int
    initial: float
    cap: float
    factor: float
    jitter: float = 0.1
    is_capped_last: bool = False

    def least(self, attempt: int) -> float:
        """Return the shortest wait in seconds after failed attempt number *attempt*, counted from 1."""
        return self._nominal(attempt) * (1 - self.jitter)

    def most(self, attempt: int) -> float:
        """Return the longest one."""
        most = self._nominal(attempt) * (1 + self.jitter)
        return min(most, self.cap) if self.is_capped_last else most

    def allows(self, attempt: int, waited: float) -> bool:
        """Tell whether *waited* seconds are such a wait."""
        return self.least(attempt) - 1e-9 <= waited <= self.most(attempt) + 1e-9

    def _nominal(self, attempt: int) -> float:
        return min(self.initial * self.factor ** (attempt - 1), self.cap)


def _unified(attempts: int, initial: float, cap: float, factor: float, jitter: float = 0.1) -> Numbers:
    return Numbers(attempts, initial, cap, factor, jitter, is_capped_last=True)


_DEFAULT = Numbers(3, 1.0, 60.0, 2.0)
POLICIES: Mapping[str, tuple[Numbers, Numbers]] = MappingProxyType(
    {
        "standard": (Numbers(5, 1.0, 60.0, 2.0), _unified(4, 1.0, 10.0, 2.0)),
        "network": (_DEFAULT, _unified(4, 0.5, 10.0, 2.0)),
        "conservative": (Numbers(3, 2.0, 30.0, 2.0), _unified(3, 2.0, 20.0, 1.5)),
        "database": (Numbers(10, 0.5, 300.0, 1.5), _unified(6, 1.0, 30.0, 1.5)),
        "webhook": (_DEFAULT, _unified(4, 30.0, 300.0, 2.0, 0.0)),
        "validation": (_DEFAULT, _unified(2, 1.0, 1.0, 1.0, 0.0)),
        "critical": (Numbers(15, 0.1, 120.0, 1.3), _unified(11, 0.1, 60.0, 1.3)),
    }
)
"""By policy: what legacy makes of it, and what unified does. Held to both wings by ``tests/shadow/resilience``."""


# -- backoff: what the sides returned


def _longer_than_a_day(difference: Difference, facts: Facts) -> bool:
    """Unified waits its longest, a day, and legacy longer; or legacy finds no float for the wait."""
    legacy, unified = difference.legacy, difference.unified
    if isinstance(legacy, StandIn):
        return legacy.type_name == "OverflowError" and is_wait(unified)
    return unified == DAY_S and isinstance(legacy, (int, float)) and is_wait(legacy) and legacy > DAY_S


def _number_that_is_none(difference: Difference, facts: Facts) -> bool:
    """Unified refuses the retry count or the base; legacy computes with it."""
    return _is_refused(difference, "retry_count") or _is_refused(difference, "base_delay")


def _unknown_strategy(difference: Difference, facts: Facts) -> bool:
    """Unified refuses the strategy; legacy takes it for the exponential one."""
    return facts.named.casefold() not in STRATEGIES and _is_refused(difference, "strategy")


def _strategy_in_another_case(difference: Difference, facts: Facts) -> bool:
    """Unified knows the strategy in any case; legacy takes it for the exponential one."""
    name = facts.named
    return name not in STRATEGIES and name.casefold() in STRATEGIES - {"exponential"} and _are_waits(difference)


def _is_refused(difference: Difference, parameter: str) -> bool:
    refusal = StandIn("PolicyInvalid", (("where", f"backoff: {parameter}"),))
    return difference.unified == refusal and is_wait(difference.legacy)


def _are_waits(difference: Difference) -> bool:
    return is_wait(difference.legacy) and is_wait(difference.unified)


# -- retries: who went on, and who ended the call


def _budget_was_spent(difference: Difference, facts: Facts) -> bool:
    """Legacy's budget refuses an attempt that unified makes."""
    legacy, unified = _traces(difference)
    is_cut = legacy.refused_by == "RetryBudgetExhaustedError" and legacy.attempts >= 1
    return is_cut and unified.attempts > legacy.attempts and unified.refused_by is None


def _budget_hides_the_error(difference: Difference, facts: Facts) -> bool:
    """Both made as many attempts; unified raises what the last one raised, legacy the error of its budget."""
    legacy, unified = _traces(difference)
    return legacy.refused_by == "RetryBudgetExhaustedError" and _hides(legacy, unified)


def _breaker_hides_the_error(difference: Difference, facts: Facts) -> bool:
    """Legacy's breaker opened during the call: after the wait it raises an error of its own, whatever unified does."""
    legacy, unified = _traces(difference)
    is_open = legacy.refused_by == "CircuitBreakerOpenError" and legacy.attempts >= 1
    return is_open and unified.refused_by is None and (unified.attempts > legacy.attempts or _hides(legacy, unified))


def _breaker_within_is_open(difference: Difference, facts: Facts) -> bool:
    """Legacy's breaker refuses the call, unified makes it."""
    legacy, unified = _traces(difference)
    is_refused = (legacy.attempts, legacy.refused_by) == (0, "CircuitBreakerOpenError")
    return is_refused and unified.attempts >= 1 and unified.refused_by is None


def _legacy_knows_no_kinds(difference: Difference, facts: Facts) -> bool:
    """After a kind of connection error only unified goes on."""
    return _label(difference) in KINDS_OF_CONNECTION_ERROR and _stopped(*_traces(difference))


def _legacy_knows_three_of_httpx(difference: Difference, facts: Facts) -> bool:
    """After a transport error of httpx that is none of legacy's three, only unified goes on."""
    return _label(difference) in TRANSPORT_ERRORS and _stopped(*_traces(difference))


def _status_that_stays(difference: Difference, facts: Facts) -> bool:
    """After a redirection, or a 5xx that is not worth a retry, only legacy goes on."""
    name, _, status = _label(difference).partition(".")
    stays = status[:1] in ("3", "5") and status not in RETRIED_STATUSES
    legacy, unified = _traces(difference)
    return name == "HTTPStatusError" and stays and _stopped(unified, legacy)


def _status_that_asks_to_wait(difference: Difference, facts: Facts) -> bool:
    """After 408 or 429 only unified goes on."""
    return _label(difference) in ("HTTPStatusError.408", "HTTPStatusError.429") and _stopped(*_traces(difference))


def _status_of_another_client(difference: Difference, facts: Facts) -> bool:
    """After the status of a server in trouble, in an error that is not httpx's, only unified goes on."""
    name, _, status = _label(difference).partition(".")
    return name != "HTTPStatusError" and status in RETRIED_STATUSES and _stopped(*_traces(difference))


def _waited_as_asked(difference: Difference, facts: Facts) -> bool:
    """After some HTTP status unified waited longer than by itself, within what it grants; every other wait is the policy's."""
    numbers = POLICIES.get(facts.named)
    if numbers is None:
        return False
    own, others = numbers
    waits = _waits(difference)
    asked = {
        attempt
        for attempt, label, _, unified in waits
        if "." in label and others.most(attempt) < unified <= MAX_RETRY_AFTER_S
    }
    return bool(asked) and all(
        own.allows(attempt, legacy) and (attempt in asked or others.allows(attempt, unified))
        for attempt, _, legacy, unified in waits
    )


def _waits_of_the_policy(difference: Difference, facts: Facts) -> bool:
    """Each side waited as long as its own numbers of the policy say."""
    numbers, waits = POLICIES.get(facts.named), _waits(difference)
    return numbers is not None and all(
        numbers[0].allows(attempt, legacy) and numbers[1].allows(attempt, unified)
        for attempt, _, legacy, unified in waits
    )


def _attempts_of_the_policy(difference: Difference, facts: Facts) -> bool:
    """One side stops after as many attempts as its own numbers of the policy say, with the last error; the other goes on."""
    legacy, unified = _traces(difference)
    numbers = POLICIES.get(facts.named)
    if numbers is None:
        return False
    is_legacy_over = _stopped(legacy, unified) and legacy.attempts == numbers[0].attempts
    return is_legacy_over or (_stopped(unified, legacy) and unified.attempts == numbers[1].attempts)


def _unknown_policy(difference: Difference, facts: Facts) -> bool:
    """Unified refuses a policy that nobody knows, legacy takes it for its default."""
    unified = _traces(difference)[1]
    return facts.named not in POLICIES and (unified.attempts, unified.refused_by) == (0, "PolicyInvalid")


# -- breakers: who lets a call through, and what opens


def _both_reject(difference: Difference, facts: Facts) -> bool:
    """Both reject, each with its own error."""
    legacy, unified = _traces(difference)
    return (legacy.attempts, unified.attempts, legacy.refused_by, unified.refused_by) == (
        0,
        0,
        "ProtectionViolation",
        "CircuitOpenError",
    )


def _counts_for_ever(difference: Difference, facts: Facts) -> bool:
    """Legacy opens, or rejects, while unified is closed; fewer failures came in a row than open either."""
    legacy, unified = _traces(difference)
    in_a_row = facts.written_with("failures_in_a_row")
    if isinstance(in_a_row, int) and in_a_row >= THRESHOLD:
        return False
    opens = unified.state == "closed" and _ended_alike(legacy, unified, "error")
    is_let_in = _before(unified, facts) == "closed" and _rejects(legacy, unified)
    return legacy.state == "open" and (opens or is_let_in)


def _never_closes(difference: Difference, facts: Facts) -> bool:
    """Legacy has opened again, or rejects, while unified is half-open and lets one through."""
    legacy, unified = _traces(difference)
    reopened = unified.state == "half_open" and _ended_alike(legacy, unified, "result")
    is_let_in = _before(unified, facts) == "half_open" and _rejects(legacy, unified)
    return legacy.state == "open" and (reopened or is_let_in)


def _before(unified: Trace, facts: Facts) -> object:
    """Return where unified's breaker stood before the call; where it stands now, if that is not known."""
    return facts.written_with("unified_before") or unified.state


def _ended_alike(legacy: Trace, unified: Trace, how: str) -> bool:
    return legacy.outcome == unified.outcome and legacy.outcome.startswith(f"{how} ")


def _rejects(legacy: Trace, unified: Trace) -> bool:
    return (legacy.attempts, legacy.refused_by) == (0, "ProtectionViolation") and unified.refused_by is None


def _traces(difference: Difference) -> tuple[Trace, Trace]:
    """Return both traces.

    Raises:
        TypeError: if it is no difference of traces: then the rule stands at the wrong place.
    """
    legacy, unified = difference.legacy, difference.unified
    if not (isinstance(legacy, Trace) and isinstance(unified, Trace)):
        raise TypeError(f"known divergence: found a {type(legacy).__name__}, wanted traces of an effect")
    return legacy, unified


def _label(difference: Difference) -> str:
    return difference.path.partition("retried.")[2]


def _stopped(one: Trace, other: Trace) -> bool:
    """Tell whether *one* ended with what its last attempt raised, and *other* went on."""
    went_on = (other.attempts, len(other.delays)) > (one.attempts, len(one.delays))
    return went_on and one.attempts >= 1 and one.outcome == f"error {one.attempts}"


def _hides(legacy: Trace, unified: Trace) -> bool:
    return legacy.attempts == unified.attempts and unified.outcome == f"error {unified.attempts}"


def _waits(difference: Difference) -> list[tuple[int, str, float, float]]:
    """Return a row for each wait that both made: number and label of the failed attempt, legacy's and unified's seconds."""
    legacy, unified = _traces(difference)
    labels = max(legacy.errors, unified.errors, key=len)
    rows = zip(labels, legacy.delays, unified.delays, strict=False)
    return [(attempt, label, one, other) for attempt, (label, one, other) in enumerate(rows, start=1)]


PREDICATES: Mapping[str, Predicate] = MappingProxyType(
    {
        "longer than a day": _longer_than_a_day,
        "number that is none": _number_that_is_none,
        "unknown strategy": _unknown_strategy,
        "strategy in another case": _strategy_in_another_case,
        "budget was spent": _budget_was_spent,
        "budget hides the error": _budget_hides_the_error,
        "breaker hides the error": _breaker_hides_the_error,
        "breaker within is open": _breaker_within_is_open,
        "legacy knows no kinds": _legacy_knows_no_kinds,
        "legacy knows three of httpx": _legacy_knows_three_of_httpx,
        "status that stays": _status_that_stays,
        "status that asks to wait": _status_that_asks_to_wait,
        "status of another client": _status_of_another_client,
        "waited as asked": _waited_as_asked,
        "waits of the policy": _waits_of_the_policy,
        "attempts of the policy": _attempts_of_the_policy,
        "unknown policy": _unknown_policy,
        "both reject": _both_reject,
        "counts for ever": _counts_for_ever,
        "never closes": _never_closes,
    }
)
"""Predicates by the name that ``resilience.known.toml`` gives them."""
