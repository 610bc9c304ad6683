"""What each rule takes, and the near misses that it must not take: a rule that is too wide hides a true divergence."""

from __future__ import annotations

import datetime as dt
import enum
from pathlib import Path

import pytest

from oms.domain.comparison import Difference, compare
from oms.domain.known import KnownClass, matching_rule
from oms.domain.observation import Facts, Returned, StandIn
from oms.domain.stage import Side, Stage
from oms.seams.cache import PREDICATES
from oms.seams.known import load_known

RULES = load_known("cache")
TYPE_ERROR = StandIn("TypeError")


class Colour(enum.StrEnum):
    RED = "red"


def facts(
    operation: str,
    *,
    ttl: object = 60,
    written_s: float | None = 100.0,
    read_s: float = 101.0,
    keys: int = 3,
    knows_ttl: bool = True,
) -> Facts:
    """Return the facts of a call in shadow, one second after the key was written for a minute unless said otherwise."""
    return Facts(
        operation=operation,
        stage=Stage.SHADOW,
        control=Side.LEGACY,
        read_s=read_s,
        compared_s=read_s + 0.01,
        written_s=written_s,
        write=(("ttl", ttl),) if knows_ttl else (),
        keys_written=keys,
    )


def found(seam: str, difference: Difference, given: Facts) -> str | None:
    """Return the id of the rule that takes *difference*."""
    rule = matching_rule(RULES, seam, difference, given)
    return rule.id if rule else None


def miss(of: str, other: object = "v") -> Difference:
    """Return a read that only one side could answer."""
    return Difference("legacy_miss", "", None, other) if of == "legacy" else Difference("unified_miss", "", other, None)


