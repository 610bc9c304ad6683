"""The configuration over HTTP: what the service runs on, without telling it; to be read anew on request; and the docs that it may hide."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.configuration import Configuration
from oms.app.http import JsonResponse, failure
from oms.domain.errors import OmsError


class ConfigurationEndpoints:
    """``GET /configuration``, ``POST /configuration/reload``, ``GET /docs``."""

    def __init__(self, configuration: Configuration, paths: Callable[[], list[str]]) -> None:
        self._configuration = configuration
        self._paths = paths

    def routes(self) -> list[Route]:
        """Return the three routes."""
        return [
            Route("/configuration", self.show),
            Route("/configuration/reload", self.reload, methods=["POST"]),
            Route("/docs", self.docs),
        ]

    async def show(self, request: Request) -> Response:
        """Answer each setting with its place and when it is read; numbers and truths as they are, of texts only whether they are set."""
        return JsonResponse({"settings": [held.as_json() for held in self._configuration.held()]})

    async def reload(self, request: Request) -> Response:
        """Read anew what is read once. If that fails the service goes on with what it had, and the answer is 409."""
        try:
            self._configuration.reload()
        except OmsError as error:
            return failure(409, str(error))
        except ValueError:
            # Legacy's own error, which quotes the text that is no number.
            return failure(
                409, "configuration: found a text that is no number, wanted one; oms env validate tells which"
            )
        return Response(status_code=204)

    async def docs(self, request: Request) -> Response:
        """Answer the paths of the service; in production there is no such page."""
        return (
            JsonResponse({"paths": self._paths()}) if self._configuration.shows_docs() else failure(404, "no such page")
        )
