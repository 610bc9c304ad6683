"""A side of a seam with some of its reads replaced."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from oms.domain.phase import Operation, Seam
from oms.domain.stage import Effect, Side


class Replaced:
    """An object some of whose methods are others; everything else is the object's own."""

    def __init__(self, inner: object, methods: dict[str, Callable[..., Any]]) -> None:
        self._inner = inner
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def reads_of(seam: Seam[Any, Any]) -> dict[str, Operation]:
    """Return the reads of *seam* by name."""
    return {name: each for name, each in seam.operations().items() if each.effect is Effect.READS}


def chance_of(seed: int, seam: Seam[Any, Any], side: Side, operation: str) -> random.Random:
    """Return a stream of its own for one operation of one side: how often others are called does not change what it draws."""
    return random.Random(f"{seed} {seam.full_name} {side} {operation}")
