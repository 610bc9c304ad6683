"""Retry as the middleware had it.

Kept as it was. Its quirks are RB-01 to RB-05 of the legacy reference; ``tests/unit/legacy`` pins each.
"""

from __future__ import annotations

import functools
from typing import Any

from oms.seams.resilience import TIME


def exponential_backoff(attempt: int, base_delay: float = 1.0, max_delay: float = 60.0) -> float:
    """Return the seconds to wait after *attempt*, counted from 0; jitter comes on top of the cap (RB-04)."""
    delay = min(base_delay * 2**attempt, max_delay)
    return delay + TIME.get().uniform(0, 0.1 * delay)


def retry_with_backoff(max_attempts: int = 3, base_delay: float = 1.0) -> Any:
    """Return a decorator for an async function. A plain one runs as often as there are attempts, and then fails (RB-05)."""

    def decorator(func: Any) -> Any:
        @functools.wraps(func)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            for attempt in range(max_attempts):
                try:
                    return await func(*args, **kwargs)
                except Exception:  # RB-01: every error is retried
                    if attempt == max_attempts - 1:
                        raise
                await TIME.get().asleep(exponential_backoff(attempt, base_delay))  # RB-03: nobody can tell it the cap
            raise Exception("Max retry attempts exceeded")  # RB-02: without having called

        return wrapper

    return decorator
