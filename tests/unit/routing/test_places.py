"""Where things are counted: under the flag decision that a call went by, and under the version of what it ran on."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.histogram import bucket_of
from oms.domain.observation import Disposition
from oms.domain.record import Place
from oms.domain.scope import EvaluationContext
from oms.domain.stage import Side, Stage
from oms.legacy_adapters.cache import legacy_types
from oms.routing.tally import Ledger
from oms.routing.version import version_of
from oms.seams.cache import TYPES
from oms.seams.known import load_known
from oms.unified.cache import CacheRegistry
from tests.unit.routing.probe import ASK, Answers, at, counts, probe
from tests.unit.routing.sides import MapSide


def plans(runtime: Any) -> dict[tuple[str, str], int]:
    """Return how many calls were counted by stage and plan."""
    found: Counter[tuple[str, str]] = Counter()
    for tally in runtime.totals():
        if tally.name == "calls":
            found[tally.place.stage, tally.place.plan] += tally.count
    return dict(found)


class Split:
    """Live for keys that end with a digit below *below*, shadow for the others."""

    stages = frozenset({Stage.LIVE, Stage.SHADOW})
    default = Stage.SHADOW
    split = None
    by_operation = False

    def __init__(self, below: int) -> None:
        self._below = below
        self.digest = f"below-{below}"

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Decide by the key's last digit."""
        return Stage.LIVE if int((context.targeting_key or "9")[-1]) < self._below else Stage.SHADOW


def test_each_decision_has_its_own_place() -> None:
    """A flip between the same stages, or to the same one, is another plan from the next scope on."""
    runtime, facade = probe(Answers(), Answers())
    facade.ask(1)
    runtime.publish(at(Stage.SHADOW, "again"))
    facade.ask(1)
    for below in (1, 5):
        runtime.publish(DecisionTable.of(probe=Split(below)))
        for key in ("t0", "t4"):
            with runtime.scope(targeting_key=key):
                facade.ask(1)
    runtime.stop(5)

    assert {
        ("shadow", "shadow"): 1, ("shadow", "again"): 1, ("live", "below-1"): 1, ("shadow", "below-1"): 1, ("live", "below-5"): 2,
    } == plans(runtime)  # fmt: skip


def test_scope_counts_under_the_plan_it_runs_on() -> None:
    """A scope that stays where its own table put it counts there; what a later table took back counts under that one."""
    runtime, facade = probe(Answers(), Answers())
    runtime.publish(DecisionTable.of(probe=Split(5)))
    with runtime.scope(targeting_key="t4"), runtime.scope(targeting_key="t9") as other:
        facade.ask(1)
        runtime.publish(DecisionTable.of(probe=Split(10)))
        facade.ask(1)
        other.carry(facade.ask)(1)
        runtime.publish(DecisionTable.of(probe=Split(1)))
        facade.ask(1)
    runtime.stop(5)

    assert {("shadow", "below-5"): 4} == plans(runtime)


def test_taken_back_under_the_later_plan() -> None:
    """The first table that said the stage is the one that decided it."""
    runtime, facade = probe(Answers(), Answers())
    runtime.publish(DecisionTable.of(probe=Split(5)))
    with runtime.scope(targeting_key="t4"):
        facade.ask(1)
        runtime.publish(DecisionTable.of(probe=Split(1)))
        facade.ask(1)
        runtime.publish(DecisionTable.of(probe=Split(5)))
        facade.ask(1)
    facade.ask(1)
    runtime.stop(5)

    assert {("live", "below-5"): 1, ("shadow", "below-1"): 2, ("shadow", "below-5"): 1} == plans(runtime)
    assert {("shadow", "below-5"): 1} == {
        (tally.place.stage, tally.place.plan): tally.count for tally in runtime.totals() if tally.name == "unscoped"
    }


def test_cells_of_old_plans_are_let_go() -> None:
    """Flips do not fill the memory, and nothing that was counted is lost or told twice."""
    ledger, place = Ledger(most_cells=10), Place("cache", "types", "get", "shadow")
    drained: Counter[str] = Counter()
    held = ledger.cell(replace(place, plan="held"))
    for number in range(100):
        ledger.cell(replace(place, plan=f"plan-{number}")).count("calls")
        for tally in ledger.drain().tallies:
            drained[tally.name] += tally.count
    held.count("calls")
    for tally in ledger.drain().tallies:
        drained[tally.name] += tally.count

    assert 101 == drained["calls"] == sum(tally.count for tally in ledger.totals())
    assert len(ledger._cells) <= 12
    assert held is ledger.cell(replace(place, plan="held"))


