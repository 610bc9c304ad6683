"""The scheduler over HTTP: how long a job waits before it is tried again."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.http import JsonResponse, failure
from oms.seams.resilience import Backoff

DAY_S = 86_400
"""No job waits longer, in seconds, whoever counts (SC-01)."""

STRATEGIES = ("exponential", "linear", "fixed", "fibonacci")
_MOST_RETRIES = 1000


class ScheduleEndpoint:
    """``GET /schedule/delay?base=60&retry=3&strategy=linear``: the seconds to wait, as a number."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route("/schedule/delay", self.delay)]

    async def delay(self, request: Request) -> Response:
        """Answer the wait before retry number ``retry``, counted from 0, of a job whose shortest wait is ``base`` seconds."""
        asked = request.query_params
        base, retry = _whole(asked.get("base", "60"), DAY_S), _whole(asked.get("retry", "0"), _MOST_RETRIES)
        strategy = asked.get("strategy", "exponential")
        if base is None:
            return failure(400, f"delay: base: found something else, wanted whole seconds, 0 to {DAY_S}")
        if retry is None:
            return failure(400, f"delay: retry: found something else, wanted a whole number, 0 to {_MOST_RETRIES}")
        if strategy.casefold() not in STRATEGIES:
            return failure(400, f"delay: strategy: found another word, wanted one of {' '.join(STRATEGIES)}")
        return JsonResponse({"delay_s": float(min(self._backoff.delay(base, retry, strategy), DAY_S))})


def _whole(text: str, most: int) -> int | None:
    """Return the number, None if it is none from 0 to *most*."""
    is_number = text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if is_number and int(text) <= most else None
