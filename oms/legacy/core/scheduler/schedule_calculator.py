"""When jobs run, and how long a failed one waits.

Kept as it was, but for cron triggers, which need a library that is not here. Its quirks are SC-01 to SC-08 of the legacy reference;
``tests/unit/legacy`` pins each that does not need one.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from typing import Any, List, Optional

logger = logging.getLogger(__name__)

_UNITS = ("seconds", "minutes", "hours", "days", "weeks")


class IntervalTrigger:
    """Fires every so often."""

    def __init__(self, **interval: int) -> None:
        self.interval = timedelta(**interval)

    def get_next_fire_time(self, previous: Optional[datetime], now: datetime) -> datetime:
        """Return the next time after *previous*, which is one interval after *now* if there is none."""
        return (previous or now) + self.interval


class DateTrigger:
    """Fires once."""

    def __init__(self, run_date: datetime) -> None:
        self.run_date = run_date

    def get_next_fire_time(self, previous: Optional[datetime], now: datetime) -> Optional[datetime]:
        """Return its time, if it has not fired."""
        return self.run_date if previous is None else None


class DefaultScheduleCalculator:
    """Times of jobs in UTC."""

    def __init__(self, timezone_str: str = "UTC") -> None:
        self.timezone_str = timezone_str

    def parse_trigger(self, trigger: str) -> Any:
        """Return the trigger that ``interval:<unit>:<int>`` or ``date:<iso>`` describes; a bad unit is a TypeError."""
        kind, _, rest = trigger.partition(":")
        if kind == "interval":
            unit, _, number = rest.partition(":")
            return IntervalTrigger(**{unit: int(number)})
        if kind == "date":
            return DateTrigger(datetime.fromisoformat(rest))
        raise ValueError(f"Unsupported trigger: {trigger}")

    def calculate_next_run(self, trigger: str, now: Optional[datetime] = None) -> Optional[datetime]:
        """Return when *trigger* fires next, None on any error."""
        try:
            return self.parse_trigger(trigger).get_next_fire_time(None, now or datetime.now(timezone.utc))
        except Exception as e:
            logger.error("Cannot calculate next run: %s", type(e).__name__)
            return None

    def get_next_n_runs(self, trigger: str, n: int = 5, now: Optional[datetime] = None) -> List[datetime]:
        """Return *n* times; no earlier one is handed on, so all are the same (SC-07)."""
        moment = now or datetime.now(timezone.utc)
        parsed = self.parse_trigger(trigger)
        runs = (parsed.get_next_fire_time(None, moment) for _ in range(n))
        return [run for run in runs if run is not None]

    def calculate_retry_delay(self, base_delay: int, retry_count: int, strategy: str = "exponential") -> int:
        """Return the seconds before retry number *retry_count*, counted from 0. No cap (SC-01), no check (SC-02)."""
        if strategy == "exponential":
            return base_delay * 2**retry_count
        if strategy == "linear":
            return base_delay * (retry_count + 1)
        if strategy == "fixed":
            return base_delay
        if strategy == "fibonacci":
            return base_delay * self._fibonacci(retry_count + 1)
        logger.warning("Unknown retry strategy: %s", strategy)  # SC-08: its case counts
        return base_delay * 2**retry_count

    def is_business_hours(self, moment: datetime, start_hour: int = 9, end_hour: int = 17) -> bool:
        """Tell whether *moment* is from Monday to Friday, start included, end not."""
        return moment.weekday() < 5 and start_hour <= moment.hour < end_hour

    def calculate_business_hours_delay(self, moment: datetime, business_start: int = 9, business_end: int = 17) -> timedelta:
        """Return how long to wait for business hours."""
        if self.is_business_hours(moment):  # SC-06: of the default hours, whatever was asked for
            return timedelta(0)
        start = moment.replace(hour=business_start, minute=0, second=0, microsecond=0)
        if moment >= start:
            start += timedelta(days=1)  # SC-05: a Saturday is not looked at
        return start - moment

    def calculate_job_priority_weight(self, priority: str) -> float:
        """Return the weight of a priority."""
        return {"LOW": 0.25, "NORMAL": 1.0, "HIGH": 2.0, "CRITICAL": 4.0}.get(priority.upper(), 1.0)

    def _fibonacci(self, n: int) -> int:
        earlier, number = 0, 1
        for _ in range(n - 1):
            earlier, number = number, earlier + number
        return number
