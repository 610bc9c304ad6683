"""What each rule takes, and the near misses that it must not take: a rule that is too wide hides a dependency that is no longer protected."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from oms.domain.comparison import Difference
from oms.domain.known import KnownClass, matching_rule
from oms.domain.observation import Facts, StandIn
from oms.domain.stage import Side, Stage
from oms.domain.trace import NO_OUTCOME, Trace
from oms.legacy_adapters.resilience import RetryStrategyAdapter
from oms.seams.known import load_known
from oms.seams.resilience_known import PREDICATES
from oms.seams.resilience_known.policies import POLICIES
from oms.seams.resilience_known.retries import RETRIED_STATUSES
from oms.seams.resilience_known.waits import DAY_S, STRATEGIES
from oms.unified.resilience import RETRY_POLICIES, DependencyRetries
from oms.unified.resilience import STRATEGIES as UNIFIED_STRATEGIES
from oms.unified.resilience.policies import RETRIED_STATUS

RULES = load_known("resilience")
VALUE = "value"

DOWN = "ConnectionError"
BUDGET, BREAKER = "RetryBudgetExhaustedError", "CircuitBreakerOpenError"
VIOLATION, OPEN_ERROR = "ProtectionViolation", "CircuitOpenError"


def wait(strategy: str, legacy: object, unified: object) -> tuple[Difference, Facts, str]:
    """Return where two waits differ, as a comparison of ``Backoff`` finds it."""
    has_failed = isinstance(legacy, StandIn) or isinstance(unified, StandIn)
    kind = "error" if has_failed else VALUE if type(legacy) is type(unified) else "type"
    facts = Facts("delay", Stage.SHADOW, Side.LEGACY, named=strategy)
    return Difference(kind, strategy, legacy, unified), facts, "resilience.backoff"


def refused(where: str) -> StandIn:
    """Return what a comparison knows of unified's refusal."""
    return StandIn("PolicyInvalid", (("where", f"backoff: {where}"),))


def retry(
    path: str, legacy: Trace, unified: Trace, *, policy: str = "standard", kind: str | None = None
) -> tuple[Difference, Facts, str]:
    """Return where two retries part, as a replay finds it."""
    if kind is None:
        kind = NO_OUTCOME if NO_OUTCOME in (legacy.outcome, unified.outcome) else VALUE
    facts = Facts("acall", Stage.SHADOW, Side.LEGACY, named=policy)
    return Difference(kind, f"{policy}.{path}", legacy, unified), facts, "resilience.retry"


def breaker(
    path: str, legacy: Trace, unified: Trace, *, kind: str | None = None, **known: object
) -> tuple[Difference, Facts, str]:
    """Return where two breakers part, as a replay finds it; *known* is what it knows beside."""
    if kind is None:
        kind = NO_OUTCOME if NO_OUTCOME in (legacy.outcome, unified.outcome) else VALUE
    facts = Facts("acall", Stage.SHADOW, Side.LEGACY, write=tuple(known.items()))
    return Difference(kind, path, legacy, unified), facts, "resilience.breaker"


def failed(times: int, *delays: float, error: str = DOWN, outcome: str = "", state: str | None = None) -> Trace:
    """Return what a side did that called *times* times, which all failed; it raised the last error unless *outcome* says otherwise."""
    return Trace(times, (error,) * times, delays, outcome or f"error {times}", state)


def went_on(times: int, *delays: float, error: str = DOWN, outcome: str = "") -> Trace:
    """Return what a side did whose last attempt succeeded, or was not recorded."""
    return Trace(times, (error,) * (times - 1), delays, outcome or f"result {times}")


def rejected(by: str, state: str | None = None) -> Trace:
    """Return what a side did that did not call."""
    return Trace(0, (), (), by, state)


def called(outcome: str, state: str) -> Trace:
    """Return what a breaker did that let the call through."""
    return Trace(1, (DOWN,) if outcome == "error 1" else (), (), outcome, state)


CUT_SHORT = failed(2, 1.0, 2.0, outcome=BUDGET)
HIDDEN = failed(1, 1.0, outcome=BREAKER)
TWIN_WOULD = went_on(3, 1.0, 2.0, outcome=NO_OUTCOME)

