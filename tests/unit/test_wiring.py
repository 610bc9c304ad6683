"""The composition root: what is built over two folders, and what it leaves there."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import shutil
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from servers.redis_server import RedisServer

from oms import wiring
from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.errors import BadInput, CouldNot
from oms.domain.stage import Stage
from oms.journal import Journal, JournalReader, read_processes
from oms.seams.cache import CACHE
from oms.unified.resilience import BreakerStore, CircuitOpenError
from oms.wiring import BOUND_PHASES, BOUND_SEAMS, Oms, build
from tests.architecture.sources import ROOT
from tests.unit.routing.probe import until


def test_counts_are_exported(tmp_path: Path) -> None:
    """A meter provider sees the calls of the hall and the unified caches of all three seams."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    oms = build(flags=tmp_path, var=tmp_path / "var", meter_provider=provider)
    oms.runtime.publish(DecisionTable({"cache": FixedDecision(Stage.LIVE)}))

    oms.types.set("object-type:Person", 1)
    counted = _collected(reader)
    provider.shutdown()
    oms.stop()

    assert {"oms.calls", "oms.cache.sets"} <= set(counted)
    assert {"types": 1, "validation": 0, "documents": 0} == counted["oms.cache.sets"]


def test_trip_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that trips in this process is in its process file when the call returns, and in the journal without waiting for a flush."""
    # A flush by itself would come in an hour.
    monkeypatch.setattr(wiring, "Journal", functools.partial(Journal, flush_s=3600.0))
    shutil.copytree(ROOT / "flags", tmp_path / "flags")
    oms = build(flags=tmp_path / "flags", var=tmp_path / "var")
    oms.start()
    until((tmp_path / "var" / "journal.db").exists)
    oms.source.stop()
    oms.runtime.publish(DecisionTable({"cache": FixedDecision(Stage.LIVE, digest="d")}))
    oms.runtime.trip(CACHE, Stage.SHADOW, seam="types", operation="get", guard="hard_fail", reason="it raised")
    standing = read_processes(tmp_path / "var" / "run")[0].phases["cache"]
    with JournalReader(tmp_path / "var" / "journal.db") as journal:
        until(journal.trips)
        pid, trip = journal.trips()[0]
    oms.stop()

    assert ("shadow", "hard_fail at types.get: it raised") == (standing.tripped, standing.tripped_by)
    assert (os.getpid(), "hard_fail", "live", "shadow") == (pid, trip.guard, trip.from_stage, trip.to_stage)


def test_the_journal_has_time_of_its_own(tmp_path: Path) -> None:
    """Lanes that may take no time at the end take none from the journal: it waits for a lock, and the end is recorded."""
    shutil.copytree(ROOT / "flags", tmp_path / "flags")
    oms = build(flags=tmp_path / "flags", var=tmp_path / "var")
    oms.start()
    until((tmp_path / "var" / "journal.db").exists)
    other = sqlite3.connect(tmp_path / "var" / "journal.db", isolation_level=None, check_same_thread=False, timeout=60)
    other.execute("BEGIN IMMEDIATE")
    freed = threading.Timer(0.3, other.execute, ("ROLLBACK",))
    freed.start()
    oms.stop(0.0, journal_s=60.0)
    freed.join()
    other.close()

    with JournalReader(tmp_path / "var" / "journal.db") as journal:
        assert ["clean"] == [process.ending for process in journal.processes()]


def test_hash_key_is_shared_and_private(tmp_path: Path) -> None:
    """Processes of one folder hash with one key, which only its owner can read."""
    path = tmp_path / "var" / "hash.key"
    build(flags=tmp_path, var=path.parent)
    key = path.read_bytes()
    build(flags=tmp_path, var=path.parent)

    assert (32, key) == (len(key), path.read_bytes())
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert [path] == list(path.parent.glob("*hash*"))


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Without a place for the key nothing is built, and the error names it."""
    (tmp_path / "var").write_text("")

    with pytest.raises(CouldNot, match=r"hash\.key: .*, wanted a folder that can be written"):
        build(flags=tmp_path, var=tmp_path / "var")


