"""Known divergences, fingerprints and samples: what is ignored, how a cause is named, and what is never shown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from oms.domain.comparison import Difference
from oms.domain.divergence import Divergence
from oms.domain.known import KnownClass, KnownDivergence
from oms.domain.observation import Facts
from oms.domain.stage import Stage
from oms.routing import Runtime
from oms.routing.tally import MAX_DIVERGENCES
from oms.seams.cache import TYPES
from tests.unit.routing.probe import AMPLE, Answers, counts, outcome_of_one, probe, raising, until
from tests.unit.routing.sides import MapSide, table


def rule(
    predicate: Callable[[Difference, Facts], bool] = lambda difference, facts: True, **fields: Any
) -> KnownDivergence:
    """Return a rule that covers everything of the probe unless *fields* say otherwise."""
    every: dict[str, Any] = {"id": "PR-01", "seam": "probe.ask", "operation": "ask", "kind": "*", "path": "*"}
    return KnownDivergence(
        **{**every, **fields},
        when="always",
        klass=KnownClass.ACCEPTED,
        owner="somebody",
        reason="known",
        expires=dt.date(2999, 1, 1),
        anchor="docs/migration/probe.md#pr-01",
        predicate=predicate,
    )


def compared(legacy: Any, unified: Any, *rules: KnownDivergence, **more: Any) -> tuple[str, list[Divergence]]:
    """Make one call in shadow; return its outcome and the divergences."""
    runtime, facade = probe(Answers(lambda value: legacy), Answers(lambda value: unified), rules=rules, **more)
    facade.ask(1)
    (outcome,) = (name for name in outcome_of_one(runtime) if "." not in name)
    runtime.stop(5)
    return outcome, runtime.drain().divergences


ONE, OTHER = {"a": 1, "b": 1}, {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("rules", "expected", "known"),
    [
        ([], "mismatched", [None, None]),
        ([rule(path="a")], "mismatched", ["PR-01", None]),
        ([rule(path="a"), rule(path="b", id="PR-02")], "ignored", ["PR-01", "PR-02"]),
        ([rule()], "ignored", ["PR-01", "PR-01"]),
        ([rule(), rule(id="PR-02")], "ignored", ["PR-01", "PR-01"]),
        ([rule(kind="missing")], "mismatched", [None, None]),
        ([rule(operation="aask")], "mismatched", [None, None]),
        ([rule(seam="probe.*", operation="*")], "ignored", ["PR-01", "PR-01"]),
        ([rule(seam="*")], "ignored", ["PR-01", "PR-01"]),
        ([rule(seam="other.ask")], "mismatched", [None, None]),
        ([rule(lambda difference, facts: difference.legacy == 2)], "mismatched", [None, None]),
        ([rule(lambda difference, facts: facts.stage is Stage.SHADOW)], "ignored", ["PR-01", "PR-01"]),
    ],
)
def test_rules(rules: list[KnownDivergence], expected: str, known: list[str | None]) -> None:
    """A call is ignored if a rule covers each of its differences; one that is not covered makes it mismatched. Both stay written down."""
    outcome, divergences = compared(ONE, OTHER, *rules)

    assert (expected, known) == (outcome, [divergence.known for divergence in divergences])


def test_rule_that_raises() -> None:
    """A predicate that fails makes the call uncomparable, not ignored."""

    def broken(difference: Difference, facts: Facts) -> bool:
        raise LookupError

    assert ("uncomparable", []) == compared(ONE, OTHER, rule(broken))


def test_errors_by_design() -> None:
    """A side that alone raises as a known divergence says is not counted as the one that failed; without the rule it is."""
    for rules, expected in (((), 1), ((rule(),), 0)):
        runtime, facade = probe(Answers(lambda value: value), Answers(raising(ValueError)), rules=rules)
        facade.ask(1)
        outcome_of_one(runtime)
        assert expected == counts(runtime)["errors.unified"]
        runtime.stop(5)


def test_ignored_is_not_matched() -> None:
    """Each has its own count."""
    runtime, facade = probe(Answers(), Answers(lambda value: value or 1), rules=[rule()])
    for value in (0, 1, 1):
        facade.ask(value)
    runtime.stop(5)

    assert (1, 2) == (counts(runtime)["ignored"], counts(runtime)["matched"])


def fingerprints(legacy: Any, unified: Any) -> list[str]:
    """Return the fingerprints of one call."""
    return [divergence.fingerprint for divergence in compared(legacy, unified)[1]]


def test_fingerprints_are_stable() -> None:
    """The same cause has the same name, whatever the values, ids and the process; another cause has another."""
    assert ["c810e2335a54"] == fingerprints({"a": 1}, {"a": 2})
    assert fingerprints({"a": 1}, {"a": 2}) == fingerprints({"a": 10, "b": 1}, {"a": 20, "b": 1})
    assert fingerprints([{"a": 1}], [{"a": 2}]) == fingerprints([{"a": 1}, {"a": 1}], [{"a": 1}, {"a": 3}])
    assert fingerprints({"42": {"a": 1}}, {"42": {"a": 2}}) == fingerprints({"43": {"a": 1}}, {"43": {"a": 2}})
    others = [fingerprints({"a": 1}, {"a": "1"}), fingerprints({"b": 1}, {"b": 2}), fingerprints({"a": 1}, {})]
    assert 4 == len({*map(str, others), str(fingerprints({"a": 1}, {"a": 2}))})


SECRET = "hunter2-0123456789"


@pytest.mark.parametrize(
    ("legacy", "unified"),
    [
        (SECRET, SECRET + "x"),
        ({"password": SECRET}, {"password": "other"}),
        ({"password": SECRET}, {}),
        ([SECRET], [SECRET, SECRET]),
        ({SECRET: 1, "7": 1}, {SECRET: 2, "7": 1}),
        (SECRET, None),
    ],
)
def test_samples_hold_no_values(legacy: Any, unified: Any) -> None:
    """A divergence shows paths, types, lengths and keyed hashes, and nothing of the values."""
    _, divergences = compared(legacy, unified)

    assert divergences
    assert SECRET not in repr(divergences)


def test_exceptions_hold_no_values() -> None:
    """Nor of an exception's message."""
    runtime, facade = probe(Answers(), Answers(raising(ValueError(SECRET))))
    facade.ask(1)
    outcome_of_one(runtime)
    runtime.stop(5)
    (divergence,) = runtime.drain().divergences

    assert ("error", ("int", "ValueError")) == (divergence.kind, divergence.types)
    assert SECRET not in repr(divergence)


