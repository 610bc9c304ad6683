"""The identity check around the real hall: no violation at any stage, and rescues as the runtime counts them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oms.app.identity import IdentityCheck
from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.stage import Stage
from oms.routing import Runtime
from oms.seams.cache import DOCUMENTS, TYPES, AsyncCache, Cache, Ttl, Value


class Side:
    """A cache over a dict that hands out what it holds; a broken one raises at each read."""

    def __init__(self, *, broken: bool = False) -> None:
        self.values: dict[str, Value] = {}
        self.broken = broken

    def get(self, key: str) -> Value | None:
        if self.broken:
            raise ConnectionError("down")
        return self.values.get(key)

    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        self.values[key] = value

    def delete(self, key: str) -> bool:
        return self.values.pop(key, None) is not None

    def clear(self) -> None:
        self.values.clear()

    def forget(self, key: str | None) -> None:
        if key is None:
            self.values.clear()
        else:
            self.values.pop(key, None)

    async def aget(self, key: str) -> Value | None:
        await asyncio.sleep(0)
        return self.get(key)

    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        await asyncio.sleep(0)
        self.set(key, value)

    async def adelete(self, key: str) -> bool:
        await asyncio.sleep(0)
        return self.delete(key)

    async def aclear(self) -> None:
        self.clear()

    async def aforget(self, key: str | None) -> None:
        self.forget(key)


class Hall:
    """A runtime with both seams bound to checked sides, at one stage."""

    def __init__(self, stage: Stage, *, unified_broken: bool = False) -> None:
        self.check = IdentityCheck()
        self.runtime = Runtime()
        for seam in (TYPES, DOCUMENTS):
            sides: dict[str, Any] = {"legacy": Side(), "unified": Side(broken=unified_broken)}
            self.runtime.bind(seam, **{name: self.check.side(seam, side) for name, side in sides.items()})
        self.types: Cache = self.check.facade(TYPES, self.runtime.facade(TYPES))
        self.documents: AsyncCache = self.check.facade(DOCUMENTS, self.runtime.facade(DOCUMENTS))
        self.runtime.publish(DecisionTable.of(cache=FixedDecision(stage, digest=stage.value)))

    def rescued(self) -> int:
        """Return how many rescues the runtime counted."""
        return sum(tally.count for tally in self.runtime.totals() if tally.name == "rescued")


@pytest.mark.parametrize("stage", list(Stage))
def test_no_violation_at_any_stage(stage: Stage) -> None:
    """Sync and async reads and writes, in scopes and beside each other: every caller gets the control's own."""
    hall = Hall(stage)

    async def client(number: int) -> None:
        with hall.runtime.scope(targeting_key=f"tenant-{number}"):
            for turn in range(20):
                key = f"key-{turn % 3}"
                hall.types.set(key, {"turn": turn}, ttl=60)
                hall.types.get(key)
                hall.types.delete(f"key-{turn % 5}")
                await hall.documents.aset(key, {"turn": turn}, ttl=60)
                await hall.documents.aget(key)
                await hall.documents.adelete(f"key-{turn % 5}")
        hall.types.clear()
        await hall.documents.aclear()

    async def clients() -> None:
        await asyncio.gather(*map(client, range(5)))

    asyncio.run(clients())
    hall.runtime.stop(5)

    assert {"checked": 5 * (20 * 6 + 2), "rescued": 0, "violations": 0} == hall.check.as_json()


def test_rescues_are_those_that_the_runtime_counts() -> None:
    """In live a broken unified side is rescued; check and runtime count the same."""
    hall = Hall(Stage.LIVE, unified_broken=True)
    hall.types.set("key", "value", ttl=60)
    hall.types.get("key")

    async def read() -> None:
        await hall.documents.aset("key", "value", ttl=60)
        await hall.documents.aget("key")

    asyncio.run(read())
    hall.runtime.stop(5)

    assert {"checked": 4, "rescued": 2, "violations": 0} == hall.check.as_json()
    assert 2 == hall.rescued()
