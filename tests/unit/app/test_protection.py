"""The retry around the breaker around an attempt, with both wings."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from oms.app.protection import NotDone, Protection
from oms.seams.resilience import living_in
from oms.testing import VirtualTime
from oms.unified.resilience import CircuitOpenError
from tests.unit.app.neighbours import facades_of

WINGS = pytest.mark.parametrize("wing", ["legacy", "unified"])


class Attempts:
    """Raises *errors*, one an attempt, then returns ``done``."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.made = 0

    async def __call__(self) -> str:
        self.made += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def ends_of(wing: str, *calls: Attempts, once: bool = False) -> list[Any]:
    """Return what each call came to, all of them one after another on one dependency; waits take no time."""
    facades = facades_of(wing)
    protection = Protection(facades.retry, facades.breaker)

    async def go() -> list[Any]:
        ends: list[Any] = []
        for attempts in calls:
            made = (
                protection.acall_once(attempts, name="x")
                if once
                else protection.acall(attempts, name="x", policy="standard")
            )
            try:
                ends.append(await made)
            except Exception as error:
                ends.append(error)
        return ends

    with living_in(VirtualTime().source):
        return asyncio.run(go())


def busy() -> httpx.ConnectError:
    """Return an error that both wings retry."""
    return httpx.ConnectError("down")


@WINGS
def test_healed_by_a_retry(wing: str) -> None:
    """An attempt that fails once is made again."""
    attempts = Attempts(busy())

    assert (["done"], 2) == (ends_of(wing, attempts), attempts.made)


@WINGS
def test_an_error_that_is_none_to_retry(wing: str) -> None:
    """It is raised as it is, the very object, after one attempt."""
    error = ValueError("no")
    attempts = Attempts(error)
    (end,) = ends_of(wing, attempts)

    assert (True, 1) == (end is error, attempts.made)


def test_an_error_in_the_place_of_another() -> None:
    """Where legacy's budget raises an error of its own, what the last attempt raised is still there to be told (RT-02)."""
    errors = [busy() for _ in range(4)]
    (end,) = ends_of("legacy", Attempts(*errors))

    assert isinstance(end, NotDone)
    assert errors[1] is end.last
    assert "RetryBudgetExhaustedError" == type(end.__cause__).__name__


def test_retries_that_are_spent() -> None:
    """Unified raises what the last attempt raised, and so does the protection."""
    errors = [busy() for _ in range(4)]
    (end,) = ends_of("unified", Attempts(*errors))

    assert errors[-1] is end


@WINGS
def test_nothing_is_let_through(wing: str) -> None:
    """While the breaker is open no attempt is made, whichever wing's it is, and there is no last error to tell."""
    failing = [Attempts(ValueError("no")) for _ in range(5)]
    late = Attempts()
    *_, end = ends_of(wing, *failing, late)

    assert isinstance(end, NotDone)
    assert (None, 0) == (end.last, late.made)


def test_breaker_is_inside_the_retry() -> None:
    """It counts attempts: two calls of four and one attempts are five failures."""
    first, second = Attempts(*[busy() for _ in range(4)]), Attempts(*[busy() for _ in range(4)])
    *_, end = ends_of("unified", first, second)

    assert (4, 1) == (first.made, second.made)
    assert isinstance(end, NotDone)
    assert isinstance(end.__cause__, CircuitOpenError)
    assert isinstance(end.last, httpx.ConnectError)


@WINGS
def test_once(wing: str) -> None:
    """What must not be repeated is attempted once, and counts for the breaker all the same."""
    failing = [Attempts(busy()) for _ in range(5)]
    late = Attempts()
    *ends, last = ends_of(wing, *failing, late, once=True)

    assert [1] * 5 == [each.made for each in failing]
    assert all(isinstance(end, httpx.ConnectError) for end in ends)
    assert (True, 0) == (isinstance(last, NotDone), late.made)


@WINGS
def test_cancellation_passes(wing: str) -> None:
    """Whoever is cancelled is cancelled: it is no failure of anybody."""
    facades = facades_of(wing)

    async def go() -> bool:
        protection = Protection(facades.retry, facades.breaker)
        task = asyncio.create_task(protection.acall(asyncio.Event().wait, name="x", policy="standard"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(go())
