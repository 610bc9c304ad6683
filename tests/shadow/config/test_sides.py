"""Any environment: what the sides answer differently is a conflict with an id."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sides.config import SECRETS, fill, make_sides

from oms.domain.comparison import compare
from oms.domain.known import matching_rule
from oms.domain.observation import Facts, Raised, Returned, StandIn
from oms.domain.stage import Side, Stage
from oms.seams.config import Asks, sites
from oms.seams.known import load_known
from oms.unified.config import UnifiedEnv, standard_groups

RULES = load_known("config")
FACTS = Facts("read", Stage.SHADOW, Side.LEGACY)
PLACES = [(name, site) for name, row in sites().items() for site in row]
CANONICAL = UnifiedEnv(standard_groups).names()
TEXTS = sorted(
    name
    for name, row in sites().items()
    if name in CANONICAL
    and set(row.values()) == {Asks.VALUE}
    and name.endswith(("_URL", "_HOST", "_PREFIX", "_NAME", "_TOPIC", "_USER", "_TEAM"))
)


def named() -> Iterator[tuple[str, str]]:
    """Yield each difference over every place, as the id of its rule (or what it is, where no rule takes it) and its path."""
    both = make_sides()
    for name, site in PLACES:
        for difference in compare(
            legacy=_observed(both.legacy, name, site), unified=_observed(both.unified, name, site)
        ):
            placed = dataclasses.replace(difference, path=f"{name}@{site}")
            rule = matching_rule(RULES, "config.settings", placed, FACTS)
            yield rule.id if rule else f"unknown {placed.kind}", placed.path


def _observed(side: object, name: str, site: str) -> Returned | Raised:
    try:
        return Returned(side.read(name, site))  # type: ignore[attr-defined]  # a side of the port
    except Exception as error:
        return Raised(StandIn(type(error).__qualname__))


ALWAYS = {
    "CF-05",
    "CF-06",
    "CF-09",
    "CF-10",
    "CF-11",
    "CF-12",
    "CF-13",
    "CF-14",
    "CF-15",
    "CF-18",
    "CF-19",
    "CF-20",
    "CF-21",
    "CF-22",
}
"""Conflicts of defaults: they are there until somebody sets the variable."""
CARELESS = {
    "ENVIRONMENT": "Production",
    "IAM_VERIFY_SSL": "yes",
    "TEST_MODE": "1",
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "debug",
}


@pytest.mark.parametrize(
    ("texts", "more"),
    [
        ({}, {"CF-01", "CF-02", "CF-03", "CF-04", "CF-16", "CS-01", "CS-02", "SE-01"}),
        ({"ENVIRONMENT": "development"}, {"CF-01", "CF-02", "CF-03", "CF-04", "CF-16", "CS-01", "SE-01"}),
        ({"ENVIRONMENT": "test"}, {"CF-01", "CF-02", "CF-03", "CF-16", "CS-01", "SE-01"}),
        ({"ENVIRONMENT": "staging", **SECRETS}, {"CF-02", "CF-03", "CF-16", "CS-01", "SE-01"}),
        ({**CARELESS, **SECRETS}, {"CF-02", "CF-03", "CF-04", "CF-07", "CF-08", "CF-16", "CF-17", "CS-01", "SE-01"}),
    ],
    ids=["nothing", "development", "test", "staging", "careless production"],
)
def test_every_difference_has_a_name(monkeypatch: pytest.MonkeyPatch, texts: dict[str, str], more: set[str]) -> None:
    """In each of these environments the sides differ by these conflicts, and by nothing else."""
    fill(monkeypatch, **texts)

    assert ALWAYS | more == {id_ for id_, _ in named()}


def test_all_22_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two environments show every conflict of the reference."""
    fill(monkeypatch)
    nothing = {id_ for id_, _ in named()}
    fill(monkeypatch, **CARELESS, **SECRETS)
    careless = {id_ for id_, _ in named()}

    assert {f"CF-{number:02}" for number in range(1, 23)} <= nothing | careless


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(TEXTS), st.from_regex(r"[a-z]{3,8}://[a-z.]{1,20}:[0-9]{2,4}", fullmatch=True), max_size=12
    )
)
def test_what_is_set_matches(monkeypatch: pytest.MonkeyPatch, texts: dict[str, str]) -> None:
    """Whatever texts are set, under the names that everybody uses, every place reads them alike: what differs is about other names."""
    fill(monkeypatch, ENVIRONMENT="production", **texts)
    differing = {(id_, path.partition("@")[0]) for id_, path in named()}

    assert set() == {id_ for id_, _ in differing if id_.startswith("unknown")}
    assert set() == {name for _, name in differing} & texts.keys()


@pytest.mark.parametrize(
    ("name", "text", "paths"),
    [
        ("IAM_VERIFY_SSL", "0", {"IAM_VERIFY_SSL@core/iam/iam_integration.py"}),
        ("REQUIRE_AUTH", "yes", {"REQUIRE_AUTH@main_secure.py"}),
        ("DISABLE_AUTH", "TRUE", {"DISABLE_AUTH@middleware/auth_secure.py"}),
        ("JWT_ISSUER", "", {"JWT_ISSUER@core/iam/iam_integration.py"}),
        ("IAM_CACHE_TTL", "5m", {"IAM_CACHE_TTL@core/integrations/iam_service_client.py"}),
    ],
)
def test_what_no_rule_hides(monkeypatch: pytest.MonkeyPatch, name: str, text: str, paths: set[str]) -> None:
    """Edges that a rule could not tell from a true fault stay mismatches: somebody has to look before live."""
    fill(monkeypatch, ENVIRONMENT="production", **SECRETS, **{name: text})

    assert paths == {path for id_, path in named() if id_.startswith("unknown")}
