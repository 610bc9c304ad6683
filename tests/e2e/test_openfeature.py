"""A runtime that reads its stages from the official flagd provider, over the very file that ``oms flip`` writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType

from oms.domain.scope import EvaluationContext
from oms.domain.stage import Stage
from oms.flagging.client import ClientSource
from oms.flagging.files import FlagFiles
from oms.legacy_adapters.cache import legacy_types
from oms.routing import Runtime
from oms.seams import PHASES
from oms.seams.cache import TYPES
from oms.unified.cache import CacheRegistry
from tests.e2e.command import wait_until
from tests.e2e.fleet import Fleet

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """Folders in shadow."""
    fleet = Fleet(tmp_path)
    fleet.put(Stage.SHADOW)
    return fleet


@pytest.fixture
def runtime(fleet: Fleet) -> Iterator[Runtime]:
    """A runtime with the two type caches that follows flagd in file mode."""
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(fleet.file), deadline_ms=10)
    api.set_provider_and_wait(provider, domain="e2e")
    runtime = Runtime()
    unified = CacheRegistry().get_cache("types", config={"max_size": 1000})
    legacy = legacy_types(max_size=1000)
    for name, side in (("legacy", legacy), ("unified", unified)):
        side.set("who", name, ttl=600)
    runtime.bind(TYPES, legacy=legacy, unified=unified)
    source = ClientSource(api.get_client(domain="e2e"), PHASES, runtime.publish)
    source.start()
    yield runtime
    source.stop()
    runtime.stop()
    provider.shutdown()


def answered_by(runtime: Runtime, tenant: str) -> str:
    """Return who answers a read of *tenant*."""
    with runtime.scope(targeting_key=tenant):
        side: str = runtime.facade(TYPES).get("who")
    return side


def test_flips_reach_a_runtime_behind_flagd(fleet: Fleet, runtime: Runtime) -> None:
    """A canary puts the same tenants on unified that oms's own source would, a flip all of them, a rollback none."""
    tenants = [f"tenant-{number}" for number in range(40)]

    assert {"legacy"} == {answered_by(runtime, tenant) for tenant in tenants}
    fleet.moved("flip", "cache", "live=30")
    wait_until(lambda: "unified" in {answered_by(runtime, tenant) for tenant in tenants}, "the canary arrives")
    served = {tenant: answered_by(runtime, tenant) for tenant in tenants}
    assert {"legacy", "unified"} == set(served.values())
    assert [tenant for tenant in tenants if served[tenant] == "unified"] == canary(fleet, tenants)
    fleet.moved("flip", "cache", "live")
    wait_until(lambda: {"unified"} == {answered_by(runtime, tenant) for tenant in tenants}, "so does live")
    fleet.moved("rollback", "cache")
    wait_until(lambda: {"legacy"} == {answered_by(runtime, tenant) for tenant in tenants}, "and the way back")


def canary(fleet: Fleet, tenants: list[str]) -> list[str]:
    """Return the tenants that oms's own source has on unified."""
    decision = FlagFiles(fleet.flags, PHASES).read("cache").decision
    return [each for each in tenants if decision.decide(EvaluationContext(each), "types", "get") is Stage.LIVE]
