"""What `oms migrate resilience` says of legacy and of unified is so: both programs are run, in virtual time, and their calls counted."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from oms.legacy.utils import retry_strategy
from oms.migration.resilience.reading import _POSITIONS
from oms.migration.resilience.rewriting import Moved, Options, rewrite
from oms.migration.resilience.terms import PRESETS, Legacy, Unified
from oms.migration.scan.source import Source, always, parse_source
from oms.seams.resilience import living_in
from oms.testing import VirtualTime
from oms.unified.resilience.policies import RETRIED_STATUS, RETRY_POLICIES

OPTIONS = Options(Unified(RETRY_POLICIES, RETRIED_STATUS))


def test_parameters() -> None:
    """The positions of RetryConfig are legacy's own, and so are all defaults but the empty sets."""
    parameters = dict(inspect.signature(retry_strategy.RetryConfig).parameters)

    assert list(parameters) == list(_POSITIONS)
    assert [parameters[each.name].default for each in fields(Legacy)] == [each.default for each in fields(Legacy)]


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name: str) -> None:
    """Each preset's numbers are legacy's own."""
    config = getattr(retry_strategy, name, None)
    if config is None:
        config = retry_strategy.RetryConfig.for_strategy(retry_strategy.RetryStrategy[name])
    legacy, policy = PRESETS[name]

    told = {each.name: getattr(legacy, each.name) for each in fields(Legacy) if "exceptions" not in each.name}
    assert told == {key: getattr(config, key) for key in told}
    assert policy in RETRY_POLICIES


def migrated(program: str) -> tuple[str, Moved]:
    """Return *program* rewritten, and the terms of its function."""
    source = parse_source(Path("a.py"), "a.py", program.encode(), wanted=always)
    assert isinstance(source, Source)
    done = rewrite(source, OPTIONS, elsewhere=lambda word: False)
    (moved,) = [each for each in done.moved if each.where == "f"]
    return done.raw.decode(), moved


def waits(program: str, error: type[Exception], *, warm: bool) -> list[float]:
    """Run *program*, whose ``f`` fails with *error*, and return what it slept; *warm* lets many calls succeed first."""
    return lived(program, error, warm=warm)[1]


def calls(program: str, error: type[Exception], *, warm: bool) -> int:
    """Do the same and return how often the body ran."""
    return lived(program, error, warm=warm)[0]


def lived(program: str, error: type[Exception], *, warm: bool) -> tuple[int, list[float]]:
    """Run *program* and return how often the body of ``f`` ran in the failing call, and what was slept."""
    for kept in (retry_strategy._circuit_breakers, retry_strategy._retry_budgets):
        kept.clear()
    names: dict[str, Any] = {"__name__": "tests.unit.legacy.program", "fails": None, "ran": []}
    exec(program, names)
    virtual = VirtualTime()

    async def go() -> None:
        for _ in range(200 * warm):
            await names["f"]()
        names["ran"].clear()
        names["fails"] = error
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it raises in the end
            await names["f"]()

    with living_in(virtual.source):
        asyncio.run(go())
    return len(names["ran"]), virtual.sleeps


BODY = "async def f():\n    ran.append(1)\n    if fails: raise fails\n"
PROGRAMS = {
    "backoff": f"from oms.legacy.middleware.common import retry_with_backoff\n@retry_with_backoff(max_attempts=3)\n{BODY}",
    "backoff5": f"from oms.legacy.middleware.common import retry_with_backoff\n@retry_with_backoff(5, base_delay=20)\n{BODY}",
    "read": f"from oms.legacy.utils.retry_strategy import DB_READ_CONFIG, with_retry\n@with_retry('o', DB_READ_CONFIG)\n{BODY}",
    "write": f"from oms.legacy.utils.retry_strategy import DB_WRITE_CONFIG, with_retry\n@with_retry('o', DB_WRITE_CONFIG)\n{BODY}",
    "critical": f"from oms.legacy.utils.retry_strategy import DB_CRITICAL_CONFIG, with_retry\n@with_retry('o', DB_CRITICAL_CONFIG)\n{BODY}",
    "own": (
        "from oms.legacy.utils.retry_strategy import RetryConfig, with_retry\nC = RetryConfig(max_attempts=6, initial_delay=2, max_delay=9, "
        f"exponential_base=3, retryable_exceptions={{KeyError}}, circuit_breaker_threshold=99)\n@with_retry('o', config=C)\n{BODY}"
    ),
}


ENDED = {
    "max_attempts=8": ("5 of 8, for its breaker opens (RT-20), 2 while few calls went before (RT-01)", 5, 2),
    "max_attempts=9, exponential_base=1, circuit_breaker_timeout=0.5": (
        "9, 2 while few calls went before (RT-01)",
        9,
        2,
    ),
    "max_attempts=4, circuit_breaker_threshold=1": ("1 of 4, for its breaker opens (RT-20)", 1, 1),
    "max_attempts=4, retry_budget_percent=0": ("1 of 4, for its budget refuses more (RT-01)", 1, 1),
    "max_attempts=4, retry_budget_percent=60": ("4, 3 while few calls went before (RT-01)", 4, 3),
    "max_attempts=4, retry_budget_percent=100": ("4", 4, 4),
    "max_attempts=4, initial_delay=6, exponential_base=1, retry_budget_window=8": (
        "3 of 4, for its budget refuses more (RT-03)",
        3,
        3,
    ),
    "max_attempts=4, initial_delay=30, exponential_base=1, retry_budget_window=20": ("4", 4, 4),
}
"""Legacy configurations that end otherwise than they say: the words, the attempts of a warm operation, those of a cold one."""


