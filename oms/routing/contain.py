"""What the side beside may raise without the caller noticing, and what must pass."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

CONTAINED: tuple[type[BaseException], ...] = (Exception, SystemExit, GeneratorExit, asyncio.CancelledError)
"""Everything but KeyboardInterrupt, which in the caller's thread is meant for the caller."""

INSIDE: ContextVar[bool] = ContextVar("oms_inside_candidate", default=False)
"""True within a candidate: a facade called from there passes straight through, else one call would become 2**depth."""


def is_own_cancellation(error: BaseException) -> bool:
    """Tell whether *error* is the cancellation of the present task, and not one that the awaited side made up."""
    return isinstance(error, asyncio.CancelledError) and is_being_cancelled()


def is_being_cancelled() -> bool:
    """Tell whether somebody has asked for the present task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
