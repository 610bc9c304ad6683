"""Calls that name places of the code: each place has paths, fingerprints and rules of its own."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import pytest

from oms.domain.errors import BindingError
from oms.domain.known import KnownClass, KnownDivergence
from oms.domain.phase import Phase, reads
from oms.domain.stage import Stage
from oms.routing import LaneLimits, Runtime
from oms.testing import MemoryJournal, fixed_stage


class Port(Protocol):
    """Reads something at a place."""

    @reads(named_by=("name", "site"))
    def read(self, name: str, fresh: bool = False, *, site: str) -> dict[str, int]:
        """Return something."""
        ...


class Side:
    """Answers a number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def read(self, name: str, fresh: bool = False, *, site: str) -> dict[str, int]:
        """Return the number."""
        return {"n": self.number}


PHASE = Phase("named")
SEAM = PHASE.seam("places", port=Port, names=frozenset({"n"}))


def test_paths_begin_with_the_names() -> None:
    """The same difference at two places is two divergences, and a rule can be for one of them."""
    rule = KnownDivergence(
        id="N-1", seam="named.places", operation="read", kind="value", path="A@x.py.n", when="", klass=KnownClass.ACCEPTED, owner="o",
        reason="r", expires=dt.date(2030, 1, 1), anchor="a", predicate=lambda difference, facts: facts.named == "A@x.py",
    )  # fmt: skip
    runtime = Runtime(rules=[rule], limits=LaneLimits(cpu_share=1.0))
    runtime.bind(SEAM, legacy=Side(1), unified=Side(2))
    runtime.publish(fixed_stage(Stage.SHADOW, PHASE))
    port = runtime.facade(SEAM)
    port.read("A", site="x.py")
    port.read(name="B", fresh=True, site="x.py")
    runtime.stop(limit_s=10.0)
    journal = MemoryJournal(runtime.drain)
    journal.collect()

    assert [("A@x.py.n", "N-1"), ("B@x.py.n", None)] == [(each.path, each.known) for each in journal.divergences]
    assert 2 == len({each.fingerprint for each in journal.divergences})
    assert ["A@x.py.n", "B@x.py.n"] == [each.sample["path"] for each in journal.divergences]


def test_names_that_are_no_parameters() -> None:
    """A mark that names differences by a parameter that is not there is refused where the port is read."""

    class Bad(Protocol):
        @reads(named_by=("nome",))
        def read(self, name: str) -> int:
            """Return something."""
            ...

    with pytest.raises(BindingError, match="'nome', by which its mark names a difference"):
        PHASE.seam("bad", port=Bad).operations()
