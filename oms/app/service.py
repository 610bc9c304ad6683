"""The service: every endpoint through the facades, every request in a scope of its tenant."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.action_endpoint import ActionEndpoint
from oms.app.configuration import Configuration
from oms.app.configuration_endpoint import ConfigurationEndpoints
from oms.app.document_endpoints import DocumentEndpoints
from oms.app.documents import DocumentStore
from oms.app.gateway_endpoint import GatewayEndpoint
from oms.app.http import JsonResponse, failure, on_http_exception
from oms.app.neighbour import Neighbour
from oms.app.ontology import Ontology
from oms.app.protection import Protection
from oms.app.schedule_endpoint import ScheduleEndpoint
from oms.app.type_endpoints import TypeEndpoints
from oms.app.validation import Validator
from oms.app.validation_endpoint import ValidationEndpoint
from oms.seams.cache import AsyncCache, Cache
from oms.seams.resilience import Backoff, Breaker, Retry


class Facades(Protocol):
    """What the service remembers things with, and calls others through. ``oms.wiring.Oms`` is one."""

    @property
    def types(self) -> Cache:
        """For object types, ancestors and descendants."""

    @property
    def validation(self) -> Cache:
        """For validation reports."""

    @property
    def documents(self) -> AsyncCache:
        """For documents."""

    @property
    def retry(self) -> Retry:
        """For calls to neighbours."""

    @property
    def breaker(self) -> Breaker:
        """For each attempt of such a call."""

    @property
    def backoff(self) -> Backoff:
        """For jobs that are tried again."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What one phase serves in this process: the split as the command line writes it, and the digest that names it."""

    stage: str
    digest: str


def service(
    facades: Facades,
    *,
    serving: Callable[[], Mapping[str, Serving]],
    configuration: Configuration | None = None,
    neighbour: Neighbour | None = None,
    ontology: Ontology | None = None,
    more: tuple[Route, ...] = (),
) -> Starlette:
    """Return the service as an ASGI application, without scopes around its requests (see :func:`oms.app.process.application`).

    Args:
        serving: What each phase serves now, for ``/health``.
        configuration: What the service runs on; None for a service without any, which has no routes that tell of it.
        neighbour: Who does the actions and stands behind the gateway; None for a service without these routes.
        ontology: The vocabulary; None loads the package's own.
        more: Further routes (the rehearsal's workers have one).
    """
    vocabulary = ontology or Ontology.load()
    routes: list[Route] = [
        *TypeEndpoints(vocabulary, facades.types).routes(),
        *ValidationEndpoint(Validator(vocabulary), facades.validation).routes(),
        *DocumentEndpoints(vocabulary, facades.documents, DocumentStore()).routes(),
        *CacheEndpoint(facades).routes(),
        *ScheduleEndpoint(facades.backoff).routes(),
        *HealthEndpoint(serving, configuration).routes(),
        *more,
    ]
    if neighbour is not None:
        protection = Protection(facades.retry, facades.breaker)
        routes += ActionEndpoint(vocabulary, protection, neighbour).routes()
        routes += GatewayEndpoint(protection, neighbour).routes()
    if configuration is not None:
        routes += ConfigurationEndpoints(configuration, lambda: [route.path for route in routes]).routes()
    return Starlette(routes=routes, exception_handlers={HTTPException: on_http_exception})


class CacheEndpoint:
    """``DELETE /cache/{seam}``: forget everything that one seam remembers."""

    def __init__(self, facades: Facades) -> None:
        self._facades = facades

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route("/cache/{seam}", self.clear, methods=["DELETE"])]

    async def clear(self, request: Request) -> Response:
        """Clear the cache of the seam in the path."""
        match request.path_params["seam"]:
            case "types":
                self._facades.types.clear()
            case "validation":
                self._facades.validation.clear()
            case "documents":
                await self._facades.documents.aclear()
            case _:
                return failure(404, "cache: found another name, wanted types, validation or documents")
        return Response(status_code=204)


class HealthEndpoint:
    """``GET /health``: alive, what each phase serves, and which dependencies are configured."""

    def __init__(self, serving: Callable[[], Mapping[str, Serving]], configuration: Configuration | None) -> None:
        self._serving = serving
        self._configuration = configuration

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route("/health", self.health)]

    async def health(self, request: Request) -> Response:
        """Answer liveness; reads no cache, so that a sick cache does not look like a dead process."""
        phases = {name: {"stage": each.stage, "digest": each.digest} for name, each in self._serving().items()}
        told: dict[str, object] = {"status": "ok", "pid": os.getpid(), "phases": phases}
        if self._configuration is not None:
            told["dependencies"] = self._configuration.dependencies()
        return JsonResponse(told)
