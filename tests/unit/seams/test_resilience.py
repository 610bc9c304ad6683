"""What the port of the waits tolerates, and what its mark declares."""

from __future__ import annotations

import math

import pytest

from oms.domain.observation import Facts, Observation, Raised, Returned, StandIn
from oms.domain.stage import Side, Stage
from oms.seams.known import load_known
from oms.seams.resilience import BACKOFF, error_label, same_wait
from oms.seams.resilience_known import PREDICATES
from oms.seams.resilience_known.policies import Numbers

FACTS = Facts("delay", Stage.SHADOW, Side.LEGACY)


@pytest.mark.parametrize(
    ("legacy", "unified", "is_same"),
    [
        (60.0, 60.0, True),
        (0.1 + 0.2, 0.3, True),
        (math.inf, math.inf, True),
        (math.inf, 86_400.0, False),
        (60.0, 60.001, False),
        (1.0, True, False),
        ("60", 60.0, False),
        (None, 60.0, False),
        (math.nan, math.nan, False),
    ],
)
def test_same_wait(legacy: object, unified: object, is_same: bool) -> None:
    """Two floats are one wait whatever the last digit; nothing else is."""
    assert is_same is (same_wait(Returned(legacy), Returned(unified), FACTS) is not None)


@pytest.mark.parametrize("other", [Raised(StandIn("ValueError")), Returned(60)])
def test_an_error_is_no_wait(other: Observation) -> None:
    """A side that raised is never within tolerance."""
    assert None is same_wait(Raised(StandIn("ValueError")), other, FACTS)


def test_mark() -> None:
    """A wait is named by its strategy, and of a refusal it is known which parameter was meant."""
    operation = BACKOFF.operations()["delay"]

    assert (("strategy",), {"PolicyInvalid": ("where",)}) == (operation.named_by, dict(operation.errors))
    assert same_wait is BACKOFF.reasonable


def test_label() -> None:
    """An error is labelled by its class, and by the status that its response carries."""

    class Refused(Exception):
        response = type("Answer", (), {"status_code": 503})()

    class Odd(Exception):
        response = type("Answer", (), {"status_code": "503"})()

    assert ["Refused.503", "Odd", "ValueError"] == [
        error_label(error).rpartition("<locals>.")[2] for error in (Refused(), Odd(), ValueError())
    ]


def test_numbers() -> None:
    """Jitter spreads a wait to either side; where the cap comes last, it holds."""
    legacy, unified = Numbers(5, 1.0, 60.0, 2.0), Numbers(4, 1.0, 2.0, 2.0, is_capped_last=True)

    assert (3.6, 4.4, 66.0) == tuple(map(pytest.approx, (legacy.least(3), legacy.most(3), legacy.most(9))))
    assert (1.8, 2.0) == (unified.least(3), unified.most(3))
    assert [False, True, False] == [unified.allows(1, wait) for wait in (0.89, 0.9, 1.2)]


def test_rules() -> None:
    """The rules of the phase are found, with their predicates."""
    assert {rule.when for rule in load_known("resilience")} == set(PREDICATES)
