"""The peers that are measured in the same run: laboratory, LaunchDarkly's migrator, the OpenFeature client on flagd's file provider."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import TracebackType
from typing import Any

import laboratory
from ldclient import Context, LDClient
from ldclient.config import Config
from ldclient.impl.util import Result
from ldclient.integrations.test_data import TestData
from ldclient.migrations import MigratorBuilder, Stage
from ldclient.migrations.types import ExecutionOrder
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext

_KEY = "k"


class _Quiet(laboratory.Experiment):
    def publish(self, result: Any) -> None:
        """Publish nowhere."""


class _Disabled(_Quiet):
    def enabled(self) -> bool:
        """Never run the candidate."""
        return False


class Peers:
    """The peers, ready to be called. Use it as ``with``: some have threads."""

    def __init__(self, folder: Path) -> None:
        """Make them; the flagd file goes into *folder*."""
        logging.getLogger("ldclient").setLevel(logging.CRITICAL)
        logging.getLogger("openfeature").setLevel(logging.CRITICAL)
        self._data = {_KEY: 1}
        self._source = TestData.data_source()
        self._launchdarkly = LDClient(Config("sdk-key", update_processor_class=self._source, send_events=False))
        self._context = Context.create("tenant-42")
        self._migrator = self._build(ExecutionOrder.SERIAL)
        self._parallel = self._build(ExecutionOrder.PARALLEL)
        self._flag_file = folder / "peer.flagd.json"
        self._openfeature = self._flagd()

    def __enter__(self) -> Peers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        api.shutdown()
        self._launchdarkly.close()

    def laboratory_off(self) -> object:
        """Call through a disabled experiment."""
        experiment = _Disabled()
        experiment.control(self._read)
        experiment.candidate(self._read)
        return experiment.conduct()

    def laboratory_shadow(self) -> object:
        """Call through an experiment that runs control and candidate."""
        experiment = _Quiet()
        experiment.control(self._read)
        experiment.candidate(self._read)
        return experiment.conduct()

    def launchdarkly_off(self) -> object:
        """Read through a migrator whose flag is off."""
        return self._migrator.read("off", self._context, Stage.OFF)

    def launchdarkly_shadow(self) -> object:
        """Read through a migrator in shadow, candidate after control."""
        return self._migrator.read("shadow", self._context, Stage.OFF)

    def launchdarkly_shadow_parallel(self) -> object:
        """Read through a migrator in shadow as it comes: both in a pool made for the call."""
        return self._parallel.read("shadow", self._context, Stage.OFF)

    def openfeature_decision(self) -> str:
        """Evaluate a fractional flag for one targeting key."""
        return self._openfeature.get_string_value("phase.cache", "off", EvaluationContext(targeting_key="tenant-42"))

    def _read(self) -> object:
        return self._data.get(_KEY)

    def _build(self, order: ExecutionOrder) -> Any:
        for name in ("off", "shadow"):
            self._source.update(self._source.flag(name).variations(name).variation_for_all(0))

        def read(payload):
            return Result.success(self._data.get(_KEY))

        builder = MigratorBuilder(self._launchdarkly).read_execution_order(order)
        built = (
            builder.read(read, read, lambda one, other: bool(one == other))
            .write(read, read)
            .track_latency(False)
            .build()
        )
        if isinstance(built, str):
            raise TypeError(built)
        return built

    def _flagd(self) -> Any:
        stages = ["off", "dualwrite"]
        flag = {
            "state": "ENABLED",
            "variants": {stage: stage for stage in stages},
            "defaultVariant": "off",
            "targeting": {"fractional": [["dualwrite", 500], ["off", 9500]]},
        }
        self._flag_file.write_text(json.dumps({"flags": {"phase.cache": flag}}))
        provider = FlagdProvider(
            resolver_type=ResolverType.FILE, offline_flag_source_path=str(self._flag_file), deadline_ms=500
        )
        api.set_provider_and_wait(provider)
        return api.get_client()
