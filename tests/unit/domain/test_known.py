"""Known divergences: when a rule covers a difference, and what a rules file may not say."""

from __future__ import annotations

import datetime as dt

import pytest

from oms.domain.comparison import Difference
from oms.domain.errors import BadInput
from oms.domain.known import KnownClass, KnownDivergence, expiring, matching_rule, rule_from
from oms.domain.observation import Facts
from oms.domain.stage import Side, Stage

FACTS = Facts(operation="get", stage=Stage.SHADOW, control=Side.LEGACY)
DIFFERENCE = Difference("type", "items.*", [], ())
PREDICATES = {"always": lambda difference, facts: True, "never": lambda difference, facts: False}
ROW = {
    "id": "TC-01",
    "seam": "cache.types",
    "operation": "get",
    "kind": "type",
    "path": "items.*",
    "when": "always",
    "class": "accepted",
    "owner": "types team",
    "reason": "JSON has no tuples",
    "expires": dt.date(2027, 3, 31),
    "anchor": "docs/migration/cache.md#tc-01",
}


def rule(**changes: object) -> KnownDivergence:
    """Return the rule of ``ROW`` with *changes*."""
    return rule_from({**ROW, **changes}, where="cache.known.toml", predicates=PREDICATES)


def refusal(row: dict[str, object]) -> str:
    """Return the message by which *row* is refused."""
    with pytest.raises(BadInput) as caught:
        rule_from(row, where="cache.known.toml: known[0]", predicates=PREDICATES)
    return str(caught.value)


def test_fields() -> None:
    """Every field of the row is in the rule."""
    built = rule()

    assert {**ROW, "class": KnownClass.ACCEPTED} == {
        ("class" if name == "klass" else name): getattr(built, name)
        for name in KnownDivergence.__slots__
        if name != "predicate"
    }
    assert PREDICATES["always"] is built.predicate


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"seam": "cache.*"},
        {"operation": "*"},
        {"operation": "[ga]*et"},
        {"kind": "*"},
        {"path": "*"},
        {"path": "items.[*]"},
    ],
)
def test_covers(changes: dict[str, object]) -> None:
    """A rule covers a difference that fits each of its fields; shell patterns stand for several."""

    assert rule(**changes).covers("cache.types", DIFFERENCE, FACTS)


@pytest.mark.parametrize(
    "changes",
    [
        {"seam": "cache.documents"},
        {"seam": "Cache.Types"},
        {"operation": "aget"},
        {"kind": "value"},
        {"path": "items"},
        {"path": ""},
        {"when": "never"},
    ],
)
def test_near_miss(changes: dict[str, object]) -> None:
    """A rule that does not fit in one field does not cover."""

    assert not rule(**changes).covers("cache.types", DIFFERENCE, FACTS)


def test_predicate_comes_last() -> None:
    """A predicate sees only differences that fit the rule's other fields, and gets the difference and the facts."""
    seen: list[object] = []
    built = rule_from(
        ROW, where="", predicates={"always": lambda difference, facts: bool(seen.append((difference, facts)))}
    )

    built.covers("cache.documents", DIFFERENCE, FACTS)
    built.covers("cache.types", DIFFERENCE, FACTS)

    assert [(DIFFERENCE, FACTS)] == seen


def test_first_rule_wins() -> None:
    """Of several rules that cover a difference the first one is named."""
    rules = [rule(id="TC-01", when="never"), rule(id="TC-02"), rule(id="TC-03")]
    matched = matching_rule(rules, "cache.types", DIFFERENCE, FACTS)

    assert matched is not None
    assert "TC-02" == matched.id
    assert None is matching_rule(rules, "cache.documents", DIFFERENCE, FACTS)


@pytest.mark.parametrize("name", ROW)
def test_missing_field(name: str) -> None:
    """A row without one of its fields is refused, and the field is named."""
    row = {key: value for key, value in ROW.items() if key != name}

    assert f"cache.known.toml: known[0]: found no {name}, wanted every field of a known divergence" == refusal(row)


def test_unknown_field() -> None:
    """A field that nobody reads is refused, with the fields that there are."""

    assert refusal({**ROW, "expiry": "x", "klass": "x"}).startswith(
        "cache.known.toml: known[0]: found unknown expiry, klass, wanted only id, seam,"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("when", "sometimes", "known[0]: when: found 'sometimes', wanted one of always, never"),
        ("when", ["always"], "known[0]: when: found ['always'], wanted a text"),
        ("class", "bug", "known[0]: class: found 'bug', wanted noise or accepted"),
        ("class", ["noise"], "known[0]: class: found ['noise'], wanted noise or accepted"),
        (
            "expires",
            "2027-03-31",
            "known[0]: expires: found '2027-03-31', wanted a date such as 2027-03-31, without quotes",
        ),
        (
            "expires",
            dt.datetime(2027, 3, 31),
            "known[0]: expires: found datetime.datetime(2027, 3, 31, 0, 0), wanted a date such as 2027-03-31, without quotes",
        ),
        ("owner", 7, "known[0]: owner: found 7, wanted a text"),
        ("reason", "", "known[0]: reason: found '', wanted a text"),
        ("path", ["a"], "known[0]: path: found ['a'], wanted a text"),
    ],
)
def test_bad_value(name: str, value: object, message: str) -> None:
    """A field of the wrong kind is refused with what was found and what is wanted."""

    assert f"cache.known.toml: {message}" == refusal({**ROW, name: value})


def test_path_may_be_empty() -> None:
    """An empty path is the top of the answer."""

    assert rule(path="").covers("cache.types", Difference("type", "", [], ()), FACTS)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (dt.date(2027, 3, 16), []),
        (dt.date(2027, 3, 17), ["TC-01 of types team expires on 2027-03-31, in 14 days"]),
        (dt.date(2027, 3, 30), ["TC-01 of types team expires on 2027-03-31, in 1 day"]),
        (dt.date(2027, 3, 31), ["TC-01 of types team expires on 2027-03-31, in 0 days"]),
        (dt.date(2027, 4, 1), ["TC-01 of types team expired on 2027-03-31, 1 day ago"]),
    ],
)
def test_expiry(day: dt.date, expected: list[str]) -> None:
    """A rule holds on its last day; two weeks before it is told of."""
    assert expected == [one.words for one in expiring([rule()], day)]
    assert [day > dt.date(2027, 3, 31)] * len(expected) == [one.is_over for one in expiring([rule()], day)]


def test_expiry_of_an_id_with_several_rules() -> None:
    """The first of them counts, and what is over for longest comes first."""
    rules = [
        rule(id="TC-02"),
        rule(id="TC-01"),
        rule(id="TC-01", expires=dt.date(2027, 4, 2)),
        rule(id="TC-03", expires=dt.date(2027, 3, 1)),
    ]
    found = expiring(rules, dt.date(2027, 4, 1))

    assert [("TC-03", -31), ("TC-01", -1), ("TC-02", -1)] == [(one.id, one.days_left) for one in found]


@pytest.mark.parametrize("name", ["owner", "reason", "id"])
def test_blank_is_missing(name: str) -> None:
    """A rule that nobody owns, or without a reason, is refused: a blank is none."""
    assert f"known[0]: {name}: found ' '" in refusal({**ROW, name: " "})
