"""Documents over HTTP, remembered in the document cache."""

from __future__ import annotations

import datetime as dt

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oms.app.documents import Document, DocumentStore, document_from, is_document_id
from oms.app.http import JsonResponse, failure, json_body
from oms.app.ontology import Ontology
from oms.domain.errors import BadInput, CouldNot
from oms.seams.cache import AsyncCache

TTL = dt.timedelta(hours=1)
MAX_IMPORT = 100
"""Documents in one import."""


class DocumentEndpoints:
    """``PUT GET DELETE /documents/{id}`` and ``POST /documents``, the import of many."""

    def __init__(self, ontology: Ontology, cache: AsyncCache, store: DocumentStore) -> None:
        self._ontology = ontology
        self._cache = cache
        self._store = store

    def routes(self) -> list[Route]:
        """Return the four routes."""
        return [
            Route("/documents/{id}", self.read, methods=["GET"]),
            Route("/documents/{id}", self.write, methods=["PUT"]),
            Route("/documents/{id}", self.delete, methods=["DELETE"]),
            Route("/documents", self.import_many, methods=["POST"]),
        ]

    async def read(self, request: Request) -> Response:
        """Answer the document, from the cache or else from the store."""
        id_ = request.path_params["id"]
        if not is_document_id(id_):
            return failure(404, "no such document")
        document = await self._cache.aget(_key(id_))
        if document is None:
            document = self._store.get(id_)
            if document is None:
                return failure(404, "no such document")
            await self._cache.aset(_key(id_), document, ttl=TTL)
        return JsonResponse(document)

    async def write(self, request: Request) -> Response:
        """Keep the document in the body."""
        try:
            document = document_from(request.path_params["id"], await json_body(request), self._ontology)
            replaced = await self._keep(document)
        except BadInput as error:
            return failure(400, str(error))
        except CouldNot as error:
            return failure(507, str(error))
        return JsonResponse({"replaced": replaced}, status_code=200 if replaced else 201)

    async def delete(self, request: Request) -> Response:
        """Drop the document, from the store first: a reader in between must not put it back into the cache."""
        id_ = request.path_params["id"]
        if not is_document_id(id_):
            return failure(404, "no such document")
        existed = self._store.delete(id_)
        # The cache may remember what the store never had in this process, so it forgets in any case.
        await self._cache.adelete(_key(id_))
        return Response(status_code=204) if existed else failure(404, "no such document")

    async def import_many(self, request: Request) -> Response:
        """Keep every document of a list, all or, if one of them is not usable, none."""
        body = await json_body(request)
        if not isinstance(body, list) or len(body) > MAX_IMPORT:
            return failure(400, f"import: found something else, wanted a list of at most {MAX_IMPORT} documents")
        try:
            documents = [document_from(_id_of(each), each, self._ontology) for each in body]
            for document in documents:
                await self._keep(document)
        except BadInput as error:
            return failure(400, str(error))
        except CouldNot as error:
            return failure(507, str(error))
        return JsonResponse({"imported": len(documents)})

    async def _keep(self, document: Document) -> bool:
        replaced = self._store.put(document["@id"], document)
        await self._cache.aset(_key(document["@id"]), document, ttl=TTL)
        return replaced


def _key(id_: str) -> str:
    return f"document:{id_}"


def _id_of(body: object) -> str:
    return str(body.get("@id", "")) if isinstance(body, dict) else ""
