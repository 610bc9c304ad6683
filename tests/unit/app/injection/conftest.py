"""Sides to be made faulty."""

from __future__ import annotations

import pytest

from oms.seams.cache import Ttl, Value


class Side:
    """Both ports of a cache over one dict."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {"known": {"name": "Person"}}

    def get(self, key: str) -> Value | None:
        return self.values.get(key)

    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        self.values[key] = value

    def delete(self, key: str) -> bool:
        return self.values.pop(key, None) is not None

    def clear(self) -> None:
        self.values.clear()

    def forget(self, key: str | None) -> None:
        self.values.clear() if key is None else self.values.pop(key, None)

    async def aforget(self, key: str | None) -> None:
        self.forget(key)

    async def aget(self, key: str) -> Value | None:
        return self.get(key)

    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        self.set(key, value)

    async def adelete(self, key: str) -> bool:
        return self.delete(key)

    async def aclear(self) -> None:
        self.clear()


@pytest.fixture
def side() -> Side:
    """A cache that knows one key."""
    return Side()