GET, AGET = "get", "aget"
TAKEN = [
    ("TC-01", "cache.types", miss("unified"), facts(GET, ttl=0)),
    ("TC-01", "cache.types", miss("unified"), facts(AGET, ttl=0.0)),
    ("TC-01", "cache.types", miss("unified"), facts(GET, ttl=dt.timedelta(0), read_s=9_999.0)),
    ("VC-01", "cache.validation", Difference("error", "", TYPE_ERROR, None), facts("set", ttl=None)),
    ("VC-03", "cache.validation", Difference("value", "cache_used", True, False), facts(GET)),
    ("VC-09", "cache.validation", miss("unified"), facts(GET, ttl=0, read_s=100.001)),
    ("TM-01", "cache.documents", Difference("type", "geo", [1.0, 2.0], (1.0, 2.0)), facts(AGET)),
    ("TM-01", "cache.documents", Difference("type", "geo", [[1], "{2}"], ((1,), {2})), facts(AGET)),
    ("TM-01", "cache.documents", Difference("type", "keywords", "{'b', 'a'}", {"a", "b"}), facts(AGET)),
    ("TM-01", "cache.documents", Difference("type", "born", "2025-07-02", dt.date(2025, 7, 2)), facts(AGET)),
    ("TM-01", "cache.documents", Difference("type", "", "b'x'", b"x"), facts(AGET)),
    ("TM-01", "cache.documents", Difference("type", "colour", "red", Colour.RED), facts(AGET)),
    ("TM-01", "cache.documents", Difference("type", "a", [{"1": None}], ({1: None},)), facts(AGET)),
    ("TM-01", "cache.documents", Difference("key", "counts.*", "1", 1), facts(AGET)),
    ("TM-05", "cache.documents", miss("legacy"), facts(AGET, keys=1000)),
    ("TM-06", "cache.documents", Difference("value", "", True, False), facts("adelete")),
]
NEAR_MISSES = {
    "TC-01, another ttl": ("cache.types", miss("unified"), facts(GET, ttl=1)),
    "TC-01, no ttl": ("cache.types", miss("unified"), facts(GET, ttl=None)),
    "TC-01, a ttl that nobody knows": ("cache.types", miss("unified"), facts(GET, knows_ttl=False)),
    "TC-01, never written on both sides": ("cache.types", miss("unified"), facts(GET, ttl=0, written_s=None)),
    "TC-01, the other side lost it": ("cache.types", miss("legacy"), facts(GET, ttl=0)),
    "TC-01, another value": ("cache.types", Difference("value", "", 1, 2), facts(GET, ttl=0)),
    "TC-01, another seam": ("cache.documents", miss("unified"), facts(AGET, ttl=0)),
    "VC-01, with a ttl": ("cache.validation", Difference("error", "", TYPE_ERROR, None), facts("set", ttl=60)),
    "VC-01, a ttl that nobody knows": (
        "cache.validation",
        Difference("error", "", TYPE_ERROR, None),
        facts("set", knows_ttl=False),
    ),
    "VC-01, another error": (
        "cache.validation",
        Difference("error", "", StandIn("KeyError"), None),
        facts("set", ttl=None),
    ),
    "VC-01, the other side raised": (
        "cache.validation",
        Difference("error", "", None, TYPE_ERROR),
        facts("set", ttl=None),
    ),
    "VC-01, both raised": (
        "cache.validation",
        Difference("error", "", TYPE_ERROR, StandIn("ValueError")),
        facts("set", ttl=None),
    ),
    "VC-01, in a read": ("cache.validation", Difference("error", "", TYPE_ERROR, None), facts(GET, ttl=None)),
    "VC-01, another seam": ("cache.types", Difference("error", "", TYPE_ERROR, None), facts("set", ttl=None)),
    "VC-03, the other way round": ("cache.validation", Difference("value", "cache_used", False, True), facts(GET)),
    "VC-03, another field": ("cache.validation", Difference("value", "valid", True, False), facts(GET)),
    "VC-03, a field below": ("cache.validation", Difference("value", "inner.cache_used", True, False), facts(GET)),
    "VC-03, no mark": ("cache.validation", Difference("value", "cache_used", 1, 0), facts(GET)),
    "VC-03, the field is not there": ("cache.validation", Difference("missing", "cache_used", True, None), facts(GET)),
    "VC-03, never written on both sides": (
        "cache.validation",
        Difference("value", "cache_used", True, False),
        facts(GET, written_s=None),
    ),
    "VC-03, another seam": ("cache.types", Difference("value", "cache_used", True, False), facts(GET)),
    "VC-09, the clock has ticked": ("cache.validation", miss("unified"), facts(GET, ttl=0, read_s=101.0)),
    "VC-09, another ttl": ("cache.validation", miss("unified"), facts(GET, ttl=1, read_s=100.001)),
    "VC-09, the other side lost it": ("cache.validation", miss("legacy"), facts(GET, ttl=0, read_s=100.001)),
    "TM-01, another value": ("cache.documents", Difference("value", "geo.*", 1.0, 2.0), facts(AGET)),
    "TM-01, a list with other members": (
        "cache.documents",
        Difference("type", "geo", [1.0, 3.0], (1.0, 2.0)),
        facts(AGET),
    ),
    "TM-01, a shorter list": ("cache.documents", Difference("type", "geo", [1.0], (1.0, 2.0)), facts(AGET)),
    "TM-01, a list with a number for a truth": ("cache.documents", Difference("type", "a", [1], (True,)), facts(AGET)),
    "TM-01, a map with another key": ("cache.documents", Difference("type", "a", [{"2": 0}], ({1: 0},)), facts(AGET)),
    "TM-01, a set with other members": (
        "cache.documents",
        Difference("type", "k", "{'a', 'c'}", {"a", "b"}),
        facts(AGET),
    ),
    "TM-01, another date": ("cache.documents", Difference("type", "d", "2025-07-03", dt.date(2025, 7, 2)), facts(AGET)),
    "TM-01, the other way round": ("cache.documents", Difference("type", "geo", (1.0, 2.0), [1.0, 2.0]), facts(AGET)),
    "TM-01, the text of a number": ("cache.documents", Difference("type", "n", "1", 1), facts(AGET)),
    "TM-01, the text of None": ("cache.documents", Difference("type", "n", "None", None), facts(AGET)),
    "TM-01, a lost key": ("cache.documents", Difference("missing", "counts.*", "a", None), facts(AGET)),
    "TM-01, a new key": ("cache.documents", Difference("extra", "counts.*", None, "a"), facts(AGET)),
    "TM-01, a number for a text as key": ("cache.documents", Difference("key", "counts.*", 1, "1"), facts(AGET)),
    "TM-01, another seam": ("cache.types", Difference("type", "geo", [1], (1,)), facts(AGET)),
    "TM-05, not full": ("cache.documents", miss("legacy"), facts(AGET, keys=999)),
    "TM-05, one key more": ("cache.documents", miss("legacy"), facts(AGET, keys=1001)),
    "TM-05, the other side lost it": ("cache.documents", miss("unified"), facts(AGET, keys=1000)),
    "TM-05, never written on both sides": ("cache.documents", miss("legacy"), facts(AGET, keys=1000, written_s=None)),
    "TM-05, another seam": ("cache.types", miss("legacy"), facts(GET, keys=1000)),
    "TM-06, the other way round": ("cache.documents", Difference("value", "", False, True), facts("adelete")),
    "TM-06, in a read": ("cache.documents", Difference("value", "", True, False), facts(AGET)),
    "TM-06, another seam": ("cache.types", Difference("value", "", True, False), facts("delete")),
    "TM-06, an error": ("cache.documents", Difference("error", "", True, StandIn("KeyError")), facts("adelete")),
}


