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
    names: dict[str, Any] = {"__name__": "tests.unit.legacy.program", "fails": None}
    exec(program, names)
    virtual = VirtualTime()

    async def go() -> None:
        for _ in range(200 * warm):
            await names["f"]()
        names["fails"] = error
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it raises in the end
            await names["f"]()

    with living_in(virtual.source):
        asyncio.run(go())
    return virtual.sleeps


BODY = "async def f():\n    if fails: raise fails\n"
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


def test_told_statuses() -> None:
    """The statuses that are told are those of the policies."""
    _after, moved = migrated(PROGRAMS["read"])

    assert moved.after.errors.endswith("HTTP 408, 429, 500, 502, 503, 504")
