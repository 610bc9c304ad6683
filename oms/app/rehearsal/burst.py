"""Many reads of one operation, made inside a worker, each a unit of work with a targeting key of its own.

What is counted by unit (a targeting key in ten minutes) needs as many keys as calls, tens of thousands of them for a fault in the tail;
over HTTP that would take minutes, most of them the client's. Such a read crosses the same facade, scope and identity check as any other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.http import JsonResponse
from oms.app.rehearsal.instances import DOCUMENTS, document_id
from oms.app.rehearsal.probes import BURST_PATH
from oms.routing import Runtime
from oms.seams.cache import AsyncCache

_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class Bursts:
    """Answers a POST to ``BURST_PATH/FIRST/READS``: reads documents, a few at once, for the targeting keys from number FIRST on.

    Attributes:
        documents: What is read.
    """

    runtime: Runtime
    documents: AsyncCache

    def route(self) -> Route:
        """Return the route."""
        return Route(f"{BURST_PATH}/{{first:int}}/{{reads:int}}", self.burst, methods=["POST"])

    async def burst(self, request: Request) -> Response:
        """Answer once all are read. A read that raises is the caller's error: the whole burst fails."""
        first, reads = request.path_params["first"], request.path_params["reads"]
        shares = (range(first + n, first + reads, _TOGETHER) for n in range(_TOGETHER))
        await asyncio.gather(*map(self._read, shares))
        return JsonResponse({"reads": reads})

    async def _read(self, numbers: range) -> None:
        for number in numbers:
            async with self.runtime.scope(targeting_key=f"burst-{number}"):
                await self.documents.aget(f"document:{document_id(number % DOCUMENTS)}")
