"""One HTTP/1.1 request as it goes over the wire, with what may come back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """A request, ready to be written to a socket.

    Attributes:
        name: What it asks for, in a few words, for faults and counts.
        text: Head and body.
        expected: Statuses that a good service may answer with.
        after_s: How long the client waits before it sends this, in seconds.
    """

    name: str
    text: bytes
    expected: frozenset[int]
    after_s: float = 0.0


Errand = tuple[Request, ...]
"""Requests that one client sends to one process, one after another."""


def request(
    name: str,
    method: str,
    path: str,
    *,
    tenant: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    expected: frozenset[int] = frozenset({200}),
    after_s: float = 0.0,
) -> Request:
    """Return the request. *path* is already quoted; the tenant goes into ``X-Tenant``."""
    lines = [f"{method} {path} HTTP/1.1", "host: oms"]
    if tenant is not None:
        lines.append(f"x-tenant: {tenant}")
    lines.extend(f"{key}: {value}" for key, value in headers)
    if body is not None:
        lines.append("content-type: application/json")
        lines.append(f"content-length: {len(body)}")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return Request(name, head + (body or b""), expected, after_s)
