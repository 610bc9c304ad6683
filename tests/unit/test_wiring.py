"""The composition root: what is built over two folders, and what it leaves there."""

from __future__ import annotations

import functools
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from oms import wiring
from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.errors import CouldNot
from oms.domain.stage import Stage
from oms.journal import Journal, JournalReader, read_processes
from oms.seams.cache import CACHE
from oms.wiring import build
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
