"""Predicates of ``Retry``: who went on, after which error, how long he waited, and who ended the call."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from oms.domain.comparison import Difference
from oms.domain.known import Predicate
from oms.domain.observation import Facts
from oms.domain.trace import Trace
from oms.seams.resilience_known.policies import POLICIES
from oms.seams.resilience_known.traces import traces_of

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


def _budget_was_spent(difference: Difference, facts: Facts) -> bool:
    """Legacy's budget refuses an attempt that unified makes."""
    legacy, unified = traces_of(difference)
    return legacy.refused_by == "RetryBudgetExhaustedError" and unified.refused_by is None


def _budget_hides_the_error(difference: Difference, facts: Facts) -> bool:
    """Both made as many attempts; unified raises what the last one raised, legacy the error of its budget."""
    legacy, unified = traces_of(difference)
    return legacy.refused_by == "RetryBudgetExhaustedError" and _hides(legacy, unified)


def _breaker_hides_the_error(difference: Difference, facts: Facts) -> bool:
    """Legacy's breaker opened during the call: after the wait it raises an error of its own, whatever unified does."""
    legacy, unified = traces_of(difference)
    is_open = legacy.refused_by == "CircuitBreakerOpenError"
    return is_open and unified.refused_by is None and (unified.attempts > legacy.attempts or _hides(legacy, unified))


def _breaker_within_is_open(difference: Difference, facts: Facts) -> bool:
    """Legacy's breaker refuses the call, unified makes it."""
    legacy, unified = traces_of(difference)
    return (legacy.attempts, legacy.refused_by, unified.refused_by) == (0, "CircuitBreakerOpenError", None)


def _legacy_knows_no_kinds(difference: Difference, facts: Facts) -> bool:
    """After a kind of connection error only unified goes on."""
    return _label(difference) in KINDS_OF_CONNECTION_ERROR and _stopped(*traces_of(difference))


def _legacy_knows_three_of_httpx(difference: Difference, facts: Facts) -> bool:
    """After a transport error of httpx that is none of legacy's three, only unified goes on."""
    return _label(difference) in TRANSPORT_ERRORS and _stopped(*traces_of(difference))


def _status_that_stays(difference: Difference, facts: Facts) -> bool:
    """After a redirection, or a 5xx that is not worth a retry, only legacy goes on."""
    name, _, status = _label(difference).partition(".")
    stays = status[:1] in ("3", "5") and status not in RETRIED_STATUSES
    legacy, unified = traces_of(difference)
    return name == "HTTPStatusError" and stays and _stopped(unified, legacy)


def _status_that_asks_to_wait(difference: Difference, facts: Facts) -> bool:
    """After 408 or 429 only unified goes on."""
    return _label(difference) in ("HTTPStatusError.408", "HTTPStatusError.429") and _stopped(*traces_of(difference))


def _status_of_another_client(difference: Difference, facts: Facts) -> bool:
    """After the status of a server in trouble, in an error that is not httpx's, only unified goes on."""
    name, _, status = _label(difference).partition(".")
    return name != "HTTPStatusError" and status in RETRIED_STATUSES and _stopped(*traces_of(difference))


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
    legacy, unified = traces_of(difference)
    numbers = POLICIES.get(facts.named)
    if numbers is None:
        return False
    is_legacy_over = _stopped(legacy, unified) and legacy.attempts == numbers[0].attempts
    return is_legacy_over or (_stopped(unified, legacy) and unified.attempts == numbers[1].attempts)


def _unknown_policy(difference: Difference, facts: Facts) -> bool:
    """Unified refuses a policy that nobody knows, legacy takes it for its default."""
    unified = traces_of(difference)[1]
    return facts.named not in POLICIES and (unified.attempts, unified.refused_by) == (0, "PolicyInvalid")


def _label(difference: Difference) -> str:
    return difference.path.partition("retried.")[2]


def _stopped(one: Trace, other: Trace) -> bool:
    """Tell whether *one* ended with what its last attempt raised, and *other* went on."""
    went_on = (other.attempts, len(other.delays)) > (one.attempts, len(one.delays))
    return went_on and one.outcome == f"error {one.attempts}"


def _hides(legacy: Trace, unified: Trace) -> bool:
    return legacy.attempts == unified.attempts and unified.outcome == f"error {unified.attempts}"


def _waits(difference: Difference) -> list[tuple[int, str, float, float]]:
    """Return a row for each wait that both made: number and label of the failed attempt, legacy's and unified's seconds."""
    legacy, unified = traces_of(difference)
    labels = max(legacy.errors, unified.errors, key=len)
    rows = zip(labels, legacy.delays, unified.delays, strict=False)
    return [(attempt, label, one, other) for attempt, (label, one, other) in enumerate(rows, start=1)]


PREDICATES: Mapping[str, Predicate] = MappingProxyType(
    {
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
    }
)