TAKEN = [
    ("SC-01", *wait("exponential", 62_914_560.0, DAY_S)),
    ("SC-01", *wait("fibonacci", float("inf"), DAY_S)),
    ("SC-01", *wait("exponential", StandIn("OverflowError"), DAY_S)),
    ("SC-01", *wait("Linear", 62_914_560.0, DAY_S)),
    ("SC-01", *wait("Linear", StandIn("OverflowError"), 0.0)),
    ("SC-02", *wait("exponential", 30.0, refused("retry_count"))),
    ("SC-02", *wait("fixed", 60.0, refused("retry_count"))),
    ("SC-08", *wait("Linear", 480.0, 240.0)),
    ("SC-08", *wait("FIXED", 480.0, 60.0)),
    ("SC-08", *wait("quadratic", 480.0, refused("strategy"))),
    ("SC-02", *wait("linear", -20.0, refused("base_delay"))),
    ("SC-02", *wait("linear", float("nan"), refused("base_delay"))),
    ("RT-01", *retry("admitted.again", CUT_SHORT, TWIN_WOULD)),
    ("RT-01", *retry("admitted.again", CUT_SHORT, failed(4, 1.0, 2.0, 4.0))),
    ("RT-01", *retry("admitted.again", CUT_SHORT, went_on(3, 1.0, 2.0))),
    ("RT-02", *retry("retried.ConnectionError", CUT_SHORT, failed(2, 1.0), policy="validation")),
    ("RT-20", *retry("admitted.again", HIDDEN, went_on(2, 1.0, outcome=NO_OUTCOME))),
    ("RT-20", *retry("admitted.again", HIDDEN, failed(4, 1.0, 2.0, 4.0))),
    (
        "RT-20",
        *retry("retried.ConnectionError", failed(2, 1.0, 2.0, outcome=BREAKER), failed(2, 1.0), policy="validation"),
    ),
    ("RT-16", *retry("admitted", rejected(BREAKER), went_on(1, outcome=NO_OUTCOME))),
    ("RT-16", *retry("admitted", rejected(BREAKER), went_on(1))),
    ("RT-16", *retry("admitted", rejected(BREAKER), failed(4, 1.0, 2.0, 4.0))),
    (
        "RT-05",
        *retry("retried.BrokenPipeError", failed(1, error="BrokenPipeError"), went_on(2, 1.0, outcome=NO_OUTCOME)),
    ),
    ("RT-05", *retry("retried.ConnectionResetError", failed(2, 1.0), went_on(3, 1.0, 2.0))),
    ("RT-06", *retry("retried.PoolTimeout", failed(1, error="PoolTimeout"), went_on(2, 1.0))),
    ("RT-07", *retry("retried.HTTPStatusError.301", went_on(2, 1.0), failed(1))),
    ("RT-07", *retry("retried.HTTPStatusError.501", CUT_SHORT, failed(1))),
    ("RT-07", *retry("retried.HTTPStatusError.304", went_on(2, 1.0, outcome=NO_OUTCOME), failed(1))),
    ("RT-08", *retry("retried.HTTPStatusError.429", failed(1), went_on(2, 1.0))),
    (
        "RT-08",
        *retry("delays", went_on(2, 1.0, error="HTTPStatusError.503"), went_on(2, 7.0, error="HTTPStatusError.503")),
    ),
    (
        "RT-08",
        *retry("delays", went_on(3, 0.95, 2.0, error="HTTPError.429"), went_on(3, 1.05, 60.0, error="HTTPError.429")),
    ),
    ("RE-02", *retry("retried.HTTPError.503", failed(1, error="HTTPError.503"), went_on(2, 1.0))),
    ("MT-02", *retry("retried.ConnectionError", went_on(5, 1.0, 2.0, 4.0, 8.0), failed(4, 1.0, 2.0, 4.0))),
    (
        "MT-02",
        *retry("retried.TimeoutError", went_on(5, 1.0, 2.0, 4.0, 8.0, outcome=NO_OUTCOME), failed(4, 1.0, 2.0, 4.0)),
    ),
    ("MT-02", *retry("retried.ConnectionError", failed(3, 1.0, 2.0), went_on(4, 0.5, 1.0, 2.0), policy="network")),
    ("MT-02", *retry("delays", went_on(3, 0.9, 2.2), went_on(3, 0.55, 0.9), policy="network")),
    ("MT-02", *retry("delays", went_on(2, 1.1), went_on(2, 30.0), policy="webhook")),
    ("RE-01", *retry("admitted", went_on(1), rejected("PolicyInvalid"), policy="standart")),
    ("RE-01", *retry("admitted", went_on(1, outcome=NO_OUTCOME), rejected("PolicyInvalid"), policy="aggressive")),
    ("RE-07", *breaker("outcome", rejected(VIOLATION, "open"), rejected(OPEN_ERROR, "open"), kind="error")),
    ("RE-07", *breaker("outcome", rejected(VIOLATION, "open"), rejected(OPEN_ERROR, "half_open"), kind="error")),
    ("PF-03", *breaker("state", called("error 1", "open"), called("error 1", "closed"))),
    (
        "PF-03",
        *breaker(
            "state", called("error 1", "open"), called("error 1", "closed"), failed_ago_s=(0.0, 13.0, 26.0, 39.0, 55.0)
        ),
    ),
    ("PF-03", *breaker("admitted", rejected(VIOLATION, "open"), called(NO_OUTCOME, "closed"))),
    ("PF-03", *breaker("admitted", rejected(VIOLATION, "open"), called("error 1", "open"), unified_before="closed")),
    ("PF-01", *breaker("admitted", rejected(VIOLATION, "open"), called(NO_OUTCOME, "half_open"))),
    (
        "PF-01",
        *breaker("admitted", rejected(VIOLATION, "open"), called("result 1", "closed"), unified_before="half_open"),
    ),
    ("PF-01", *breaker("state", called("result 1", "open"), called("result 1", "half_open"))),
]
NEAR_MISSES = {
    "SC-01, a text": wait("exponential", "62914560", DAY_S),
    "SC-08, a text": wait("Linear", "480", "240"),
    "SC-08, another error": wait("quadratic", 480.0, StandIn("TypeError")),
    "RT-16, unified raises an error of its own after an attempt": retry(
        "admitted", rejected(BREAKER), failed(1, outcome="KeyError")
    ),
    "RE-02, legacy gives a server in trouble up": retry("retried.HTTPStatusError.503", failed(1), went_on(2, 1.0)),
    "RT-08, the wait after is wrong": retry(
        "delays",
        Trace(3, ("HTTPStatusError.503", DOWN), (1.0, 2.0), "result 3"),
        Trace(3, ("HTTPStatusError.503", DOWN), (7.0, 3.0), "result 3"),
    ),
    "MT-02, unified stops with another error": retry(
        "retried.ConnectionError", went_on(5, 1.0, 2.0, 4.0, 8.0), failed(4, 1.0, 2.0, 4.0, outcome="error 1")
    ),
    "RT-05, only legacy goes on, and fails": retry(
        "retried.BrokenPipeError", failed(2, 1.0, error="BrokenPipeError"), failed(1, error="BrokenPipeError")
    ),
    "PF-03, legacy rejects while it is closed": breaker(
        "admitted", rejected(VIOLATION, "closed"), called("result 1", "closed")
    ),
    "PF-03, unified raises an error of its own": breaker(
        "admitted", rejected(VIOLATION, "open"), called("KeyError", "closed")
    ),
    "SC-01, unified waits less than its longest": wait("exponential", 62_914_560.0, 43_200.0),
    "SC-01, legacy waits less than a day": wait("exponential", 50_000.0, DAY_S),
    "SC-01, the other way round": wait("exponential", DAY_S, 62_914_560.0),
    "SC-01, another error": wait("exponential", StandIn("TypeError"), DAY_S),
    "SC-01, unified has no wait": wait("exponential", StandIn("OverflowError"), None),
    "SC-01, a truth": wait("exponential", True, DAY_S),
    "SC-02, refused for its base": wait(
        "exponential", 30.0, StandIn("PolicyInvalid", (("where", "retry policy 'x'"),))
    ),
    "SC-02, another error": wait("exponential", 30.0, StandIn("TypeError")),
    "SC-02, the other way round": wait("exponential", refused("retry_count"), 30.0),
    "SC-02, no wait": wait("exponential", None, refused("retry_count")),
    "SC-08, a strategy that both know": wait("linear", 480.0, 240.0),
    "SC-08, exponential in another case": wait("Exponential", 480.0, 240.0),
    "SC-08, a strategy that nobody knows": wait("Quadratic", 480.0, 240.0),
    "SC-08, a known strategy is refused": wait("linear", 480.0, refused("strategy")),
    "SC-08, one in another case is refused": wait("Linear", 480.0, refused("strategy")),
    "SC-02, a base, the other way round": wait("linear", refused("base_delay"), -20),
    "SC-02, a base, another error": wait("linear", -20.0, StandIn("ValueError")),
    "RT-01, unified ends too": retry("admitted.again", CUT_SHORT, rejected(OPEN_ERROR)),
    "RT-01, unified is the one that is cut": retry("admitted.again", went_on(3, 1.0, 2.0), CUT_SHORT),
    "RT-01, another error": retry("admitted.again", failed(2, 1.0, 2.0, outcome="BulkheadFullError"), TWIN_WOULD),
    "RT-01, before the first attempt": retry("admitted", rejected(BUDGET), went_on(1)),
    "RT-01, unified raises an error of its own": retry(
        "admitted.again", CUT_SHORT, failed(3, 1.0, 2.0, outcome="KeyError")
    ),
    "RT-02, unified raises another one": retry("retried.ConnectionError", CUT_SHORT, failed(2, 1.0, outcome="error 1")),
    "RT-02, unified gave up sooner": retry("retried.ConnectionError", CUT_SHORT, failed(1)),
    "RT-02, no outcome": retry("retried.ConnectionError", failed(2, 1.0), TWIN_WOULD),
    "RT-20, unified ends by itself too": retry("admitted.again", HIDDEN, failed(2, 1.0, outcome="KeyError")),
    "RT-20, another error": retry("admitted.again", failed(1, 1.0, outcome=OPEN_ERROR), went_on(2, 1.0)),
    "RT-20, unified is the one that hides it": retry(
        "admitted.again", went_on(2, 1.0), failed(1, 1.0, outcome=BREAKER)
    ),
    "RT-20, unified gave up sooner": retry("retried.ConnectionError", failed(2, 1.0, 2.0, outcome=BREAKER), failed(1)),
    "RT-16, unified refuses too": retry("admitted", rejected(BREAKER), rejected(OPEN_ERROR)),
    "RT-16, unified refuses alone": retry("admitted", went_on(1), rejected(BREAKER)),
    "RT-16, another error": retry("admitted", rejected("KeyError"), went_on(1)),
    "RT-05, only legacy goes on": retry("retried.BrokenPipeError", went_on(2, 1.0), failed(1, error="BrokenPipeError")),
    "RT-05, an error that no side tries again": retry(
        "retried.ValueError", failed(1, error="ValueError"), went_on(2, 1.0)
    ),
    "RT-05, the class itself": retry("retried.ConnectionError", failed(1), went_on(2, 1.0)),
    "RT-05, legacy succeeded": retry("retried.BrokenPipeError", went_on(1), went_on(2, 1.0)),
    "RT-06, only legacy goes on": retry("retried.PoolTimeout", went_on(2, 1.0), failed(1, error="PoolTimeout")),
    "RT-06, one of legacy's three": retry("retried.ReadTimeout", failed(1, error="ReadTimeout"), went_on(2, 1.0)),
    "RT-06, what will not pass": retry("retried.UnsupportedProtocol", failed(1), went_on(2, 1.0)),
    "RT-07, only unified goes on": retry("retried.HTTPStatusError.301", failed(1), went_on(2, 1.0)),
    "RT-07, a status that is worth it": retry("retried.HTTPStatusError.503", went_on(2, 1.0), failed(1)),
    "RT-07, a mistake of the caller": retry("retried.HTTPStatusError.404", went_on(2, 1.0), failed(1)),
    "RT-07, another client": retry("retried.HTTPError.301", went_on(2, 1.0), failed(1)),
    "RT-08, only legacy goes on": retry("retried.HTTPStatusError.429", went_on(2, 1.0), failed(1)),
    "RT-08, another status": retry("retried.HTTPStatusError.404", failed(1), went_on(2, 1.0)),
    "RT-08, no status": retry("delays", went_on(2, 1.0), went_on(2, 7.0)),
    "RT-08, longer than it grants": retry(
        "delays", went_on(2, 1.0, error="HTTPStatusError.503"), went_on(2, 61.0, error="HTTPStatusError.503")
    ),
    "RT-08, shorter than by itself": retry(
        "delays", went_on(2, 1.0, error="HTTPStatusError.503"), went_on(2, 0.5, error="HTTPStatusError.503")
    ),
    "RT-08, legacy's wait is wrong": retry(
        "delays", went_on(2, 3.0, error="HTTPStatusError.503"), went_on(2, 7.0, error="HTTPStatusError.503")
    ),
    "RT-08, a policy that nobody knows": retry(
        "delays",
        went_on(2, 1.0, error="HTTPStatusError.503"),
        went_on(2, 7.0, error="HTTPStatusError.503"),
        policy="standart",
    ),
    "RE-02, no status": retry("retried.HTTPError", failed(1, error="HTTPError"), went_on(2, 1.0)),
    "RE-02, a mistake of the caller": retry("retried.HTTPError.404", failed(1, error="HTTPError.404"), went_on(2, 1.0)),
    "RE-02, only legacy goes on": retry("retried.HTTPError.503", went_on(2, 1.0), failed(1, error="HTTPError.503")),
    "MT-02, unified stops too soon": retry(
        "retried.ConnectionError", went_on(5, 1.0, 2.0, 4.0, 8.0), failed(3, 1.0, 2.0)
    ),
    "MT-02, legacy stops too soon": retry(
        "retried.ConnectionError", failed(4, 1.0, 2.0, 4.0), went_on(5, 1.0, 2.0, 4.0, 8.0)
    ),
    "MT-02, unified goes on for too long": retry(
        "retried.ConnectionError", failed(2, 1.0), went_on(5, 1.0, 2.0, 4.0, 8.0), policy="validation"
    ),
    "MT-02, a policy that nobody knows": retry(
        "retried.ConnectionError", went_on(5, 1.0, 2.0, 4.0, 8.0), failed(4, 1.0, 2.0, 4.0), policy="standart"
    ),
    "MT-02, unified waits too long": retry("delays", went_on(2, 1.0), went_on(2, 0.7), policy="network"),
    "MT-02, legacy waits too short": retry("delays", went_on(2, 0.5), went_on(2, 0.5), policy="network"),
    "MT-02, above the cap": retry("delays", went_on(2, 1.0), went_on(2, 1.05), policy="validation"),
    "MT-02, the second wait is wrong": retry("delays", went_on(3, 1.0, 2.0), went_on(3, 0.5, 2.0), policy="network"),
    "RE-01, a policy that both know": retry("admitted", went_on(1), rejected("PolicyInvalid")),
    "RE-01, another error": retry("admitted", went_on(1), rejected("KeyError"), policy="standart"),
    "RE-01, legacy refuses": retry("admitted", rejected("PolicyInvalid"), went_on(1), policy="standart"),
    "RE-07, another error of unified's": breaker(
        "outcome", rejected(VIOLATION, "open"), rejected("PolicyInvalid"), kind="error"
    ),
    "RE-07, another error of legacy's": breaker(
        "outcome", rejected("KeyError", "open"), rejected(OPEN_ERROR, "open"), kind="error"
    ),
    "RE-07, only unified rejects": breaker("admitted", called("result 1", "closed"), rejected(OPEN_ERROR, "open")),
    "PF-03, only unified opens": breaker("state", called("error 1", "closed"), called("error 1", "open")),
    "PF-03, five failures in a row": breaker(
        "state", called("error 1", "open"), called("error 1", "closed"), failed_ago_s=(0.0, 13.0, 26.0, 39.0, 52.0)
    ),
    "PF-03, unified is half-open": breaker("state", called("error 1", "open"), called("error 1", "half_open")),
    "PF-03, after a success": breaker("state", called("result 1", "open"), called("result 1", "closed")),
    "PF-03, legacy rejects with another error": breaker(
        "admitted", rejected("KeyError", "open"), called("result 1", "closed")
    ),
    "PF-03, unified opened before": breaker(
        "admitted", rejected(VIOLATION, "open"), called("result 1", "closed"), unified_before="open"
    ),
    "PF-03, only unified rejects": breaker("admitted", called("result 1", "closed"), rejected(OPEN_ERROR, "open")),
    "PF-01, the first probe comes too soon": breaker(
        "admitted", rejected(VIOLATION, "open"), called("result 1", "half_open"), unified_before="open"
    ),
    "PF-01, only legacy lets one through": breaker(
        "admitted", called("result 1", "half_open"), rejected(OPEN_ERROR, "open")
    ),
    "PF-01, unified opens too": breaker("state", called("error 1", "half_open"), called("error 1", "open")),
    "PF-01, legacy has closed": breaker("state", called("result 1", "closed"), called("result 1", "half_open")),
}


