"""Object types over HTTP, each answer remembered in the cache of the traversal."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.http import MAX_NAME, JsonResponse, failure, freshness_s
from oms.app.ontology import Ontology, UnknownType
from oms.seams.cache import Cache, Value


class TypeEndpoints:
    """``GET /types/{name}``, ``/types/{name}/ancestors``, ``/types/{name}/descendants``."""

    def __init__(self, ontology: Ontology, cache: Cache) -> None:
        self._ontology = ontology
        self._cache = cache

    def routes(self) -> list[Route]:
        """Return the three routes."""
        return [
            Route("/types/{name}", self.object_type),
            Route("/types/{name}/ancestors", self.ancestors),
            Route("/types/{name}/descendants", self.descendants),
        ]

    async def object_type(self, request: Request) -> Response:
        """Answer a type with its parents and the ranges of its properties, own and inherited."""
        return self._answer(request, "object-type", self._describe)

    async def ancestors(self, request: Request) -> Response:
        """Answer the types above a type, nearest first."""
        return self._answer(request, "ancestors", lambda name: list(self._ontology.ancestors(name)))

    async def descendants(self, request: Request) -> Response:
        """Answer the types below a type, nearest first."""
        return self._answer(request, "descendants", lambda name: list(self._ontology.descendants(name)))

    def _answer(self, request: Request, kind: str, compute: Callable[[str], Value]) -> Response:
        name = request.path_params["name"]
        if len(name) > MAX_NAME:
            return failure(404, "no such type: the name is too long")
        key, ttl = f"{kind}:{name}", freshness_s(request.headers)
        # A client that takes nothing old (ttl 0) is never answered from the cache, but what is computed for it is written like any other.
        value = None if ttl == 0 else self._cache.get(key)
        if value is None:
            try:
                value = compute(name)
            except UnknownType as error:
                return failure(404, str(error))
            self._cache.set(key, value, ttl=ttl)
        return JsonResponse(value)

    def _describe(self, name: str) -> Value:
        found = self._ontology.object_type(name)
        return {
            "name": found.name,
            "parents": list(found.parents),
            "members": list(found.members),
            "properties": {each.name: list(each.ranges) for each in self._ontology.properties(name)},
        }
