"""Stages from any OpenFeature client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagResolutionDetails, Reason
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from oms.domain.decision import DecisionTable
from oms.domain.scope import ANONYMOUS, EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.client import ClientSource, table_from
from oms.flagging.files import FlagFiles
from oms.seams import PHASES

WaitUntil = Callable[[Callable[[], bool]], bool]
CACHE = {"cache": PHASES["cache"]}
STAGES = {stage.value: stage.value for stage in Stage} | {"odd": "shadw"}


def by_operation(flag: InMemoryFlag[str], context: Any) -> FlagResolutionDetails[str]:
    value = "live" if context.attributes.get("operation") == "get" and context.targeting_key == "tenant-1" else "shadow"
    return FlagResolutionDetails(value, variant=value, reason=Reason.TARGETING_MATCH)


@pytest.fixture(autouse=True)
def _clear() -> Iterator[None]:
    yield
    api.clear_providers()


def in_memory(flag: InMemoryFlag[Any]) -> InMemoryProvider:
    provider = InMemoryProvider({"phase.cache": flag})
    api.set_provider_and_wait(provider, domain="in-memory")
    return provider


def stage_in(table: DecisionTable, key: str | None = "tenant-1", operation: str = "get") -> Stage:
    return table.phases["cache"].decide(EvaluationContext(key), "types", operation)


def test_provider_in_memory() -> None:
    """A stage is what the provider names for the context, seam and operation included."""
    in_memory(InMemoryFlag("shadow", STAGES, context_evaluator=by_operation))
    table = table_from(api.get_client(domain="in-memory"), CACHE)
    decision = table.phases["cache"]

    assert Stage.LIVE == stage_in(table)
    assert Stage.SHADOW == stage_in(table, operation="set")
    assert Stage.SHADOW == stage_in(table, key="tenant-2")
    assert Stage.SHADOW == decision.default
    assert set(Stage) == decision.stages
    assert decision.by_operation
    assert decision.split is None


@pytest.mark.parametrize(
    "flag",
    [InMemoryFlag("odd", STAGES), InMemoryFlag("n", {"n": 7}), InMemoryFlag("absent", STAGES)],
    ids=["unknown", "type", "error"],
)
def test_no_stage(flag: InMemoryFlag[Any]) -> None:
    """A value that is no stage, another type or an error is the declared default."""
    in_memory(flag)

    assert Stage.OFF == stage_in(table_from(api.get_client(domain="in-memory"), CACHE))


def test_unknown_flag_and_no_provider() -> None:
    """A flag that the provider lacks, or no provider at all, is the declared default."""
    in_memory(InMemoryFlag("live", STAGES))
    client = api.get_client(domain="in-memory")

    assert Stage.OFF == table_from(client, PHASES).phases["config"].decide(ANONYMOUS, "settings", "read")
    assert Stage.OFF == stage_in(table_from(api.get_client(domain="nobody"), CACHE))


def test_stage_that_the_phase_lacks() -> None:
    """A provider that names dualwrite for a phase without writes is not followed."""
    api.set_provider_and_wait(InMemoryProvider({"phase.config": InMemoryFlag("dualwrite", STAGES)}), domain="in-memory")
    table = table_from(api.get_client(domain="in-memory"), PHASES)

    assert Stage.OFF == table.phases["config"].decide(ANONYMOUS, "settings", "read")


def test_client_that_raises() -> None:
    """A client that fails altogether is the declared default: a decision never raises."""

    class Broken:
        def get_string_details(self, flag_key: str, default_value: str, evaluation_context: Any = None) -> Any:
            raise RuntimeError("no")

    assert Stage.OFF == stage_in(table_from(Broken(), CACHE))


def test_stage_beside_an_error() -> None:
    """A client that names a stage and an error is not followed."""

    class Doubtful:
        def get_string_details(
            self, flag_key: str, default_value: str, evaluation_context: Any = None
        ) -> FlagEvaluationDetails[str]:
            return FlagEvaluationDetails(flag_key, "live", error_code=ErrorCode.GENERAL)

    assert Stage.OFF == stage_in(table_from(Doubtful(), CACHE))


def test_change_of_configuration(wait_until: WaitUntil) -> None:
    """Each change that the provider tells of is a new table with a new digest; after stop there is none."""
    provider = in_memory(InMemoryFlag("shadow", STAGES))
    tables: list[DecisionTable] = []
    source = ClientSource(api.get_client(domain="in-memory"), CACHE, tables.append)
    source.start()
    # A provider that is ready says so to every new handler.
    assert wait_until(lambda: len(tables) == 2)

    provider._flags["phase.cache"] = InMemoryFlag("live", STAGES)
    provider.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=["phase.cache"]))

    assert wait_until(lambda: len(tables) == 3)
    assert Stage.LIVE == stage_in(tables[-1])
    assert Stage.LIVE == tables[-1].phases["cache"].default
    assert 3 == len({table.phases["cache"].digest for table in tables})
    assert tables[-1] is source.table

    source.stop()
    heard: list[object] = []
    client = api.get_client(domain="in-memory")
    client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, heard.append)
    provider.emit_provider_configuration_changed(ProviderEventDetails())

    assert wait_until(lambda: len(heard) == 1)
    assert 3 == len(tables)


def test_flagd_provider_in_file_mode(files: FlagFiles, wait_until: WaitUntil) -> None:
    """The official flagd provider over a file that oms wrote: the same stage for every key as oms's own source, also after a flip."""
    canary = Split(((Stage.LIVE, 5000), (Stage.SHADOW, 5000)))
    files.write("cache", canary, based_on=None)
    provider = FlagdProvider(
        resolver_type=ResolverType.FILE, offline_flag_source_path=str(files.path("cache")), deadline_ms=10
    )
    api.set_provider_and_wait(provider, domain="flagd")
    tables: list[DecisionTable] = []
    source = ClientSource(api.get_client(domain="flagd"), CACHE, tables.append)
    source.start()
    ours = files.read("cache").decision
    keys = [f"tenant-{number}" for number in range(300)]

    assert [ours.decide(EvaluationContext(key), "types", "get") for key in keys] == [
        stage_in(tables[0], key) for key in keys
    ]
    assert 2 == len({stage_in(tables[0], key) for key in keys})

    files.write("cache", Split.whole(Stage.SHADOW), based_on=None)
    assert wait_until(
        lambda: source.table.phases["cache"].default is Stage.SHADOW and stage_in(source.table, keys[0]) is Stage.SHADOW
    )
    assert {Stage.SHADOW} == {stage_in(source.table, key) for key in keys}

    source.stop()
    provider.shutdown()


def test_anonymous_flagd(files: FlagFiles) -> None:
    """Without a provider file there is no stage to be had but the declared default."""
    missing = Path(files.folder) / "absent.json"
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(missing), deadline_ms=10)
    api.set_provider(provider, domain="flagd-missing")

    assert Stage.OFF == stage_in(table_from(api.get_client(domain="flagd-missing"), CACHE))
    provider.shutdown()
