"""One call made on both sides and compared as the shadow compares it: what a pinned divergence is stated with."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass
from typing import Any

from oms.domain.comparison import Difference, compare
from oms.domain.divergence import type_name
from oms.domain.observation import Observation, Returned
from oms.domain.phase import Seam
from oms.domain.stage import Side
from oms.routing.snapshot import raised
from oms.testing.replayed import Replayed, Script, Stand, overlap
from oms.testing.vantage import Sides


@dataclass(frozen=True, slots=True)
class Asked:
    """What both sides did in one call; *names* are the keys that stand in the paths of their answers."""

    legacy: Observation
    unified: Observation
    names: frozenset[str] = frozenset()

    def differences(self, *, mend: Side, at: str = "", kind: str = "") -> list[str]:
        """Return where the sides differ in the field *at*, in what it is part of and in its parts, a line each.

        Args:
            mend: The side that has to change, for the line; the other one is right.
            at: Folded field path as reports write it; empty for the whole answer.
            kind: Only differences of this kind; empty for all.
        """
        found = compare(legacy=self.legacy, unified=self.unified, names=self.names)
        return [
            _line(difference, mend)
            for difference in found
            if overlap(difference.path, at) and kind in ("", difference.kind)
        ]


class BothSides:
    """Both sides of one seam, asked the same. Every side gets arguments of its own: neither sees what the other does to them."""

    def __init__(self, seam: Seam[Any, Any], sides: Sides, runner: asyncio.Runner) -> None:
        self._seam, self._operations = seam, seam.operations()
        self._sides = sides
        self._runner = runner

    def call(self, operation: str, /, **arguments: object) -> None:
        """Make a call that only prepares what is asked afterwards; what comes of it is not looked at."""
        self.ask(operation, **arguments)

    def ask(self, operation: str, /, **arguments: object) -> Asked:
        """Make a call on each side and return what both did; what a side raises is part of it."""
        return Asked(
            self._observed(Side.LEGACY, operation, copy.deepcopy(arguments)),
            self._observed(Side.UNIFIED, operation, copy.deepcopy(arguments)),
            self._seam.names_in(self._operations[operation]),
        )

    def live_through(self, operation: str, script: Script, /, **arguments: object) -> Replayed:
        """Make a call of an effect and return what came of it; *script* says what the caller's function does, and what came before."""
        return self._runner.run(Stand(self._seam, self._sides, script).live_through(operation, arguments))

    def _observed(self, side: Side, name: str, arguments: dict[str, object]) -> Observation:
        operation = self._operations[name]
        method = getattr(self._sides[side], name)
        try:
            answer = method(**arguments)
            return Returned(self._runner.run(answer) if operation.is_async else answer)
        except Exception as error:
            return raised(error, operation)


def shaped(path: str, leaf: object) -> object:
    """Return a value that has *leaf* at the folded *path*; a ``*`` in it becomes the key of a map."""
    value = leaf
    for name in reversed(path.split(".") if path else []):
        value = {"1" if name == "*" else name: value}
    return value


def _line(difference: Difference, mend: Side) -> str:
    place = f" at {difference.path}" if difference.path else ""
    types = f"{type_name(difference.legacy)} from legacy, {type_name(difference.unified)} from unified"
    return f"{mend} has to change: {difference.kind}{place}, {types}"
