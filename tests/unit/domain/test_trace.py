"""Where the traces of two sides part, and by which name."""

from __future__ import annotations

import pytest

from oms.domain.stage import Side
from oms.domain.trace import Trace, part

ONCE = Trace(1, ("A",), (), "error 1", "closed")
TWICE = Trace(2, ("A",), (1.0,), "result 2", "closed")
WANTED = Trace(2, ("A",), (1.0,), "no outcome", "closed")
REFUSED = Trace(0, (), (), "Open", "open")
REFUSED_AGAIN = Trace(1, ("A",), (1.0,), "Spent", "closed")
WELL = Trace(1, (), (), "result 1", "closed")


def test_alike() -> None:
    """Equal traces part nowhere, to the last digit."""

    assert ((), True) == part(legacy=TWICE, unified=TWICE, control=Side.LEGACY)


@pytest.mark.parametrize(
    ("control", "candidate", "kind", "path"),
    [
        (ONCE, WANTED, "no outcome", "retried.A"),
        (TWICE, ONCE, "value", "retried.A"),
        (REFUSED, Trace(1, (), (), "no outcome"), "no outcome", "admitted"),
        (WELL, REFUSED, "value", "admitted"),
        (REFUSED_AGAIN, WANTED, "no outcome", "admitted.again"),
        (TWICE, REFUSED_AGAIN, "value", "admitted.again"),
        (REFUSED_AGAIN, ONCE, "value", "retried.A"),
        (WELL, Trace(2, ("cut",), (1.0,), "no outcome"), "no outcome", "retried.cut"),
        (REFUSED, Trace(0, (), (), "Closed", "open"), "error", "outcome"),
        (ONCE, Trace(1, ("A",), (), "Wrapped", "closed"), "value", "outcome"),
        (WELL, Trace(1, (), (), "result 1", "open"), "value", "state"),
        (TWICE, Trace(2, ("A",), (2.0,), "result 2", "closed"), "value", "delays"),
    ],
)
@pytest.mark.parametrize("side", Side)
def test_parting(control: Trace, candidate: Trace, kind: str, path: str, side: Side) -> None:
    """Each way to part has one name, whichever side is the control."""
    legacy, unified = (control, candidate) if side is Side.LEGACY else (candidate, control)
    differences, _ = part(legacy=legacy, unified=unified, control=side)

    assert [(kind, path)] == [(one.kind, one.path) for one in differences]
    assert (legacy, unified) == (differences[0].legacy, differences[0].unified)


def test_band() -> None:
    """A wait within the control's band is reasonable, one outside of it differs, and one that is equal needs no band."""

    def parted(delay: float) -> tuple[list[str], bool]:
        candidate = Trace(2, ("A",), (delay,), "result 2", "closed")
        found, is_exact = part(legacy=TWICE, unified=candidate, control=Side.LEGACY, band=lambda attempt: (0.9, 1.1))
        return [one.path for one in found], is_exact

    assert ([], True) == parted(1.0)
    assert ([], True) == parted(1.0 + 1e-12)
    assert ([], False) == parted(1.1)
    assert (["delays"], False) == parted(1.2)


def test_two_things_at_once() -> None:
    """A wait that differs does not hide where the sides part."""
    longer = Trace(3, ("A", "A"), (5.0, 5.0), "result 3")
    differences, _ = part(legacy=TWICE, unified=longer, control=Side.LEGACY)

    assert ["retried.A", "delays"] == [one.path for one in differences]


def test_unknown_state() -> None:
    """A side without a breaker has no state to differ in."""

    assert () == part(legacy=WELL, unified=Trace(1, (), (), "result 1"), control=Side.LEGACY)[0]


def test_words() -> None:
    """A trace reads as a sentence."""

    assert "2 attempts; failed with A; waited 1 s; result 2; closed" == str(TWICE)
    assert "0 attempts; Open; open" == str(REFUSED)