def found(difference: Difference, facts: Facts, seam: str) -> str | None:
    """Return the id of the rule that takes *difference*."""
    rule = matching_rule(RULES, seam, difference, facts)
    return rule.id if rule else None


@pytest.mark.parametrize(("id_", "difference", "facts", "seam"), TAKEN)
def test_taken(id_: str, difference: Difference, facts: Facts, seam: str) -> None:
    """Each rule takes its own quirk."""
    assert id_ == found(difference, facts, seam)


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_near_miss(name: str) -> None:
    """No rule takes what only looks like its quirk."""
    assert None is found(*NEAR_MISSES[name])


@pytest.mark.parametrize("seam", ["resilience.backoff", "resilience.retry", "resilience.breaker"])
def test_no_rule_takes_another_seam(seam: str) -> None:
    """A rule takes nothing of another seam."""
    assert [] == [id_ for id_, difference, facts, own in TAKEN if own != seam and found(difference, facts, seam)]


def test_each_rule_has_both() -> None:
    """Every id of the file has a quirk that it takes and near misses here, and there are no others."""
    ids = {rule.id for rule in RULES}

    assert (ids, ids) == ({taken[0] for taken in TAKEN}, {name.split(",")[0] for name in NEAR_MISSES})


def test_each_predicate_is_used() -> None:
    """No predicate lies around for a rule that is not there."""
    assert set(PREDICATES) == {rule.when for rule in RULES}


