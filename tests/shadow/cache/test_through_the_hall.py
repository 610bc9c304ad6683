"""Each known divergence of the caches is found by its id through the hall, in shadow and in live, and nothing else differs."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from oms.domain.stage import Stage
from oms.seams.cache import TYPES

if TYPE_CHECKING:
    from conftest import Hall

HOUR = 3600


@pytest.fixture(params=[Stage.SHADOW, Stage.LIVE])
def hall(request: pytest.FixtureRequest, make_hall: Callable[[Stage], Hall]) -> Hall:
    """A hall at each stage that compares."""
    return make_hall(request.param)


async def until_idle(hall: Hall, comparisons: int) -> None:
    """Let the loop run until *comparisons* calls have come to an outcome."""
    deadline = asyncio.get_running_loop().time() + 60
    while hall.journal.count("shadowed") < comparisons:
        assert asyncio.get_running_loop().time() < deadline, "the lanes did not come to an end"
        await asyncio.sleep(0.002)


def test_tc_01_zero_seconds(hall: Hall) -> None:
    """TC-01: an entry for 0 seconds is still read from legacy."""
    hall.types.set("ancestors:Person", ["Thing"], ttl=0)
    hall.types.get("ancestors:Person")

    assert {"ignored": 1} == hall.outcomes()
    assert ({"TC-01"}, []) == (hall.journal.known(), hall.journal.unknown())


def test_tc_01_through_the_async_port(make_hall: Callable[[Stage], Hall]) -> None:
    """TC-01: the async port of the same seam finds it too."""
    hall = make_hall(Stage.SHADOW)

    async def use() -> None:
        types = hall.runtime.afacade(TYPES)
        await types.aset("ancestors:Person", ["Thing"], ttl=0)
        await types.aget("ancestors:Person")
        while hall.journal.count("ignored", seam="types") < 1:
            await asyncio.sleep(0.002)

    asyncio.run(asyncio.wait_for(use(), 60))

    assert ({"TC-01"}, []) == (hall.journal.known(), hall.journal.unknown())


def test_vc_01_without_ttl(make_hall: Callable[[Stage], Hall]) -> None:
    """VC-01: in live, unified takes a set without ttl and legacy raises TypeError."""
    hall = make_hall(Stage.LIVE)
    hall.validation.set("report", {"valid": True})

    assert {"ignored": 1} == hall.outcomes()
    assert ({"VC-01"}, []) == (hall.journal.known(), hall.journal.unknown())


def test_vc_01_in_shadow(make_hall: Callable[[Stage], Hall]) -> None:
    """VC-01: while legacy answers, its TypeError is the caller's, and unified is not asked."""
    hall = make_hall(Stage.SHADOW)
    with pytest.raises(TypeError, match="ttl_seconds"):
        hall.validation.set("report", {"valid": True})

    assert {"uncomparable": 1} == hall.outcomes()


def test_vc_03_mark_in_place(make_hall: Callable[[Stage], Hall]) -> None:
    """VC-03: the mark that a caller sets on a report is in the next one from legacy, before and after the flip to live."""
    hall = make_hall(Stage.SHADOW)
    hall.validation.set("report", {"valid": True, "cache_used": False}, ttl=HOUR)
    report = hall.validation.get("report")
    assert report is not None
    report["cache_used"] = True
    hall.validation.get("report")
    hall.flip(Stage.LIVE)
    hall.validation.get("report")

    assert {"ignored": 2} == hall.outcomes()
    assert ({"VC-03"}, []) == (hall.journal.known(), hall.journal.unknown())
    assert {"shadow", "live"} == {divergence.stage for divergence in hall.journal.divergences}


def test_tm_01_types_lost(hall: Hall) -> None:
    """TM-01: what JSON does not know comes back from legacy as lists and texts, and number keys as texts."""
    document = {
        "@id": "d1",
        "geo": (48.1, 11.6),
        "keywords": {"a", "b"},
        "dateCreated": dt.date(2025, 7, 2),
        "born": dt.date(2025, 7, 2),
        "seen": dt.datetime(2025, 7, 2, 12, tzinfo=dt.UTC),
        "raw": b"x",
        "counts": {1: "a", 2: "b"},
    }

    async def use() -> None:
        await hall.documents.aset("document:d1", document, ttl=HOUR)
        await hall.documents.aget("document:d1")
        await until_idle(hall, 2)

    asyncio.run(use())

    assert {"ignored": 1} == hall.outcomes()
    assert ({"TM-01"}, []) == (hall.journal.known(), hall.journal.unknown())
    # What no seam names, a client may have: the key of "born" and the others is folded.
    assert {"geo", "keywords", "dateCreated", "*", "*.*"} == {each.path for each in hall.journal.divergences}


def test_tm_05_overwrite_when_full(hall: Hall) -> None:
    """TM-05: overwriting one of 1,000 documents takes others out of legacy."""

    async def use() -> None:
        for number in range(1000):
            await hall.documents.aset(f"document:{number}", {"@id": str(number)}, ttl=HOUR)
        await hall.documents.aset("document:999", {"@id": "again"}, ttl=HOUR)
        await hall.documents.aget("document:0")
        await hall.documents.aget("document:999")
        await until_idle(hall, 1003)

    asyncio.run(use())

    assert {"ignored": 1} == hall.outcomes()
    assert ({"TM-05"}, []) == (hall.journal.known(), hall.journal.unknown())


def test_tm_06_delete_of_a_missing_key(hall: Hall) -> None:
    """TM-06: legacy says True for the delete of what is not there."""

    async def use() -> None:
        await hall.documents.adelete("document:nobody")
        await until_idle(hall, 1)

    asyncio.run(use())

    assert {"ignored": 1} == hall.outcomes()
    assert ({"TM-06"}, []) == (hall.journal.known(), hall.journal.unknown())


def test_nothing_else_differs(hall: Hall) -> None:
    """Writes, reads, overwrites and deletes without a quirk match on every seam."""
    keys = [f"k{number}" for number in range(20)]

    async def use() -> None:
        # Reads before the next writes: a key that is written while its read waits in the lane is raced.
        for value in ("first", "second"):
            for key in keys:
                hall.types.set(key, {"is": value}, ttl=HOUR)
                hall.validation.set(key, {"is": value}, ttl=HOUR)
                await hall.documents.aset(key, {"is": value}, ttl=HOUR)
            for key in keys:
                hall.types.get(key)
                hall.validation.get(key)
                await hall.documents.aget(key)
            await until_idle(hall, 120 if value == "first" else 240)
        hall.types.delete("k0")
        hall.validation.delete("k0")
        await hall.documents.adelete("k0")
        hall.types.get("k0")
        hall.validation.get("k0")
        await hall.documents.aget("k0")
        await until_idle(hall, 246)

    asyncio.run(use())

    assert {} == hall.outcomes()
    assert ([], 246, 3) == (hall.journal.divergences, hall.journal.count("matched"), hall.journal.count("empty"))


def test_a_wrong_value_is_not_taken_for_a_quirk(hall: Hall) -> None:
    """A document that differs on the sides, of the same types, is a mismatch."""

    async def use() -> None:
        await hall.documents.aset("document:d1", {"geo": (1.0, 2.0)}, ttl=HOUR)
        await hall.sides["documents"].legacy.aset("document:d1", {"geo": (1.0, 3.0)}, ttl=HOUR)
        await hall.documents.aget("document:d1")
        await until_idle(hall, 2)

    asyncio.run(use())

    assert {"mismatched": 1} == hall.outcomes()
    assert ["geo"] == [divergence.path for divergence in hall.journal.unknown()]
