"""The contract kit, tried on contracts of its own in a pytest inside pytest's process."""

from __future__ import annotations

import pytest

from oms.domain.errors import BadInput
from oms.domain.phase import Phase, reads
from oms.domain.stage import Side, Stage
from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION
from oms.testing import KnownException, Sides, Vantage, contract, vantages

STAGES = ["facade.off", "facade.dualwrite", "facade.shadow", "facade.live", "facade.rampdown", "facade.complete"]


def test_vantages() -> None:
    """A seam is looked at through each of its ports, from both sides and in every stage."""
    subjects = ["legacy", "unified", *STAGES]

    assert [f"types-{port}-{subject}" for port in ("Cache", "AsyncCache") for subject in subjects] == [
        str(vantage) for vantage in vantages(TYPES)
    ]


def test_vantages_without_writes() -> None:
    """A phase without writes has four stages."""

    class Port:
        """Reads."""

        @reads
        def read(self) -> int:
            """Return a number."""
            return 0

    seam = Phase("plain").seam("s", port=Port)

    assert ["off", "shadow", "live", "complete"] == [
        vantage.subject.value for vantage in vantages(seam) if isinstance(vantage.subject, Stage)
    ]


@pytest.mark.parametrize(
    ("subject", "side"),
    [
        (Side.LEGACY, Side.LEGACY),
        (Side.UNIFIED, Side.UNIFIED),
        (Stage.OFF, Side.LEGACY),
        (Stage.SHADOW, Side.LEGACY),
        (Stage.LIVE, Side.UNIFIED),
        (Stage.COMPLETE, Side.UNIFIED),
    ],
)
def test_who_answers(subject: Side | Stage, side: Side) -> None:
    """A vantage knows whose answers are seen from it, and hands out that side."""
    vantage = Vantage(TYPES, TYPES.port, subject)

    assert (side, side.value) == (vantage.answers, Sides(legacy="legacy", unified="unified")[vantage.answers])


def test_async_ports() -> None:
    """A vantage knows whether its port is awaited."""
    assert [False, True, False, True] == [
        Vantage(TYPES, TYPES.ports[0], Side.LEGACY).is_async,
        Vantage(TYPES, TYPES.ports[1], Side.LEGACY).is_async,
        Vantage(VALIDATION, VALIDATION.port, Side.LEGACY).is_async,
        Vantage(DOCUMENTS, DOCUMENTS.port, Side.LEGACY).is_async,
    ]


class Contract:
    """A contract to decorate."""

    def test_promise(self) -> None:
        """Promise nothing."""


@pytest.mark.parametrize(
    ("exception", "message"),
    [
        (
            KnownException("XX-01", "nowhere", "test_promise"),
            "exception XX-01: found seam 'nowhere', wanted one of types",
        ),
        (KnownException("XX-01", "types", "test_other"), "exception XX-01: found test 'test_other'"),
    ],
)
def test_exception_of_nothing(exception: KnownException, message: str) -> None:
    """An exception for a seam or a test that is not there is refused."""
    with pytest.raises(BadInput, match=message):
        contract(TYPES, exceptions=[exception])(Contract)


SUITE = """
import pytest
from oms.seams.cache import VALIDATION
from oms.testing import KnownException, Sides, contract

class Memory:
    def __init__(self, value): self.value = value
    def get(self, key): return self.value
    def set(self, key, value, *, ttl=None): pass
    def delete(self, key): return True
    def clear(self): pass
    def forget(self, key): pass

@pytest.fixture
def sides():
    return lambda seam: Sides(legacy=Memory({legacy}), unified=Memory({unified}))

@contract(VALIDATION, exceptions=[{exceptions}])
class TestPromise:
    def test_answer(self, subject):
        assert 1 == subject.get("k")
"""
EXCEPTION = 'KnownException("XX-01", "validation", "test_answer")'


@pytest.mark.parametrize(
    ("legacy", "unified", "exceptions", "outcomes"),
    [
        (1, 1, "", {"passed": 8}),
        (2, 1, "", {"passed": 4, "failed": 4}),
        (1, 2, "", {"passed": 4, "failed": 4}),
        (2, 1, EXCEPTION, {"passed": 4, "xfailed": 4}),
        (1, 1, EXCEPTION, {"passed": 4, "failed": 4}),
        (2, 1, EXCEPTION[:-1] + ", raises=KeyError)", {"passed": 4, "failed": 4}),
    ],
    ids=[
        "kept",
        "legacy breaks it",
        "unified breaks it",
        "as the table says",
        "table out of date",
        "breaks it otherwise",
    ],
)
def test_a_suite(
    pytester: pytest.Pytester, legacy: int, unified: int, exceptions: str, outcomes: dict[str, int]
) -> None:
    """A broken promise is red wherever that side answers; a known one is expected, and red once it is kept."""
    pytester.makepyfile(SUITE.format(legacy=legacy, unified=unified, exceptions=exceptions))

    result = pytester.runpytest_inprocess("-p", "oms.testing.plugin", "-p", "no:cacheprovider")

    result.assert_outcomes(**outcomes)


def test_a_suite_without_sides(pytester: pytest.Pytester) -> None:
    """A suite that does not say what the sides are is told so."""
    pytester.makepyfile(SUITE.format(legacy=1, unified=1, exceptions="").replace("def sides", "def others"))

    result = pytester.runpytest_inprocess("-p", "oms.testing.plugin", "-p", "no:cacheprovider")

    result.assert_outcomes(errors=8)
    result.stdout.fnmatch_lines(["*contract tests need a fixture 'sides'*"])
