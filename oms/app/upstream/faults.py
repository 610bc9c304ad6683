"""What goes wrong with which request: decided by a seed, the endpoint and the request's number there, and by nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

Happens = Callable[[int, float], bool]
"""Tells for a request's number, counted from 0, and its luck, 0 to 1, whether a fault happens to it."""


class Manner(Enum):
    """How a request fails."""

    STATUS = "status"
    """It is answered, with another status than 200."""
    SLOW = "slow"
    """It is answered well, but late."""
    HANG = "hang"
    """It is never answered."""
    RESET = "reset"
    """Its connection is reset: the client's system says ECONNRESET."""
    CLOSE = "close"
    """Its connection is closed in good order, without an answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request.

    Attributes:
        status: Of the answer.
        headers: Of the answer, beside the usual ones.
    """

    manner: Manner
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


SLOW, HANG, RESET, CLOSE = (Fault(manner) for manner in (Manner.SLOW, Manner.HANG, Manner.RESET, Manner.CLOSE))
UNAVAILABLE = Fault(Manner.STATUS, 503)
BROKEN = Fault(Manner.STATUS, 500)
TIMED_OUT = Fault(Manner.STATUS, 408)
BUSY = Fault(Manner.STATUS, 429, (("retry-after", "2"),))
MOVED = Fault(Manner.STATUS, 301, (("location", "/elsewhere"),))
REFUSED = Fault(Manner.STATUS, 422)


def every(period: int, *, first: int = 0) -> Happens:
    """Happen to number *first* and to each *period* further on."""
    return lambda number, luck: number % period == first


def between(first: int, end: int) -> Happens:
    """Happen to the numbers from *first* up to, not including, *end*."""
    return lambda number, luck: first <= number < end


def by_chance(low: float, high: float) -> Happens:
    """Happen to a share of ``high - low`` of the requests: those with a luck in between."""
    return lambda number, luck: low <= luck < high


Plan = tuple[tuple[Happens, Fault], ...]
"""Faults of an endpoint; the first that happens is it."""

PLANS: Mapping[str, Plan] = MappingProxyType(
    {
        # Actions. What each shows of the monolith stands in oms/app/rehearsal/drills.py.
        "publish": ((by_chance(0.00, 0.03), SLOW),),
        "enrich": (
            (by_chance(0.00, 0.03), UNAVAILABLE),
            (by_chance(0.03, 0.05), BROKEN),
            (by_chance(0.05, 0.06), RESET),
            (by_chance(0.06, 0.07), CLOSE),
            (by_chance(0.07, 0.08), BUSY),
            (by_chance(0.08, 0.085), TIMED_OUT),
            (by_chance(0.085, 0.087), HANG),
            (by_chance(0.09, 0.12), SLOW),
            (by_chance(0.12, 0.13), REFUSED),
        ),
        "archive": ((between(0, 2), UNAVAILABLE),),
        "index": ((every(4), RESET),),
        "notify": ((every(4), CLOSE),),
        "export": ((every(4), BUSY),),
        "translate": ((every(4), TIMED_OUT),),
        "migrate": ((every(4), MOVED),),
        "merge": ((every(6, first=5), UNAVAILABLE),),
        "sync": ((every(7, first=6), UNAVAILABLE),),
        "restore": ((between(0, 5), UNAVAILABLE),),
        "replicate": ((between(0, 5), UNAVAILABLE), (between(5, 6), BUSY)),
        "audit": ((between(30, 36), UNAVAILABLE),),
        "renew": ((between(12, 14), UNAVAILABLE),),
        "transfer": ((between(6, 8), UNAVAILABLE),),
        # Services behind the gateway.
        "prices": ((by_chance(0.0, 0.05), SLOW),),
        "media": ((by_chance(0.0, 0.02), RESET), (by_chance(0.02, 0.04), CLOSE), (by_chance(0.04, 0.041), HANG)),
        "search": ((by_chance(0.0, 0.04), UNAVAILABLE), (by_chance(0.04, 0.06), BUSY)),
    }
)
"""By action or service; who is not here never fails."""


class FaultSchedule:
    """The same seed makes the same faults."""

    def __init__(self, seed: int, plans: Mapping[str, Plan] = PLANS) -> None:
        self._seed, self._plans = seed, plans

    def fault(self, endpoint: str, number: int) -> Fault | None:
        """Return what happens to request *number*, counted from 0, at *endpoint*; None if nothing does.

        Args:
            endpoint: Its path without the first slash: ``actions/archive/Person``, ``prices/Offer``.
        """
        luck = random.Random(f"{self._seed} {endpoint} {number}").random()
        plan = self._plans.get(_name(endpoint), ())
        return next((fault for happens, fault in plan if happens(number, luck)), None)


def _name(endpoint: str) -> str:
    first, _, rest = endpoint.partition("/")
    return rest.partition("/")[0] if first == "actions" else first
