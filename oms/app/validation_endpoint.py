"""Validation over HTTP, each report remembered in the cache of the validation service."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.http import JsonResponse, json_body
from oms.app.validation import Report, Validator, cache_key
from oms.seams.cache import Cache

TTL_S = 300
"""How long a report is remembered, in seconds. Source: the default of the monolith's validation cache."""


class ValidationEndpoint:
    """``POST /validate``: a JSON-LD instance in, its report out."""

    def __init__(self, validator: Validator, cache: Cache) -> None:
        self._validator = validator
        self._cache = cache

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route("/validate", self.validate, methods=["POST"])]

    async def validate(self, request: Request) -> Response:
        """Answer the report of the instance in the body; ``cache_used`` tells whether it was remembered."""
        return JsonResponse(self._report(await json_body(request)))

    def _report(self, instance: object) -> Report:
        key = cache_key(instance)
        report: Report | None = self._cache.get(key)
        if report is None:
            report = self._validator.validate(instance)
            self._cache.set(key, report, ttl=TTL_S)
        else:
            # As the monolith did, on the very object that it got: where a cache hands out what it holds, it now holds the mark too.
            report["cache_used"] = True
        return report
