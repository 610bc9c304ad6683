"""Which errors may be others the next time, and how long a server asks us to wait."""

from __future__ import annotations

import email.utils
import math
import sys

from oms.seams.resilience import TimeSource
from oms.unified.resilience.errors import CircuitOpenError
from oms.unified.resilience.policies import RETRIED_STATUS, RetryPolicy


def may_pass(error: Exception, policy: RetryPolicy) -> bool:
    """Tell whether *policy* tries again after *error*."""
    if isinstance(error, (CircuitOpenError, *policy.give_up_on)):
        return False
    return is_transient(error) if policy.retry_on is None else isinstance(error, policy.retry_on)


def is_transient(error: Exception) -> bool:
    """Tell whether *error* is a connection or a time limit that failed, or an HTTP status of a server in trouble."""
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    status = status_of(error)
    return status in RETRIED_STATUS if status is not None else _is_httpx_transport(error)


def status_of(error: Exception) -> int | None:
    """Return the HTTP status that *error* or its response carries, None if there is none."""
    for holder in (getattr(error, "response", None), error):
        for name in ("status_code", "status"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and not isinstance(status, bool):
                return status
    return None


def retry_after(error: Exception, source: TimeSource) -> float | None:
    """Return the seconds that the server asked us to wait, 0 or more; None if it did not, or not in a way that can be read."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    try:
        told = headers.get("Retry-After") or headers.get("retry-after")
    except (AttributeError, TypeError):
        return None
    return None if told is None else _seconds(str(told).strip(), source)


def _seconds(told: str, source: TimeSource) -> float | None:
    try:
        seconds = float(told)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(told).timestamp() - source.wall()
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)


def _is_httpx_transport(error: Exception) -> bool:
    # Who never imported httpx has none of its errors.
    httpx = sys.modules.get("httpx")
    if httpx is None:
        return False
    return isinstance(error, httpx.TransportError) and not isinstance(
        error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
    )
