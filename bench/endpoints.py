"""Each endpoint of the service that calls no neighbour, with facades at rest beside the same endpoint on the legacy sides themselves."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from bench.results import Line
from oms.app.ontology import Ontology
from oms.app.service import service
from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.stage import Stage
from oms.legacy_adapters.cache import legacy_documents, legacy_types, legacy_validation
from oms.legacy_adapters.resilience import ProtectionBreakerAdapter, RetryStrategyAdapter, ScheduleBackoffAdapter
from oms.routing import Runtime
from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION, AsyncCache, Cache
from oms.seams.resilience import BACKOFF, BREAKER, RETRY, Backoff, Breaker, Retry
from oms.unified.cache import CacheRegistry
from oms.unified.resilience import DependencyBreakers, DependencyRetries, UnifiedBackoffCalculator

_LIMIT = 1.02
_ROUNDS = 41
_REQUESTS = 60
_DOCUMENT = {"@type": "Person", "name": "Ada", "birthDate": "1815-12-10"}

Request = tuple[str, str, object]

_ENDPOINTS: dict[str, Request] = {
    "GET /types/Person": ("GET", "/types/Person", None),
    "GET /types/Person/ancestors": ("GET", "/types/Person/ancestors", None),
    "GET /types/Thing/descendants": ("GET", "/types/Thing/descendants", None),
    "POST /validate": ("POST", "/validate", _DOCUMENT),
    "GET /documents/doc-1": ("GET", "/documents/doc-1", None),
    "GET /schedule/delay": ("GET", "/schedule/delay", None),
}


@dataclass(frozen=True, slots=True)
class _Held:
    types: Cache
    validation: Cache
    documents: AsyncCache
    retry: Retry
    breaker: Breaker
    backoff: Backoff


def measure() -> list[Line]:
    """Return the lines of this section."""
    return asyncio.run(_measure())


async def _measure() -> list[Line]:
    ontology = Ontology.load()
    legacy = _Held(
        legacy_types(),
        legacy_validation(),
        legacy_documents(),
        RetryStrategyAdapter(),
        ProtectionBreakerAdapter(),
        ScheduleBackoffAdapter(),
    )
    direct = service(legacy, serving=dict, ontology=ontology)
    routed = service(_facades(), serving=dict, ontology=ontology)
    for app in (direct, routed):
        await _request(app, "PUT", "/documents/doc-1", _DOCUMENT)
    return [await _compared(name, direct, routed, request) for name, request in _ENDPOINTS.items()]


def _facades() -> _Held:
    runtime, caches = Runtime(), CacheRegistry()
    runtime.bind(TYPES, legacy=legacy_types(), unified=caches.get_cache("types"))
    runtime.bind(VALIDATION, legacy=legacy_validation(), unified=caches.get_cache("validation"))
    runtime.bind(DOCUMENTS, legacy=legacy_documents(), unified=caches.get_cache("documents"))
    runtime.bind(RETRY, legacy=RetryStrategyAdapter(), unified=DependencyRetries())
    runtime.bind(BREAKER, legacy=ProtectionBreakerAdapter(), unified=DependencyBreakers())
    runtime.bind(BACKOFF, legacy=ScheduleBackoffAdapter(), unified=UnifiedBackoffCalculator())
    off = FixedDecision(Stage.OFF, digest="off")
    runtime.publish(DecisionTable.of(cache=off, resilience=off))
    return _Held(
        runtime.facade(TYPES),
        runtime.facade(VALIDATION),
        runtime.facade(DOCUMENTS),
        runtime.facade(RETRY),
        runtime.facade(BREAKER),
        runtime.facade(BACKOFF),
    )


async def _compared(name: str, direct: Any, routed: Any, request: Request) -> Line:
    ratios, times, least = [], [], {id(direct): 1.0, id(routed): 1.0}
    for turn in range(_ROUNDS):
        order = (direct, routed) if turn % 2 else (routed, direct)
        taken = {}
        for app in order:
            began = time.perf_counter()
            for _ in range(_REQUESTS):
                await _request(app, *request)
            taken[id(app)] = (time.perf_counter() - began) / _REQUESTS
            least[id(app)] = min(least[id(app)], taken[id(app)])
        ratios.append(taken[id(routed)] / taken[id(direct)])
        times.append(taken[id(routed)] * 1e6)
    ratio = statistics.median(ratios)
    quiet = least[id(routed)] / least[id(direct)]
    told = f"quietest rounds: {quiet:.3f}; {statistics.median(times):.0f} us a request"
    return Line(name, ratio, "times", f"<= {_LIMIT:g} times", ratio <= _LIMIT, told)


async def _request(app: Any, method: str, path: str, body: object) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))],
    }  # fmt: skip
    status = 0

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    if not 200 <= status < 300:
        raise RuntimeError(f"{method} {path}: {status}")