@pytest.mark.parametrize("config", ENDED)
def test_what_ends_legacy(config: str) -> None:
    """The attempts that are told are those that breaker and budget let legacy make, on a warm operation and on a cold one."""
    program = f"from oms.legacy.utils.retry_strategy import RetryConfig, with_retry\n@with_retry('o', RetryConfig({config}))\n{BODY}"
    _after, moved = migrated(program)
    made = tuple(calls(program, ConnectionError, warm=warm) for warm in (True, False))

    assert ENDED[config] == (moved.before.attempts_text, *made)
    assert (made[0], made[0] - 1) == (moved.before.attempts, len(moved.before.waits_s))


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_programs(name: str) -> None:
    """Legacy makes the attempts and waits that are told as before, the rewritten program those that are told as after."""
    before = PROGRAMS[name]
    after, moved = migrated(before)
    error = KeyError if name == "own" else ConnectionError
    old, new = waits(before, error, warm=True), waits(after, error, warm=True)

    assert (moved.before.attempts, moved.after.attempts) == (len(old) + 1, len(new) + 1)
    assert pytest.approx(list(moved.before.waits_s), rel=0.101) == old
    assert pytest.approx(list(moved.after.waits_s), rel=0.101) == new


def test_cold_operation() -> None:
    """A cold legacy operation makes the two attempts that are told beside the others (RT-01)."""
    _after, moved = migrated(PROGRAMS["read"])

    assert "5, 2 while few calls went before (RT-01)" == moved.before.attempts_text
    # The second wait ends in an error of the budget, without an attempt.
    assert 2 == len(waits(PROGRAMS["read"], ConnectionError, warm=False))


@pytest.mark.parametrize(
    ("name", "error", "before", "after"),
    [
        ("backoff", ValueError, True, False),
        ("read", ConnectionRefusedError, False, True),
        ("read", TimeoutError, True, True),
        ("read", ValueError, False, False),
        ("own", ConnectionError, False, False),
    ],
)
def test_errors(name: str, error: type[Exception], *, before: bool, after: bool) -> None:
    """An error is retried by each side where its terms say so."""
    program = PROGRAMS[name]

    assert before is bool(waits(program, error, warm=True))
    assert after is bool(waits(migrated(program)[0], error, warm=True))


@pytest.mark.parametrize(
    ("sets", "told", "retried"),
    [
        (
            "retryable_exceptions={ValueError}",
            "HTTP statuses but 4xx (RT-07, RT-08); never ValueError, as by default",
            [],
        ),
        (
            "retryable_exceptions={ValueError, KeyError}",
            "KeyError, no subclass (RT-05); HTTP statuses but 4xx (RT-07, RT-08); never ValueError, as by default",
            [KeyError],
        ),
        (
            "retryable_exceptions={ValueError}, non_retryable_exceptions={KeyError}",
            "ValueError, no subclass (RT-05); never KeyError",
            [ValueError],
        ),
        ("retryable_exceptions={KeyError}, non_retryable_exceptions={KeyError}", "never KeyError", []),
    ],
)
def test_told_errors(sets: str, told: str, retried: list[type[Exception]]) -> None:
    """A class in both of legacy's sets is not retried, and neither are some that nobody wrote into the second one."""
    program = f"from oms.legacy.utils.retry_strategy import RetryConfig, with_retry\n@with_retry('o', RetryConfig({sets}))\n{BODY}"
    _after, moved = migrated(program)

    assert told == moved.before.errors
    assert retried == [error for error in (ValueError, KeyError) if waits(program, error, warm=True)]


@pytest.mark.parametrize(
    ("module", "decorator", "ran"),
    [
        ("oms.legacy.middleware.common", "retry_with_backoff()", 3),
        ("oms.legacy.utils.retry_strategy", "with_retry('o')", 1),
    ],
)
def test_plain_programs(module: str, decorator: str, ran: int) -> None:
    """A plain function that succeeds ends in a TypeError before, after as many runs as told, and returns its result after."""
    before = (
        f"from {module} import {decorator.partition('(')[0]}\n@{decorator}\ndef f():\n    ran.append(1)\n    return 7\n"
    )
    after, moved = migrated(before)
    names: dict[str, Any] = {"__name__": "tests.unit.legacy.program", "ran": []}
    with living_in(VirtualTime().source):
        exec(before, names)
        with pytest.raises(TypeError):
            asyncio.run(names["f"]())
        runs = len(names["ran"])
        exec(after, names)

        assert (ran, 7) == (runs, names["f"]())
    assert "what cannot be is a TypeError" in moved.before.result
    assert ("retried" in moved.before.result) is (ran > 1)


def test_told_statuses() -> None:
    """The statuses that are told are those of the policies."""
    _after, moved = migrated(PROGRAMS["read"])

    assert moved.after.errors.endswith("HTTP 408, 429, 500, 502, 503, 504")
