"""Why a use of a legacy retry is left as it is."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "broad-errors": "suspect: legacy retried that class and no subclass; unified would retry nearly everything",
    "sync-timeout": "a time limit for a plain function, which nothing can cut",
    "generator": "a generator fails after it was called, where no retry sees it",
    "dynamic-arguments": "an argument is computed, so nobody can tell what changes",
    "dynamic-config": "the configuration comes from elsewhere, or is used for something else too",
    "config-shared": "the configuration is used for something else too, here or in another file",
    "no-end": "more than 1000 attempts: for how long to go on is for a person to say, legacy fails then (RT-13)",
    "no-attempt": "fewer than one attempt: legacy never called the function (RT-14, RB-02)",
    "invalid-number": "unified refuses that number",
    "invalid-errors": "no program may retry or give up on what is no Exception",
    "bulkhead": "unified has no bulkhead: limit the calls with a semaphore first",
    "odd-decorators": "what stands between this decorator and the function is no function",
    "odd-call": "not the form of a decorator with arguments",
    "not-a-decorator": "called by hand: what it wraps is not visible here",
    "handed-on": "the object is handed on: who uses it later is not visible here",
    "unknown-use": "RetryExecutor is in no version of the module: what this use did is for you to say",
    "no-counterpart": "no unified name does the same: see docs/migration/resilience.md",
    "aliased": "it goes by another name here: import it under its own, and run again",
    "through-module": "the module is imported, not the name: import the name, and run again",
    "star-import": "with import * nobody can tell which names are legacy's",
    "unused-import": "imported but not used in this file: other files may import it from here",
    "rebound-name": "the name is bound more than once and not always to legacy's",
    "shared-name": "another use of the same name in this file has to stay, and the new one would take its place",
    "unknown-origin": "it has the name of a legacy decorator but comes from elsewhere: --from MODULE says it is one",
    "hollow": "this with_retry retries nothing (RT-29): moving it adds retries, so a person decides",
    "library-retry": "a library retries: compare its terms with a policy by hand",
    "test-file": "a test (--include-tests moves it)",
    "name-taken": "a name that is to be imported means something else in this file",
    "import-cycle": "the target imports this file",
    "odd-layout": "a comment or another statement stands inside what would be replaced",
    "encoding-not-round-trip": "the file's encoding does not give the same bytes back",
    "not-provable": "the rewritten file is not the same program but for what was moved",
}
SUSPECT = frozenset({"broad-errors"})

INSTEAD: Mapping[str, str] = {
    "CircuitBreaker": "UnifiedCircuitBreaker",
    "get_circuit_breaker": "ResilienceRegistry.get_circuit_breaker",
    "CircuitState": "CircuitState",
    "CircuitBreakerOpenError": "CircuitOpenError",
    "RetryBudget": "UnifiedRetryBudget",
    "get_retry_budget": "ResilienceRegistry.get_retry_budget",
    "RetryBudgetExhaustedError": "the error itself, with history_of(error)",
    "calculate_delay": "RetryPolicy.nominal_delay",
    "exponential_backoff": "UnifiedBackoffCalculator.calculate_delay",
    "RetryContext": "with_retry around a function",
    "BatchRetryExecutor": "UnifiedRetry.acall, gathered",
    "is_retryable_exception": "RetryPolicy.retry_on",
    "RetryStrategy": "RETRY_POLICIES",
    "RetryConfig": "RetryPolicy",
}
"""What to look at for a legacy name that is left."""
