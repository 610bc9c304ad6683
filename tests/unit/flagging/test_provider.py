"""oms as an OpenFeature provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode

from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.files import FlagFiles
from oms.flagging.provider import OmsProvider
from oms.flagging.source import FlagSource

WaitUntil = Callable[[Callable[[], bool]], bool]


@pytest.fixture
def source(files: FlagFiles, tmp_path: Path) -> FlagSource:
    loaded = FlagSource(files, snapshots=tmp_path / "kept", publish=lambda table: None)
    loaded.load()
    return loaded


@pytest.fixture
def client(source: FlagSource) -> Iterator[OpenFeatureClient]:
    """A client of the SDK whose provider is oms."""
    api.set_provider_and_wait(OmsProvider(source), domain="oms-provider")
    yield api.get_client(domain="oms-provider")
    api.clear_providers()


def test_static_flag(client: OpenFeatureClient) -> None:
    """A phase is a string flag with its stage for a value."""
    found = client.get_string_details("phase.cache", "?")

    assert ("off", "off", "STATIC", None) == (found.value, found.variant, found.reason, found.error_code)
    assert "oms" == client.provider.get_metadata().name


def test_split(client: OpenFeatureClient, source: FlagSource, files: FlagFiles) -> None:
    """A split is resolved on the targeting key; without one it is the default variant."""
    files.write("cache", Split(((Stage.LIVE, 9999), (Stage.SHADOW, 1))), based_on=None)
    source.refresh()
    sorted_in = client.get_string_details("phase.cache", "?", EvaluationContext("tenant-1"))
    nobody = client.get_string_details("phase.cache", "?")

    assert ("live", "live", "TARGETING_MATCH") == (sorted_in.value, sorted_in.variant, sorted_in.reason)
    assert ("shadow", "shadow", "DEFAULT") == (nobody.value, nobody.variant, nobody.reason)


def test_metadata_and_disabled(
    client: OpenFeatureClient, source: FlagSource, files: FlagFiles, flag: Callable[..., bytes]
) -> None:
    """A disabled flag is the caller's own default; what the file holds as metadata comes along."""
    files.path("cache").write_bytes(
        flag(state="DISABLED", metadata={"ticket": 7}, top={"metadata": {"team": "x", "ticket": 1}})
    )
    source.refresh()
    found = client.get_string_details("phase.cache", "mine")

    assert ("mine", None, "DISABLED") == (found.value, found.variant, found.reason)
    assert {"team": "x", "ticket": 7} == found.flag_metadata


def test_rule_that_fails(
    client: OpenFeatureClient, source: FlagSource, files: FlagFiles, flag: Callable[..., bytes]
) -> None:
    """A rule that names no variant for this context is an error with the caller's default."""
    files.path("cache").write_bytes(flag(variants={"live": "live", "shadow": "shadow"}, targeting={"var": "stage"}))
    source.refresh()
    found = client.get_string_details("phase.cache", "mine", EvaluationContext("k", {"stage": "nowhere"}))

    assert ("mine", ErrorCode.GENERAL) == (found.value, found.error_code)
    assert "live" == client.get_string_value("phase.cache", "mine", EvaluationContext("k", {"stage": "live"}))


@pytest.mark.parametrize("name", ["phase.chache", "cache", "phase.", ""])
def test_unknown_flag(client: OpenFeatureClient, name: str) -> None:
    """A flag of no phase is not found, whatever type is asked for."""
    assert ErrorCode.FLAG_NOT_FOUND == client.get_string_details(name, "?").error_code
    assert ErrorCode.FLAG_NOT_FOUND == client.get_boolean_details(name, False).error_code


def test_wrong_type(client: OpenFeatureClient) -> None:
    """A phase is a string and nothing else; the caller gets its own default."""
    asked = [
        client.get_boolean_details("phase.cache", True),
        client.get_integer_details("phase.cache", 7),
        client.get_float_details("phase.cache", 7.5),
        client.get_object_details("phase.cache", {}),
    ]

    assert [ErrorCode.TYPE_MISMATCH] * 4 == [found.error_code for found in asked]
    assert [True, 7, 7.5, {}] == [found.value for found in asked]


def test_declared_default(files: FlagFiles, tmp_path: Path) -> None:
    """A phase without any good file resolves to its declared default, without a variant."""
    source = FlagSource(
        FlagFiles(tmp_path / "none", files.phases), snapshots=tmp_path / "kept", publish=lambda table: None
    )
    found = OmsProvider(source).resolve_string_details("phase.cache", "?")

    assert ("off", None, "DEFAULT") == (found.value, found.variant, found.reason)


def test_change_is_emitted(
    client: OpenFeatureClient, source: FlagSource, files: FlagFiles, wait_until: WaitUntil
) -> None:
    """A new table is a change of configuration that names the flags; after shutdown there is none."""
    events: list[EventDetails] = []
    client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, events.append)
    files.write("cache", Split.whole(Stage.DUALWRITE), based_on=None)
    source.refresh()

    assert wait_until(lambda: len(events) == 1)
    assert ["phase.cache"] == events[0].flags_changed

    client.provider.shutdown()
    assert () == source._listeners
