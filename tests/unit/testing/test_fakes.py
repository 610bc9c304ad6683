"""Fakes of what the hall takes from outside."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from oms.domain.divergence import Divergence
from oms.domain.record import Batch, Place, Tally
from oms.domain.scope import ANONYMOUS
from oms.domain.stage import Stage
from oms.seams.cache import CACHE
from oms.seams.security import SECURITY
from oms.testing import FakeClock, MemoryJournal, fixed_stage
from oms.testing.driven import Driven


def test_clock() -> None:
    """The clock stands until it is moved, and tells the time as seconds and as a naive UTC datetime."""
    clock = FakeClock(0.0)
    clock.advance(1.5)
    clock.advance(dt.timedelta(days=1))

    assert (86_401.5, dt.datetime(1970, 1, 2, 0, 0, 1, 500_000)) == (clock(), clock.naive_utc())


def test_fixed_stage() -> None:
    """The table has everybody of each phase at the stage, under a digest that says so."""
    table = fixed_stage(Stage.LIVE, CACHE, SECURITY)

    assert {"cache": "fixed-live", "security": "fixed-live"} == table.digests()
    assert Stage.LIVE is table.phases["cache"].decide(ANONYMOUS, "types", "get")


def divergence(known: str | None) -> Divergence:
    """Return a divergence, known or not."""
    return Divergence(
        fingerprint="0" * 12,
        phase="cache",
        seam="types",
        operation="get",
        stage="shadow",
        kind="value",
        path="",
        types=("int", "str"),
        known=known,
        seen_at=0.0,
        sample={},
    )


def test_journal() -> None:
    """The journal adds up tallies by name, seam and operation, and keeps every divergence."""
    here, there = Place("cache", "types", "get", "shadow"), Place("cache", "documents", "aget", "live")
    batches = [
        Batch(tallies=[Tally(here, "matched", 2), Tally(there, "matched", 3)], divergences=[divergence("TC-01")]),
        Batch(tallies=[Tally(here, "matched", 1), Tally(here, "ignored", 1)], divergences=[divergence(None)]),
    ]
    journal = MemoryJournal(lambda: batches.pop(0) if batches else Batch())
    journal.collect()
    journal.collect()

    assert [6, 3, 3, 1, 0] == [
        journal.count("matched"),
        journal.count("matched", seam="types"),
        journal.count("matched", operation="aget"),
        journal.count("ignored", seam="types", operation="get"),
        journal.count("dropped"),
    ]
    assert ({"TC-01"}, [None]) == (journal.known(), [each.known for each in journal.unknown()])


def test_journal_waits() -> None:
    """Waiting collects until the condition holds, and says what there is when it does not."""
    place = Place("cache", "types", "get", "shadow")
    batches = [Batch(), Batch(), Batch(tallies=[Tally(place, "matched", 1)])]
    journal = MemoryJournal(lambda: batches.pop(0) if batches else Batch())
    journal.wait_for(lambda seen: seen.count("matched") == 1)

    with pytest.raises(TimeoutError, match=r"within 0\.01 s.*matched"):
        journal.wait_for(lambda seen: seen.count("matched") == 2, limit_s=0.01)


def test_driven() -> None:
    """A plain call runs the async method of the same name to its end, on one loop."""

    class Port:
        async def aloop(self, *, times: int) -> list[int]:
            return [id(asyncio.get_running_loop())] * times

    with asyncio.Runner() as runner:
        driven = Driven(Port(), runner)

        assert driven.loop(times=1) + driven.loop(times=1) == [id(runner.get_loop())] * 2


def test_driven_story() -> None:
    """A story is given the port itself, on the same loop, and what it returns comes back."""

    class Port:
        async def aloop(self) -> int:
            return id(asyncio.get_running_loop())

    async def twice(port: Port) -> list[int]:
        return await asyncio.gather(port.aloop(), port.aloop())

    with asyncio.Runner() as runner:
        assert [id(runner.get_loop())] * 2 == Driven(Port(), runner).run(twice)
