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
from oms.routing import Runtime
from oms.seams.cache import AsyncCache

BURST_PATH = "/_rehearsal/burst/{first:int}"
BURST_READS = 100
"""Reads in one burst."""

_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class Bursts:
    """``POST /_rehearsal/burst/N``: read ``BURST_READS`` documents, a few at once, for the targeting keys from number N on.

    Attributes:
        documents: What is read.
    """

    runtime: Runtime
    documents: AsyncCache

    def route(self) -> Route:
        """Return the route."""
        return Route(BURST_PATH, self.burst, methods=["POST"])

    async def burst(self, request: Request) -> Response:
        """Answer once all are read. A read that raises is a fault of the whole burst: the caller's error, status 500."""
        first: int = request.path_params["first"]
        await asyncio.gather(*(self._read(first + n, first + BURST_READS) for n in range(_TOGETHER)))
        return JsonResponse({"reads": BURST_READS})

    async def _read(self, number: int, end: int) -> None:
        for each in range(number, end, _TOGETHER):
            async with self.runtime.scope(targeting_key=f"burst-{each}"):
                await self.documents.aget(f"document:{document_id(each % DOCUMENTS)}")
