"""What every endpoint needs of HTTP: bounded JSON bodies, answers that carry Python values, freshness, the tenant."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MAX_BODY = 1 << 20
"""Bytes of a request body; more is refused before it is read."""

MAX_DEPTH = 64
"""Levels of nesting in a body; deeper ones could not be copied or written again."""

MAX_NAME = 100
"""Characters of a name in a path that may become part of a cache key."""


class JsonResponse(Response):
    """JSON of Python values: dates as ISO texts, tuples and sets as lists (sets sorted), bytes as hex."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return *content* as JSON in ASCII, so that half a surrogate pair is no error either."""
        return json.dumps(content, separators=(",", ":"), default=_plain).encode("ascii")


def _plain(value: object) -> object:
    if isinstance(value, (dt.date, dt.datetime, dt.time)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"no JSON form of {type(value).__name__}")


def failure(status: int, message: str) -> JsonResponse:
    """Return an error as JSON."""
    return JsonResponse({"error": message}, status_code=status)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer starlette's own refusals (404, 405, 413) in the service's form."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "internal error"
    return failure(status, detail)


async def json_body(request: Request) -> Any:
    """Return the request's JSON.

    Raises:
        HTTPException: 413 if the body is larger than ``MAX_BODY``, 400 if it is not JSON or nested deeper than ``MAX_DEPTH``.
    """
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > MAX_BODY:
            raise HTTPException(413, f"the body is larger than {MAX_BODY} bytes")
    try:
        content = json.loads(read, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if read.count(b"{") + read.count(b"[") > MAX_DEPTH and _is_deeper(content, MAX_DEPTH):
        raise HTTPException(400, f"the body is nested deeper than {MAX_DEPTH} levels")
    return content


def _finite(text: str) -> float:
    """Read a number; NaN and what overflows to infinity are no JSON."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _is_deeper(content: object, limit: int) -> bool:
    level = [content]
    for _ in range(limit + 1):
        nested = [each for each in level if isinstance(each, (dict, list))]
        if not nested:
            return False
        level = [inner for each in nested for inner in (each.values() if isinstance(each, dict) else each)]
    return True


def freshness_s(headers: Mapping[str, str]) -> int | None:
    """Return how old an answer the client takes, in seconds: 0 for ``no-cache``, N for ``max-age=N``, None if it says nothing usable."""
    for directive in headers.get("cache-control", "").lower().split(","):
        name, _, value = directive.strip().partition("=")
        if name == "no-cache":
            return 0
        if name == "max-age" and value.isascii() and value.isdigit() and len(value) < 10:
            return int(value)
    return None


TENANT_HEADER = b"x-tenant"


def tenant_of(scope: Mapping[str, Any]) -> str | None:
    """Return the targeting key of an ASGI scope: the tenant header, None without one."""
    for name, value in scope.get("headers", ()):
        if name == TENANT_HEADER:
            tenant = bytes(value).decode("latin-1")
            return tenant[:MAX_NAME] or None
    return None