@pytest.mark.parametrize(("id_", "seam", "difference", "given"), TAKEN)
def test_taken(id_: str, seam: str, difference: Difference, given: Facts) -> None:
    """Each rule takes its own quirk."""
    assert id_ == found(seam, difference, given)


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_near_miss(name: str) -> None:
    """No rule takes what only looks like its quirk."""
    assert None is found(*NEAR_MISSES[name])


def test_each_rule_has_both() -> None:
    """Every rule of the file has a quirk that it takes and near misses here, and there are no others."""
    ids = {rule.id for rule in RULES}

    assert (ids, ids) == ({taken[0] for taken in TAKEN}, {name.split(",")[0] for name in NEAR_MISSES})


def test_each_predicate_is_used() -> None:
    """No predicate lies around for a rule that is not there."""
    assert set(PREDICATES) == {rule.when for rule in RULES}


def test_rules_run_out() -> None:
    """Every rule has an owner, a reason and one date on which somebody looks at it again."""
    assert {("platform-caching", dt.date(2027, 6, 30))} == {(rule.owner, rule.expires) for rule in RULES}
    assert [] == [rule.id for rule in RULES if len(rule.reason) < 40]


def test_noise() -> None:
    """Only the tick of the clock is noise; all else changes something for callers and was accepted."""
    assert {"VC-09"} == {rule.id for rule in RULES if rule.klass is KnownClass.NOISE}


def test_anchors() -> None:
    """Every rule points to a place of the migration guide that is there."""
    guide = (Path(__file__).parents[3] / "docs/migration/cache.md").read_text("utf-8")

    assert [] == [rule.id for rule in RULES if f'<a id="{rule.anchor.split("#")[1]}"></a>' not in guide]
    assert {"docs/migration/cache.md"} == {rule.anchor.split("#")[0] for rule in RULES}


def test_number_keys_are_one_difference() -> None:
    """A number key that came back as its text is one difference, and what lies under it is still compared."""
    differences = compare(legacy=Returned({"1": "a", "2": "b"}), unified=Returned({1: "a", 2: "c"}))

    assert {("key", "*"), ("value", "*")} == {(each.kind, each.path) for each in differences}
    assert ["b"] == [each.legacy for each in differences if each.kind == "value"]
