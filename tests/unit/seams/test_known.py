"""Reading the rules file of a phase."""

from __future__ import annotations

import datetime as dt

import pytest

from oms.domain.errors import BadInput
from oms.domain.known import KnownClass
from oms.seams.known import known_from, load_known

RULE = """
[[known]]
id = "XX-01"
seam = "cache.types"
operation = "get"
kind = "value"
path = "a"
when = "anything"
class = "noise"
owner = "me"
reason = "because"
expires = 2027-06-30
anchor = "docs/migration/cache.md#xx-01"
"""
PREDICATES = {"anything": lambda difference, facts: True}


def test_file_of_a_phase() -> None:
    """The rules of the cache phase come from its file, in its order."""
    assert ["TC-01", "TC-01", "VC-01", "VC-03", "VC-09", "TM-01", "TM-01", "TM-05", "TM-06"] == [
        rule.id for rule in load_known("cache")
    ]


def test_phase_without_a_file() -> None:
    """A phase that has no known divergences has no rules."""
    assert [] == load_known("security")


def test_unknown_phase() -> None:
    """A phase that is not there is an error that names the nearest one."""
    with pytest.raises(BadInput, match=r"found 'cachee', wanted one of config, .*; did you mean cache"):
        load_known("cachee")


def test_rule() -> None:
    """Every field of a table is in the rule."""
    (rule,) = known_from(RULE, where="x.toml", predicates=PREDICATES)

    assert ("XX-01", KnownClass.NOISE, dt.date(2027, 6, 30)) == (rule.id, rule.klass, rule.expires)
    assert rule.predicate is PREDICATES["anything"]


def test_no_rules() -> None:
    """An empty file has no rules."""
    assert [] == known_from("", where="x.toml", predicates={})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[known", r"^x\.toml: found no TOML"),
        ("[known]\nid = 1", r"^x\.toml: found other entries \(known\), wanted only \[\[known\]\] tables"),
        ("other = 1", r"^x\.toml: found other entries \(other\)"),
        (RULE + RULE, r"^x\.toml: found XX-01 twice at one place"),
        (RULE.replace('owner = "me"\n', ""), r"^x\.toml: known\[0\] XX-01: found no owner"),
        (RULE + "more = 1\n", r"^x\.toml: known\[0\] XX-01: found unknown more"),
        (
            RULE.replace("anything", "nothing"),
            r"^x\.toml: known\[0\] XX-01: when: found 'nothing', wanted one of anything",
        ),
        (
            RULE.replace('"noise"', '"fine"'),
            r"^x\.toml: known\[0\] XX-01: class: found 'fine', wanted noise or accepted",
        ),
        (RULE.replace("2027-06-30", '"2027"'), r"^x\.toml: known\[0\] XX-01: expires: found '2027', wanted a date"),
    ],
)
def test_unusable(text: str, message: str) -> None:
    """What is not usable is an error that says where, what was found and what was wanted, on one line."""
    with pytest.raises(BadInput, match=message) as caught:
        known_from(text, where="x.toml", predicates=PREDICATES)

    assert "\n" not in str(caught.value)


def test_one_id_at_two_places() -> None:
    """A quirk that shows in two ways has two rules of one id."""
    rules = known_from(RULE + RULE.replace('"value"', '"type"'), where="x.toml", predicates=PREDICATES)

    assert ["XX-01", "XX-01"] == [rule.id for rule in rules]
