"""A service without facade or flag: fakes of the caches' ports, and the unified wing itself where neighbours are called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from oms.app.ontology import Ontology
from oms.app.service import Serving, service
from oms.seams.cache import Ttl, Value
from oms.unified.resilience import DependencyBreakers, DependencyRetries, UnifiedBackoffCalculator


@dataclass
class MemoryCache:
    """Both ports over one dict; keeps what it is given and writes down every call."""

    values: dict[str, Value] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def get(self, key: str) -> Value | None:
        self.calls.append(("get", key))
        return self.values.get(key)

    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        self.calls.append(("set", key, ttl))
        self.values[key] = value

    def delete(self, key: str) -> bool:
        self.calls.append(("delete", key))
        return self.values.pop(key, None) is not None

    def clear(self) -> None:
        self.calls.append(("clear",))
        self.values.clear()

    async def aget(self, key: str) -> Value | None:
        return self.get(key)

    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        self.set(key, value, ttl=ttl)

    async def adelete(self, key: str) -> bool:
        return self.delete(key)

    async def aclear(self) -> None:
        self.clear()


@dataclass
class PlainFacades:
    """One side of each seam where the service expects its facades."""

    types: MemoryCache = field(default_factory=MemoryCache)
    validation: MemoryCache = field(default_factory=MemoryCache)
    documents: MemoryCache = field(default_factory=MemoryCache)
    retry: Any = field(default_factory=DependencyRetries)
    breaker: Any = field(default_factory=DependencyBreakers)
    backoff: Any = field(default_factory=UnifiedBackoffCalculator)


@pytest.fixture(scope="session")
def ontology() -> Ontology:
    """The whole vocabulary, loaded once."""
    return Ontology.load()


@pytest.fixture
def facades() -> PlainFacades:
    """Empty caches."""
    return PlainFacades()


Call = Callable[..., httpx.Response]


@pytest.fixture
def call(facades: PlainFacades, ontology: Ontology) -> Call:
    """Send one request to a service over *facades*; state lives on between the calls of one test."""
    app = service(facades, serving=lambda: {"cache": Serving("live=5", "0123456789abcdef")}, ontology=ontology)

    def send(method: str, path: str, **options: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://oms") as client:
                return await client.request(method, path, **options)

        return asyncio.run(go())

    return send
