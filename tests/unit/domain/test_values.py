"""Small values: facts, stand-ins, decisions, standings, batches."""

from __future__ import annotations

import dataclasses

import pytest

from oms.domain.decision import DecisionTable, FixedDecision, PhaseDecision
from oms.domain.observation import Disposition, Facts, Outcome, Raised, Returned, StandIn
from oms.domain.record import Batch, Flip, Place, Repair, Tally
from oms.domain.scope import ANONYMOUS, EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Side, Stage
from oms.domain.standing import PhaseStanding, ProcessStanding


def test_seven_outcomes() -> None:
    """A shadowed call comes to one of seven outcomes."""

    assert ["matched", "reasonable", "ignored", "mismatched", "uncomparable", "timed_out", "dropped"] == [
        one.value for one in Outcome
    ]


def test_six_dispositions() -> None:
    """A routed call becomes one of six things."""

    assert ["unshadowed", "sampled_out", "paused", "nested", "cancelled", "shadowed"] == [
        one.value for one in Disposition
    ]


def test_written_with() -> None:
    """Facts know the arguments of the key's last write by name, and None for what they do not know."""
    facts = Facts("get", Stage.SHADOW, Side.LEGACY, write=(("ttl", 0),))

    assert (0, None) == (facts.written_with("ttl"), facts.written_with("tags"))


def test_observations_compare_as_values() -> None:
    """Two observations of the same are equal, and an exception is never an answer."""

    assert Returned(1) == Returned(1)
    assert Raised(StandIn("KeyError", (("code", 1),))) == Raised(StandIn("KeyError", (("code", 1),)))
    assert Returned(StandIn("KeyError")) != Raised(StandIn("KeyError"))


@pytest.mark.parametrize("stage", Stage)
def test_fixed_decision(stage: Stage) -> None:
    """A fixed decision puts everybody at one stage, in whatever scope and operation."""
    decision: PhaseDecision = FixedDecision(stage, digest="d")

    assert (frozenset({stage}), stage, Split.whole(stage), False, "d") == (
        decision.stages,
        decision.default,
        decision.split,
        decision.by_operation,
        decision.digest,
    )
    assert {stage} == {
        decision.decide(context, "cache.types", "get") for context in (ANONYMOUS, EvaluationContext("tenant-42"))
    }


def test_decision_table() -> None:
    """A table has a decision a phase and names each by its digest; it cannot be written to."""
    table = DecisionTable.of(cache=FixedDecision(Stage.SHADOW, "d1"), config=FixedDecision(Stage.OFF, "d2"))

    assert {"cache": "d1", "config": "d2"} == table.digests()
    with pytest.raises(TypeError):
        table.phases["cache"] = FixedDecision(Stage.OFF)
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.phases = {}


def test_anonymous() -> None:
    """A call outside every scope has no targeting key and no attributes, and nobody can give it any."""

    assert (None, {}) == (ANONYMOUS.targeting_key, dict(ANONYMOUS.attributes))
    with pytest.raises(TypeError):
        ANONYMOUS.attributes["a"] = 1


@pytest.mark.parametrize(
    ("alive", "phase", "digest", "expected"),
    [
        (True, "cache", "new", True),
        (True, "cache", "old", False),
        (True, "config", "new", False),
        (False, "cache", "new", False),
    ],
)
def test_acknowledges(alive: bool, phase: str, digest: str, expected: bool) -> None:
    """A process acknowledges the digest that its new calls use, as long as it lives."""
    process = ProcessStanding(1, 2, "host", 0.0, alive, {"cache": PhaseStanding("new", 0.0)})

    assert expected is process.acknowledges(phase, digest)


def test_batches_share_nothing() -> None:
    """Each batch has its own lists."""
    place = Place("cache", "cache.types", "get", "shadow")
    one, other = Batch(), Batch()
    one.tallies.append(Tally(place, "calls", 1))

    assert ([Tally(place, "calls", 1)], []) == (one.tallies, other.tallies)


@pytest.mark.parametrize(
    "value",
    [
        Place("cache", "cache.types", "get", "shadow"),
        Repair(1, "cache", "cache.types", "unified", None, 0.0, None, True),
        Flip("cache", "off", "dualwrite", "d", "ann", "first", 0.0),
        PhaseStanding("d", 0.0),
        Facts("get", Stage.OFF, Side.LEGACY),
    ],
)
def test_values_are_frozen(value: object) -> None:
    """A value that goes from thread to thread cannot be changed on the way."""
    name = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)


def test_evaluation_context_is_frozen() -> None:
    """A context is a tuple: what a scope decided for cannot change under it, and no context shares its attributes' default."""
    context = EvaluationContext("tenant-42")

    with pytest.raises(AttributeError):
        context.targeting_key = "tenant-43"
    with pytest.raises(TypeError):
        context.attributes["plan"] = "gold"
    assert ("tenant-42", {}) == context