def test_values_where_the_port_allows() -> None:
    """Only at the paths that the port names."""
    _, divergences = compared({"shown": "left", "hidden": "left"}, {"shown": "right", "hidden": "right"})
    samples = {divergence.path: divergence.sample for divergence in divergences}

    assert ("'left'", "'right'") == (samples["shown"]["legacy"]["value"], samples["shown"]["unified"]["value"])
    assert "left" not in repr(samples["hidden"])
    assert {"path", "control", "legacy", "unified", "call"} == set(samples["shown"])


def sampled(key: bytes, value: str) -> dict[str, Any]:
    """Return how *value* is described with the hash key *key*."""
    runtime = Runtime(hash_key=key, limits=AMPLE)
    runtime.publish(table(Stage.SHADOW))
    legacy = MapSide()
    runtime.bind(TYPES, legacy=legacy, unified=MapSide())
    cache = runtime.facade(TYPES)
    cache.set("k", "same")
    legacy.values["k"] = value
    cache.get("k")
    until(lambda: counts(runtime, "get")["mismatched"])
    runtime.stop(5)
    described: dict[str, Any] = runtime.drain().divergences[0].sample["legacy"]
    return described


def test_hash_is_keyed() -> None:
    """Equal values have equal hashes under one key, and other hashes under another key."""
    one, again, other = sampled(b"1" * 32, "yes"), sampled(b"1" * 32, "yes"), sampled(b"2" * 32, "yes")

    assert one == again
    assert one["hash"] != other["hash"]
    assert {"type": "str", "length": 3, "hash": one["hash"]} == one
    assert 16 == len(one["hash"])


def test_divergences_are_bounded() -> None:
    """Between two drains so many are kept; what is over is counted as lost, and the tallies have it."""
    runtime, facade = probe(Answers(lambda value: [value] * 2), Answers(lambda value: [-1] * 2))
    ledger = runtime._ledger
    facade.ask(1)
    outcome_of_one(runtime)
    (first, *_) = runtime.drain().divergences
    for _ in range(MAX_DIVERGENCES + 7):
        ledger.divergence(first)
    batch = runtime.drain()
    runtime.stop(5)

    assert (MAX_DIVERGENCES, 7) == (len(batch.divergences), batch.lost_divergences)
    assert 0 == runtime.drain().lost_divergences


def test_call_holds_what_the_port_allows() -> None:
    """A divergence tells of its call's arguments and of the key's last write: values where the port allows, else type, length and hash."""
    runtime = Runtime(hash_key=b"1" * 32, limits=AMPLE)
    runtime.publish(table(Stage.SHADOW))
    legacy, unified = MapSide(), MapSide()
    runtime.bind(TYPES, legacy=legacy, unified=unified)
    cache = runtime.facade(TYPES)
    cache.set(SECRET, {"password": SECRET}, ttl=60)
    legacy.values[SECRET] = "other"
    cache.get(SECRET)
    until(lambda: counts(runtime, "get")["mismatched"])
    runtime.stop(5)
    (divergence,) = runtime.drain().divergences
    key = divergence.sample["call"]["key"]

    assert SECRET not in repr(divergence)
    assert ("str", len(SECRET), 16) == (key["type"], key["length"], len(key["hash"]))
    assert "60" == divergence.sample["write"]["ttl"]["value"]
    assert {"ttl"} == set(divergence.sample["write"])


class Talkative(MapSide):
    """Answers a write, which a cache must not."""

    def set(self, key: str, value: object, *, ttl: object = None) -> object:
        """Return the value."""
        return SECRET


def test_call_of_a_write() -> None:
    """Of a write that answers differently the arguments are told as well, the stored value by shape only."""
    runtime = Runtime(hash_key=b"1" * 32, limits=AMPLE)
    runtime.publish(table(Stage.SHADOW))
    runtime.bind(TYPES, legacy=Talkative(), unified=MapSide())
    runtime.facade(TYPES).set("k", [SECRET], ttl=1.5)
    until(lambda: counts(runtime, "set")["mismatched"])
    runtime.stop(5)
    (divergence,) = runtime.drain().divergences
    call = divergence.sample["call"]

    assert SECRET not in repr(divergence)
    assert ("list", 1, "1.5") == (call["value"]["type"], call["value"]["length"], call["ttl"]["value"])
    assert "write" not in divergence.sample