def test_cell_with_something_to_tell_stays() -> None:
    """A cell goes only after its counts, durations and units were drained."""
    ledger, place = Ledger(most_cells=0), Place("cache", "types", "get", "shadow")
    ledger.cell(place).call(Disposition.UNSHADOWED, Side.LEGACY)(1_000)
    assert ledger.cell(place).retire() is None
    batch = ledger.drain()

    assert {"calls": 1, "unshadowed": 1} == {tally.name: tally.count for tally in batch.tallies}
    assert [{bucket_of(1_000): 1}] == [latency.buckets for latency in batch.latencies]
    assert {} == ledger._cells


# -- version


def version(legacy: object, unified: object, **more: Any) -> str:
    """Return the digest for the types seam."""
    return version_of(TYPES, legacy=legacy, unified=unified, **more).digest


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what writes the modules of a package ``shop`` and imports it afresh."""
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "__init__.py").write_text("")

    def write(**modules: str) -> Any:
        for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
            monkeypatch.delitem(sys.modules, name)
        for name, source in modules.items():
            (folder / f"{name}.py").write_text(source)
        importlib.invalidate_caches()
        return importlib.import_module("shop.side")

    return write


ENGINE = "class Engine:\n    limit = {limit}\n"
SIDE = "from shop.engine import Engine\nclass Side:\n    def __init__(self):\n        self._engine = Engine()\n"


def test_version_follows_the_sources(shop: Any) -> None:
    """The source of a side, and of what it holds, is its version: the same again, another one after an edit of either."""
    first = version(shop(engine=ENGINE.format(limit=1), side=SIDE).Side(), MapSide())
    same = version(shop().Side(), MapSide())
    other_engine = version(shop(engine=ENGINE.format(limit=2)).Side(), MapSide())
    other_side = version(shop(side=SIDE + "# edited\n").Side(), MapSide())

    assert first == same
    assert 3 == len({first, other_engine, other_side})
    assert 16 == len(first)


def test_version_tells_the_sides_apart() -> None:
    """Sides that change places are another version."""
    legacy, unified = legacy_types(max_size=1), CacheRegistry().get_cache("types")

    assert version(legacy, unified) != version(unified, legacy)


def test_version_of_the_house() -> None:
    """Unified is its whole row, legacy its adapter and what that refers to; what watches a side is no part of it."""
    from oms.app.identity import IdentityCheck

    legacy, unified = legacy_types(max_size=1), CacheRegistry().get_cache("types")
    check = IdentityCheck()

    assert version(legacy, unified) == version(check.side(TYPES, legacy), check.side(TYPES, unified))
    assert version(legacy, unified) != version(legacy, MapSide())


def test_rules_are_part_of_the_version() -> None:
    """What a rule matches is, its owner and its date are not: a longer date throws no evidence away."""
    rules = load_known("cache")
    plain = version(MapSide(), MapSide(), rules=rules)
    longer = [replace(rule, expires=rule.expires.replace(year=2099), owner="somebody else") for rule in rules]
    wider = [replace(rules[0], path="*"), replace(rules[0], kind="type"), *rules[1:]]

    assert plain == version(MapSide(), MapSide(), rules=longer)
    assert 3 == len({plain, version(MapSide(), MapSide(), rules=wider), version(MapSide(), MapSide())})
    assert version(MapSide(), MapSide()) == version(MapSide(), MapSide(), rules=load_known("config"))


def test_without_source() -> None:
    """A side that was typed in by hand is known by its name, and it is said that its changes are not seen."""
    names: dict[str, Any] = {"__name__": "typed_in"}
    exec("class Side:\n    pass", names)
    found = version_of(TYPES, legacy=names["Side"](), unified={})

    assert ("typed_in", "builtins.dict") == found.unread
    assert found.digest != version_of(TYPES, legacy=names["Side"](), unified=[]).digest


def test_places_carry_the_version() -> None:
    """What a runtime counts says what it ran on."""
    runtime, facade = probe(Answers(), Answers())
    facade.ask(1)
    runtime.stop(5)
    expected = version_of(ASK, legacy=Answers(), unified=Answers()).digest

    assert {expected} == {tally.place.version for tally in runtime.totals()}
    assert FixedDecision(Stage.SHADOW, digest="shadow").digest == runtime.totals()[0].place.plan
    assert 1 == counts(runtime)["calls"]
