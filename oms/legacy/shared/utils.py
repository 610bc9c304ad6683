"""What two services of the monolith took for a retry.

Kept as it was. It has the name of ``utils.retry_strategy.with_retry`` and retries nothing: RT-29 of the legacy reference.
"""

from __future__ import annotations

from typing import Any

DB_READ_CONFIG = "read"
DB_WRITE_CONFIG = "write"
DB_CRITICAL_CONFIG = "critical"


def with_retry(operation_name: str = "", config: str = "read") -> Any:
    """Return a decorator that does nothing (RT-29)."""

    def decorator(func: Any) -> Any:
        return func

    return decorator
