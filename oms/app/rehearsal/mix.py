"""Errands of several kinds, each as often as its weight says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from oms.app.rehearsal.request import Errand


def mixed(chance: Random, kinds: Sequence[tuple[float, Callable[[], Errand]]]) -> Iterator[Errand]:
    """Yield errands for ever: *kinds* are weights, above 0 in all, and what makes an errand of that kind."""
    weights, makers = [weight for weight, _ in kinds], [maker for _, maker in kinds]
    while True:
        (make,) = chance.choices(makers, weights)
        yield make()
