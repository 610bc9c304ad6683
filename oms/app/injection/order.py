"""What a worker is told of the faults that its rehearsal wants."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oms.app.injection.distance import Distance
from oms.app.injection.faults import Faults, parse_faults
from oms.app.injection.faulty import Injection
from oms.domain.phase import Seam
from oms.domain.stage import Side


@dataclass(frozen=True, slots=True)
class Order:
    """Faults to be had in one worker, as words of its command line and back.

    Attributes:
        faults: What goes wrong; where it is about time, both sides are as far away as :class:`Distance` says, from the start.
        seed: Of the draws; each worker has one of its own.
        switch: The file that turns the faults on, see :mod:`oms.app.injection.switch`.
    """

    faults: Faults
    seed: int
    switch: Path

    def words(self, worker: int) -> list[str]:
        """Return the words for the worker of that number."""
        return ["--inject", str(self.faults), "--seed", str(self.seed * 1_000 + worker), "--switch", str(self.switch)]

    @classmethod
    def add_to(cls, parser: argparse.ArgumentParser) -> None:
        """Have *parser* take those words."""
        parser.add_argument("--inject", type=parse_faults, default=Faults())
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--switch", type=Path, default=Path("injection"))

    @classmethod
    def read(cls, arguments: argparse.Namespace) -> Order:
        """Return what they said."""
        return cls(arguments.inject, arguments.seed, arguments.switch)

    def injection(self) -> Injection:
        """Return the injection, still off."""
        return Injection(self.faults, seed=self.seed)

    def around(self, injection: Injection, seam: Seam[Any, Any], side: Side, implementation: object) -> object:
        """Return *implementation* as it is to be bound."""
        if self.faults.are_about_time:
            implementation = Distance().around(seam, side, implementation, seed=self.seed)
        return injection.around(seam, side, implementation)
