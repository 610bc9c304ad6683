"""Actions over HTTP: what a client wants done to objects of a type is submitted to the actions service, under the retry and the breaker."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from types import MappingProxyType

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.http import JsonResponse, failure, json_body
from oms.app.neighbour import Neighbour, raise_if_unwell
from oms.app.ontology import Ontology
from oms.app.protection import NotDone, Protection

URGENT = "critical"
"""Policy of an action that must get through."""

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "publish": "standard",
        "enrich": "network",
        "archive": "database",
        "index": "network",
        "notify": "network",
        "export": "conservative",
        "translate": "standard",
        "migrate": "standard",
        "merge": "standard",
        "sync": "network",
        "restore": "standard",
        "replicate": "network",
        "audit": "standard",
        "renew": "standard",
        "transfer": "standard",
    }
)
"""The actions there are, each with its retry policy."""

_KEY_HEADER = "idempotency-key"


class ActionEndpoint:
    """``POST /actions/{action}`` with ``{"type": ..., "urgent": ...}``: 200 if it was done, 503 if it was not and may be tried again later.

    An action on a type is one dependency, ``publish.Person``: the workers that do it are its own, so are its budget and its breaker.
    What keeps an action from being done is for operators, in journal and metrics; a caller gets the same 503 for all of it, in every
    stage, whether the neighbour failed, hung, or the protection let nothing through.
    """

    def __init__(self, ontology: Ontology, protection: Protection, neighbour: Neighbour) -> None:
        self._ontology, self._protection, self._neighbour = ontology, protection, neighbour

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route("/actions/{action}", self.submit, methods=["POST"])]

    async def submit(self, request: Request) -> Response:
        """Have the action done. It is sent under one idempotency key, the client's or a new one, because attempts may be repeated."""
        action = request.path_params["action"]
        if action not in ACTIONS:
            return failure(404, "no such action")
        body = await json_body(request)
        type_name = body.get("type") if isinstance(body, dict) else None
        if not isinstance(type_name, str) or type_name not in self._ontology:
            return failure(
                400, f"action: type: found none that is known, wanted one of schema.org {self._ontology.version}"
            )
        headers = {
            "content-type": "application/json",
            _KEY_HEADER: request.headers.get(_KEY_HEADER) or str(uuid.uuid4()),
        }
        content = json.dumps(body).encode("ascii")

        async def attempt() -> httpx.Response:
            try:
                answer = await self._neighbour.send(
                    "POST", f"actions/{action}/{type_name}", headers=headers, content=content
                )
            except httpx.TransportError as error:
                beneath = _of_the_system(error)
                if beneath is None:
                    raise
                raise beneath from error
            return raise_if_unwell(answer, may_redirect=False)

        policy = URGENT if body.get("urgent") is True else ACTIONS[action]
        try:
            answer = await self._protection.acall(attempt, name=f"{action}.{type_name}", policy=policy)
        except (httpx.HTTPError, OSError, NotDone):
            return failure(503, f"action {action}: found the actions service unable, wanted it done; try again later")
        if answer.status_code >= 400:
            return failure(answer.status_code, f"action {action}: refused by the actions service")
        return JsonResponse({"action": action, "type": type_name, "done": True})


def _of_the_system(error: httpx.TransportError) -> ConnectionError | None:
    """Return what the operating system said beneath *error*, if it is a connection error: who calls actions knows those."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ConnectionError):
        cause = cause.__cause__ or cause.__context__
    # A new one: the old one has *error* above it, and would have itself beneath.
    return None if cause is None else type(cause)(*cause.args)