def test_breakers_of_one_process(tmp_path: Path) -> None:
    """Without a Redis each process has breakers of its own: what is open in one is closed in the other."""
    first, second = (build(flags=tmp_path, var=tmp_path / "var") for _ in range(2))
    for oms in (first, second):
        oms.runtime.publish(DecisionTable({"resilience": FixedDecision(Stage.COMPLETE)}))
    asyncio.run(_break(first))
    is_rejected = asyncio.run(_is_rejected(second))
    for oms in (first, second):
        oms.stop()

    assert not is_rejected


def test_breakers_of_all_processes(tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one, a breaker that opens in one process is open in the next one that asks; both let go of Redis at their end."""
    # After its usual tenth of a second without an answer a breaker is on its own, as it must be, on a busy machine too.
    monkeypatch.setattr(wiring, "BreakerStore", functools.partial(BreakerStore, deadline_ms=60_000))
    first, second = (build(flags=tmp_path, var=tmp_path / "var", redis_url=redis_server.url) for _ in range(2))
    for oms in (first, second):
        oms.runtime.publish(DecisionTable({"resilience": FixedDecision(Stage.COMPLETE)}))
    asyncio.run(_break(first))
    is_rejected = asyncio.run(_is_rejected(second))
    for oms in (first, second):
        oms.stop()

    assert is_rejected
    assert [] == [thread.name for thread in threading.enumerate() if thread.name.startswith("oms-breaker")]


@pytest.mark.parametrize("url", ["hunter2", "http://hunter2@redis", "redis://redis?colour=hunter2"])
def test_redis_url_that_is_none(tmp_path: Path, url: str) -> None:
    """It is refused while wiring, by the name of its variable, and is not in the message: it may hold a password."""
    with pytest.raises(BadInput, match=r"REDIS_URL: found .*, wanted redis://, rediss:// or unix://") as caught:
        build(flags=tmp_path, var=tmp_path / "var", redis_url=url)

    assert "hunter2" not in str(caught.value)


def test_facades_of_every_bound_phase(tmp_path: Path) -> None:
    """A phase that can be rehearsed has facades that answer."""
    oms = build(flags=tmp_path, var=tmp_path / "var")
    oms.runtime.publish(DecisionTable({}))

    async def done() -> str:
        return "done"

    async def go() -> tuple[str, str]:
        return await oms.retry.acall(done, operation="x"), await oms.breaker.acall(done, name="x")

    found = asyncio.run(go())
    oms.stop()

    assert (("done", "done"), 120.0) == (found, oms.backoff.delay(60, 1))
    assert ["cache", "config", "resilience"] == [phase.name for phase in BOUND_PHASES]


async def _break(oms: Oms) -> None:
    async def fail() -> None:
        raise ConnectionError("down")

    for _ in range(5):
        with pytest.raises(ConnectionError):
            await oms.breaker.acall(fail, name="neighbour")


async def _is_rejected(oms: Oms) -> bool:
    async def done() -> None:
        return None

    try:
        await oms.breaker.acall(done, name="neighbour")
    except CircuitOpenError:
        return True
    return False


def test_docs_readme_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python on the README runs in a folder with `flags/`, and the facade it holds has remembered the value."""
    shutil.copytree(ROOT / "flags", tmp_path / "flags")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}

    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)

    assert {"label": "Person"} == names["process"].types.get("object-type:Person")


def _collected(reader: InMemoryMetricReader) -> dict[str, dict[str, int]]:
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: {str(point.attributes.get("cache", "")): point.value for point in metric.data.data_points}
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_bound_seams_are_all(tmp_path: Path) -> None:
    """What the report looks for is what is bound: a seam that is left out of the list would never be missed."""
    oms = build(flags=tmp_path, var=tmp_path / "var")
    bound = set(oms.runtime._bound)
    oms.stop()

    assert {(seam.phase.name, seam.name) for seam in BOUND_SEAMS} == bound
    assert {phase.name for phase in BOUND_PHASES} == {seam.phase.name for seam in BOUND_SEAMS}