def test_rules_run_out() -> None:
    """Every rule has an owner, a reason and one date on which somebody looks at it again; all of them change something for callers."""
    assert {("platform-resilience", dt.date(2027, 6, 30), KnownClass.ACCEPTED)} == {
        (rule.owner, rule.expires, rule.klass) for rule in RULES
    }
    assert [] == [rule.id for rule in RULES if len(rule.reason) < 40]


def test_anchors() -> None:
    """Every rule points to a place of the migration guide that is there."""
    guide = (Path(__file__).parents[3] / "docs/migration/resilience.md").read_text("utf-8")

    assert [] == [rule.id for rule in RULES if f'<a id="{rule.anchor.split("#")[1]}"></a>' not in guide]
    assert {f"docs/migration/resilience.md#{rule.id.lower()}" for rule in RULES} == {rule.anchor for rule in RULES}


@pytest.mark.parametrize("policy", RETRY_POLICIES)
def test_numbers_of_the_policies(policy: str) -> None:
    """The numbers that the rules go by are those of both wings."""
    own, others = POLICIES[policy]
    legacy, unified = RetryStrategyAdapter(), DependencyRetries()
    attempts = range(1, 12)

    assert others.attempts == RETRY_POLICIES[policy].max_attempts
    assert own.attempts == legacy._configs.get(policy, legacy._default).max_attempts
    for side, numbers in ((legacy, own), (unified, others)):
        bands = [side.delay_band(attempt, operation="op", policy=policy) for attempt in attempts]
        assert [pytest.approx(band) for band in bands] == [
            (numbers.least(attempt), numbers.most(attempt)) for attempt in attempts
        ]


def test_words_of_the_unified_wing() -> None:
    """Policies, strategies and statuses that the rules know are those of the unified wing."""
    assert (set(POLICIES), STRATEGIES) == (set(RETRY_POLICIES), {name.value for name in UNIFIED_STRATEGIES})
    assert {str(status) for status in RETRIED_STATUS} == RETRIED_STATUSES


def test_paths() -> None:
    """A rule of retries holds for every policy, one of breakers for no other path than it names."""
    paths = {rule.seam: {other.path for other in RULES if other.seam == rule.seam} for rule in RULES}

    assert all(re.match(r"\*\.\w", path) for path in paths["resilience.retry"])
    assert {"outcome", "state", "admitted"} == paths["resilience.breaker"]
