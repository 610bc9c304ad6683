"""Quirks SC-01 to SC-08 of the schedule calculator, each by its id; SC-04 belongs to a later version that cannot run."""

from __future__ import annotations

import datetime as dt
import logging

import pytest

from oms.legacy.core.scheduler.schedule_calculator import DefaultScheduleCalculator

MONDAY = dt.datetime(2025, 6, 30, tzinfo=dt.UTC)
CALCULATOR = DefaultScheduleCalculator()


@pytest.mark.parametrize(
    ("strategy", "delays"),
    [
        ("exponential", [60, 120, 240, 480, 960, 1920]),
        ("linear", [60, 120, 180, 240, 300, 360]),
        ("fixed", [60] * 6),
        ("fibonacci", [60, 60, 120, 180, 300, 480]),
    ],
)
def test_delays(strategy: str, delays: list[int]) -> None:
    """The waits of the first six retries are the reference's."""

    assert delays == [CALCULATOR.calculate_retry_delay(60, n, strategy) for n in range(6)]


def test_sc_01() -> None:
    """Nothing caps a wait: the twenty-first is two years."""

    assert 62_914_560 == CALCULATOR.calculate_retry_delay(60, 20)


def test_sc_02() -> None:
    """A negative count gives half of the base, as a float."""
    delay = CALCULATOR.calculate_retry_delay(60, -1)

    assert (30.0, float) == (delay, type(delay))


def test_sc_03() -> None:
    """Counts begin at 0: whoever hands on a count that begins at 1 waits twice as long, and never the first wait."""

    assert [60, 120] == [CALCULATOR.calculate_retry_delay(60, n) for n in (0, 1)]


def test_sc_05() -> None:
    """After Friday's hours the next start is Saturday's."""
    friday = MONDAY + dt.timedelta(days=4, hours=18)

    assert dt.timedelta(hours=15) == CALCULATOR.calculate_business_hours_delay(friday)


def test_sc_06() -> None:
    """Hours that were asked for are not those that are checked: at 08:30 with a start at 8 it waits for tomorrow."""
    half_past_eight = MONDAY + dt.timedelta(hours=8, minutes=30)

    assert dt.timedelta(hours=23, minutes=30) == CALCULATOR.calculate_business_hours_delay(
        half_past_eight, business_start=8
    )


def test_sc_07() -> None:
    """Four next runs are one run four times."""

    assert [MONDAY + dt.timedelta(minutes=5)] * 4 == CALCULATOR.get_next_n_runs("interval:minutes:5", n=4, now=MONDAY)


def test_sc_08(caplog: pytest.LogCaptureFixture) -> None:
    """A strategy in another case is unknown, and exponential all the same."""
    with caplog.at_level(logging.WARNING):
        delay = CALCULATOR.calculate_retry_delay(60, 1, "Linear")

    assert (240 // 2, ["Unknown retry strategy: Linear"]) == (delay, caplog.messages)


def test_triggers() -> None:
    """An interval counts from now, a date fires once, anything else is an error or None."""

    assert MONDAY + dt.timedelta(hours=1) == CALCULATOR.calculate_next_run("interval:hours:1", MONDAY)
    assert MONDAY == CALCULATOR.calculate_next_run(f"date:{MONDAY.isoformat()}", MONDAY)
    assert CALCULATOR.calculate_next_run("nonsense", MONDAY) is None
    with pytest.raises(TypeError):
        CALCULATOR.parse_trigger("interval:fortnights:1")


def test_business_hours() -> None:
    """Monday to Friday from 9, to 17 and not beyond; within them nothing is waited, before them until they begin."""
    hours = [CALCULATOR.is_business_hours(MONDAY + dt.timedelta(hours=hour)) for hour in (8, 9, 16, 17)]

    assert [False, True, True, False] == hours
    assert dt.timedelta(0) == CALCULATOR.calculate_business_hours_delay(MONDAY + dt.timedelta(hours=9))
    assert dt.timedelta(hours=9) == CALCULATOR.calculate_business_hours_delay(MONDAY)


def test_weights() -> None:
    """Priorities weigh a quarter, one, two and four; an unknown one weighs as a normal one."""
    names = ("LOW", "normal", "HIGH", "CRITICAL", "URGENT")

    assert [0.25, 1, 2, 4, 1] == [CALCULATOR.calculate_job_priority_weight(name) for name in names]
